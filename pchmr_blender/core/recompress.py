# SPDX-License-Identifier: GPL-3.0-or-later
"""Some rows of a compressed body made again: values of the keys that are there, and more keys for what these lack.

The other rows keep their values, and the new keys are at 0 in them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .compress import LEAST_TOLERANCE_MM, Correctives, compress
from .posed_clip import PosedClip

_ROUNDS: Final = 4
"""Solutions of the least squares, each without the keys that the last one drove out of 0 to 1."""
_SAFE: Final = 0.98
"""Of the tolerance: what the rows may take, so that Blender's float32 does not carry them beyond it."""


@dataclass(frozen=True, eq=False)
class Recompressed:
    """What n rows need."""

    values: NDArray[np.float32]
    """(n, K) of the keys that are there, 0 to 1."""
    added: Correctives
    """Keys for these rows alone; its values are (n, more)."""


def recompress(
    clip: PosedClip,
    keys: NDArray[np.float32],
    steady: NDArray[np.float32],
    tolerance_mm: float,
    tick: Callable[[int, int], None],
) -> Recompressed:
    """Values, and keys where values are not enough.

    Args:
        clip: n rows, all with the skin's rest pose.
        keys: (K, 3N) what each key that is there adds to the rest pose: metres, x of all vertices, then y, then z.
        steady: (K,) the value that a key keeps in all rows, NaN where it may have any.
        tolerance_mm: millimetres that no vertex is further off than, posed.
        tick: told steps done and their number; what it raises ends the work.

    Raises:
        BadArgument: a tolerance that cannot be kept.
    """
    tolerance = max(tolerance_mm * _SAFE, LEAST_TOLERANCE_MM)
    values = _bounded(clip, keys, steady)
    errors = np.zeros(clip.frames, np.float32)
    for rows, batch in clip.batches():
        errors[rows] = batch.distances(values[rows] @ keys).max(1)
    left = np.flatnonzero(errors > tolerance / 1000)
    made = np.zeros((clip.frames, 0), np.float32)
    if not len(left):
        return Recompressed(values, Correctives(np.zeros((0, clip.vertex_count, 3), np.float32), made, 0.0))
    rests = clip.skin.rest + (values[left] @ keys).reshape(len(left), 3, -1)
    wanted = np.concatenate([clip.vertices(row, row + 1) for row in left.tolist()])
    rest_of_it = PosedClip(lambda start, stop: wanted[start:stop], clip.skin, clip.transforms[left], rests)
    added = compress(rest_of_it, tolerance, tick)
    made = np.zeros((clip.frames, len(added.offsets)), np.float32)
    made[left] = added.values
    return Recompressed(values, Correctives(added.offsets, made, added.max_error))


def _bounded(clip: PosedClip, keys: NDArray[np.float32], steady: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values of 0 to 1 by least squares; keys that leave that range stay at its end. Shape: (n, K)."""
    values = np.tile(np.where(np.isnan(steady), 0, steady), (clip.frames, 1)).astype(np.float64)
    free = np.flatnonzero(np.isnan(steady))
    if not len(free):
        return values.astype(np.float32)
    normal = (keys @ keys.T).astype(np.float64)
    normal += np.eye(len(keys)) * (1e-6 * np.trace(normal) / len(keys))
    for rows, batch in clip.batches():
        towards = (batch.offsets() @ keys.T).astype(np.float64)
        for row, right in zip(range(rows.start, rows.stop), towards, strict=True):
            values[row] = _row(normal, right, values[row], free)
    return values.astype(np.float32)


def _row(
    normal: NDArray[np.float64], right: NDArray[np.float64], values: NDArray[np.float64], free: NDArray[np.intp]
) -> NDArray[np.float64]:
    """One row's values; those that are not free stay."""
    values = values.copy()
    for _ in range(_ROUNDS):
        held = np.setdiff1d(np.arange(len(values)), free)
        lacking = right[free] - normal[np.ix_(free, held)] @ values[held]
        values[free] = np.linalg.solve(normal[np.ix_(free, free)], lacking)
        inside = (values[free] >= 0) & (values[free] <= 1)
        values[free] = np.clip(values[free], 0, 1)
        if inside.all() or not inside.any():
            break
        free = free[inside]
    return values
