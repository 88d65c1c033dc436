"""Legs that are too short for where their feet are held: heels lift a little, then the body goes the shortest way.

The shift of the body by linear least squares, in some rounds:

    min ∫ uᵀ M u + τ⁴ |u''|² / σ² + w Σ_legs max(|a - h - u| - r, 0)² / σ² dt

u is the shift of the pelvis, M what it costs in the picture and in depth; a is where an ankle is to be, h the hip, r
how far the leg reaches. A shift along the view costs next to nothing, one that shows in the picture the more.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from .contacts import frame_edges
from .motion import Array
from .shift_system import ASIDE, Blocks
from .vectors import length, turn_about, turned

_REACH: Final = 100.0
"""w: how much more a leg that is too short counts than the place in the picture."""
_SECONDS: Final = 0.15
"""τ: the shift changes within about this time."""
_ROUNDS: Final = 8
_SOFT: Final = 0.001
"""Metres over which a lift sets in."""
_LIFT_SECONDS: Final = 1.0
"""A heel goes up so long before it must, and comes down so long after: it must not bob."""
_LEAST: Final = 1e-5
"""Metres of lift that are not worth it."""


def lifted(
    way: Array, reach: Array, foot: Array, ball: Array, firm: Array, seconds: Array, most: float
) -> tuple[Array, Array]:
    """Feet that turn on their balls, as far as it helps legs to reach.

    Args:
        way: (F, 2, 3) metres, world, from the hips to where the ankles are to be.
        reach: (F, 2) metres from hip to ankle, at most.
        foot: (F, 2, 3, 3) the feet's rotations.
        ball: (2, 3) from the ankle, in the foot's rest axes.
        firm: (F, 2) how firmly the balls are held, 0 to 1.
        seconds: (F,)
        most: metres by which the heel of a flat foot is lifted at most.

    Returns:
        How far the ankles come up (F, 2, 3), and the rotations of the feet.
    """
    if not most:
        return np.zeros_like(way), foot
    short = length(way)[..., 0] - reach
    lift = np.where(firm > 0, most * -np.expm1(-_SOFT / most * np.logaddexp(0.0, short / _SOFT)), 0.0)
    if len(seconds) > 1:
        frames = _LIFT_SECONDS / float(np.median(np.diff(seconds)))
        lift = maximum_filter1d(lift, 2 * round(frames) + 1, axis=0, mode="nearest")
        lift = gaussian_filter1d(lift, frames / 2, axis=0, mode="nearest", truncate=2.0)
    lift = lift * firm
    # By an angle about the foot's own axis: the ankle of a foot on its toes hardly rises, however far it swings.
    arm = -turned(foot, ball)
    turn = turn_about(foot[..., 0], lift / np.maximum(np.hypot(ball[:, 0], ball[:, 2]), 1e-9))
    does = (lift > _LEAST)[..., None]
    return np.where(does, turned(turn, arm) - arm, 0.0), np.where(does[..., None], turn @ foot, foot)


def reach_shift(way: Array, reach: Array, cost: Array, seconds: Array, most: float) -> Array:
    """The shift u.

    Args:
        way: (F, 2, 3) metres, world, from the hips to where the ankles are to be.
        reach: (F, 2) metres from hip to ankle, at most.
        cost: (F, 3, 3) as `floor_path.view_cost`.
        seconds: (F,)
        most: metres that the body is moved at most; short legs are left short then.

    Returns:
        (F, 3) metres.
    """
    shift = np.zeros((len(way), 3))
    if not most or not (length(way)[..., 0] > reach).any():
        return shift
    held = np.diff(frame_edges(seconds))
    rigid = Blocks(len(way))
    rigid.diagonal += cost * held[:, None, None]
    rigid.smooth(seconds, _SECONDS)
    for _ in range(_ROUNDS):
        left = way - shift[:, None]
        apart = length(left)[..., 0]
        line = left / np.maximum(apart, 1e-9)[..., None]
        # Along the line: how far the shift has to go, from none at all.
        wanted = apart - reach + (line * shift[:, None]).sum(-1)
        pull = np.where(apart > reach, _REACH / ASIDE**2 * held[:, None], 0.0)[..., None] * line
        system = rigid.copy()
        system.diagonal += (pull[..., :, None] * line[..., None, :]).sum(1)
        shift = system.solve((pull * wanted[..., None]).sum(1))
    far = np.linalg.norm(shift, axis=-1, keepdims=True)
    return np.asarray(shift * np.minimum(most / np.maximum(far, 1e-9), 1.0))
