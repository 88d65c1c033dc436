# SPDX-License-Identifier: GPL-3.0-or-later
"""What was detected in the picture, drawn over 3D views that look through the take's camera."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import blf
import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader
from numpy.typing import NDArray

from ..core.landmarks import IN_WORDS
from ..core.picture_overlay import LINES, region_points
from ..scene.corrections import Shown, shown_at
from ..scene.handles import find_part, people_in
from ..scene.landmark_drag import Pointed, mouse, view_lens

_SURE, _DOUBTFUL = np.array([0.1, 1.0, 0.6]), np.array([1.0, 0.25, 0.1])
_CORRECTED, _POINTED = (0.3, 0.75, 1.0, 1.0), (1.0, 1.0, 1.0, 1.0)
_LINE_WIDTH, _DOT, _RING = 1.5, 3.0, 7.0
"""In pixels of a display of usual density."""
_FAINTEST: Final = 0.25
"""Opacity of what the detector did not see."""
_CIRCLE: Final = np.stack([f(np.linspace(0, 2 * np.pi, 25)) for f in (np.cos, np.sin)], 1)

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
            shown = shown_at(person, context.scene.frame_current_final)
            if shown is not None:
                pointed = mouse.pointed if mouse.pointed and mouse.pointed.person == person.pchmr.uuid else None
                draw_person(shown, pointed, camera, region_3d.perspective_matrix, context.region)


def draw_person(
    shown: Shown, pointed: Pointed | None, camera: bpy.types.Object, perspective: Any, region: bpy.types.Region
) -> None:
    """Draw a person's landmarks: what was detected, what is corrected, and what the mouse is at."""
    places, dragged = shown.places.copy(), {} if pointed is None else pointed.places
    for landmark, place in dragged.items():
        places[landmark] = place
    moved = np.linalg.norm(places - shown.detected[:, :2], axis=1) > 0.01
    points = placed(places, camera, perspective, region)
    draw_landmarks(points, np.where(moved, 1.0, shown.detected[:, 2]).astype(np.float32))
    ends = np.stack([placed(shown.detected, camera, perspective, region), points], 1)[moved]
    size = bpy.context.preferences.system.ui_scale
    rings = [points[landmark] + _RING * size * _CIRCLE for landmark in {*shown.corrected, *dragged}]
    draw_strokes([*ends, *rings], _CORRECTED)
    if pointed is not None:
        at = points[pointed.landmark]
        draw_strokes([at + 1.4 * _RING * size * _CIRCLE], _POINTED)
        draw_words(IN_WORDS[pointed.landmark], at + 2 * _RING * size)


def placed(
    seen: NDArray[Any], camera: bpy.types.Object, perspective: Any, region: bpy.types.Region
) -> NDArray[np.float64]:
    """The landmarks in a region's pixels. Shape: (33, 2 or more) → (33, 2)."""
    return region_points(seen[:, :2], *view_lens(camera, perspective, region))


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


def draw_strokes(strokes: Sequence[NDArray[np.float64]], colour: tuple[float, float, float, float]) -> None:
    """Draw lines of one colour. Shape: (n, 2) each, the region's pixels."""
    if not strokes:
        return
    pieces = np.concatenate([np.stack([stroke[:-1], stroke[1:]], 1).reshape(-1, 2) for stroke in strokes])
    gpu.state.blend_set("ALPHA")
    shader = gpu.shader.from_builtin("POLYLINE_SMOOTH_COLOR")
    shader.bind()
    shader.uniform_float("viewportSize", gpu.state.viewport_get()[2:])
    shader.uniform_float("lineWidth", _LINE_WIDTH * bpy.context.preferences.system.ui_scale)
    _draw(shader, "LINES", pieces, np.tile(colour, (len(pieces), 1)))
    gpu.state.blend_set("NONE")


def draw_words(words: str, at: NDArray[np.float64]) -> None:
    """Write a few words. Shape: at (2,), the region's pixels."""
    blf.size(0, 12 * bpy.context.preferences.system.ui_scale)
    blf.enable(0, blf.SHADOW)
    blf.shadow(0, 3, 0, 0, 0, 1)
    blf.color(0, *_POINTED)
    blf.position(0, float(at[0]), float(at[1]), 0)
    blf.draw(0, words)
    blf.disable(0, blf.SHADOW)


def _draw(shader: Any, kind: str, points: NDArray[np.float64], colours: NDArray[np.float64]) -> None:
    flat = np.concatenate([points, np.zeros((len(points), 1))], axis=1)
    batch = batch_for_shader(shader, kind, {"pos": flat.astype(np.float32), "color": colours.astype(np.float32)})
    batch.draw(shader)
