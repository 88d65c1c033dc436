# SPDX-License-Identifier: GPL-3.0-or-later
"""Key values as sliders have them, from 0 to 1.

FBX readers and game engines cut off what a shape key has below 0 or above 1. So a key that goes both ways is counted
from its lowest value, and one more key, which stays at 1, takes what that adds back again.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def to_sliders(
    rows: NDArray[np.float32], values: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The same sums `values @ rows`, with every value from 0 to 1.

    A key that is never below 0, or never above, is only scaled: it is 0 in the same frames as before.

    Args:
        rows: (K, W)
        values: (F, K)

    Returns:
        (K or K + 1, W) rows, the one that stays at 1 the last; (F, as many) values.
    """
    signs = np.where(values.max(0, initial=0.0) > 0, 1, -1).astype(np.float32)
    rows, values = rows * signs[:, None], values * signs
    lowest = values.min(0, initial=0.0)
    reach = np.maximum(values.max(0, initial=0.0) - lowest, np.finfo(np.float32).tiny)
    sliders = np.clip((values - lowest) / reach, 0, 1)
    scaled = rows * reach[:, None]
    if not lowest.any():
        return scaled, sliders
    # In double precision: many keys' offsets nearly cancel here.
    steady = (lowest.astype(np.float64) @ rows.astype(np.float64)).astype(np.float32)
    return np.concatenate([scaled, steady[None]]), np.pad(sliders, ((0, 0), (0, 1)), constant_values=1)


def bends(values: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Frames to key so that straight lines between the keys, and the level ends, meet all others. Shape: (F,) → (F,).

    Of a stretch in which the value stays the same only the ends are keyed; a value that never changes has one key.
    """
    same = np.concatenate([[True], values[1:] == values[:-1], [True]])
    kept = np.logical_not(same[1:] & same[:-1])
    kept[0] |= not kept.any()
    return np.asarray(kept, np.bool_)
