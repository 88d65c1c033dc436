# SPDX-License-Identifier: GPL-3.0-or-later
"""The skeleton's motion on another rig: directions of the limbs equal, the path scaled by the legs, locked feet locked.

1. Each mapped bone is turned as the skeleton's, from rest poses that are made alike (`rest_alignment`). The rotations
   of the three spine joints are spread over as many spine bones as there are.
2. Where the skeleton's bones are stretched, and where trunks of other proportions lead hips, neck and head elsewhere,
   a small swing per frame makes the directions equal.
3. The hips' middle follows the skeleton's, scaled by leg length, at a height that lets the feet stand on the floor.
4. Feet that stand still in the source stand still here, by bending the leg (`foot_lock`).

Everything is in the world: metres, z up, the floor at z = 0; the rig's floor is at its object's origin.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...inference_backend.errors import BadArgument
from ...inference_backend.skeletons import JOINTS
from .axes import continuous, matrices_to_quaternions, quaternions_to_matrices
from .bone_map import ARM, LEG, NECK, SIDES, SPINE
from .foot_lock import FootSlide, lock_feet
from .rest_alignment import Alignment, align, joint_of, next_role, trunk_top
from .rig_pose import TargetRig, channel_rotations, positions
from .source_motion import SourceMotion, both
from .turns import between, swing, turned, unit

Array = NDArray[np.float64]

LIMBS: Final = tuple(f"{side}_{part}" for side in SIDES for part in (*ARM[1:3], *LEG[:2]))
"""Roles whose direction is the skeleton's."""

_TRUNK: Final = [JOINTS.index(name) for name in ("pelvis", "spine1", "spine2", "spine3")]
_NECK, _HEAD = JOINTS.index("neck"), JOINTS.index("head")


class RootMotion(Enum):
    """Who moves along the floor."""

    PELVIS = "PELVIS"
    """The pelvis, with all else that it does."""
    ROOT = "ROOT"
    """The root bone moves along the floor below the hips; the pelvis does the rest, where it can be moved."""
    IN_PLACE = "IN_PLACE"
    """Nobody: the hips stay above the object's origin."""


@dataclass(frozen=True)
class RetargetSettings:
    """What an artist may choose."""

    root: RootMotion = RootMotion.PELVIS
    """Who moves along the floor."""
    foot_lock: bool = True
    """Whether feet that stand still in the source are held still by bending the leg."""
    hips_follow: bool = False
    """Whether hips go with locked feet along the floor, off the source's path by centimetres: legs bend less."""


@dataclass(frozen=True, eq=False)
class Retargeted:
    """The motion on the rig."""

    quaternions: Array
    """(F, B, 4) of the bones' rotation channels: w, x, y, z; signs run on without a jump."""
    locations: Mapping[int, Array]
    """(F, 3) of the location channels of the bones that are moved."""
    joints: Array
    """(F, B, 3) where the bones' heads are then, in the world."""
    scale: float
    """The rig's leg in lengths of the skeleton's."""
    slides: tuple[FootSlide, ...]
    """How still locked feet stand, of each mapped foot."""


def retarget(source: SourceMotion, rig: TargetRig, settings: RetargetSettings | None = None) -> Retargeted:
    """Move a rig as the skeleton moves.

    Raises:
        BadArgument: the rig has no size, or the bone cannot be moved that is to move it.
    """
    settings = settings or RetargetSettings()
    mover = _mover(rig, settings)
    to_rest = align(rig, source)
    turns = _aimed(source, rig, _followed(source, rig, to_rest))
    path = to_rest.scale * _middle(source)
    by_root = settings.root is RootMotion.ROOT and rig.roles[mover] != "root"
    shifts = _root_shift(rig, path) if by_root else {}
    goal = rig.origin + path + (0.0, 0.0, to_rest.lift)
    shifts[mover] = goal - _hips(rig, positions(rig, turns, shifts))
    turns, moved, slides = lock_feet(
        source, rig, to_rest, turns, shifts, mover, apply=settings.foot_lock, hips_follow=settings.hips_follow
    )
    path = (path + moved) * (1.0, 1.0, 0.0)
    shifts[mover] = shifts[mover] + moved
    if by_root:
        root = rig.at("root")
        shifts[mover], shifts[root] = shifts[mover] - moved * (1.0, 1.0, 0.0), shifts[root] + moved * (1.0, 1.0, 0.0)
    if settings.root is RootMotion.IN_PLACE:
        shifts[mover] = shifts[mover] - path
    locations = {bone: turned(np.linalg.inv(rig.reach[rig.roles[bone]]), shift) for bone, shift in shifts.items()}
    quaternions = continuous(matrices_to_quaternions(channel_rotations(rig, turns)))
    return Retargeted(quaternions, locations, positions(rig, turns, shifts), to_rest.scale, slides)


def _mover(rig: TargetRig, settings: RetargetSettings) -> int:
    """The bone that puts the hips in their place: the pelvis, or, where that is connected to its parent, the root."""
    movable = [role for role, reach in rig.reach.items() if np.linalg.matrix_rank(reach, tol=1e-6) == 3]
    if settings.root is RootMotion.ROOT and "root" not in movable:
        raise BadArgument(
            "the root bone cannot be moved: it is not mapped, or a constraint holds it",
            hint="Map another bone as root, or let the pelvis have the path.",
            role="root",
        )
    if "pelvis" in movable:
        return rig.at("pelvis")
    if "root" not in movable:
        raise BadArgument(
            "the pelvis bone cannot be moved: it is connected to its parent, or a constraint holds it",
            hint="Map its parent as root, disconnect it in edit mode, or map another bone as pelvis.",
            role="pelvis",
        )
    return rig.at("root")


def direction_errors(source: SourceMotion, rig: TargetRig, joints: Array) -> dict[str, Array]:
    """How far limbs, trunk and neck point elsewhere than the skeleton's, in lengths of the limb, by role. (F,) each.

    Args:
        joints: (F, B, 3) heads of the rig's bones in the world, as posed.
    """
    ways = {}
    for role in LIMBS:
        if role in rig.roles and next_role(role) in rig.roles:
            ways[role] = joints[:, rig.at(next_role(role))] - joints[:, rig.at(role)], _way(source, role)
    top = trunk_top(rig)
    if top is not None:
        end = _NECK if rig.roles[top] == NECK[0] else _HEAD
        ways["trunk"] = joints[:, top] - _hips(rig, joints), source.joints[:, end] - _middle(source)
    if NECK[0] in rig.roles and "head" in rig.roles:
        neck = joints[:, rig.at("head")] - joints[:, rig.at(NECK[0])]
        ways["neck"] = neck, source.joints[:, _HEAD] - source.joints[:, _NECK]
    return {role: np.linalg.norm(unit(own) - unit(wanted), axis=-1) for role, (own, wanted) in ways.items()}


def _followed(source: SourceMotion, rig: TargetRig, to_rest: Alignment) -> Array:
    """(F, B, 3, 3) how each bone is turned from its rest where it only does as the skeleton's."""
    spine = [rig.at(role) for role in SPINE if role in rig.roles]
    neck = [rig.at(role) for role in NECK if role in rig.roles]
    of_spine = _spread(source, rig, spine)
    turns = np.empty((len(source.rotations), len(rig.names), 3, 3))
    for bone, role in enumerate(rig.roles):
        if role == "root":
            turns[:, bone] = np.eye(3)
            continue
        if bone in of_spine:
            rotation = of_spine[bone]
        elif bone in neck:
            share = neck.index(bone) / len(neck)
            rotation = between(source.rotations[:, _NECK], source.rotations[:, _HEAD], share)
        else:
            rotation = source.rotations[:, joint_of(role)]
        turns[:, bone] = rotation @ to_rest.limbs[bone] @ to_rest.upright
    return turns


def _spread(source: SourceMotion, rig: TargetRig, spine: list[int]) -> dict[int, Array]:
    """(F, 3, 3) by spine bone: the mean rotation of what of the skeleton's spine lies at its height.

    The last one has the arms: it turns as the chest, however many there are.
    """
    top = trunk_top(rig)
    ends = rig.heads[top] if top is not None else rig.tips[spine[-1]] if spine else np.zeros(3)
    own = _shares(np.array([rig.heads[rig.at("pelvis")], *rig.heads[spine], ends]))
    theirs = _shares(source.rest_joints[[*_TRUNK, _NECK if top is None or rig.roles[top] == NECK[0] else _HEAD]])
    rotations = matrices_to_quaternions(source.rotations[:, _TRUNK])
    rotations *= np.where(np.sum(rotations * rotations[:, -1:], -1, keepdims=True) < 0, -1.0, 1.0)
    spread = {}
    for row, bone in enumerate(spine, 1):
        overlap = np.minimum(own[row + 1], theirs[1:]) - np.maximum(own[row], theirs[:-1])
        weights = np.maximum(overlap, 0.0) if row < len(spine) else np.array([0.0, 0.0, 0.0, 1.0])
        spread[bone] = quaternions_to_matrices(np.einsum("fjq,j->fq", rotations, weights + 1e-9))
    return spread


def _shares(points: Array) -> Array:
    """Where points lie along their line, from 0 to 1."""
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=-1))])
    return np.asarray(along / max(along[-1], 1e-9))


def _aimed(source: SourceMotion, rig: TargetRig, turns: Array) -> Array:
    """The same with limbs, trunk and neck swung onto the skeleton's directions; most are there already."""
    turns = turns.copy()
    for role in LIMBS:
        bone, after = rig.index(role), rig.index(next_role(role))
        if bone is not None and after is not None:
            own = turned(turns[:, bone], rig.heads[after] - rig.heads[bone])
            turns[:, bone] = swing(own, _way(source, role)) @ turns[:, bone]
    top, spine = trunk_top(rig), [rig.at(role) for role in SPINE if role in rig.roles]
    if top is not None and spine:
        placed = positions(rig, turns, {})
        end = _NECK if rig.roles[top] == NECK[0] else _HEAD
        _lean(
            turns,
            spine,
            placed[:, spine[0]],
            placed[:, top],
            _hips(rig, placed),
            source.joints[:, end] - _middle(source),
        )
    neck = [rig.at(role) for role in NECK if role in rig.roles]
    head = rig.index("head")
    if neck and head is not None:
        placed = positions(rig, turns, {})
        own = placed[:, head] - placed[:, neck[0]]
        turn = swing(own, source.joints[:, _HEAD] - source.joints[:, _NECK])
        turns[:, neck] = turn[:, None] @ turns[:, neck]
    return turns


def _lean(turns: Array, spine: list[int], pivot: Array, top: Array, hips: Array, wanted: Array) -> None:
    """Swing the spine about its lower end so that its upper one lies from the hips in the wanted direction."""
    way, offset = unit(wanted), hips - pivot
    reach = np.linalg.norm(top - pivot, axis=-1)
    # |offset + λ way| = reach: where the ray from the hips leaves the ball that the spine's end can reach.
    along = np.sum(offset * way, -1)
    root = along**2 - np.sum(offset**2, -1) + reach**2
    goal = offset + (np.sqrt(np.maximum(root, 0.0)) - along)[:, None] * way
    turn = swing(top - pivot, goal)
    turns[:, spine] = turn[:, None] @ turns[:, spine]


def _way(source: SourceMotion, role: str) -> Array:
    """(F, 3) the skeleton's bone, from its joint to the next."""
    return np.asarray(source.joints[:, joint_of(next_role(role))] - source.joints[:, joint_of(role)])


def _middle(source: SourceMotion) -> Array:
    """(F, 3) the middle of the skeleton's hips."""
    return np.asarray(source.joints[:, list(both("hip"))].mean(1))


def _hips(rig: TargetRig, joints: Array) -> Array:
    """(F, 3) the middle of the rig's hips."""
    return np.asarray((joints[:, rig.at("left_thigh")] + joints[:, rig.at("right_thigh")]) / 2)


def _root_shift(rig: TargetRig, path: Array) -> dict[int, Array]:
    """The root below the hips, at its own height."""
    root = rig.at("root")
    return {root: (path + rig.origin - rig.heads[root]) * (1.0, 1.0, 0.0)}
