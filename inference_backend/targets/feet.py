"""The feet on the floor: where heel, ball and toe tip are, how high they are when they stand, legs that reach for them.

A foot is rigid from the ankle to the ball, where the toes bend. Metres, world: z up, the floor at z = 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ..skeletons import JOINTS
from ..upright import LEG, SOLE_HEIGHTS
from .chains import ANKLES, HINGES, HIPS, KNEES, TOES
from .ik import bend_normal, carried_normal, two_bone
from .motion import Array, SkeletonMotion, local_quaternions
from .posing import Pose, pose_towards
from .vectors import length, transposed, turned

_HIPS, _KNEES, _ANKLES, _TOES = (list(pair) for pair in (HIPS, KNEES, ANKLES, TOES))
_LEGS: Final = HINGES[:2]


@dataclass(frozen=True, eq=False)
class Feet:
    """The left and the right foot of a body, in rest axes. Metres."""

    heel: Array
    """(2, 3) from the ankle."""
    ball: Array
    """(2, 3) the toes' joint, from the ankle."""
    tip: Array
    """(2, 3) the toe tip, from the ball."""
    heights: Array
    """(2, 3) of heel, ball and toe tip above the floor that the foot stands flat on."""

    @classmethod
    def of(cls, rest_joints: Array, sole_offsets: Array) -> Feet:
        """Shape: (24, 3), `StackSource.sole_offsets` (4, 3)."""
        heel, tip = sole_offsets[:2], sole_offsets[2:]
        leg = length(rest_joints[_HIPS] - rest_joints[_KNEES]) + length(rest_joints[_KNEES] - rest_joints[_ANKLES])
        ground = (rest_joints[_ANKLES] + heel)[:, 1] - SOLE_HEIGHTS[0] * float(leg.mean()) / LEG
        places = np.stack([rest_joints[_ANKLES] + heel, rest_joints[_TOES], rest_joints[_TOES] + tip], 1)
        return cls(heel, rest_joints[_TOES] - rest_joints[_ANKLES], tip, places[..., 1] - ground[:, None])

    @property
    def sole_heights(self) -> Array:
        """(4,) of the sole points, in the order of `standing.SOLES`, where they stand."""
        return np.concatenate([self.heights[:, 0], self.heights[:, 2]])


def flat_rotation(yaw: Array) -> Array:
    """A foot flat on the floor that points along a direction. Shape: (...) radians from x to y → (..., 3, 3)."""
    flat = np.zeros((*np.shape(yaw), 3, 3))
    sine, cosine = np.sin(yaw), np.cos(yaw)
    flat[..., 0, 0], flat[..., 1, 0] = -sine, cosine  # the body's left
    flat[..., 2, 1] = 1.0
    flat[..., 0, 2], flat[..., 1, 2] = cosine, sine
    return flat


def yaw_of(rotation: Array) -> Array:
    """Where a foot points, seen from above. Shape: (..., 3, 3) → (...) radians."""
    return np.arctan2(rotation[..., 1, 2], rotation[..., 0, 2])


@dataclass(frozen=True, eq=False)
class Legs:
    """Where the legs should go, F frames."""

    root: Array
    """(F, 3) the pelvis."""
    ankles: Array
    """(F, 2, 3)"""
    feet: Array
    """(F, 2, 3, 3) rotations of the feet, rest frame → world."""
    toes: Array
    """(F, 2, 3, 3) rotations of the toes."""


def with_legs(motion: SkeletonMotion, legs: Legs) -> SkeletonMotion:
    """The motion with its pelvis and feet where they are wanted, as far as legs reach; the rest goes with the pelvis.

    Knees keep the direction that they bend in. Frames whose legs are where they were are not changed at all.
    """
    rotations = motion.globals()
    base = Pose(rotations, motion.joints())
    changed = np.abs(legs.root - motion.root).max(-1) > 0
    for wanted, now in (
        (legs.ankles, base.joints[:, _ANKLES]), (legs.feet, rotations[:, _ANKLES]), (legs.toes, rotations[:, _TOES]),
    ):  # fmt: skip
        changed |= np.abs(wanted - now).reshape(len(motion), -1).max(-1) > 0
    rows = np.flatnonzero(changed)
    if not len(rows):
        return motion
    base = Pose(rotations[rows], base.joints[rows])
    wanted = base.joints + (legs.root[rows] - base.joints[:, 0])[:, None]
    hips, knees, ankles = wanted[:, _HIPS], wanted[:, _KNEES], wanted[:, _ANKLES]
    targets = legs.ankles[rows]
    normal = bend_normal(hips, knees, ankles, turned(base.turned[:, _HIPS], _LEGS))
    normal = carried_normal(normal, ankles - hips, targets - hips)
    wanted[:, _KNEES], wanted[:, _ANKLES] = two_bone(
        hips, targets, length(knees - hips), length(ankles - knees), normal
    )
    turns = np.tile(np.eye(3), (len(rows), len(JOINTS), 1, 1))
    feet, toes = legs.feet[rows], legs.toes[rows]
    turns[:, _ANKLES] = transposed(base.turned[:, _ANKLES]) @ feet
    carried = feet @ transposed(base.turned[:, _ANKLES]) @ base.turned[:, _TOES]
    turns[:, _TOES] = transposed(carried) @ toes
    none = np.zeros((len(rows), len(JOINTS)))
    pose = pose_towards(base, motion.rest_joints, wanted, turns, none, none)
    local = local_quaternions(pose.turned)
    local *= np.where((local * motion.rotations[rows]).sum(-1, keepdims=True) < 0, -1.0, 1.0)
    root, all_rotations = motion.root.copy(), motion.rotations.copy()
    root[rows], all_rotations[rows] = pose.joints[:, 0], local
    return motion.changed(root=root, rotations=all_rotations)
