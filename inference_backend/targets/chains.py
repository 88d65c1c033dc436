"""The chains that the 24 joints form: what is rigid, what bends, what hangs on what."""

from __future__ import annotations

from typing import Final

import numpy as np

from ..skeletons import JOINTS, PARENTS

_SIDES: Final = ("left", "right")


def _both(name: str) -> tuple[int, int]:
    left, right = (JOINTS.index(f"{side}_{name}") for side in _SIDES)
    return left, right


PELVIS: Final = JOINTS.index("pelvis")
CHEST: Final = JOINTS.index("spine3")
HEAD: Final = JOINTS.index("head")
NECK: Final = JOINTS.index("neck")
HIPS, KNEES, ANKLES, TOES = _both("hip"), _both("knee"), _both("ankle"), _both("foot")
COLLARS, SHOULDERS, ELBOWS = _both("collar"), _both("shoulder"), _both("elbow")
WRISTS, HANDS = _both("wrist"), _both("hand")

SPINE: Final = tuple(JOINTS.index(name) for name in ("spine1", "spine2", "spine3", "neck", "head"))
"""The chain that bends between pelvis and head. spine1 is fast to the pelvis, the neck to the chest."""

LIMB_STARTS: Final = (*HIPS, *SHOULDERS)
LIMB_MIDDLES: Final = (*KNEES, *ELBOWS)
LIMB_ENDS: Final = (*ANKLES, *WRISTS)
LIMB_TIPS: Final = (*TOES, *HANDS)
"""The four limbs: left leg, right leg, left arm, right arm."""

HINGES: Final = np.array([[1.0, 0, 0], [1, 0, 0], [0, -1, 0], [0, 1, 0]])
"""(4, 3) the axis that each limb's middle bends about, in the rest axes of its upper bone: cross(upper, lower bone)."""

TURNING: Final = (PELVIS, CHEST, HEAD, *ANKLES, *TOES, *WRISTS, *HANDS)
"""The joints that places of other joints do not turn: they have a rotation of their own. All others point at their
one child, and turn about that bone alone."""

TWISTING: Final = tuple(joint for joint in range(len(JOINTS)) if joint not in TURNING)

CHILDREN: Final = tuple(tuple(c for c, p in enumerate(PARENTS) if p == joint) for joint in range(len(JOINTS)))


def _below(joint: int) -> tuple[int, ...]:
    return tuple(found for child in CHILDREN[joint] for found in (child, *_below(child)))


BELOW: Final = tuple(_below(joint) for joint in range(len(JOINTS)))
"""All joints that hang on each joint."""

KEPT_BY: Final[dict[int, tuple[int, ...]]] = {
    PELVIS: (CHEST, *ANKLES),
    SPINE[0]: (CHEST, *ANKLES),
    HIPS[0]: (CHEST, *ANKLES),
    HIPS[1]: (CHEST, *ANKLES),
    CHEST: (HEAD, *SHOULDERS, *WRISTS),
    NECK: (HEAD, *SHOULDERS, *WRISTS),
    HEAD: (*SHOULDERS, *WRISTS),
    SHOULDERS[0]: (WRISTS[0],),
    SHOULDERS[1]: (WRISTS[1],),
}
"""What stays where it is when a joint is moved or turned alone: what hangs on these stays with them."""
