# SPDX-License-Identifier: GPL-3.0-or-later
"""Which keys make an edit of some frames: its own, and those around it on which it is gone.

An edit is an offset, so a control without keys stands on its base. A key on the edited frame alone would hold the
offset for the whole clip; *falloff keys* without an offset, some frames before and after, end it. Between keys that an
artist has set the curve simply runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

NEAR: Final = 0.01
"""Scene frames: keys that stand closer are one."""


@dataclass(frozen=True, eq=False)
class EditKeys:
    """Where one channel of a control gets keys."""

    edited: NDArray[np.float64]
    """(n,) scene frames with the edit's value, rising."""
    ended: NDArray[np.float64]
    """(m,) scene frames without an edit, rising; none of them between two edited frames."""
    span: tuple[float, float]
    """From where to where the channel is this edit's: to its ends, or to the neighbours that it runs into. Keys in
    between that ended another edit have nothing to end any more."""


def edit_keys(frames: ArrayLike, known: ArrayLike, before: float, after: float) -> EditKeys:
    """Keys for an edit of `frames`.

    Args:
        frames: (n,) edited scene frames.
        known: scene frames on which the channel has keys now.
        before: scene frames over which the edit comes in, above 0.
        after: scene frames over which it goes out, above 0.

    The keys that are known stay. An edit runs into them, instead of falling off, where the two falloffs would meet.

    Raises:
        ValueError: no frames, or a falloff that is not above 0.
    """
    edited, kept = (np.unique(np.asarray(part, np.float64)) for part in (frames, known))
    if not len(edited) or not (before > 0 and after > 0):
        raise ValueError(f"{len(edited)} frames with falloffs of {before} and {after}: want frames, and both above 0")
    first, last = edited[0], edited[-1]
    earlier = kept[(kept > first - before - after + NEAR) & (kept < first - NEAR)]
    later = kept[(kept < last + after + before - NEAR) & (kept > last + NEAR)]
    low = float(earlier[-1]) if len(earlier) else first - before
    high = float(later[0]) if len(later) else last + after
    ended = [frame for frame, near in ((low, earlier), (high, later)) if not len(near)]
    return EditKeys(edited, np.array(ended), (low, high))


def covered(keys: ArrayLike, values: ArrayLike, rest: ArrayLike) -> list[tuple[float, float]]:
    """The times in which a channel is away from its rest, by its keys: open spans between keys, in order.

    Args:
        keys: (n,) scene frames, rising.
        values: (n, k) what the channel holds there.
        rest: (k,) what it holds without an edit.
    """
    frames = np.asarray(keys, np.float64)
    if not len(frames):
        return []
    off = np.asarray(values, np.float64).reshape(len(frames), -1) - np.asarray(rest, np.float64)
    away = np.asarray((np.abs(off) > 1e-6).any(axis=1))
    edges = np.concatenate([[-np.inf], frames, [np.inf]])
    spans: list[tuple[float, float]] = []
    for i, is_away in enumerate(away):
        if not is_away:
            continue
        low, high = edges[i], edges[i + 2]
        if spans and low < spans[-1][1]:
            spans[-1] = spans[-1][0], high
        else:
            spans.append((low, high))
    return spans
