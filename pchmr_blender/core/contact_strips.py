# SPDX-License-Identifier: GPL-3.0-or-later
"""Foot contact strips as an artist handles them: in scene frames, first and last included.

The layers' parameters have them in seconds of the take, so that they stay where they are when the take is retimed or
the scene's rate changes. A strip of frames begins half a frame before the first and ends half a frame after the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...inference_backend.errors import BadArgument
from ...inference_backend.targets.parameters import PARTS, SIDES, Strip
from .timing import Placing

Strips = tuple[Strip, ...]

_DECIMALS: Final = 6
"""Of seconds, which are kept as text."""
_NEW_SECONDS: Final = 0.3
"""How long a new strip is, in whole frames."""


@dataclass(frozen=True, eq=False)
class Clock:
    """Where the take stands on the timeline."""

    placing: Placing
    """Between scene frames and seconds of the take."""
    seconds: NDArray[np.float64]
    """(F,) times of the take's rows, increasing."""

    def start_of(self, frame: float) -> float:
        """When a strip begins whose first frame this is, seconds."""
        return round(float(self.placing.seconds(frame - 0.5)), _DECIMALS)

    def end_of(self, frame: float) -> float:
        """When a strip ends whose last frame this is, seconds."""
        return round(float(self.placing.seconds(frame + 0.5)), _DECIMALS)

    def checked(self, strip: Strip) -> Strip:
        """The strip. Raises BadArgument where it ends before it begins, or holds no picture of the take."""
        if not strip.end > strip.start:
            start, end = self.placing.frames([strip.start, strip.end]).tolist()
            first, last = round(start + 0.5), round(end - 0.5)
            raise BadArgument(
                f"{label(strip)}: its last frame, {last}, is before its first, {first}",
                hint="Let it end after it begins.",
                first=first,
                last=last,
            )
        if not ((self.seconds >= strip.start) & (self.seconds <= strip.end)).any():
            first, last = frames_of(strip, self.placing)
            begin, end = (round(float(frame)) for frame in self.placing.frames(self.seconds[[0, -1]]))
            raise BadArgument(
                f"{label(strip)}: no picture of the take is in frames {first} to {last}",
                hint=f"The take is in frames {begin} to {end}.",
                first=first,
                last=last,
            )
        return strip

    def new(self, side: str, part: str, frame: float) -> Strip:
        """A strip that begins at a scene frame. Raises as `checked`."""
        more = max(1, round(_NEW_SECONDS * self.placing.fps)) - 1
        return self.checked(Strip(side, part, self.start_of(frame), self.end_of(frame + more)))

    def with_first(self, strip: Strip, frame: float) -> Strip:
        """It begins at another scene frame. Raises as `checked`."""
        return self.checked(replace(strip, start=self.start_of(frame)))

    def with_last(self, strip: Strip, frame: float) -> Strip:
        """It ends with another scene frame. Raises as `checked`."""
        return self.checked(replace(strip, end=self.end_of(frame)))


def frames_of(strip: Strip, placing: Placing) -> tuple[int, int]:
    """The first and the last whole scene frame of a strip."""
    start, end = placing.frames([strip.start, strip.end])
    first = round(float(start) + 0.5)
    return first, max(first, round(float(end) - 0.5))


def label(strip: Strip) -> str:
    """As a person reads it: Left heel."""
    return f"{strip.side.capitalize()} {strip.part}"


def lane(strip: Strip) -> int:
    """0 left heel, 1 left toe, 2 right heel, 3 right toe."""
    return 2 * SIDES.index(strip.side) + PARTS.index(strip.part)


def inserted(strips: Sequence[Strip], strip: Strip) -> tuple[Strips, int]:
    """With one more, before the first that begins later; and its place."""
    place = next((index for index, other in enumerate(strips) if other.start > strip.start), len(strips))
    return (*strips[:place], strip, *strips[place:]), place


def replaced(strips: Sequence[Strip], index: int, strip: Strip) -> Strips:
    """With another in a place. They keep their order, so that a list does not jump below the mouse."""
    return (*strips[:index], strip, *strips[index + 1 :])


def removed(strips: Sequence[Strip], index: int) -> Strips:
    """Without one."""
    return (*strips[:index], *strips[index + 1 :])
