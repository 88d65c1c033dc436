# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a take stands on the scene's timeline: by seconds, never by counting frames, since rates differ and vary."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, isfinite
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

_ROUND: Final = 0.01
"""Frames that single precision may be off."""


@dataclass(frozen=True)
class Placing:
    """A straight line from the footage's seconds to the scene's frames."""

    fps: float
    """Scene frames per second of footage: the scene's rate, unless the take is played faster or slower."""
    start: float
    """Scene frame of second 0."""

    def __post_init__(self) -> None:
        if not (isfinite(self.start) and isfinite(self.fps) and self.fps > 0):
            raise ValueError(f"fps {self.fps}, start {self.start}: want a rate above 0 and a finite start")

    def frames(self, seconds: ArrayLike) -> NDArray[np.float64]:
        """Seconds of the footage → scene frames, any shape; between two frames where the rates differ."""
        return self.start + np.asarray(seconds, np.float64) * self.fps

    def seconds(self, frames: ArrayLike) -> NDArray[np.float64]:
        """Scene frames → seconds of the footage, any shape."""
        return (np.asarray(frames, np.float64) - self.start) / self.fps


def whole_frames(first: float, last: float) -> tuple[int, int]:
    """First and last whole frame of what goes on from one scene frame to another."""
    return floor(first + _ROUND), ceil(last - _ROUND)
