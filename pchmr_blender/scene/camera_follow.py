# SPDX-License-Identifier: GPL-3.0-or-later
"""Body and picture go on coinciding when the scene's output size is changed: the takes' cameras follow it."""

from __future__ import annotations

from dataclasses import astuple

import bpy
from bpy.app.handlers import persistent

from .camera import frame_of
from .footage import refit


@persistent
def after_update(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    """Handler of `depsgraph_update_post`: once an update, so it looks first whether the scene itself has changed."""
    if not depsgraph.id_type_updated("SCENE"):
        return
    frame = astuple(frame_of(scene))
    for camera in [item for item in scene.objects if item.pchmr.part == "CAMERA" and item.library is None]:
        own = camera.pchmr
        # A file of an earlier version does not know its footage's pinhole.
        if own.pinhole[0] and any(abs(a - b) > 1e-6 * b for a, b in zip(own.fitted, frame, strict=True)):
            refit(camera, scene)
