# SPDX-License-Identifier: GPL-3.0-or-later
"""Feet that stand in the source stand on the rig: its legs have other proportions, so equal directions let feet slide.

While the ball of the skeleton's foot rests, the rig's stays where it is; while only the ankle does, the ankle. Each
stand is held where the foot is on average, so legs are bent as little as can be, and at the height of the floor; what
the source's foot itself moves is kept, scaled. Before and after a stand the foot comes from and goes back to its free
way. The hips go up and down with feet that stand, or along the floor, too (`hip_path`). Where a leg is too short for
its foot they come down, smoothly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...inference_backend.skeletons import JOINTS
from .bone_map import SIDES
from .hip_path import BLEND, along, smooth_above
from .leg_ik import reach_for
from .rest_alignment import Alignment
from .rig_pose import TargetRig, positions
from .source_motion import SourceMotion
from .standing_feet import resting, spans
from .turns import turned

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

_REACH: Final = 0.9995
"""Of a leg's length that a locked foot may be away from the hip: a straight leg has no knee direction."""
_DEEPEST: Final = 0.06
"""Lengths of the leg that the hips may come down."""
_LEVEL: Final = np.array([1.0, 1.0, 0.0])


@dataclass(frozen=True)
class FootSlide:
    """How still one foot stands while it is to, in millimetres a second along the floor."""

    side: str
    """left or right"""
    frames: int
    """In how many frames it stands."""
    source: float
    """How the skeleton's foot moves in them."""
    free: float
    """How the rig's would without a lock."""
    rig: float
    """How the rig's does."""


@dataclass(frozen=True, eq=False)
class _Leg:
    """One leg of the rig as equal directions put it, and what its foot is told."""

    side: str
    bones: tuple[int, int, int]
    """Thigh, shin, foot."""
    points: tuple[Array, Array]
    """(F, 3) ball and ankle on their free way."""
    stands: tuple[Flags, Flags]
    """(F,) when ball and ankle are to stand."""
    paths: tuple[Array, Array]
    """(F, 3) of the source's ball and ankle, scaled, at the rig's height."""
    to_ball: Array
    """(F, 3) from the ankle to the ball: the foot turns as it is told, so a lock does not change it."""


def lock_feet(
    source: SourceMotion,
    rig: TargetRig,
    to_rest: Alignment,
    turns: Array,
    shifts: Mapping[int, Array],
    mover: int,
    *,
    apply: bool,
    hips_follow: bool,
) -> tuple[Array, Array, tuple[FootSlide, ...]]:
    """Hold feet.

    Args:
        source: the skeleton.
        rig: the target; a side without a foot is left alone.
        to_rest: from the rig's rest to the skeleton's.
        turns: (F, B, 3, 3) how its bones are turned from their rest, in the world.
        shifts: (F, 3) by bone that is moved.
        mover: the one that moves the hips.
        apply: whether to; else it is only measured how feet slide.
        hips_follow: whether the hips go along the floor with feet that stand.

    Returns:
        The turns; how far the hips leave their way, (F, 3) metres; and how still the feet stand.
    """
    placed = positions(rig, turns, shifts)
    legs = [leg for side in SIDES if (leg := _leg(source, rig, to_rest, turns, placed, side)) is not None]
    moved, locked = np.zeros((len(turns), 3)), turns.copy()
    if apply and legs:
        asked, stands = zip(*(_offsets(leg, source.seconds) for leg in legs), strict=True)
        chains = [
            (placed[:, hip], placed[:, knee], placed[:, ankle]) for hip, knee, ankle in (one.bones for one in legs)
        ]
        moved, offsets = along(chains, asked, stands, source.seconds, level=hips_follow)
        drops = [_too_far(leg, placed, offset) for leg, offset in zip(legs, offsets, strict=True)]
        lowered = np.zeros_like(moved)
        lowered[:, 2] = -smooth_above(np.max(drops, 0), source.seconds)
        for leg, offset in zip(legs, offsets, strict=True):
            _bend(leg, locked, placed, offset, lowered, to_rest)
        moved = moved + lowered
    after = positions(rig, locked, {**shifts, mover: shifts[mover] + moved})
    return locked, moved, tuple(_slide(source, leg, after[:, leg.bones[2]]) for leg in legs)


def _leg(
    source: SourceMotion, rig: TargetRig, to_rest: Alignment, turns: Array, placed: Array, side: str
) -> _Leg | None:
    """None where the rig has no foot there."""
    foot, toe = rig.index(f"{side}_foot"), rig.index(f"{side}_toe")
    if foot is None:
        return None
    joints = JOINTS.index(f"{side}_foot"), JOINTS.index(f"{side}_ankle")
    if toe is not None:
        to_ball = placed[:, toe] - placed[:, foot]
    else:
        own = source.rest_joints[joints[0]] - source.rest_joints[joints[1]]
        to_ball = turned(turns[:, foot] @ to_rest.upright.T, to_rest.scale * own)
    lifts = to_rest.ball_lift if toe is not None else to_rest.lift, to_rest.lift
    ball, ankle = (source.joints[:, joint] for joint in joints)
    floor = rig.origin[2]
    return _Leg(
        side,
        (rig.at(f"{side}_thigh"), rig.at(f"{side}_shin"), foot),
        points=(placed[:, foot] + to_ball, placed[:, foot]),
        stands=(resting(ball, source.seconds, source.leg), resting(ankle, source.seconds, source.leg)),
        paths=(to_rest.scale * ball + (0, 0, floor + lifts[0]), to_rest.scale * ankle + (0, 0, floor + lifts[1])),
        to_ball=to_ball,
    )


def _offsets(leg: _Leg, seconds: Array) -> tuple[Array, Array]:
    """(F, 3) how far the ankle is to leave its free way; (F,) how much it stands, from 0 to 1."""
    (ball, ankle), (ball_path, ankle_path) = leg.points, leg.paths
    ball_stands, ankle_stands = leg.stands[0], leg.stands[1] & ~leg.stands[0]
    offsets = np.zeros_like(ankle)
    for start, stop in spans(ball_stands):
        held = ((ball - ball_path)[start:stop] * _LEVEL).mean(0)
        offsets[start:stop] = (ball_path + held - ball)[start:stop]
    for start, stop in spans(ankle_stands):
        # Next to a stand on the ball the ankle goes on from there, so that nothing jumps.
        joined = [row for row in (start - 1, stop) if 0 <= row < len(ankle) and ball_stands[row]]
        held_at = [ankle[row] + offsets[row] - ankle_path[row] for row in joined]
        held = np.mean(held_at, 0) if joined else ((ankle - ankle_path)[start:stop] * _LEVEL).mean(0)
        if len(joined) == 2:
            share = np.linspace(0, 1, stop - start)[:, None]
            held = (1 - share) * held_at[0] + share * held_at[1]
        offsets[start:stop] = (ankle_path - ankle)[start:stop] + held
    stands = ball_stands | ankle_stands
    blended = _blended(np.column_stack([offsets, stands]), stands, seconds)
    return blended[:, :3], blended[:, 3]


def _blended(offsets: Array, stands: Flags, seconds: Array) -> Array:
    """Values between the stands: they fade within `BLEND`, and go over into each other where the gap is shorter."""
    offsets, nothing = offsets.copy(), np.zeros(offsets.shape[1])
    for start, stop in spans(~stands):
        before = offsets[start - 1] if start else nothing
        after = offsets[stop] if stop < len(offsets) else nothing
        since = seconds[start:stop] - seconds[start - 1] if start else np.full(stop - start, np.inf)
        left = seconds[stop] - seconds[start:stop] if stop < len(offsets) else np.full(stop - start, np.inf)
        if np.isfinite(since + left).all() and (since + left)[0] < 2 * BLEND:
            share = _smooth(since / (since + left))[:, None]
            offsets[start:stop] = (1 - share) * before + share * after
        else:
            fade = [_smooth(1 - time / BLEND)[:, None] for time in (since, left)]
            offsets[start:stop] = fade[0] * before + fade[1] * after
    return offsets


def _smooth(share: Array) -> Array:
    """0 to 1 without a corner."""
    x = np.clip(share, 0.0, 1.0)
    return np.asarray(x * x * (3 - 2 * x))


def _too_far(leg: _Leg, placed: Array, offsets: Array) -> Array:
    """(F,) metres that the hip has to come down for the foot to be reached."""
    thigh, shin, foot = leg.bones
    length = sum(np.linalg.norm(placed[0, b] - placed[0, a]) for a, b in ((thigh, shin), (shin, foot)))
    way = placed[:, foot] + offsets - placed[:, thigh]
    below = np.sqrt(np.maximum((_REACH * length) ** 2 - np.sum(way[:, :2] ** 2, -1), 0.0))
    moved = np.linalg.norm(offsets, axis=-1) > 1e-6
    return np.asarray(np.where(moved, np.clip(-way[:, 2] - below, 0.0, _DEEPEST * length), 0.0))


def _bend(leg: _Leg, turns: Array, placed: Array, offsets: Array, lowered: Array, to_rest: Alignment) -> None:
    """Turn thigh and shin, in place, so that the ankle stands off its free way by the offsets."""
    thigh, shin, foot = leg.bones
    rows = np.flatnonzero(np.linalg.norm(offsets, axis=-1) + np.linalg.norm(lowered, axis=-1) > 1e-9)
    hip, knee, ankle = (placed[rows, bone] + lowered[rows] for bone in (thigh, shin, foot))
    forward = turned(turns[rows, thigh] @ to_rest.upright.T, np.array([0.0, -1.0, 0.0]))
    first, second = reach_for(hip, knee, ankle, placed[rows, foot] + offsets[rows], forward)
    turns[rows, thigh] = first @ turns[rows, thigh]
    turns[rows, shin] = second @ turns[rows, shin]


def _slide(source: SourceMotion, leg: _Leg, ankle: Array) -> FootSlide:
    """Measured at the ball where it stands, else at the ankle."""
    stands = leg.stands[0], leg.stands[1] & ~leg.stands[0]
    joints = JOINTS.index(f"{leg.side}_foot"), JOINTS.index(f"{leg.side}_ankle")
    moved: dict[str, list[Array]] = {"source": [], "free": [], "rig": []}
    for flags, joint, free, own in zip(stands, joints, leg.points, (ankle + leg.to_ball, ankle), strict=True):
        steps = np.flatnonzero(flags[1:] & flags[:-1])
        for name, points in (("source", source.joints[:, joint]), ("free", free), ("rig", own)):
            ways = np.linalg.norm(np.diff(points[:, :2], axis=0)[steps], axis=-1)
            moved[name].append(1000 * ways / np.diff(source.seconds)[steps])
    means = {
        name: float(np.concatenate(parts).mean()) if len(np.concatenate(parts)) else 0.0
        for name, parts in moved.items()
    }
    return FootSlide(leg.side, int((stands[0] | stands[1]).sum()), **means)
