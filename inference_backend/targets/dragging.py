"""One frame's joints and rotations while a joint is dragged: what follows, what stays, what is pinned.

Places and rotations are moved together; bones keep the lengths that they have, unless a free drag stretches them.
What hangs on a joint that moves is carried along without turning, as is what hangs on a chain that bends; only a chest
that tilts takes its arms with it, and a joint that is turned takes everything. Numpy only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from ..skeletons import PARENTS
from .chains import (
    ANKLES,
    BELOW,
    CHEST,
    CHILDREN,
    COLLARS,
    HEAD,
    HINGES,
    KEPT_BY,
    LIMB_ENDS,
    LIMB_MIDDLES,
    LIMB_STARTS,
    LIMB_TIPS,
    PELVIS,
    SHOULDERS,
    SPINE,
    TURNING,
    TWISTING,
    WRISTS,
)
from .ik import bend_normal, carried_normal, fabrik, two_bone
from .vectors import Array, cross, length, swing, turned, unit

_MOVED: Final = 1e-9
"""Metres."""


class Body:
    """A pose that is being changed."""

    def __init__(self, joints: Array, rotations: Array) -> None:
        """Shape: (24, 3) metres, world; (24, 3, 3) rest frame → world."""
        self.joints, self.turned = joints.copy(), rotations.copy()
        self.was, self.was_turned = joints, rotations
        self.spun: set[int] = set()
        """Joints that point at a child and were turned with it as one: their turn about the bone is to be kept."""
        self.stretched: set[int] = set()
        """Joints whose bone has left its length."""
        self.kept: set[int] = set()
        """Joints that were asked to stay."""

    def move(self, joint: int, to: Array, *, children: bool, pins: Iterable[int]) -> None:
        """Lead a joint to a place, or as near as lengths allow, with what follows and what stays."""
        stays = self._stays(joint, pins, () if children else KEPT_BY.get(joint, ()))
        if joint == PELVIS:
            self.carry(joint, to)
        elif joint in CHILDREN[PELVIS]:
            turn = swing(self._bone(PELVIS, joint), to - self.joints[PELVIS])
            own = BELOW[joint] if children else ()
            self._turn_alone(PELVIS, turn)
            stays |= {other for other in (CHEST, *ANKLES) if other not in own}
        elif joint in COLLARS:
            # Fast to the chest, which is moved without a turn; a head that stayed would turn it.
            own = () if children else (*SHOULDERS, *WRISTS)
            to = self.joints[CHEST] + to - self.joints[joint]
            self.move(CHEST, to, children=True, pins=(*pins, *own))
            return
        elif joint in SPINE:
            self._move_spine(joint, to, children, stays)
        elif joint in LIMB_MIDDLES:
            limb = LIMB_MIDDLES.index(joint)
            start, end = LIMB_STARTS[limb], LIMB_ENDS[limb]
            if children and end not in stays:
                self._point(start, joint, to)
            else:
                self._about((start, joint, end), to)
                stays.add(end)
        elif joint in LIMB_ENDS:
            limb = LIMB_ENDS.index(joint)
            if LIMB_MIDDLES[limb] in stays:
                self._point(LIMB_MIDDLES[limb], joint, to)
            else:
                self._reach(limb, to)
            if not children:
                stays.add(LIMB_TIPS[limb])
        else:  # shoulders, knuckles and balls of the feet: their bone turns
            self._point(PARENTS[joint], joint, to)
        self._restore(stays, joint)

    def stretch(self, joint: int, to: Array, *, children: bool, pins: Iterable[int]) -> None:
        """Lead a joint to a place, whatever its bones' lengths; alone, or with all that hangs on it."""
        if joint != PELVIS:
            self.stretched.add(joint)
        if children:
            self.carry(joint, to)
        else:
            self.joints[joint] = to
            self.stretched.update(CHILDREN[joint])
        self._restore(self._stays(joint, pins, ()), joint)

    def turn(self, joint: int, by: Array, *, children: bool, pins: Iterable[int]) -> None:
        """Turn a joint in the world, with all that hangs on it or alone. Shape: (3, 3).

        Thighs and upper arms turn alone: where knee and elbow go says how the limb is turned.
        """
        stays = self._stays(joint, pins, () if children else KEPT_BY.get(joint, ()))
        if joint in LIMB_STARTS or (not children and joint in TWISTING):
            self.turned[joint] = by @ self.turned[joint]
            self.spun.add(joint)
        elif children or joint in (HEAD, *LIMB_ENDS, *LIMB_TIPS):
            self._rotate(joint, by)
        else:
            self._turn_alone(joint, by)
        self._restore(stays, joint)

    def carry(self, joint: int, place: Array) -> None:
        """A joint to a place, and all that hangs on it along, unturned."""
        self.joints[[joint, *BELOW[joint]]] += place - self.joints[joint]

    def _stays(self, joint: int, pins: Iterable[int], more: Sequence[int]) -> set[int]:
        stays = {*pins, *more} - {joint}
        for end, tip in zip(LIMB_ENDS, LIMB_TIPS, strict=True):
            if tip in stays and end != joint:
                stays.add(end)
        return stays

    def _move_spine(self, joint: int, to: Array, children: bool, stays: set[int]) -> None:
        place = SPINE.index(joint)
        if place == 1 and (not children or CHEST in stays):
            self._about(SPINE[:3], to)
            stays.add(CHEST)
        else:
            self._bow(self._fixed_below(place, stays), place, to)

    def _fixed_below(self, place: int, fixed: Iterable[int]) -> int:
        """Where the part of the spine begins that ends in `place` and may bend."""
        return max((k for k in range(1, place) if SPINE[k] in fixed), default=0)

    def _bow(self, first: int, last: int, to: Array) -> None:
        """Bend the spine between two of its places, so that the last reaches for a point. The head is not turned."""
        chain = SPINE[first : last + 1]
        places = fabrik(self.joints[list(chain)], to, self.turned[PELVIS][:, 0])
        looks = self.turned[HEAD].copy()
        for above, joint, place in zip(chain, chain[1:], places[1:], strict=False):
            if above == CHEST:
                self._rotate(CHEST, swing(self._bone(CHEST, joint), place - self.joints[CHEST]))
            else:
                self.spun.discard(above)
                self.carry(joint, place)
        self.turned[HEAD] = looks

    def _reach(self, limb: int, to: Array) -> None:
        """Bend a limb so that its end reaches for a point; hand or foot is carried."""
        start, middle, end = LIMB_STARTS[limb], LIMB_MIDDLES[limb], LIMB_ENDS[limb]
        a, b, c = (self.joints[joint] for joint in (start, middle, end))
        normal = carried_normal(bend_normal(a, b, c, self.turned[start] @ HINGES[limb]), c - a, to - a)
        knee, place = two_bone(a, to, length(b - a), length(c - b), normal)
        self.joints[middle] = knee
        self.carry(end, place)
        self.spun -= {start, middle}

    def _about(self, chain: Sequence[int], to: Array) -> None:
        """Turn a middle joint about the line between its neighbours, to the place nearest to a point."""
        start, middle, _ = chain
        a, b, c = (self.joints[joint] for joint in chain)
        normal = cross(to - a, c - a)
        if length(normal) < _MOVED:
            return
        self.joints[middle], _ = two_bone(a, c, length(b - a), length(c - b), normal)
        self.spun -= {start, middle}

    def _point(self, above: int, joint: int, to: Array) -> None:
        """Turn the bone that ends in a joint towards a point."""
        bone = self._bone(above, joint)
        towards = unit(to - self.joints[above], unit(bone, HINGES[0]))
        if above in TURNING:
            self._rotate(above, swing(bone, towards))
        else:
            self.spun.discard(above)
            self.carry(joint, self.joints[above] + length(bone) * towards)

    def _rotate(self, joint: int, by: Array) -> None:
        """Turn a joint and all that hangs on it as one."""
        below, centre = list(BELOW[joint]), self.joints[joint]
        self.turned[[joint, *below]] = by @ self.turned[[joint, *below]]
        self.joints[below] = centre + turned(by, self.joints[below] - centre)
        self.spun.update(other for other in (joint, *below) if other in TWISTING)

    def _turn_alone(self, joint: int, by: Array) -> None:
        """Turn pelvis or chest: what is fast to it moves, what hangs on that is carried."""
        centre = self.joints[joint].copy()
        self.turned[joint] = by @ self.turned[joint]
        for child in CHILDREN[joint]:
            self.carry(child, centre + by @ (self.joints[child] - centre))

    def _bone(self, above: int, joint: int) -> Array:
        return np.asarray(self.joints[joint] - self.joints[above])

    def _restore(self, stays: set[int], dragged: int) -> None:
        """Bring what should stay back to where it was, by what lies between that and the drag."""
        self.kept |= stays
        for place, joint in enumerate(SPINE):
            if joint not in stays or place == 0:
                continue
            if self._off(joint):
                self._bow(self._fixed_below(place, {*stays, dragged}), place, self.was[joint])
            if joint in TURNING:
                self._turn_back(joint)
        for joint in SHOULDERS:
            if joint in stays and self._off(joint):
                self._point(PARENTS[joint], joint, self.was[joint])
        for limb, (start, middle, end, tip) in enumerate(
            zip(LIMB_STARTS, LIMB_MIDDLES, LIMB_ENDS, LIMB_TIPS, strict=True)
        ):
            if middle in stays and self._off(middle):
                self._point(start, middle, self.was[middle])
            if end in stays:
                if self._off(end) and (middle in stays or middle == dragged):
                    self._point(middle, end, self.was[end])
                elif self._off(end):
                    self._reach(limb, self.was[end])
                self._turn_back(end)
            elif tip in stays and self._off(tip):
                self._point(end, tip, self.was[tip])

    def _off(self, joint: int) -> bool:
        return bool(np.abs(self.joints[joint] - self.was[joint]).max() > _MOVED)

    def _turn_back(self, joint: int) -> None:
        """The rotation that it had, and that of all that hangs on it."""
        by = self.was_turned[joint] @ self.turned[joint].T
        if np.abs(by - np.eye(3)).max() > _MOVED:
            self._rotate(joint, by)
