# SPDX-License-Identifier: GPL-3.0-or-later
"""The fewest rows whose sums stay within a maximum error.

Singular vectors keep the mean square, and a few frames and vertices then stand out by several times that. So frames
and vertices are weighed again and again by their largest errors, as in Lawson's algorithm for minimax fits: on
footage that halves the rows for the same maximum.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

_STRIDE: Final = 3
"""Every third vertex stands for its neighbours in the search."""
_BATCH: Final = 64
_ROUNDS: Final = 6
"""Weighings before a number of rows is given up."""
_CLOSE: Final = 0.04
"""Of the rows: how near to the fewest the search goes."""
_LEAST: Final = 0.4
"""Of the unweighted rows: fewer are not tried."""
_FLOOR: Final = 1e-2
"""The least weight, over the largest."""


@dataclass(frozen=True, eq=False)
class Basis:
    """Rows of which every frame is a sum."""

    rows: NDArray[np.float32]
    """(K, 3N) metres: x of all vertices, then y, then z."""
    weights: NDArray[np.float32]
    """(N,) how much each vertex counts in the least squares that find a frame's values."""


def fewest_rows(
    values: NDArray[np.float32], rows: NDArray[np.float32], tolerance: float, tick: Callable[[], None]
) -> Basis:
    """The smallest basis found for `values @ rows`.

    Args:
        values: (F, r)
        rows: (r, 3N) metres, in the order of `Basis.rows`.
        tolerance: metres that no vertex of any frame may be off.
        tick: called several times a second; what it raises ends the search.
    """
    count = rows.shape[1] // 3
    if not len(rows):
        return Basis(rows, np.ones(count, np.float32))
    search = _Search(values, rows.reshape(len(rows), 3, count)[:, :, ::_STRIDE], tolerance, tick)
    enough = search.without_weights()
    turn, weights = search.turn(enough), search.vertex_weights
    few = int(_LEAST * enough) - 1
    while enough - few > max(1, _CLOSE * enough):
        size = (few + enough) // 2
        if search.weighted(size):
            enough, turn, weights = size, search.turn(size), search.vertex_weights
        else:
            few = size
    return Basis(turn @ rows, np.repeat(weights, _STRIDE)[:count].astype(np.float32))


class _Search:
    """Weights of frames and vertices, and the singular vectors under them."""

    def __init__(
        self, values: NDArray[np.float32], rows: NDArray[np.float32], tolerance: float, tick: Callable[[], None]
    ) -> None:
        """Shape: values (F, r), rows (r, 3, n)."""
        self._values, self._rows = values.astype(np.float64), np.ascontiguousarray(rows)
        self._tolerance, self._tick = tolerance, tick
        self.vertex_weights = np.ones(rows.shape[2])
        self._frame_weights = np.ones(len(values))
        self._solve()

    def turn(self, size: int) -> NDArray[np.float32]:
        """The first rows of the weighted basis, as sums of the given rows. Shape: (size, r)."""
        return np.asarray(self._back[:size], np.float32)

    def without_weights(self) -> int:
        """Rows that are enough as they are, by bisection."""
        few, enough = -1, len(self._rows)
        while enough - few > 1:
            size = (few + enough) // 2
            if self._errors(size)[0].max() <= self._tolerance:
                enough = size
            else:
                few = size
        return enough

    def weighted(self, size: int) -> bool:
        """Weigh until so many rows are enough; False where they do not become it."""
        for _ in range(_ROUNDS):
            by_frame, by_vertex = self._errors(size)
            if by_frame.max() <= self._tolerance:
                return True
            self._frame_weights = _reweighed(self._frame_weights, by_frame)
            self.vertex_weights = _reweighed(self.vertex_weights, by_vertex)
            self._solve()
        return False

    def _solve(self) -> None:
        """Right singular vectors of diag(a) · values · rows · diag(w), through matrices of r × r."""
        scaled = (self._rows * self.vertex_weights.astype(np.float32)).reshape(len(self._rows), -1)
        squares, vectors = np.linalg.eigh((scaled @ scaled.T).astype(np.float64))
        lengths = np.sqrt(np.maximum(squares, squares[-1] * 1e-12))
        root, root_inverse = vectors * lengths, (vectors / lengths).T
        placed = (self._frame_weights[:, None] * self._values) @ root
        order = np.linalg.eigh(placed.T @ placed)[1][:, ::-1]
        # A frame's values v become v · _there in the basis whose rows are _back · rows.
        self._there, self._back = root @ order, order.T @ root_inverse

    def _errors(self, size: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Largest error of each frame (F,) and vertex (n,) with so many rows, metres."""
        left_out = (self._values @ self._there[:, size:] @ self._back[size:]).astype(np.float32)
        flat = self._rows.reshape(len(self._rows), -1)
        by_frame, by_vertex = np.zeros(len(left_out)), np.zeros(self._rows.shape[2])
        for start in range(0, len(left_out), _BATCH):
            off = (left_out[start : start + _BATCH] @ flat).reshape(-1, 3, self._rows.shape[2])
            squares = np.einsum("fkn,fkn->fn", off, off)
            by_frame[start : start + _BATCH] = squares.max(1)
            np.maximum(by_vertex, squares.max(0), out=by_vertex)
            self._tick()
        return np.sqrt(by_frame), np.sqrt(by_vertex)


def _reweighed(weights: NDArray[np.float64], errors: NDArray[np.float64]) -> NDArray[np.float64]:
    raised = weights * np.sqrt(errors / errors.max())
    return np.asarray(np.maximum(raised / raised.max(), _FLOOR))
