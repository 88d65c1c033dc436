# SPDX-License-Identifier: GPL-3.0-or-later
"""The scene's rate and range: a take sets them where nothing else is animated, and keeps to them where something is."""

from __future__ import annotations

import bpy

from ...inference_backend.frame_rates import likely_rate, runs_evenly
from ..core.takes import TakeView
from ..core.timing import Placing, whole_frames
from .versions import strips_of

_SAME_RATE = 1e-6
"""Blender keeps `fps_base` in single precision: rates that differ by less are one."""


def rate_of(scene: bpy.types.Scene) -> float:
    """The scene's frames per second."""
    return scene.render.fps / scene.render.fps_base


def set_rate(scene: bpy.types.Scene, fps: float) -> None:
    """Give the scene a rate; 29.97 becomes 30 / 1.001, as Blender writes it."""
    whole = max(1, round(fps))
    scene.render.fps, scene.render.fps_base = whole, whole / fps


def is_still(scene: bpy.types.Scene) -> bool:
    """Whether nothing in the scene is animated, so that its rate and range mean nothing to anybody."""
    owners: list[bpy.types.ID] = [scene]
    for item in scene.objects:
        owners += [owner for owner in (item, item.data, getattr(item.data, "shape_keys", None)) if owner is not None]
    animations = [owner.animation_data for owner in owners if getattr(owner, "animation_data", None)]
    animated = any(animation.action or animation.nla_tracks or animation.drivers for animation in animations)
    return not animated and not strips_of(scene)


def placing_in(scene: bpy.types.Scene, view: TakeView, start: float) -> Placing:
    """Where a take goes that begins at a scene frame: at its own rate in a still scene, which will get it."""
    rate = _footage_rate(view)
    # The same rate in double precision, so that keys of long takes stand on whole frames.
    same = is_still(scene) or abs(rate_of(scene) / rate - 1) < _SAME_RATE
    return Placing(rate if same else rate_of(scene), start)


def give_time(scene: bpy.types.Scene, view: TakeView, placing: Placing) -> None:
    """Set the scene's rate and range to a take's, and go to its first frame."""
    set_rate(scene, placing.fps)
    seconds = [(person.seconds[0], person.seconds[-1]) for person in view.people]
    first, last = min(first for first, _ in seconds), max(last for _, last in seconds)
    scene.frame_start, scene.frame_end = whole_frames(*placing.frames([first, last]))
    scene.frame_set(scene.frame_start)


def _footage_rate(view: TakeView) -> float:
    """The footage's rate, or the one it was meant to have where it varies."""
    longest = max(view.people, key=lambda person: person.frame_count)
    if runs_evenly(longest.frames, longest.seconds, view.fps):
        return view.fps
    return likely_rate(longest.frames, longest.seconds, view.fps)
