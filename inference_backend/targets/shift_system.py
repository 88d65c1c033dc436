"""The linear system of a smooth shift over time: what shifts cost in each frame, and how they may change.

Time and memory to solve it grow with the frames only.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.linalg import solveh_banded

from .motion import Array

ASIDE: Final = 0.015
"""σ, metres: expected error of a place across the view."""


class Blocks:
    """A symmetric matrix of 3×3 blocks, each coupled to the next two."""

    def __init__(self, frames: int) -> None:
        self.diagonal = np.zeros((frames, 3, 3))
        self.next = np.zeros((max(frames - 1, 0), 3, 3))
        self.second = np.zeros((max(frames - 2, 0), 3, 3))

    def copy(self) -> Blocks:
        out = Blocks(0)
        out.diagonal, out.next, out.second = self.diagonal.copy(), self.next.copy(), self.second.copy()
        return out

    def solve(self, right: Array) -> Array:
        """Shape: (F, 3) → (F, 3). Raises LinAlgError where there is no solution."""
        frames = len(self.diagonal)
        bands = np.zeros((9, 3 * frames))
        for offset, blocks in enumerate((self.diagonal, self.next, self.second)):
            for i in range(3):
                for j in range(3):
                    above = 3 * offset + j - i
                    if above >= 0 and len(blocks):
                        bands[8 - above, 3 * offset + j :: 3][: len(blocks)] = blocks[:, i, j]
        return np.asarray(solveh_banded(bands, right.ravel(), check_finite=False).reshape(frames, 3), np.float64)

    def smooth(self, seconds: Array, tau: float) -> None:
        """Adds τ⁴ ∫ |u''|² dt / σ², for frames of any times."""
        if len(seconds) < 3:
            return
        a, b = np.diff(seconds)[:-1], np.diff(seconds)[1:]
        # u'' ≈ c₀ u_{t-1} + c₁ u_t + c₂ u_{t+1}
        c = np.stack([2 / (a * (a + b)), -2 / (a * b), 2 / (b * (a + b))])
        weight = tau**4 / ASIDE**2 * (a + b) / 2
        eye = np.eye(3)
        for k in range(3):
            self.diagonal[k : len(seconds) - 2 + k] += (weight * c[k] ** 2)[:, None, None] * eye
        for k in range(2):
            self.next[k : len(seconds) - 2 + k] += (weight * c[k] * c[k + 1])[:, None, None] * eye
        self.second += (weight * c[0] * c[2])[:, None, None] * eye
