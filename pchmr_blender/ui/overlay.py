# SPDX-License-Identifier: GPL-3.0-or-later
"""What was detected in the picture, drawn over 3D views that look through the take's camera."""

from __future__ import annotations

from typing import Any, Final

import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader
from numpy.typing import NDArray

from ..core.lens import Pinhole
from ..core.picture_overlay import LINES, region_points, row_at
from ..scene.evidence import evidence_of
from ..scene.handles import find_part, people_in, placing_of

_SURE, _DOUBTFUL = np.array([0.1, 1.0, 0.6]), np.array([1.0, 0.25, 0.1])
_LINE_WIDTH, _DOT = 1.5, 3.0
"""In pixels of a display of usual density."""
_FAINTEST: Final = 0.25
"""Opacity of what the detector did not see."""

_handles: Final[list[Any]] = []
"""Blender's handle of the drawing, while there is one."""


def add_drawing() -> None:
    """Draw from now on; without a window there is nothing to draw on."""
    if not bpy.app.background:
        _handles.append(bpy.types.SpaceView3D.draw_handler_add(draw, (), "WINDOW", "POST_PIXEL"))


def remove_drawing() -> None:
    """Undo `add_drawing`."""
    while _handles:
        bpy.types.SpaceView3D.draw_handler_remove(_handles.pop(), "WINDOW")


def draw() -> None:
    """Draw everyone's detections of the picture that is shown in the region that Blender draws."""
    context = bpy.context
    region_3d, space = context.region_data, context.space_data
    if region_3d is None or region_3d.view_perspective != "CAMERA" or not space.overlay.show_overlays:
        return
    camera = space.camera if space.use_local_camera else context.scene.camera
    for person in people_in(context.scene):
        if person.pchmr_suspects.detections and camera is not None and camera == find_part(person, "CAMERA"):
            seen = detections(person, context.scene.frame_current_final)
            if seen is not None:
                draw_landmarks(placed(seen, camera, region_3d.perspective_matrix, context.region), seen[:, 2])


def detections(person: bpy.types.Collection, frame: float) -> NDArray[np.float32] | None:
    """What was detected in the picture that is shown at a scene frame; None where the take has none there.

    (33, 3) x, y in pixels of the upright picture, confidence.
    """
    seen = evidence_of(person)
    second = float(placing_of(person).seconds(frame - person.pchmr.footage_offset))
    row = None if seen is None else row_at(seen.seconds, second)
    return None if seen is None or row is None else seen.keypoints_2d[row]


def placed(
    seen: NDArray[np.float32], camera: bpy.types.Object, perspective: Any, region: bpy.types.Region
) -> NDArray[np.float64]:
    """(33, 2) the landmarks in a region's pixels."""
    width, height, *lens = camera.pchmr.pinhole
    pinhole = Pinhole(round(width), round(height), *lens)
    matrices = np.array(camera.matrix_world), np.array(perspective)
    return region_points(seen[:, :2], pinhole, *matrices, region.width, region.height)


def draw_landmarks(points: NDArray[np.float64], confidence: NDArray[np.float32]) -> None:
    """Draw lines and dots: green where the detector is sure, red and faint where it is not.

    Args:
        points: (33, 2) the region's pixels. confidence: (33,) 0 to 1.
    """
    size = bpy.context.preferences.system.ui_scale
    sure = np.clip(confidence, 0, 1)[:, None].astype(np.float64)
    colours = np.concatenate([_DOUBTFUL + (_SURE - _DOUBTFUL) * sure, _FAINTEST + (1 - _FAINTEST) * sure], axis=1)
    gpu.state.blend_set("ALPHA")
    lines = gpu.shader.from_builtin("POLYLINE_SMOOTH_COLOR")
    lines.bind()
    lines.uniform_float("viewportSize", gpu.state.viewport_get()[2:])
    lines.uniform_float("lineWidth", _LINE_WIDTH * size)
    ends = np.array(LINES).ravel()
    _draw(lines, "LINES", points[ends], colours[ends])
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, -1), (1, 1), (-1, 1)]) * _DOT * size
    squares = (points[:, None] + corners).reshape(-1, 2)
    _draw(gpu.shader.from_builtin("SMOOTH_COLOR"), "TRIS", squares, np.repeat(colours, len(corners), axis=0))
    gpu.state.blend_set("NONE")


def _draw(shader: Any, kind: str, points: NDArray[np.float64], colours: NDArray[np.float64]) -> None:
    flat = np.concatenate([points, np.zeros((len(points), 1))], axis=1)
    batch = batch_for_shader(shader, kind, {"pos": flat.astype(np.float32), "color": colours.astype(np.float32)})
    batch.draw(shader)
