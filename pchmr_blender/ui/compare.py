# SPDX-License-Identifier: GPL-3.0-or-later
"""What the result is compared with, drawn over the 3D views in a colour of its own, with its name above.

It is no object: it cannot be selected, rendered, saved or exported.
"""

from __future__ import annotations

from typing import Any, Final

import blf
import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader
from numpy.typing import NDArray

from ...inference_backend.skeletons import BONES
from ..scene.compare import Compared, compared
from ..scene.edit_settings import SHOWN
from ..scene.handles import people_in

_COLOURS: Final = {
    "MESH_STREAM": (1.0, 0.55, 0.1),
    "LIFTED": (1.0, 0.9, 0.2),
    "TARGET": (0.2, 0.9, 1.0),
}
_LABELS: Final = {name: label for name, label, _ in SHOWN}
_LINE, _JOINT, _TEXT = 3.0, 8.0, 14.0
"""Pixels of a display of usual density."""

_handles: Final[list[Any]] = []
"""Blender's handles of the drawing, while there is one."""


def add_drawing() -> None:
    """Draw from now on; without a window there is nothing to draw on."""
    if not bpy.app.background:
        add = bpy.types.SpaceView3D.draw_handler_add
        _handles.extend((add(draw_shapes, (), "WINDOW", "POST_VIEW"), add(draw_names, (), "WINDOW", "POST_PIXEL")))


def remove_drawing() -> None:
    """Undo `add_drawing`."""
    while _handles:
        bpy.types.SpaceView3D.draw_handler_remove(_handles.pop(), "WINDOW")


def draw_shapes() -> None:
    """What is compared of everyone, at the frame that is shown."""
    context = bpy.context
    for person in _people(context):
        found = compared(person, context.scene.frame_current_final)
        if found is not None and len(found.triangles):
            draw_mesh(found, np.array(context.region_data.view_matrix.inverted())[:3, 2])
        elif found is not None:
            draw_joints(found)


def draw_names() -> None:
    """What is drawn, in words: nobody shall take it for the result."""
    context = bpy.context
    shown = list(dict.fromkeys(person.pchmr_edit.shown for person in _people(context)))
    scale = context.preferences.system.ui_scale
    for line, name in enumerate(shown):
        text = f"Compared with: {_LABELS[name]} (drawn only, not the result)"
        blf.size(0, _TEXT * scale)
        width, height = blf.dimensions(0, text)
        blf.position(0, (context.region.width - width) / 2, (2 + 2 * line) * height, 0)
        blf.enable(0, blf.SHADOW)
        blf.shadow(0, 5, 0, 0, 0, 1)
        blf.color(0, *_COLOURS[name], 1)
        blf.draw(0, text)
        blf.disable(0, blf.SHADOW)


def draw_mesh(found: Compared, towards: NDArray[np.float64]) -> None:
    """The mesh, a little transparent, lit from where one looks. `towards`: (3,) out of the screen, world."""
    light = np.abs(normals(found.points, found.triangles) @ towards.astype(np.float32))
    colours = np.empty((len(found.points), 4), np.float32)
    colours[:, :3] = np.array(_COLOURS[found.shown], np.float32) * (0.35 + 0.65 * light)[:, None]
    colours[:, 3] = 0.75
    shader = gpu.shader.from_builtin("SMOOTH_COLOR")
    gpu.state.blend_set("ALPHA")
    gpu.state.depth_test_set("LESS_EQUAL")
    gpu.state.depth_mask_set(True)
    batch_for_shader(shader, "TRIS", {"pos": found.points, "color": colours}, indices=found.triangles).draw(shader)
    gpu.state.depth_mask_set(False)
    gpu.state.depth_test_set("NONE")
    gpu.state.blend_set("NONE")


def draw_joints(found: Compared) -> None:
    """The joints, and lines along the bones, in front of everything."""
    colour, scale = (*_COLOURS[found.shown], 1.0), bpy.context.preferences.system.ui_scale
    lines = gpu.shader.from_builtin("POLYLINE_UNIFORM_COLOR")
    lines.bind()
    lines.uniform_float("viewportSize", gpu.state.viewport_get()[2:])
    lines.uniform_float("lineWidth", _LINE * scale)
    lines.uniform_float("color", colour)
    batch_for_shader(lines, "LINES", {"pos": found.points[np.array(BONES).ravel()]}).draw(lines)
    dots = gpu.shader.from_builtin("UNIFORM_COLOR")
    dots.bind()
    dots.uniform_float("color", colour)
    gpu.state.point_size_set(_JOINT * scale)
    batch_for_shader(dots, "POINTS", {"pos": found.points}).draw(dots)


def normals(points: NDArray[np.float32], triangles: NDArray[np.int32]) -> NDArray[np.float32]:
    """Of the vertices. Shape: (N, 3), (T, 3) → (N, 3)."""
    a, b, c = (points[triangles[:, corner]] for corner in range(3))
    faces, found = np.cross(b - a, c - a), np.zeros_like(points)
    for axis in range(3):
        for corner in range(3):
            found[:, axis] += np.bincount(triangles[:, corner], faces[:, axis], len(points))
    return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12), np.float32)


def _people(context: bpy.types.Context) -> list[bpy.types.Collection]:
    """Those who are compared in this view."""
    if context.region_data is None or not context.space_data.overlay.show_overlays:
        return []
    return [one for one in people_in(context.scene) if one.pchmr_edit.shown != "CALIBRATED" and not one.hide_viewport]
