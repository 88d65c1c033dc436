"""The One Euro filter (Casiez et al. 2012) of a region of interest's alignment points, with BlazePose's constants."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

FREQUENCY: Final = 30.0
"""Frames a second that the filter's constants are meant for: it counts frames, as the original does."""

MIN_CUTOFF: Final = 0.01
"""Cut-off of the alignment points' filter at rest, Hz."""

BETA: Final = 10.0
"""How much the cut-off grows with speed, Hz per body circle diameter a second."""

DERIVATIVE_CUTOFF: Final = 1.0
"""Cut-off of the speed's filter, Hz."""


class AlignmentFilter:
    """One Euro filter of an ROI's two alignment points, speeds relative to the body circle's diameter."""

    def __init__(self) -> None:
        self._raw: npt.NDArray[np.float64] | None = None
        self._smooth = np.zeros((2, 2))
        self._speed = np.zeros((2, 2))

    def __call__(self, points: npt.NDArray[Any], frames: int = 1) -> npt.NDArray[np.float64]:
        """The filtered points (2, 2) px, given the newest (2, 2) px, `frames` after the last ones."""
        points = np.asarray(points, np.float64)
        if self._raw is None:
            self._raw = self._smooth = points
            return points
        seconds = frames / FREQUENCY
        diameter = 2 * math.hypot(*(points[1] - points[0]))
        speed = (points - self._raw) / max(diameter, 1e-6) / seconds
        self._raw = points
        self._speed = self._speed + self._alpha(np.float64(DERIVATIVE_CUTOFF), seconds) * (speed - self._speed)
        alpha = self._alpha(MIN_CUTOFF + BETA * np.abs(self._speed), seconds)
        self._smooth = self._smooth + alpha * (points - self._smooth)
        return self._smooth

    @staticmethod
    def _alpha(cutoff: npt.NDArray[np.float64] | np.float64, seconds: float) -> npt.NDArray[Any]:
        """Weight of the newest value in a first-order low pass."""
        return np.asarray(1 / (1 + 1 / (2 * math.pi * cutoff * seconds)))
