# SPDX-License-Identifier: GPL-3.0-or-later
"""The curves of the artist's controls: which channels they have, what these hold at a time, keys set and taken away.

A channel's numbers are keyed together. Keys that only end an edit are of the type Breakdown, so that an artist and this
module can tell them from keys that somebody set.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import bpy
import numpy as np
from numpy.typing import NDArray

from ..core.edit_keys import NEAR, covered, edit_keys
from ..core.skeleton import BONE_NAMES
from . import versions
from .actions import new_action, read_curve

FALLOFF: Final = "BREAKDOWN"
"""Type of the keys on which an edit is gone."""

_STILL: Final = 1e-6
"""Metres, quaternion components, shares: what is less is no edit."""


@dataclass(frozen=True)
class Channel:
    """One of the properties of a control that make its edit."""

    name: str
    """Of the property, seen from the bone."""
    rest: tuple[float, ...]
    """What it holds without an edit."""


LOCATION: Final = Channel("location", (0.0, 0.0, 0.0))
ROTATION: Final = Channel("rotation_quaternion", (1.0, 0.0, 0.0, 0.0))
STRETCH: Final = Channel("pchmr.stretch", (0.0,))
STRENGTH: Final = Channel("pchmr.strength", (1.0,))
CHANNELS: Final = (LOCATION, ROTATION, STRETCH, STRENGTH)


class ControlCurves:
    """The curves of the controls of some Targets. Lives within a step."""

    def __init__(self, targets: bpy.types.Object) -> None:
        self._targets = targets
        bag = versions.channels(targets)
        self._curves = {(one.data_path, one.array_index): one for one in (bag.fcurves if bag else ())}

    def of(self, bone: str, channel: Channel) -> list[bpy.types.FCurve | None]:
        """The curves of a channel's numbers; None where a number has none."""
        path = self._path(bone, channel)
        return [self._curves.get((path, index)) for index in range(len(channel.rest))]

    def keyed(self, bones: Iterable[str] = BONE_NAMES) -> Iterator[tuple[str, Channel, list[bpy.types.FCurve | None]]]:
        """The channels that have curves."""
        for bone in bones:
            for channel in CHANNELS:
                curves = self.of(bone, channel)
                if any(curves):
                    yield bone, channel, curves

    def values(self, bone: str, channel: Channel, frames: NDArray[np.float64]) -> NDArray[np.float64]:
        """What the keys say at scene frames; without a curve, no edit. Shape: (n, k)."""
        columns = [
            np.full(len(frames), rest) if curve is None or curve.mute else evaluated(curve, frames)
            for curve, rest in zip(self.of(bone, channel), channel.rest, strict=True)
        ]
        return np.stack(columns, -1)

    def key(
        self,
        bone: str,
        channel: Channel,
        frames: NDArray[np.float64],
        values: NDArray[np.float64],
        before: float,
        after: float,
    ) -> None:
        """Key an edit, and where it is gone again. A channel without curves that stays at rest gets none.

        Shape: frames (n,) rising, n ≥ 1; values (n, k).
        """
        known = key_frames(self.of(bone, channel), channel)
        still = bool((np.abs(values - channel.rest) <= _STILL).all())
        if still and not len(known):
            return
        curves = self._made(bone, channel)
        plan = edit_keys(frames, known, before, after)
        low, high = plan.span
        for index, curve in enumerate(curves):
            inside = [point for point in curve.keyframe_points if low - NEAR < point.co.x < high + NEAR]
            _remove(curve, [point for point in inside if point.type == FALLOFF and point.co.x not in known])
            for frame, value in zip(frames, values[:, index], strict=True):
                _insert(curve, frame, value, "KEYFRAME")
            for frame in plan.ended:
                _insert(curve, frame, channel.rest[index], FALLOFF)
            curve.update()

    def away(self) -> list[tuple[float, float]]:
        """The times in which any control is away from rest, by its keys: open spans of scene frames."""
        found = []
        for bone, channel, curves in self.keyed():
            frames = np.unique(
                np.concatenate([read_curve(curve)[:, 0].astype(np.float64) for curve in curves if curve])
            )
            found += covered(frames, self.values(bone, channel, frames), channel.rest)
        return found

    def reach(self) -> list[tuple[float, float]]:
        """The times in which the selected keys change what a control holds: open spans of scene frames."""
        return [span for _, _, curves in self.keyed() for curve in curves if curve for span in _reach(curve)]

    def clear(self, bone: str, channel: Channel, first: float, last: float) -> None:
        """Let there be no edit in the scene frames from `first` to `last`, both included.

        Keys in there go; what stands outside ends at the edge. Falloff keys that have nothing to end go too, and curves
        without keys.
        """
        curves = [curve for curve in self.of(bone, channel) if curve is not None]
        for curve in curves:
            _remove(curve, [point for point in curve.keyframe_points if first - NEAR <= point.co.x <= last + NEAR])
        ends = _open_ends(curves, channel, first, last)
        for curve in curves:
            for frame in ends:
                _insert(curve, frame, channel.rest[curve.array_index], FALLOFF)
            curve.update()
        _tidy(curves, channel)
        bag = versions.channels(self._targets)
        for curve in curves:
            if not len(curve.keyframe_points):
                self._curves.pop((curve.data_path, curve.array_index))
                bag.fcurves.remove(curve)

    def _made(self, bone: str, channel: Channel) -> list[bpy.types.FCurve]:
        """All curves of a channel, made where they were missing."""
        if versions.channels(self._targets) is None and not self._targets.animation_data:
            new_action(self._targets, self._targets.name)
        bag, path = versions.channels(self._targets, create=True), self._path(bone, channel)
        for index in range(len(channel.rest)):
            if (path, index) not in self._curves:
                curve = versions.new_curve(bag, path, index, bone)
                # Handles that look no further than the next key: an edit changes the curve around it and no more.
                curve.auto_smoothing = "NONE"
                self._curves[path, index] = curve
        return [self._curves[path, index] for index in range(len(channel.rest))]

    def _path(self, bone: str, channel: Channel) -> str:
        return f'pose.bones["{bone}"].{channel.name}'


def evaluated(curve: bpy.types.FCurve, frames: NDArray[np.float64]) -> NDArray[np.float64]:
    """What a curve says at scene frames. Shape: (n,) → (n,)."""
    evaluate = curve.evaluate
    return np.fromiter((evaluate(frame) for frame in frames.tolist()), np.float64, len(frames))


def key_frames(
    curves: Sequence[bpy.types.FCurve | None], channel: Channel, *, selected: bool = False
) -> NDArray[np.float64]:
    """The scene frames on which any of the curves has a key that was set, falloff keys left out; rising.

    A falloff key that an artist has moved away from rest is one that was set.
    """
    found = [
        point.co.x
        for curve in curves
        if curve is not None
        for point in curve.keyframe_points
        if not _ends(point, channel.rest[curve.array_index]) and (point.select_control_point or not selected)
    ]
    return np.unique(np.asarray(found, np.float64))


def _ends(point: bpy.types.Keyframe, rest: float) -> bool:
    """Whether a key only ends an edit."""
    return point.type == FALLOFF and abs(point.co.y - rest) <= _STILL


def _reach(curve: bpy.types.FCurve) -> Iterator[tuple[float, float]]:
    """Where a curve would be another without its selected keys: up to the next keys, and beyond where their handles,
    which lean on these keys, shape what follows.
    """
    points = [(point.co.x, point.co.y, point.select_control_point) for point in curve.keyframe_points]
    frames = [-np.inf, -np.inf, *(frame for frame, _, _ in points), np.inf, np.inf]
    for i, (_, _, selected) in enumerate(points):
        if selected:
            flat_before = i < 2 or points[i - 1][1] == points[i - 2][1]
            flat_after = i + 2 >= len(points) or points[i + 1][1] == points[i + 2][1]
            yield frames[i + 1 if flat_before else i], frames[i + 3 if flat_after else i + 4]


def _open_ends(curves: Sequence[bpy.types.FCurve], channel: Channel, first: float, last: float) -> list[float]:
    """Where falloff keys are needed so that nothing is left of an edit between `first` and `last`."""
    ends = []
    left = max((_nearest(curve, first, -1) for curve in curves), default=-np.inf)
    right = min((_nearest(curve, last, 1) for curve in curves), default=np.inf)
    if np.isfinite(left) and _away(curves, channel, left):
        ends.append(first)
    if np.isfinite(right) and _away(curves, channel, right):
        ends.append(last)
    return ends


def _nearest(curve: bpy.types.FCurve, frame: float, side: int) -> float:
    """The frame of the next key before (-1) or after (1) a frame; infinite where there is none."""
    there = [point.co.x for point in curve.keyframe_points if (point.co.x - frame) * side > NEAR]
    return (max(there) if side < 0 else min(there)) if there else side * np.inf


def _away(curves: Sequence[bpy.types.FCurve], channel: Channel, frame: float) -> bool:
    return any(abs(curve.evaluate(frame) - channel.rest[curve.array_index]) > _STILL for curve in curves)


def _tidy(curves: Sequence[bpy.types.FCurve], channel: Channel) -> None:
    """Remove falloff keys that stand beside no edit; at their frame and at the keys around it the channel rests."""
    frames = np.unique([point.co.x for curve in curves for point in curve.keyframe_points])
    away = [_away(curves, channel, frame) for frame in frames]
    idle = {
        float(frame)
        for i, frame in enumerate(frames)
        if not any(away[max(0, i - 1) : i + 2])
    }  # fmt: skip
    for curve in curves:
        _remove(curve, [point for point in curve.keyframe_points if point.type == FALLOFF and point.co.x in idle])
        curve.update()


def _insert(curve: bpy.types.FCurve, frame: float, value: float, kind: str) -> None:
    point = curve.keyframe_points.insert(frame, value, options={"FAST"}, keyframe_type=kind)
    point.type, point.interpolation = kind, "BEZIER"
    point.handle_left_type = point.handle_right_type = "AUTO_CLAMPED"
    if kind == FALLOFF:
        point.select_control_point = point.select_left_handle = point.select_right_handle = False


def _remove(curve: bpy.types.FCurve, points: Iterable[Any]) -> None:
    """Remove keys. References die with the first, so frames are kept."""
    for frame in [point.co.x for point in points]:
        for point in curve.keyframe_points:
            if point.co.x == frame:
                curve.keyframe_points.remove(point, fast=True)
                break
