"""Whether footage runs at an even rate, and which one it was meant to have where it does not. numpy only."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

COMMON_RATES: Final = (24000 / 1001, 24.0, 25.0, 30000 / 1001, 30.0, 48.0, 50.0, 60000 / 1001, 60.0)
"""Frames per second that cameras and editors use."""

_STRAY = 0.25
"""Of a frame: how far a time may lie from an even raster. Some containers round times to milliseconds."""
_NEAR = 0.02
"""How far a rate may be from a common one to be taken for it."""


def runs_evenly(frames: NDArray[np.int64], seconds: NDArray[np.float64], fps: float) -> bool:
    """Whether each frame stands where the rate says.

    Args:
        frames: (F,) indices in the footage, from 0, rising.
        seconds: (F,) their times.
        fps: frames per second; the mean where the rate varies.
    """
    return bool((np.abs(seconds * fps - frames) <= _STRAY).all())


def likely_rate(frames: NDArray[np.int64], seconds: NDArray[np.float64], fps: float) -> float:
    """The rate that footage of a varying one was meant to have: the median's, or the common one beside it.

    Phones promise 30 frames per second and drop some in the dark: the mean would be no raster for any of them.
    Arguments as `runs_evenly`; `fps` is the answer where a single frame tells nothing.
    """
    if len(frames) < 2:
        return fps
    rate = float(1 / np.median(np.diff(seconds) / np.diff(frames)))
    near = min(COMMON_RATES, key=lambda common: abs(common / rate - 1))
    return near if abs(near / rate - 1) < _NEAR else rate
