# SPDX-License-Identifier: GPL-3.0-or-later
"""FBX and glTF: bones, skin and shape keys, by Blender's own exporters.

Both carry shape keys that are added up, and no others; and a key whose normals were stored, too, would double in size.
"""

from __future__ import annotations

from pathlib import Path

import bpy


def write_fbx(path: Path) -> None:
    """FBX of all that is on the stage, its frames as the file's one animation. Raises RuntimeError."""
    bpy.ops.export_scene.fbx(
        filepath=str(path),
        check_existing=False,
        object_types={"ARMATURE", "MESH"},
        # With any other modifier applied the shape keys would be left out.
        use_mesh_modifiers=False,
        mesh_smooth_type="FACE",
        add_leaf_bones=False,
        bake_anim=True,
        bake_anim_use_all_bones=True,
        bake_anim_use_nla_strips=False,
        bake_anim_use_all_actions=False,
        bake_anim_force_startend_keying=True,
        bake_anim_simplify_factor=0.0,
    )


def write_glb(path: Path, stage: bpy.types.Scene) -> None:
    """Binary glTF of all that is on the stage, its frames as the one animation, from second 0. Raises RuntimeError."""
    # The exporter multiplies by `fps_base` where Blender divides (up to 5.2 at least).
    stage.render.fps_base = 1 / stage.render.fps_base
    bpy.ops.export_scene.gltf(
        filepath=str(path),
        check_existing=False,
        export_format="GLB",
        use_active_scene=True,
        # Children of what is on the stage come along, although they are not: the body, where it is not asked for.
        use_visible=True,
        export_animations=True,
        # The stage's frames as one animation: by actions the skeleton's and the keys' would be two where actions have
        # no slots, and with slots the targets' keys would lengthen it.
        export_animation_mode="SCENE",
        export_anim_scene_split_object=False,
        export_anim_slide_to_zero=True,
        export_force_sampling=True,
        export_optimize_animation_size=True,
        export_optimize_animation_keep_anim_armature=False,
        export_morph=True,
        export_morph_normal=False,
        export_try_sparse_sk=False,
    )
