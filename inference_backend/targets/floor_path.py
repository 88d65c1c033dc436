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

from .contacts import frame_edges
from .motion import Array
from .shift_system import ASIDE, Blocks

DEPTH: Final = 0.02
"""Expected error of depth, of the distance to the camera."""
_CONTACT: Final = 50.0
"""w: how much more a contact counts than the place in the picture."""
_SLIDE_SECONDS: Final = 0.2
"""θ: a slide of σ in this time weighs as much as a height of σ."""
_MISFIT, _MISFIT_SPEED = 0.05, 0.3
"""Metres, and metres a second, at which a contact has half its weight."""
_DEEPEST: Final = 0.25
"""Metres below the floor beyond which something is not where it seems, and says nothing of the floor."""
_ROUNDS: Final = 4


@dataclass(frozen=True, eq=False)
class Standing:
    """What stands: K points over F frames. Metres, world."""

    places: Array
    """(F, K, 3) z is the height above where the point is when it stands."""
    weights: Array
    """(F, K) 0 to 1: how surely it stands."""
    borne: Array
    """(F, K) 0 to 1: how surely its height is the floor's, too."""
    slides: Array
    """(F, 2, 2) how much of a slide is to be taken out, 0 to 1: I in all directions alike."""
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
    directions = (standing.slides[1:] + standing.slides[:-1]) / 2
    trust_slide = np.ones_like(both)
    shift = np.zeros((frames, 3))
    rigid = Blocks(frames)
    rigid.diagonal += cost * held[:, None, None]
    rigid.smooth(seconds, tau)
    for _ in range(_ROUNDS):
        system = rigid.copy()
        right = np.zeros((frames, 3))
        lift = _CONTACT / ASIDE**2 * standing.borne * trust * held[:, None]
        system.diagonal[:, 2, 2] += lift.sum(1)
        right[:, 2] -= (lift * standing.places[..., 2]).sum(1)
        sunk = np.where(
            (standing.solid + shift[:, 2:] < 0) & (standing.solid > -_DEEPEST), _CONTACT / ASIDE**2 * held[:, None], 0.0
        )
        system.diagonal[:, 2, 2] += sunk.sum(1)
        right[:, 2] -= (sunk * standing.solid).sum(1)
        pull = _CONTACT * _SLIDE_SECONDS**2 / ASIDE**2 * both * trust_slide / step[:, None]
        total = pull.sum(1)[:, None, None] * directions
        wanted = (directions @ (pull[..., None] * slide).sum(1)[..., None])[..., 0]
        system.diagonal[1:, :2, :2] += total
        system.diagonal[:-1, :2, :2] += total
        system.next[:, :2, :2] -= total
        right[1:, :2] -= wanted
        right[:-1, :2] += wanted
        shift = system.solve(right)
        off = standing.places[..., 2] + shift[:, None, 2]
        trust = 1 / (1 + (off / _MISFIT) ** 2)
        speed = np.linalg.norm(slide + np.diff(shift[:, None, :2], axis=0), axis=-1) / step[:, None]
        trust_slide = 1 / (1 + (speed / _MISFIT_SPEED) ** 2)
    return shift
