"""What is under the feet in each frame: the floor at z = 0, or the roof, the box, the step that they come to rest on.

The layers of floor and foot contact put feet onto this, not onto the floor of somebody who stands on something else.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..levels import REACH, levels_of
from .feet import Feet
from .motion import Array, SkeletonMotion
from .source import StackSource, sole_points

RESTS: Final = 0.5
"""How surely a foot stands in the picture where it rests."""
_BOUT_SECONDS: Final = 0.5
"""Errors within this time are alike: it makes one observation of where a foot rests."""
_LEAST_PLACES: Final = 2
"""Observations from which on there is something."""


def heights_under(motion: SkeletonMotion, source: StackSource) -> Array:
    """Metres above z = 0 of what the person stands on. Shape: (F,); the lower of two in the flight between them."""
    feet = Feet.of(motion.rest_joints, source.sole_offsets)
    above = sole_points(motion, source.sole_offsets)[..., 2] - feet.sole_heights
    lower = above.reshape(-1, 2, 2).min(1)  # frames, feet: of a foot on its heel or toes the lower end is down
    rests = (source.standing.reshape(-1, 2, 2).max(1) > RESTS) & source.detected[:, None]
    places = _resting_places(lower, rests, source.seconds)
    known = [height for height, count in levels_of(places) if count >= _LEAST_PLACES]
    # Near the floor is on the floor.
    levels = np.array(sorted({0.0 if abs(height) < REACH else height for height in known}))
    stood = np.flatnonzero(rests.any(1))
    if not len(levels) or not len(stood) or not levels.any():
        return np.zeros(len(motion))
    lowest = np.where(rests, lower, np.inf).min(1)[stood]
    found = levels[np.abs(lowest[:, None] - levels).argmin(1)]
    frames = np.arange(len(motion))
    before = np.maximum(np.searchsorted(stood, frames, "right") - 1, 0)
    after = np.minimum(np.searchsorted(stood, frames), len(stood) - 1)
    return np.asarray(np.minimum(found[before], found[after]))


def _resting_places(lower: Array, rests: NDArray[np.bool_], seconds: Array) -> Array:
    """Heights at which a foot rested, one for each foot and bout. Shape: (F, 2) twice, (F,) → (K,)."""
    bouts = np.floor((seconds - seconds[:1]) / _BOUT_SECONDS).astype(int)
    places = []
    for foot in (0, 1):
        for bout in np.unique(bouts[rests[:, foot]]):
            places.append(float(np.median(lower[(bouts == bout) & rests[:, foot], foot])))
    return np.array(places)
