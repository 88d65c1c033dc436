# SPDX-License-Identifier: GPL-3.0-or-later
"""When feet stand, drawn along the bottom of timelines and dope sheets: a lane for each heel and each toe.

Drawn, not keyed: keys or custom properties on the controls would be a second copy of the strips, which would be in the
artist's way and go stale; markers would be hundreds. A picture of what the layers' parameters say follows them through
undo, load and retiming by itself.
"""

from __future__ import annotations

from typing import Any, Final

import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader
from numpy.typing import NDArray

from ..core.contact_strips import lane
from ..scene.cleanup import is_outdated, strips_in, strips_shown
from ..scene.handles import active_person, placing_of

_COLOURS: Final = np.array([[0.25, 0.55, 1.0], [0.45, 0.75, 1.0], [1.0, 0.35, 0.3], [1.0, 0.6, 0.5]])
"""Left heel, left toe, right heel, right toe."""
_HELD, _FREE, _DETECTED, _STALE = 0.9, 0.35, 0.55, 0.2
"""Opacities: held by the artist, said to stand only, detected, detected with other parameters."""
_LANE, _GAP, _BOTTOM = 4.0, 1.0, 12.0
"""Heights, and where the first lane begins, above the scroll bar; in pixels of a display of usual density."""

_handles: Final[list[Any]] = []
"""Blender's handle of the drawing, while there is one."""


def add_drawing() -> None:
    """Draw from now on; without a window there is nothing to draw on."""
    if not bpy.app.background:
        _handles.append(bpy.types.SpaceDopeSheetEditor.draw_handler_add(draw, (), "WINDOW", "POST_PIXEL"))


def remove_drawing() -> None:
    """Undo `add_drawing`."""
    while _handles:
        bpy.types.SpaceDopeSheetEditor.draw_handler_remove(_handles.pop(), "WINDOW")


def draw() -> None:
    """Draw the strips of the person that the panel is about, in the region that Blender draws."""
    context = bpy.context
    person = active_person(context)
    if person is None or not person.pchmr_cleanup.shown:
        return
    scale = context.preferences.system.ui_scale
    boxes, colours = lanes(person, context.region, scale)
    if len(boxes):  # Blender refuses a batch of nothing
        draw_boxes(boxes, colours)


def lanes(
    person: bpy.types.Collection, region: bpy.types.Region, scale: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Boxes that the region shows, as their lower left and upper right corners in its pixels, and their colours.

    Shape: (n, 2, 2), (n, 4).
    """
    strips, own = strips_shown(person), strips_in(person) is not None
    known = _HELD if own else _STALE if is_outdated(person) else _DETECTED
    rows = np.array([lane(strip) for strip in strips], int)
    begin, end = (region.view2d.region_to_view(x, 0)[0] for x in (0, region.width))
    frames = placing_of(person).frames([(strip.start, strip.end) for strip in strips]).reshape(-1, 2)
    across = (frames - begin) * region.width / (end - begin)
    low = _floor(rows) * scale
    boxes = np.stack([across, np.stack([low, low + _LANE * scale], 1)], 2)
    boxes[:, 1, 0] = np.maximum(boxes[:, 1, 0], boxes[:, 0, 0] + 1)  # at least a pixel
    opacity = [known if strip.locked else _FREE for strip in strips]
    inside = (boxes[:, 1, 0] >= 0) & (boxes[:, 0, 0] <= region.width)
    return boxes[inside], np.column_stack([_COLOURS[rows], opacity])[inside]


def draw_boxes(boxes: NDArray[np.float64], colours: NDArray[np.float64]) -> None:
    """Fill boxes. Shape: as `lanes`."""
    (left, low), (right, high) = boxes[:, 0].T, boxes[:, 1].T
    corners = [(left, low), (right, low), (right, high), (left, low), (right, high), (left, high)]
    points = np.stack([np.stack([*corner, np.zeros(len(boxes))], 1) for corner in corners], 1).reshape(-1, 3)
    gpu.state.blend_set("ALPHA")
    shader = gpu.shader.from_builtin("FLAT_COLOR")
    content = {"pos": points.astype(np.float32), "color": np.repeat(colours, 6, 0).astype(np.float32)}
    batch_for_shader(shader, "TRIS", content).draw(shader)
    gpu.state.blend_set("NONE")


def _floor(rows: NDArray[np.int_]) -> NDArray[np.float64]:
    """Where lanes begin, the left heel's at the top."""
    return _BOTTOM + (len(_COLOURS) - 1 - rows) * (_LANE + _GAP)
