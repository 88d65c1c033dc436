# SPDX-License-Identifier: GPL-3.0-or-later
"""The take's camera as Blender's: what it sees coincides with the footage, pixel by pixel."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Matrix

from ..core.lens import CAMERA_AXES, Frame, Pinhole, fitted, own_frame, to_lens
from ..core.takes import TakeView

_REACH = 4.0
"""The camera sees this much farther than the farthest joint: room for what is built around the body."""
_LEAST_REACH = 100.0
"""Metres: Blender's own."""


def pinhole_of(view: TakeView) -> Pinhole:
    """The take's camera; principal point and focal lengths in pixels of the upright picture."""
    return Pinhole(view.width, view.height, *view.intrinsics)


def create_camera(view: TakeView, collection: bpy.types.Collection | None, name: str) -> bpy.types.Object:
    """Make `<name> Camera` where the take's stood, for a scene of the footage's size; see `fit_camera` for others.

    It is locked: moved by hand, it would no longer show the body on the footage.
    """
    data = bpy.data.cameras.new(f"{name} Camera")
    camera = bpy.data.objects.new(f"{name} Camera", data)
    if collection is not None:
        collection.objects.link(camera)
    camera.matrix_world = Matrix((view.camera_to_world @ CAMERA_AXES).tolist())
    for lock in (camera.lock_location, camera.lock_rotation, camera.lock_scale):
        lock[:] = (True, True, True)
    eye = view.camera_to_world[:3, 3]
    farthest = max(float(np.linalg.norm(person.joints - eye, axis=-1).max()) for person in view.people)
    data.clip_end = max(_LEAST_REACH, _REACH * farthest)
    data.display_size = 0.3
    _set_lens(data, pinhole_of(view))
    return camera


def fit_camera(camera: bpy.types.Object, pinhole: Pinhole, frame: Frame) -> None:
    """Show the whole picture in a scene of another output size, as large as it goes, with bars at two sides."""
    _set_lens(camera.data, fitted(pinhole, frame))


def frame_of(scene: bpy.types.Scene) -> Frame:
    """The scene's output size, without its percentage, which changes no proportion."""
    render = scene.render
    return Frame(render.resolution_x, render.resolution_y, render.pixel_aspect_x, render.pixel_aspect_y)


def set_frame(scene: bpy.types.Scene, view: TakeView) -> None:
    """Give the scene the footage's output size."""
    frame, render = own_frame(pinhole_of(view)), scene.render
    render.resolution_x, render.resolution_y = frame.width, frame.height
    render.pixel_aspect_x, render.pixel_aspect_y = frame.aspect_x, frame.aspect_y


def _set_lens(data: bpy.types.Camera, pinhole: Pinhole) -> None:
    lens = to_lens(pinhole)
    data.type = "PERSP"
    data.lens_unit = "MILLIMETERS"
    data.sensor_fit = lens.sensor_fit
    data.sensor_width, data.sensor_height = lens.sensor_width, lens.sensor_height
    data.lens, data.shift_x, data.shift_y = lens.lens, lens.shift_x, lens.shift_y
