"""One floor for everyone in a clip: which way is up, how far under the camera the floor lies, who stands on it.

A body's size in the picture tells how far away it is only as well as its stature is known: a person of 1.60 m taken as
1.70 m is put 6% too far away, so under the floor where the camera looks down. So where several people stand on one
floor, their feet tell their statures beside each other. Camera frame: OpenCV's, metres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from .levels import LEAST_SCALE, MOST_SCALE, REACH, levels_of, lowest_common, nearest_level
from .skeletons import POINTS
from .upright import (
    AXIS_ERROR,
    BOUT_SECONDS,
    LEAST_CONTACTS,
    LEVEL_ERROR,
    Array,
    body_up,
    foot_contacts,
    level_up,
    unit,
)
from .world import World, world_of

CLEARANCE: Final = np.array([0.0211, 0.0211, 0.0108, 0.0108])
"""How high each of `standing.SOLES` is above the floor that the foot rests on, in statures, on the mean body."""

RESTS: Final = 0.5
"""How surely a sole stands in the picture from which it is taken to rest."""

STATURE_SPREAD: Final = 0.06
"""Standard deviation of the log of grown people's statures."""
GIVEN_SPREAD: Final = 0.01
"""The same of a stature that somebody told."""
FOOT_ERROR: Final = 0.05
"""Metres by which the mean height of a person's resting feet is off."""

LEAST_CHANGE: Final = 0.002
"""Of a stature: less is not worth another body."""

LEAST_PLACES: Final = 2
"""Resting places that make a level of their own."""

FLOOR_PERCENTILE: Final = 10.0
"""Of the heights of places where feet are slow and low: above the noise, below the raised heels."""

_SOLES = [POINTS.index(f"{side}_{part}") for part in ("heel", "foot_index") for side in ("left", "right")]


@dataclass(frozen=True, eq=False)
class Stander:
    """One person over F frames. Camera frame, metres."""

    joints: npt.NDArray[Any]
    """(F, 24, 3) the path smoothed."""
    points: npt.NDArray[Any]
    """(F, 11, 3) `skeletons.POINTS`."""
    weights: npt.NDArray[Any]
    """(F,) confidence in each frame, 0 to 1; frames of weight 0 are not looked at."""
    standing: npt.NDArray[Any]
    """(F, 4) how surely each of `standing.SOLES` stands in the picture, 0 to 1."""
    fps: float
    """Frames a second."""
    height: float
    """Stature that the joints were made with."""
    given: bool
    """Whether somebody told it; else the floor may correct it."""

    def __post_init__(self) -> None:
        count = len(self.joints)
        for name, shape in {"joints": (24, 3), "points": (11, 3), "weights": (), "standing": (4,)}.items():
            array = np.asarray(getattr(self, name), np.float64)
            if array.shape != (count, *shape):
                raise ValueError(f"{name}: found {array.shape}, want {(count, *shape)}")
            object.__setattr__(self, name, array)
        seen = (self.weights > 0) & np.isfinite(self.joints).all((1, 2)) & np.isfinite(self.points).all((1, 2))
        if not (self.fps > 0 and self.height > 0 and seen.any()):
            raise ValueError(
                f"fps {self.fps}, height {self.height}, {int(seen.sum())} frames with a weight and finite joints: want "
                "some of each"
            )
        object.__setattr__(self, "weights", np.where(seen, self.weights, 0.0))
        # What is not seen must not spread, not even by a weight of 0.
        for name in ("joints", "points"):
            object.__setattr__(self, name, np.where(seen[:, None, None], getattr(self, name), 0.0))

    @property
    def seen(self) -> npt.NDArray[np.bool_]:
        """(F,) frames that are looked at."""
        return np.asarray(self.weights > 0)

    def soles(self, up: Array) -> Array:
        """What is under each of `standing.SOLES`. Shape: (3,) → (F, 4, 3)."""
        return np.asarray(self.points[:, _SOLES] - (CLEARANCE * self.height)[:, None] * up, np.float64)


@dataclass(frozen=True, eq=False)
class Ground:
    """The floor, and everyone's place on it."""

    world: World
    """Up and floor; the origin is under where the person who is seen longest is first."""
    scales: tuple[float, ...]
    """True over assumed stature, of each person."""
    on_floor: tuple[bool, ...]
    """Whether each person's feet rest on the floor."""


def find_ground(people: Sequence[Stander]) -> Ground:
    """The floor under these people. Raises ValueError where there is nobody."""
    if not people:
        raise ValueError("people: nobody")
    longest = max(range(len(people)), key=lambda k: int(people[k].seen.sum()) / people[k].fps)
    up, error = _upright(people)
    notes = []
    if error >= LEVEL_ERROR:
        notes.append("The person is not seen standing upright: the camera is taken as level.")
    depth, scales, on_floor = _common_floor(people, up)
    contacts = _contacts(people, up, depth, scales, on_floor)
    if len(contacts) >= LEAST_CONTACTS:
        levelled = level_up(contacts, up, error)
        again = contacts[:0] if levelled is None else _contacts(people, levelled[0], depth, scales, on_floor)
        if levelled is None or len(again) < LEAST_CONTACTS:
            notes.append("The feet do not rest on one level floor: up is taken from the body alone.")
        else:
            (up, error), contacts = levelled, again
            depth, scales, on_floor = _common_floor(people, up)
    if not any(on_floor):
        if len(contacts):
            depth = -float(np.percentile(contacts @ up, FLOOR_PERCENTILE))
        else:
            one = people[longest]
            lowest = (np.concatenate([one.joints, one.points], 1)[one.seen] @ up).min(1)
            depth = -float(np.percentile(lowest, FLOOR_PERCENTILE))
            notes.append("The feet rest nowhere in this clip: the floor is put under the lowest part of the body.")
    root = people[longest].joints[int(np.argmax(people[longest].seen)), 0] * scales[longest]
    return Ground(world_of(up, -depth, root, error, tuple(notes)), scales, on_floor)


def resting_places(person: Stander, up: Array) -> Array:
    """Where feet rest that stand in the picture: under the lower of heel and toe tip, one place per half second.

    Shape: (3,) → (K, 3).
    """
    pairs = person.soles(up).reshape(-1, 2, 2, 3)  # frames, heel and tip, feet
    lower = np.argmin(pairs @ up, axis=1)
    rests = (person.standing.reshape(-1, 2, 2).max(1) > RESTS) & person.seen[:, None]
    bout, needed = max(1, round(BOUT_SECONDS * person.fps)), max(1, round(0.1 * person.fps))
    places = []
    for start in range(0, len(pairs), bout):
        for foot in (0, 1):
            rows = start + np.flatnonzero(rests[start : start + bout, foot])
            if len(rows) >= needed:
                places.append(np.median(pairs[rows, lower[rows, foot], foot], axis=0))
    return np.array(places, np.float64).reshape(-1, 3)


def rest_on_levels(person: Stander, ground: Ground, on_floor: bool) -> tuple[Array, Array, Array]:
    """Which level is under the feet in each frame: the floor, or what else they come to rest on.

    Feet further than `REACH` from every level rest on none: Tukey's weights. All of it is only as sure as up is.

    Shape: → height of the level above the floor (F,) metres, how surely each sole rests on it (F, 4), and how surely
    the feet are not under it (F,), 0 to 1.
    """
    up, offset = ground.world.up_cam, ground.world.floor_offset
    own = [height for height, count in levels_of(resting_places(person, up) @ up + offset) if count >= LEAST_PLACES]
    levels = np.array([0.0] * on_floor + [height for height in own if not on_floor or abs(height) > REACH])
    heights = person.soles(up) @ up + offset
    lower = heights.reshape(-1, 2, 2).min(1)  # frames, feet
    if not len(levels):
        return np.zeros(len(lower)), np.zeros((len(lower), 4)), np.zeros(len(lower))
    level = levels[np.abs(lower.min(1)[:, None] - levels).argmin(1)]
    above = lower - level[:, None]
    sure = person.seen * (ground.world.confidence if ground.world.error_degrees < LEVEL_ERROR else 0.0)
    near = np.clip(1 - (above / REACH) ** 2, 0, None) ** 2 * sure[:, None]
    held = person.standing.reshape(-1, 2, 2) * near[:, None]
    over = np.where(above.min(1) > 0, sure, near[np.arange(len(near)), above.argmin(1)])
    return level, held.reshape(-1, 4), np.asarray(over, np.float64)


def _contacts(
    people: Sequence[Stander], up: Array, depth: float, scales: Sequence[float], on_floor: Sequence[bool]
) -> Array:
    """Places where feet are slow and low; where the floor is known, near it. Shape: → (K, 3)."""
    places = [np.zeros((0, 3))]
    for one, scale, on in zip(people, scales, on_floor, strict=True):
        found = scale * foot_contacts(one.joints, one.points, one.seen, up, one.fps)
        if any(on_floor):
            found = found[on & (np.abs(found @ up + depth) < 2 * REACH)]
        places.append(found)
    return np.concatenate(places)


def _upright(people: Sequence[Stander]) -> tuple[Array, float]:
    """Up from everyone's body axis, and its expected error in degrees."""
    each = [body_up(one.joints, one.weights, one.fps) for one in people]
    known = [(up, error) for up, error in each if error < LEVEL_ERROR]
    if len(known) < 2:
        return known[0] if known else each[0]
    ups, errors = np.stack([up for up, _ in known]), np.array([error for _, error in known])
    # The lifter's error is everyone's; what single poses add to it averages out.
    own = 1 / np.maximum(errors**2 - AXIS_ERROR**2, 0.1)
    up = unit(own @ ups)
    trust = own
    for _ in range(5):  # Cauchy's weights, as within a clip
        angle = np.degrees(np.arccos(np.clip(ups @ up, -1, 1)))
        trust = own / (1 + (angle / 12) ** 2)
        up = unit(trust @ ups)
    return up, float(np.hypot(AXIS_ERROR, 1 / np.sqrt(trust.sum())))


def _common_floor(people: Sequence[Stander], up: Array) -> tuple[float, tuple[float, ...], tuple[bool, ...]]:
    """How far the floor is under the camera, the people's scales, and who is on it.

    With h_k how far under the camera the k-th person's feet rest, s_k h_k is the floor's: the most likely log s_k for
    log-normal statures and an error of the feet, in closed form.
    """
    rested = [levels_of(-(resting_places(one, up) @ up)) for one in people]
    if not any(rested):
        return 0.0, (1.0,) * len(people), (False,) * len(people)
    given = np.array([one.given for one in people])
    floor = lowest_common(rested, given)
    own = np.where(given, GIVEN_SPREAD, STATURE_SPREAD) ** 2
    for _ in range(5):
        found = [nearest_level(one, floor, told) for one, told in zip(rested, given, strict=True)]
        on_floor = np.array([level is not None for level in found])
        depths = np.array([floor if level is None else level[0] for level in found])
        spread = own + (FOOT_ERROR / np.maximum(np.abs(depths), FOOT_ERROR)) ** 2
        # A child does not pull the floor down: Cauchy's weights. Linear in the depths, which near the floor's own is
        # the mean of the logarithms, and holds at the camera's height.
        far = np.abs(depths - floor) / np.maximum(np.abs(floor), FOOT_ERROR) / (2 * STATURE_SPREAD)
        trust = on_floor / spread / (1 + far**2)
        floor = float(trust @ depths / trust.sum())
    ratio = np.where(on_floor & ~given & (depths * floor > 0), floor / np.where(depths == 0, 1, depths), 1.0)
    scales = np.clip(ratio, LEAST_SCALE, MOST_SCALE) ** (own / spread)
    scales = np.where(np.abs(scales - 1) < LEAST_CHANGE, 1.0, scales)
    return floor, tuple(float(s) for s in scales), tuple(bool(on) for on in on_floor)
