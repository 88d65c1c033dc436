"""What tests of whole imports share: our properties and handlers registered, and questions asked of the scene."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy
import numpy as np

from pchmr.pchmr_blender.scene import camera_follow, edit_settings, properties, suspect_settings, take_paths
from pchmr.pchmr_blender.scene.actions import curves_of, read_curve
from pchmr.pchmr_blender.scene.import_take import ImportOptions, import_take


@contextmanager
def registered() -> Iterator[None]:
    """Our properties and file handlers, without the rest of the extension."""
    kinds = (*properties.CLASSES, *edit_settings.CLASSES, *suspect_settings.CLASSES)
    for kind in kinds:
        bpy.utils.register_class(kind)
    properties.add_pointers()
    edit_settings.add_pointers()
    suspect_settings.add_pointer()
    handlers = (
        (bpy.app.handlers.save_pre, take_paths.before_save),
        (bpy.app.handlers.save_post, take_paths.after_save),
        (bpy.app.handlers.depsgraph_update_post, camera_follow.after_update),
        (bpy.app.handlers.load_post, take_paths.after_load),
    )
    for listeners, handler in handlers:
        listeners.append(handler)
    yield
    for listeners, handler in handlers:
        listeners.remove(handler)
    suspect_settings.remove_pointer()
    edit_settings.remove_pointers()
    properties.remove_pointers()
    for kind in reversed(kinds):
        bpy.utils.unregister_class(kind)


def bring(folder: Path, **options) -> list[bpy.types.Collection]:
    """Import a take into the scene."""
    return import_take(folder, ImportOptions(**options), bpy.context.scene)


def inventory() -> dict[str, list[str]]:
    """Names of all data-blocks by kind, without what Blender makes for itself."""
    kinds = [e.identifier for e in bpy.data.bl_rna.properties if e.type == "COLLECTION"]
    found = {kind: sorted(item.name for item in getattr(bpy.data, kind)) for kind in kinds}
    return {kind: names for kind, names in found.items() if names}


def show(frame: float) -> None:
    """Go to a scene frame, or between two."""
    bpy.context.scene.frame_set(int(frame // 1), subframe=frame % 1)


def vertices_at(body: bpy.types.Object, frame: float) -> np.ndarray:
    """The evaluated body in the world, metres. Shape: (N, 3)."""
    show(frame)
    evaluated = body.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = evaluated.to_mesh()
    points = np.empty((len(mesh.vertices), 3), np.float32)
    mesh.vertices.foreach_get("co", points.ravel())
    evaluated.to_mesh_clear()
    matrix = np.array(evaluated.matrix_world)
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def shown(camera: bpy.types.Object, frame: int) -> int:
    """Number of the picture behind the camera, as the viewport reckons it when it draws: from the evaluated fields.

    `image_user.frame_current` is not asked: it may be reckoned before the keys of `frame_offset` are evaluated.
    """
    bpy.context.scene.frame_set(frame)
    evaluated = camera.evaluated_get(bpy.context.evaluated_depsgraph_get())
    user = evaluated.data.background_images[0].image_user
    return min(max(frame - user.frame_start + 1, 0), user.frame_duration) + user.frame_offset


def key_frames(owner: bpy.types.ID) -> list[np.ndarray]:
    """Frames of the keys of each of an owner's curves."""
    return [read_curve(curve)[:, 0] for curve in curves_of(owner)]
