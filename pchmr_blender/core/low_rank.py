# SPDX-License-Identifier: GPL-3.0-or-later
"""A streamed SVD: frames of offsets, added as they come, as sums of few rows."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_KEEP: Final = 256
"""Rows that the stream is held to: several times what a clip of minutes needs at a millimetre."""
_WINDOW: Final = 128
"""Frames between two decompositions."""
_NEGLIGIBLE: Final = 0.02
"""Of the tolerance: singular values below it can be seen in no frame."""


class LowRank:
    """Frames of 3N offsets as `values @ rows`; only the values grow with the number of frames."""

    def __init__(self, width: int, tolerance: float) -> None:
        """`width` is 3N; what is far below `tolerance`, in metres, is left out."""
        self._cut = _NEGLIGIBLE * tolerance
        self._waiting: list[NDArray[np.float32]] = []
        self._values = np.zeros((0, 0), np.float32)
        self._rows = np.zeros((0, width), np.float32)

    def add(self, offsets: NDArray[np.float32]) -> None:
        """Add frames. Shape: (n, 3N), metres."""
        self._waiting.append(offsets)
        if sum(map(len, self._waiting)) >= _WINDOW:
            self._merge()

    def finish(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Values (F, r) of the frames added, and orthogonal rows (r, 3N), the largest first."""
        self._merge()
        return self._values, self._rows

    def _merge(self) -> None:
        stacked = np.concatenate([self._rows, *self._waiting])
        squares, vectors = np.linalg.eigh((stacked @ stacked.T).astype(np.float64))
        keep = min(_KEEP, int((squares > self._cut**2).sum()))
        turn = vectors[:, ::-1][:, :keep].astype(np.float32)
        # Frames so far are sums of the old rows, the new ones stand for themselves; both turn with the rows.
        old = len(self._rows)
        self._values = np.concatenate([self._values @ turn[:old], turn[old:]])
        self._rows, self._waiting = turn.T @ stacked, []
