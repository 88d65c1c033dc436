# SPDX-License-Identifier: GPL-3.0-or-later
"""2D landmarks as an artist corrects them: which one the mouse means, what goes along with it, what it is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...inference_backend.skeletons import LANDMARKS

_CARRIES: Final = {"wrist": ("pinky", "index", "thumb"), "ankle": ("heel", "foot_index")}

FOLLOWERS: Final = tuple(
    tuple(LANDMARKS.index(f"{side}_{part}") for part in _CARRIES.get(name, ()))
    for side, _, name in (landmark.partition("_") for landmark in LANDMARKS)
)
"""Of each landmark those that go along with it: a hand with its wrist, a foot with its ankle."""

_WORDS: Final = {"foot_index": "toe tip", "index": "index finger", "pinky": "little finger"}


def _in_words(landmark: str) -> str:
    side = next((side for side in ("left", "right") if side in landmark), "")
    part = landmark.replace(side, "").strip("_") if side else landmark
    return f"{side} {_WORDS.get(part, part.replace('_', ' '))}".strip().capitalize()


IN_WORDS: Final = tuple(map(_in_words, LANDMARKS))
"""Each landmark's name as a person reads it."""


_CROWDED: Final = np.array(
    [any(part in name for part in ("eye_", "mouth", "pinky", "index", "thumb")) for name in LANDMARKS]
) & ~np.array(["foot" in name for name in LANDMARKS])
"""Landmarks that lie close around another that is rather meant: a wrist, a nose."""
_HANDICAP: Final = 0.4


def nearest_landmark(points: ArrayLike, mouse: ArrayLike, reach: float) -> int | None:
    """The landmark that the mouse is at; None where none is within reach.

    Fingers and the parts of a face must be nearer than wrist and nose, by some of the reach.

    Shape: points (33, 2) and mouse (2,) in pixels of a region, as `reach`.
    """
    away = np.linalg.norm(np.asarray(points, np.float64) - np.asarray(mouse, np.float64), axis=-1)
    away = np.where(np.isfinite(away), away, np.inf)
    found = int(np.argmin(np.where(away <= reach, away + _HANDICAP * reach * _CROWDED, np.inf)))
    return found if away[found] <= reach else None


def moved_along(
    places: NDArray[np.float64], landmark: int, to: ArrayLike, corrected: Mapping[int, ArrayLike]
) -> dict[int, NDArray[np.float64]]:
    """Where a landmark and what goes along with it come to lie; followers that were corrected themselves stay.

    Args:
        places: (33, 2) pixels of the picture: where all are shown now.
        to: (2,) where the landmark is dragged to.
        corrected: the landmarks that are corrected in this frame.
    """
    by = np.asarray(to, np.float64) - places[landmark]
    along = [one for one in FOLLOWERS[landmark] if one not in corrected]
    return {one: places[one] + by for one in (landmark, *along)}
