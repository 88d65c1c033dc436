# SPDX-License-Identifier: GPL-3.0-or-later
"""Which picture of the footage stands at a scene frame, in the terms of Blender's image user.

Blender shows picture `frame - frame_start + 1 + frame_offset`, one a scene frame whatever the rates. So where the
footage's rate is not the scene's, `frame_offset` is keyed: a straight line, which Blender rounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from .timing import Placing

_SAME = 1e-4
"""Rates that differ by less are one: in ten thousand frames they part by a frame."""


@dataclass(frozen=True)
class Footage:
    """A movie or a sequence of images as Blender counts it."""

    rate: float
    """Pictures per second of footage."""
    count: int
    """Pictures."""
    first: int = 1
    """Number of the first: 1 in a movie, the number in its name in a sequence."""


@dataclass(frozen=True)
class PictureTiming:
    """Fields of Blender's image user."""

    frame_start: int
    """Scene frame of the first picture, rounded."""
    frame_duration: int
    """Scene frames that the footage lasts."""
    keys: tuple[tuple[float, float], ...]
    """Scene frame and `frame_offset`, joined by straight lines and constant beyond; one: it is not keyed."""


def picture_timing(footage: Footage, placing: Placing, offset: float = 0.0) -> PictureTiming:
    """Where the footage stands. `offset` moves it against the take, in scene frames, later where positive."""
    start, per_frame = placing.start + offset, footage.rate / placing.fps
    frame_start = round(start)

    def frame_offset(frame: float) -> float:
        return footage.first + (frame - start) * per_frame - (frame - frame_start + 1)

    end = start + (footage.count - 1) / per_frame
    even = abs(per_frame - 1) < _SAME
    # One key: where a second of footage lies between two scene frames, the nearest picture is as good as it gets.
    keys = ((start, frame_offset(start)),) if even else ((start, frame_offset(start)), (end, frame_offset(end)))
    return PictureTiming(frame_start, max(1, ceil(end - frame_start + 1)), keys)
