# SPDX-License-Identifier: GPL-3.0-or-later
"""The curve that says which row of a clip is shown when: keys only where its slope changes."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_NEAR: Final = 1e-3
"""Rows that the curve may be off between its keys: a thousandth of the way to the next mesh."""


def row_keys(frames: NDArray[np.float64]) -> NDArray[np.intp]:
    """Rows to key, the first and last among them; straight lines between their keys meet all others.

    A clip of constant rate needs two keys however long it is, which an artist can slide; one of varying rate as many
    as it has changes.

    Args:
        frames: (F,) scene frame of each row, rising.
    """
    if len(frames) < 3:
        return np.arange(len(frames))
    kept, low, high = [0], -np.inf, np.inf
    for row in range(1, len(frames)):
        # The slopes (rows a frame) of lines from the last key that pass all rows since it near enough.
        along, up = frames[row] - frames[kept[-1]], row - kept[-1]
        if not low <= up / along <= high:
            kept.append(row - 1)
            along, up, low, high = frames[row] - frames[row - 1], 1, -np.inf, np.inf
        low, high = max(low, (up - _NEAR) / along), min(high, (up + _NEAR) / along)
    return np.array([*kept, len(frames) - 1])
