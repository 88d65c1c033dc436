# SPDX-License-Identifier: GPL-3.0-or-later
"""When a body is seen: in the frames in which its person is in the picture, by keys of the object's own visibility.

As an animator would key it: the viewport and every render engine follow these keys, and the dope sheet shows them.
Skeleton and targets stay in view. The keys are muted, not removed, where a body is to be seen always, or was hidden by
hand: those that an artist has moved come back as they were.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from math import ceil
from typing import Final

import bpy
import numpy as np

from .actions import action_of, curves_of, new_action, read_curve, write_curves

_VIEWPORT: Final = "hide_viewport"
_RENDER: Final = "hide_render"
_PATHS: Final = (_VIEWPORT, _RENDER)
_GROUP: Final = "Visibility"
_HIDDEN: Final = [1.0, 0.0, 1.0]
"""Before, in and after the person's frames."""


def key_visibility(body: bpy.types.Object, frames: tuple[int, int], share_with: bpy.types.Action | None) -> None:
    """Show a body from the first to the last of these scene frames, and hide it in all others.

    `share_with`: the skeleton's action, for a body that no action moves yet.
    """
    if action_of(body) is None:
        new_action(body, f"{body.name} {_GROUP}", share_with)
    first, last = frames
    times = np.array([first - 1, first, last + 1], np.float64)
    for path in _PATHS:
        write_curves(body, path, times, np.array(_HIDDEN), _GROUP, "CONSTANT")


def has_keys(body: bpy.types.Object) -> bool:
    """Whether the body has keys of its visibility, in force or not."""
    return all(_curve(body, path) is not None for path in _PATHS)


def hides_outside(body: bpy.types.Object) -> bool:
    """Whether keys hide the body in some frames."""
    return _in_force(_curve(body, _RENDER))


def hide_outside(body: bpy.types.Object, hide: bool) -> None:
    """Let the keys that the body has hide it, or not. A body that is hidden by hand stays so."""
    shown = is_shown(body)
    for curve in _curves(body):
        curve.mute = not hide
    if not hide:
        body.hide_viewport = body.hide_render = False
    show(body, shown)


def is_shown(body: bpy.types.Object) -> bool:
    """Whether the body is seen in the viewport in its frames: whether it is not hidden by hand."""
    curve = _curve(body, _VIEWPORT)
    if not body.hide_viewport:
        return True
    return _in_force(curve) and _hides_now(curve)


def show(body: bpy.types.Object, shown: bool) -> None:
    """Show the body in the viewport where its keys do, or hide it there whatever they say."""
    curve = _curve(body, _VIEWPORT)
    if curve is not None:
        curve.mute = not (shown and hides_outside(body))
    body.hide_viewport = not shown or (_in_force(curve) and _hides_now(curve))


def frames_shown(body: bpy.types.Object) -> tuple[int, int] | None:
    """First and last scene frame in which the keys show the body; None where they never hide it, or more than once."""
    curve = _curve(body, _RENDER)
    keys = read_curve(curve) if _in_force(curve) else np.zeros((0, 2), np.float32)
    if keys[:, 1].tolist() != _HIDDEN:
        return None
    return ceil(keys[1, 0]), ceil(keys[2, 0]) - 1


@contextmanager
def always_shown(objects: Iterable[bpy.types.Object]) -> Iterator[None]:
    """No keys hide these objects within the block; afterwards they do from the next frame change on."""
    curves = [(item, curve) for item in objects for curve in _curves(item) if not curve.mute]
    for item, curve in curves:
        curve.mute = True
        setattr(item, curve.data_path, False)
    try:
        yield
    finally:
        for _, curve in curves:
            curve.mute = False


def _curves(item: bpy.types.Object) -> list[bpy.types.FCurve]:
    return [curve for curve in curves_of(item) if curve.data_path in _PATHS]


def _curve(item: bpy.types.Object, path: str) -> bpy.types.FCurve | None:
    return next((curve for curve in curves_of(item) if curve.data_path == path), None)


def _in_force(curve: bpy.types.FCurve | None) -> bool:
    return curve is not None and not curve.mute


def _hides_now(curve: bpy.types.FCurve) -> bool:
    return bool(curve.evaluate(bpy.context.scene.frame_current_final) >= 1)
