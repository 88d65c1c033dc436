"""A skeleton posed towards wanted places: bone lengths hold, limbs bend to reach, stretched bones may leave theirs.

Pelvis, chest, head, hands and feet are turned as asked. What is fast to them (hips, spine1, collars, neck, knuckles,
balls of the feet) goes with them; every other joint turns on with its parent by the smallest turn that points it at its
child, as calibration's chain does, and the upper bones of limbs also so far about themselves that the limb bends in the
wanted plane.
Each frame is posed alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ..skeletons import PARENTS
from .chains import (
    CHILDREN,
    COLLARS,
    HEAD,
    HINGES,
    HIPS,
    LIMB_ENDS,
    LIMB_MIDDLES,
    LIMB_STARTS,
    LIMB_TIPS,
    NECK,
    PELVIS,
    SHOULDERS,
    SPINE,
    TURNING,
    TWISTING,
)
from .ik import smooth_step, two_bone
from .vectors import Array, angle_about, cross, length, swing, transposed, turn_about, turned, unit

_PARENTS: Final = np.array(PARENTS)
_OWN: Final = [joint for joint in TURNING if joint not in LIMB_TIPS]
_STARTS, _MIDDLES, _ENDS, _TIPS = (list(part) for part in (LIMB_STARTS, LIMB_MIDDLES, LIMB_ENDS, LIMB_TIPS))
_FROM_PELVIS: Final = [*HIPS, SPINE[0]]
_FROM_CHEST: Final = [NECK, *COLLARS]
_POINTED = [*SPINE[1:3], HEAD, *SHOULDERS]
_LEVELS: Final = ([SPINE[0], NECK, *COLLARS, *HIPS], [SPINE[1], *SHOULDERS], [*_MIDDLES])
"""The joints that point at a child, by what must be turned before them."""
_TWIST_ENDS: Final = [CHILDREN[joint][0] for joint in TWISTING]

_PLANE: Final = np.sin(np.radians([20.0, 40.0]))
"""Sines of flexion from which the bend plane turns the upper bone, and from which it does so in full. A straighter limb
has next to no plane, and must not spin."""


@dataclass(frozen=True, eq=False)
class Pose:
    """n frames of the 24 joints in the world, where bones may have any length."""

    turned: Array
    """(n, 24, 3, 3) rest frame → world."""
    joints: Array
    """(n, 24, 3) metres."""


def pose_towards(base: Pose, rest_joints: Array, wanted: Array, turns: Array, twist: Array, stretch: Array) -> Pose:
    """The pose nearest to the wanted places.

    Args:
        base: the pose to start from, its joints on its bones.
        rest_joints: (24, 3) metres, rest frame.
        wanted: (n, 24, 3) metres, world. Of limbs the ends are reached first, and the middles tell the bend; of joints
            that are fast to their parent the places only count as far as their bones stretch.
        turns: (n, 24, 3, 3) turns of `chains.TURNING` in their base frames, the knuckles' and toes' on top of the
            wrists' and ankles'.
        twist: (n, 24) radians, turns of `chains.TWISTING` about their own bones.
        stretch: (n, 24) 0 to 1: how far the bone that ends in a joint may leave its length.
    """
    solver = _Posing(base, rest_joints, wanted, stretch)
    R = solver.turned
    R[:, _OWN] = base.turned[:, _OWN] @ turns[:, _OWN]
    R[:, _TIPS] = R[:, _ENDS] @ transposed(base.turned[:, _ENDS]) @ base.turned[:, _TIPS] @ turns[:, _TIPS]
    solver.place()
    solver.turn()
    if twist.any():
        axes = unit(rest_joints[_TWIST_ENDS] - rest_joints[list(TWISTING)], HINGES[0])
        R[:, TWISTING] = R[:, TWISTING] @ turn_about(np.broadcast_to(axes, (len(R), *axes.shape)), twist[:, TWISTING])
    return Pose(R, solver.joints)


class _Posing:
    """Joints and rotations as they are found, from the pelvis outwards."""

    def __init__(self, base: Pose, rest_joints: Array, wanted: Array, stretch: Array) -> None:
        self.base, self.wanted, self.stretch = base, wanted, stretch[..., None]
        self.bones = rest_joints - rest_joints[_PARENTS]
        self.bones[0] = 0.0
        self.lengths = length(self.bones)
        self.turned, self.joints = base.turned.copy(), np.empty_like(base.joints)

    def place(self) -> None:
        """All joints, from the pelvis outwards. Only rotations that places do not turn are needed for it."""
        self.joints[:, PELVIS] = self.wanted[:, PELVIS]
        self.fast(_FROM_PELVIS)
        self.pointed(_POINTED[:1])
        self.pointed(_POINTED[1:2])
        self.fast(_FROM_CHEST)
        self.pointed(_POINTED[2:])
        self.limbs()
        self.fast(_TIPS)

    def fast(self, joints: list[int]) -> None:
        """Joints that go with their parent."""
        above = _PARENTS[joints]
        self._put(joints, self.joints[:, above] + turned(self.turned[:, above], self.bones[joints]))

    def pointed(self, joints: list[int]) -> None:
        """Joints that their parents turn towards."""
        start = self.joints[:, _PARENTS[joints]]
        before = self.base.joints[:, joints] - self.base.joints[:, _PARENTS[joints]]
        line = unit(self.wanted[:, joints] - start, unit(before, HINGES[0]))
        self._put(joints, start + self.lengths[joints] * line)

    def limbs(self) -> None:
        """Middles and ends of arms and legs, from their starts."""
        start, middle, end = self.joints[:, _STARTS], self.wanted[:, _MIDDLES], self.wanted[:, _ENDS]
        upper, lower = self.lengths[_MIDDLES], self.lengths[_ENDS]
        hinge = turned(self.base.turned[:, _STARTS], HINGES)
        normal = cross(middle - start, end - start)
        normal = np.where(length(normal) > 1e-6 * upper * lower, normal, hinge)
        bent, _ = two_bone(start, end, upper, lower, normal)
        # An end that may leave its bone does not pull at the middle.
        loose = self.stretch[:, _ENDS]
        if loose.any():
            own = start + upper * unit(middle - start, unit(bent - start, hinge))
            bent = start + upper * unit(bent + loose * (own - bent) - start, unit(bent - start, hinge))
        self._put(_MIDDLES, bent)
        knee = self.joints[:, _MIDDLES]
        before = self.base.joints[:, _ENDS] - self.base.joints[:, _MIDDLES]
        self._put(_ENDS, knee + lower * unit(end - knee, unit(before, hinge)))

    def turn(self) -> None:
        """The rotations of all joints that point at a child: each first turns as its parent does."""
        change = self.turned @ transposed(self.base.turned)
        for level in _LEVELS[:-1]:
            self._turn_on(change, level)
        self._bend_limbs(change)
        self._turn_on(change, _LEVELS[-1])
        pointing = list(TWISTING)
        self.turned[:, pointing] = change[:, pointing] @ self.base.turned[:, pointing]

    def _turn_on(self, change: Array, joints: list[int]) -> None:
        """The turns from the base, in the world, of joints whose parents' are known."""
        ends = [CHILDREN[joint][0] for joint in joints]
        carried = change[:, _PARENTS[joints]]
        before, after = (places[:, ends] - places[:, joints] for places in (self.base.joints, self.joints))
        change[:, joints] = swing(turned(carried, before), after) @ carried

    def _bend_limbs(self, change: Array) -> None:
        """Turn the limbs' upper bones about themselves so that the limbs bend in their planes."""
        old, new = self.base.joints, self.joints
        upper_old, upper = (places[:, _MIDDLES] - places[:, _STARTS] for places in (old, new))
        lower_old, lower = (places[:, _ENDS] - places[:, _MIDDLES] for places in (old, new))
        hinge = turned(self.base.turned[:, _STARTS], HINGES)
        axis = unit(upper, hinge)
        sure_old, off_old = _bend(unit(upper_old, hinge), upper_old, lower_old, hinge)
        sure, off = _bend(axis, upper, lower, turned(change[:, _STARTS], hinge))
        further = (off - off_old + np.pi) % (2 * np.pi) - np.pi
        # A limb that was straight bent about its hinge, whatever little its bones said.
        known = sure_old / np.maximum(np.maximum(sure_old, sure), 1e-12)
        change[:, _STARTS] = turn_about(axis, sure * (further + (1 - known) * off_old)) @ change[:, _STARTS]

    def _put(self, joints: list[int], held: Array) -> None:
        """Joints where their bones hold them, or as far as those stretch, where they are wanted."""
        stretch = self.stretch[:, joints]
        self.joints[:, joints] = held + stretch * (self.wanted[:, joints] - held) if stretch.any() else held


def _bend(axis: Array, upper: Array, lower: Array, hinge: Array) -> tuple[Array, Array]:
    """How sure the bend plane is, 0 to 1, and its turn from the hinge about the upper bone. Shape: (n, 4) twice."""
    normal = cross(upper, lower)
    sine = length(normal) / np.maximum(length(upper) * length(lower), 1e-12)
    sure = smooth_step((sine - _PLANE[0]) / (_PLANE[1] - _PLANE[0]))[..., 0]
    return sure, angle_about(axis, hinge, normal)
