"""Leaps: bones, or the root, that jump away for some frames and come back.

A leap is told from fast motion by its two edges. Across a stretch of frames the body's motion follows from the frames
before and after it; where the stretch's first and last frame both miss that curve, by much more than the body moves
beside it and than it usually misses, it has leapt. A clap turns round sharply too, but out of one fast step into
another; a kick is fast, but at its edges it does what the frames beside it do. In 37 minutes of motion capture 8 of 32
million stretches of a bone were taken for leaps.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .filling import across, distance
from .motion import Array

STEP_SHARE: Final = 1.5
"""A leap is longer than this many of the steps beside it."""

GONE_SHARE: Final = 0.75
"""A leap is longer than this share of the way between the frames beside it: what does not come back is a cut."""

USUAL_SECONDS: Final = 1.0
"""Width of the window over which the usual miss is the median."""


class Leaps:
    """Looks for leaps in some rotations, (F, K, 4), or places, (F, K, 3), at their seconds (F,)."""

    def __init__(self, values: Array, seconds: Array, threshold: float, floor: float) -> None:
        """`threshold`: a leap is this many times the usual miss. `floor`: radians or metres; no leap is shorter."""
        self.values, self.seconds, self.floor = values, seconds, floor
        self.steps = distance(values[:-1], values[1:])
        self._slack = threshold * self._usual_miss()

    def put(self, start: int, filled: Array) -> None:
        """Replace frames from `start` on. Shape: (n, K, C)."""
        stop = start + len(filled)
        self.values[start:stop] = filled
        rows = slice(max(start - 1, 0), stop)
        self.steps[rows] = distance(self.values[:-1][rows], self.values[1:][rows])

    def clearness(self, frames: int) -> Array:
        """How clearly each stretch of `frames` frames has leapt: from 1 on it has.

        Row i is the stretch that starts at frame i; 0 where there are not two frames on either side.
        Shape: (F, K).
        """
        values = self.values
        out = np.zeros(values.shape[:2])
        start = np.arange(2, len(values) - frames - 1)
        # What has leapt has gone further than the floor into the stretch and out of it: most stretches need no look.
        start = start[(np.minimum(self.steps[start - 1], self.steps[start + frames - 1]) > self.floor).any(1)]
        if len(start):
            before, after = start - 1, start + frames
            miss = _miss(values, self.seconds, start, frames)
            beside = np.maximum(self.steps[before - 1], self.steps[after])
            gone = distance(values[before], values[after])
            out[start] = miss / (self.floor + STEP_SHARE * beside + GONE_SHARE * gone + self._slack[start])
        return out

    def _usual_miss(self) -> Array:
        """The median miss of single frames around each frame. Shape: (F, K)."""
        count = len(self.values)
        if count < 5:
            return np.zeros(self.values.shape[:2])
        miss = _miss(self.values, self.seconds, np.arange(2, count - 2), 1)
        reach = round(0.5 * USUAL_SECONDS / float(np.median(np.diff(self.seconds))))
        usual = ndimage.median_filter(miss, size=(2 * reach + 1, 1), mode="nearest")
        return np.asarray(np.pad(usual, ((2, 2), (0, 0)), mode="edge"))


def _miss(values: Array, seconds: Array, start: NDArray[np.integer], frames: int) -> Array:
    """How far the first and the last frame of stretches are from the curve across them, the lesser. Shape: (n, K)."""
    curve = across(values, seconds, start, frames)
    miss = distance(curve(0), values[start])
    if frames > 1:
        miss = np.minimum(miss, distance(curve(frames - 1), values[start + frames - 1]))
    return miss


def clearest(clearness: Array, frames: int) -> list[int]:
    """Starts of the stretches that have leapt, the clearest of those that overlap. Shape: (F,) → starts in order."""
    found: list[int] = []
    for start in np.argsort(-clearness, kind="stable"):
        if clearness[start] < 1:
            break
        if all(abs(start - other) >= frames for other in found):
            found.append(int(start))
    return sorted(found)
