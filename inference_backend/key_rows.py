"""The few rows of an edit that say it all: what an artist finds as keys, and can move.

Between keys Blender's curves run smoothly and never beyond them (automatic, clamped handles); what they then hold is
taken to be a monotone cubic through the keys, and keys are added where that is furthest off.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from .targets import quaternions
from .targets.edits import Edits

TOLERANCE: Final = 0.03
"""Metres by which the curves through the keys may miss an edit, but not where an artist has corrected. Half of it takes
a third more keys, and mends nothing better (`evaluate corrections`)."""

_LEVER: Final = 0.25
"""Metres from a joint that turns to what it moves, about a forearm or a shin."""


def sparse(
    rows: NDArray[np.int64], edits: Edits, needed: NDArray[np.bool_], frames: int
) -> tuple[NDArray[np.bool_], Edits]:
    """Which of the rows are to be keyed, and the edits that curves through these hold in all of them.

    Edits begin and end at rest: each run of rows comes in from the row before it, and goes out to the row after it.

    Args:
        rows: (n,) increasing.
        edits: of these.
        needed: (n,) rows that are keyed in any case.
        frames: of the take.

    Returns:
        (n,) and n edits; stretch and strength as they were.
    """
    keyed, out = np.zeros(len(rows), bool), Edits(*(getattr(edits, name).copy() for name in _PARTS))
    values = np.concatenate([edits.offset, edits.turn], -1)
    rest = np.concatenate([np.zeros(3), quaternions.IDENTITY])
    for run in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(rows) > 1) + 1):
        if not len(run):
            continue
        first, last = int(rows[run[0]]), int(rows[run[-1]])
        at = np.concatenate([[first - 2, first - 1], rows[run], [last + 1, last + 2]])
        known = np.concatenate([np.broadcast_to(rest, (2, *values.shape[1:]))] * 2)
        known = np.concatenate([known[:2], values[run], known[:2]])
        chosen = np.zeros(len(at), bool)
        chosen[[0, 1, -2, -1]] = True
        chosen[2:-2] |= needed[run]
        # A clip's first and last frames have nothing outside that they could come from.
        chosen[2], chosen[-3] = chosen[2] | (first == 0), chosen[-3] | (last == frames - 1)
        while True:
            held = PchipInterpolator(at[chosen], known[chosen], axis=0)(at)
            miss = np.linalg.norm(held[..., :3] - known[..., :3], axis=-1)
            miss = np.maximum(miss, 2 * _LEVER * np.linalg.norm(held[..., 3:] - known[..., 3:], axis=-1)).max(1)
            worst = int(miss.argmax())
            if miss[worst] <= TOLERANCE:
                break
            chosen[worst] = True
        if not chosen[2:-2].any():
            chosen[2 + int(np.linalg.norm(known[2:-2], axis=(1, 2)).argmax())] = True
        keyed[run] = chosen[2:-2]
        out.offset[run] = held[2:-2, :, :3]
        out.turn[run] = held[2:-2, :, 3:] / np.linalg.norm(held[2:-2, :, 3:], axis=-1, keepdims=True)
    return keyed, out


_PARTS: Final = ("offset", "turn", "stretch", "strength")
