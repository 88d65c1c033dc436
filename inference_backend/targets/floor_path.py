"""A shift of the whole body over time that stands it on the floor and stops it from sliding: linear least squares.

    min ∫ uᵀ M u + τ⁴ |u''|² / σ² + w Σ_k c_k [(z_k + u_z)² + θ² |p_k' + u'|²] / σ² dt

u is the shift; M what a shift costs in the picture and in depth; z_k and p_k height above the floor and place, seen
from above, of what stands; c_k whether it stands. What is below the floor counts as standing in its height. Where
nothing stands, as in a jump, u only runs on smoothly, so the path keeps its shape. Contacts that do not fit lose their
weight (Cauchy's). Time and memory grow with the frames only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.linalg import solveh_banded

from .contacts import frame_edges
from .motion import Array

ASIDE: Final = 0.015
"""σ, metres: expected error of a place across the view."""
DEPTH: Final = 0.02
"""Expected error of depth, of the distance to the camera."""
_CONTACT: Final = 50.0
"""w: how much more a contact counts than the place in the picture."""
_SLIDE_SECONDS: Final = 0.2
"""θ: a slide of σ in this time weighs as much as a height of σ."""
_MISFIT, _MISFIT_SPEED = 0.05, 0.3
"""Metres, and metres a second, at which a contact has half its weight."""
_ROUNDS: Final = 4


@dataclass(frozen=True, eq=False)
class Standing:
    """What stands: K points over F frames. Metres, world."""

    places: Array
    """(F, K, 3) z is the height above where the point is when it stands."""
    weights: Array
    """(F, K) 0 to 1: how surely it stands."""
    slides: float
    """How much of its sliding is to be taken out, 0 to 1."""
    solid: Array
    """(F, S) heights above the floor of what may not be below it, whether it stands or not."""


def view_cost(points: Array, camera: Array) -> Array:
    """What shifts cost that change the picture of some points, or the depth. Shape: (F, P, 3), (3,) → (F, 3, 3)."""
    ray = points - camera
    distance = np.linalg.norm(ray, axis=-1, keepdims=True)
    ray = ray / np.maximum(distance, 1e-6)
    along = (ray[..., :, None] * ray[..., None, :]).mean(1)
    deep = np.maximum(DEPTH * distance.mean((1, 2)), ASIDE)[:, None, None]
    return np.asarray((np.eye(3) - along) / ASIDE**2 + np.eye(3) / deep**2)


def upright_cost(points: Array, camera: Array) -> Array:
    """What shifts cost where the picture does not matter: alike in all directions. Shapes as in `view_cost`."""
    distance = np.linalg.norm(points - camera, axis=-1).mean(1)
    return np.asarray(np.eye(3) / np.maximum(DEPTH * distance, ASIDE)[:, None, None] ** 2)


def floor_shift(standing: Standing, cost: Array, seconds: Array, tau: float) -> Array:
    """The shift u. Shape: cost M (F, 3, 3), seconds (F,), τ in seconds → (F, 3) metres."""
    frames = len(seconds)
    held = np.diff(frame_edges(seconds))
    weights = standing.weights
    trust = np.ones_like(weights)
    step = np.diff(seconds)
    both = np.minimum(weights[1:], weights[:-1])
    slide = np.diff(standing.places[..., :2], axis=0)
    trust_slide = np.ones_like(both)
    shift = np.zeros((frames, 3))
    rigid = _Blocks(frames)
    rigid.diagonal += cost * held[:, None, None]
    _smooth(rigid, seconds, tau)
    for _ in range(_ROUNDS):
        system = rigid.copy()
        right = np.zeros((frames, 3))
        lift = _CONTACT / ASIDE**2 * weights * trust * held[:, None]
        system.diagonal[:, 2, 2] += lift.sum(1)
        right[:, 2] -= (lift * standing.places[..., 2]).sum(1)
        sunk = np.where(standing.solid + shift[:, 2:] < 0, _CONTACT / ASIDE**2 * held[:, None], 0.0)
        system.diagonal[:, 2, 2] += sunk.sum(1)
        right[:, 2] -= (sunk * standing.solid).sum(1)
        pull = standing.slides * _CONTACT * _SLIDE_SECONDS**2 / ASIDE**2 * both * trust_slide / step[:, None]
        total, wanted = pull.sum(1), (pull[..., None] * slide).sum(1)
        for axis in (0, 1):
            system.diagonal[1:, axis, axis] += total
            system.diagonal[:-1, axis, axis] += total
            system.next[:, axis, axis] -= total
        right[1:, :2] -= wanted
        right[:-1, :2] += wanted
        shift = system.solve(right)
        off = standing.places[..., 2] + shift[:, None, 2]
        trust = 1 / (1 + (off / _MISFIT) ** 2)
        speed = np.linalg.norm(slide + np.diff(shift[:, None, :2], axis=0), axis=-1) / step[:, None]
        trust_slide = 1 / (1 + (speed / _MISFIT_SPEED) ** 2)
    return shift


class _Blocks:
    """A symmetric matrix of 3×3 blocks, each coupled to the next two."""

    def __init__(self, frames: int) -> None:
        self.diagonal = np.zeros((frames, 3, 3))
        self.next = np.zeros((max(frames - 1, 0), 3, 3))
        self.second = np.zeros((max(frames - 2, 0), 3, 3))

    def copy(self) -> _Blocks:
        out = _Blocks(0)
        out.diagonal, out.next, out.second = self.diagonal.copy(), self.next.copy(), self.second.copy()
        return out

    def solve(self, right: Array) -> Array:
        """Shape: (F, 3) → (F, 3)."""
        frames = len(self.diagonal)
        bands = np.zeros((9, 3 * frames))
        for offset, blocks in enumerate((self.diagonal, self.next, self.second)):
            for i in range(3):
                for j in range(3):
                    above = 3 * offset + j - i
                    if above >= 0 and len(blocks):
                        bands[8 - above, 3 * offset + j :: 3][: len(blocks)] = blocks[:, i, j]
        return np.asarray(solveh_banded(bands, right.ravel()).reshape(frames, 3), np.float64)


def _smooth(system: _Blocks, seconds: Array, tau: float) -> None:
    """Adds τ⁴ ∫ |u''|² dt / σ², for frames of any times."""
    if len(seconds) < 3:
        return
    a, b = np.diff(seconds)[:-1], np.diff(seconds)[1:]
    # u'' ≈ c₀ u_{t-1} + c₁ u_t + c₂ u_{t+1}
    c = np.stack([2 / (a * (a + b)), -2 / (a * b), 2 / (b * (a + b))])
    weight = tau**4 / ASIDE**2 * (a + b) / 2
    eye = np.eye(3)
    for k in range(3):
        system.diagonal[k : len(seconds) - 2 + k] += (weight * c[k] ** 2)[:, None, None] * eye
    for k in range(2):
        system.next[k : len(seconds) - 2 + k] += (weight * c[k] * c[k + 1])[:, None, None] * eye
    system.second += (weight * c[0] * c[2])[:, None, None] * eye
