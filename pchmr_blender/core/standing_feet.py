# SPDX-License-Identifier: GPL-3.0-or-later
"""When the skeleton's feet stand: spans in which an ankle, or the ball of a foot, rests in the world."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

STILL: Final = 0.15
"""Metres a second, for a leg of 0.85 m: what is slower rests. A foot that swings does a metre and more."""
_WINDOW: Final = 0.1
"""Seconds for which a foot has to rest, before or after a frame: one that turns round in the air does neither."""
_LEG: Final = 0.85


def resting(points: Array, seconds: Array, leg: float) -> NDArray[np.bool_]:
    """The frames in which a point rests. Shape: (F,).

    Args:
        points: (F, 3) in the world, metres.
        seconds: (F,) rising.
        leg: length of the skeleton's leg, metres.
    """
    rows, last = np.arange(len(points)), len(points) - 1
    if last < 1:
        return np.zeros(len(points), bool)
    # At a low rate the nearest neighbour is farther away than the window.
    after = np.maximum(np.searchsorted(seconds, seconds + _WINDOW - 1e-6), rows + 1)
    before = np.minimum(np.searchsorted(seconds, seconds - _WINDOW + 1e-6, side="right") - 1, rows - 1)
    speeds = []
    for other in (after, before):
        there = (other >= 0) & (other <= last)
        to = np.clip(other, 0, last)
        time = np.where(there, np.abs(seconds[to] - seconds), 1.0)
        speeds.append(np.where(there, np.linalg.norm(points[to] - points, axis=-1) / time, np.inf))
    slow = STILL * leg / _LEG
    still = np.minimum(*speeds) < slow
    # A jump within one frame, as where a clip is cut, ends one stand and begins another.
    steps = np.linalg.norm(np.diff(points, axis=0), axis=-1)
    still[1:] &= steps < slow * np.maximum(_WINDOW, np.diff(seconds))
    return np.asarray(still)


def spans(flags: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Stretches [start, stop) of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
