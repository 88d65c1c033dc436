from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from pchmr.pchmr_blender.scene import versions
from pchmr.pchmr_blender.scene.armatures import BoneRow, create_armature


@pytest.fixture(autouse=True)
def empty() -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)


def test_one_bone_is_selected_and_not_its_neighbour() -> None:
    rows = [BoneRow(name, (0, 0, i), (0, 0, i + 1), (0, 1, 0)) for i, name in enumerate(("a", "b"))]
    rig = create_armature("Rig", rows)
    bpy.context.scene.collection.objects.link(rig)
    bones = rig.pose.bones
    versions.select_bone(bones["a"])
    versions.select_bone(bones["b"], False)
    assert versions.bone_selected(bones["a"])
    assert not versions.bone_selected(bones["b"])
    versions.select_bone(bones["a"], False)
    assert not versions.bone_selected(bones["a"])


def test_the_compositor_s_output_is_the_picture(tmp_path: Path) -> None:
    scene = bpy.context.scene
    tree = versions.compositor_tree(scene)
    tree.nodes.clear()
    colour = tree.nodes.new("CompositorNodeRGB")
    colour.outputs[0].default_value = (1, 0, 0, 1)
    tree.links.new(colour.outputs[0], versions.compositor_output(tree))
    assert versions.compositor_tree(scene) == tree
    assert versions.compositor_output(tree) == versions.compositor_output(tree)
    assert sum(node.bl_idname in ("NodeGroupOutput", "CompositorNodeComposite") for node in tree.nodes) == 1
    scene.collection.objects.link(bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera")))
    scene.camera = bpy.data.objects["Camera"]
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.view_settings.view_transform = "Standard"
    scene.render.resolution_x = scene.render.resolution_y = 8
    scene.render.resolution_percentage = 100
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = str(tmp_path / "picture.png")
    bpy.ops.render.render(write_still=True)
    pixels = np.array(bpy.data.images.load(scene.render.filepath).pixels[:]).reshape(-1, 4)
    assert np.allclose(pixels.mean(0), [1, 0, 0, 1], atol=0.01)
