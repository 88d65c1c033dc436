# SPDX-License-Identifier: GPL-3.0-or-later
"""Two bones that end where they are told to, bent in the plane in which they are bent already."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from .turns import swing, turned, unit

Array = NDArray[np.float64]

_STRAIGHT: Final = 0.02
"""A knee that stands out less, in lengths of the leg, has no sure direction: the given one comes in."""


def reach_for(start: Array, middle: Array, end: Array, goal: Array, forward: Array) -> tuple[Array, Array]:
    """How both bones are to be turned, in the world, so that the chain ends at the goal, or as near as it reaches.

    Args:
        start: (F, 3) where the first bone starts, metres. middle, end: (F, 3) where it and the second end.
        goal: (F, 3) where the second shall end.
        forward: (F, 3) where the middle goes if the chain is straight.

    Returns:
        (F, 3, 3) for the first and the second bone, to be put before their turns.
    """
    first, second = (np.linalg.norm(way, axis=-1) for way in (middle - start, end - middle))
    whole = first + second
    far = np.clip(np.linalg.norm(goal - start, axis=-1), np.abs(first - second) + 1e-6 * whole, whole * (1 - 1e-9))
    way = unit(goal - start)
    aside = _square(turned(swing(end - start, goal - start), middle - start), way)
    lacking = np.maximum(_STRAIGHT * whole - np.linalg.norm(aside, axis=-1), 0.0)
    aside = unit(aside + lacking[:, None] * unit(_square(forward, way)))
    cosine = np.clip((first**2 + far**2 - second**2) / (2 * first * far), -1, 1)
    sine = np.sqrt(1 - cosine**2)
    knee = start + first[:, None] * (cosine[:, None] * way + sine[:, None] * aside)
    reached = start + far[:, None] * way
    return swing(middle - start, knee - start), swing(end - middle, reached - knee)


def _square(vectors: Array, way: Array) -> Array:
    """The part of vectors that is square to unit vectors."""
    return np.asarray(vectors - np.sum(vectors * way, -1, keepdims=True) * way)
