# SPDX-License-Identifier: GPL-3.0-or-later
"""What is drawn over the 3D views while a target pose is edited: pinned joints and stretched bones."""

from __future__ import annotations

from typing import Any, Final

import blf
import bpy
import gpu
import numpy as np
from bpy_extras.view3d_utils import location_3d_to_region_2d
from gpu_extras.batch import batch_for_shader
from mathutils import Vector
from numpy.typing import NDArray

from ...inference_backend.errors import SceneChanged
from ...inference_backend.skeletons import PARENTS
from ..live import mode
from ..live.stretches import stretched_bones
from ..scene.handles import part_of, resolve
from ..scene.live_controls import LiveControls

_PIN, _STRETCH = (1.0, 0.85, 0.1, 1.0), (1.0, 0.45, 0.1, 1.0)
_PIN_SIZE, _LINE, _TEXT = 7.0, 2.5, 13.0
"""In pixels of a display of usual density."""
_SQUARE: Final = np.array([(-1, -1), (1, -1), (1, -1), (1, 1), (1, 1), (-1, 1), (-1, 1), (-1, -1)], np.float64)

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
    """Draw in the region that Blender draws."""
    context, editing = bpy.context, mode.current()
    if editing is None or context.region_data is None or not context.space_data.overlay.show_overlays:
        return
    try:
        targets = part_of(resolve(editing.handle), "TARGETS")
        controls = LiveControls(targets)
    except SceneChanged:  # the mode is about to end
        return
    size = context.preferences.system.ui_scale
    places, base = controls.places()
    points = _in_region(context, targets, places)
    pins = [points[joint] for joint in controls.pinned() if points[joint] is not None]
    _draw_lines(np.concatenate([pin + _SQUARE * _PIN_SIZE * size for pin in pins]) if pins else np.zeros((0, 2)), _PIN)
    now = editing.answer if editing.dragging else None  # a dragged control gets its stretch when it is let go
    stretch = controls.read().stretch if now is None else now.edits.stretch[0]
    for one in stretched_bones(places, base, stretch):
        ends = points[PARENTS[one.joint]], points[one.joint]
        if ends[0] is not None and ends[1] is not None:
            _draw_lines(np.stack(ends), _STRETCH)  # type: ignore[arg-type]
            _write(f"{one.share:+.0%}", (ends[0] + ends[1]) / 2, size)


def _in_region(
    context: bpy.types.Context, targets: bpy.types.Object, places: NDArray[np.float64]
) -> list[NDArray[np.float64] | None]:
    """Places as pixels of the region; None behind the viewer."""
    found = [
        location_3d_to_region_2d(context.region, context.region_data, targets.matrix_world @ Vector(place))
        for place in places
    ]
    return [None if one is None else np.array(one, np.float64) for one in found]


def _draw_lines(points: NDArray[np.float64], colour: tuple[float, ...]) -> None:
    """Pairs of points, as lines. Shape: (n, 2) the region's pixels."""
    if not len(points):
        return
    shader = gpu.shader.from_builtin("POLYLINE_UNIFORM_COLOR")
    shader.bind()
    shader.uniform_float("viewportSize", gpu.state.viewport_get()[2:])
    shader.uniform_float("lineWidth", _LINE * bpy.context.preferences.system.ui_scale)
    shader.uniform_float("color", colour)
    flat = np.concatenate([points, np.zeros((len(points), 1))], 1).astype(np.float32)
    gpu.state.blend_set("ALPHA")
    batch_for_shader(shader, "LINES", {"pos": flat}).draw(shader)
    gpu.state.blend_set("NONE")


def _write(text: str, at: NDArray[np.float64], size: float) -> None:
    blf.size(0, _TEXT * size)
    blf.color(0, *_STRETCH)
    blf.position(0, at[0] + 6 * size, at[1], 0)
    blf.draw(0, text)
