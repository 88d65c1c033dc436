"""Floor, steps, roofs: the levels at which people's feet rested, and which of them is everyone's floor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

LEAST_SCALE, MOST_SCALE = 0.6, 1.2
"""True over assumed stature, beyond which somebody is taken to stand on something else than the floor."""

REACH: Final = 0.25
"""Metres from the floor up to which a resting foot may belong on it."""

LEAST_SHARE: Final = 0.25
"""Share of the resting places that a level needs to be the floor."""

Level: TypeAlias = tuple[float, int]
"""Metres under the camera at which feet rested, and in how many places."""


def levels_of(depths: Array) -> list[Level]:
    """The levels of one person: places whose depths under the camera (K,), metres, lie together."""
    ordered = np.sort(depths)
    groups = np.split(ordered, np.flatnonzero(np.diff(ordered) > REACH) + 1)
    return [(float(np.median(group)), len(group)) for group in groups if len(group)]


def nearest_level(levels: Sequence[Level], floor: float, given: bool) -> Level | None:
    """The level of one person that is a floor at this depth, if any: near it, or as far as the stature may explain.

    Args:
        floor: metres under the camera.
        given: whether somebody told the person's stature.
    """
    possible = []
    for depth, count in levels:
        ratio = floor / depth if depth * floor > 0 else np.inf
        if abs(depth - floor) < REACH or (not given and LEAST_SCALE < ratio < MOST_SCALE):
            possible.append((abs(depth - floor), (depth, count)))
    return min(possible)[1] if possible else None


def lowest_common(levels: Sequence[Sequence[Level]], given: npt.NDArray[np.bool_]) -> float:
    """The level that most people can stand on; of several the lowest: people stand on roofs, and not under the floor.

    Levels with less than `LEAST_SHARE` of the most places do not count.

    Args:
        levels: of each person, at least one in all.
        given: (P,) whether somebody told each person's stature.

    Returns:
        Metres under the camera.
    """
    candidates = []
    for depth in [depth for one in levels for depth, _ in one]:
        found = [nearest_level(one, depth, told) for one, told in zip(levels, given, strict=True)]
        rested = sum(level[1] for level in found if level is not None)
        candidates.append((sum(level is not None for level in found), rested, depth))
    most = max(number for number, _, _ in candidates)
    among = [(rested, depth) for number, rested, depth in candidates if number == most]
    return max(depth for rested, depth in among if rested >= LEAST_SHARE * max(among)[0])
