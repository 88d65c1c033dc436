# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bone of another armature does what: the roles of a body, and the bones that have them.

A role's bone starts at the joint that it is named after here, and ends where the next role of its chain starts. Chains
have as many spine and neck bones as the armature has; what it lacks stays unmapped.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...inference_backend.errors import BadArgument, SceneChanged

SIDES: Final = ("left", "right")
SPINE: Final = tuple(f"spine{number}" for number in range(1, 7))
NECK: Final = tuple(f"neck{number}" for number in range(1, 4))
ARM: Final = ("clavicle", "upper_arm", "forearm", "hand")
LEG: Final = ("thigh", "shin", "foot", "toe")

ROLES: Final = (
    "root", "pelvis", *SPINE, *NECK, "head", *(f"{side}_{part}" for side in SIDES for part in (*ARM, *LEG)),
)  # fmt: skip
"""Everything a bone can be, parents first. `root` stands on the floor, and moves everything."""

REQUIRED: Final = ("pelvis", *(f"{side}_{part}" for side in SIDES for part in ("thigh", "shin")))
"""Without these, neither the rig's size nor where it faces is known."""

EXPECTED: Final = (
    "pelvis", "spine1", "neck1", "head", *(f"{side}_{part}" for side in SIDES for part in (*ARM, *LEG)),
)  # fmt: skip
"""What a person's rig has: which of these is missing, is told."""

JOINT: Final[Mapping[str, str]] = {
    "pelvis": "pelvis", "clavicle": "collar", "upper_arm": "shoulder", "forearm": "elbow", "hand": "wrist",
    "thigh": "hip", "shin": "knee", "foot": "ankle", "toe": "foot", "head": "head",
}  # fmt: skip
"""The joint of `skeletons.JOINTS` that a role starts at, less their sides."""


@dataclass(frozen=True, eq=False)
class Bone:
    """A bone of an armature at rest."""

    name: str
    parent: str
    """Name of its parent; empty where it has none."""
    head: NDArray[np.float64]
    """(3,) any unit, in the armature's axes."""
    tail: NDArray[np.float64]
    """(3,)"""


@dataclass(frozen=True)
class Switch:
    """A custom property that puts a control rig into the state in which its FK controls move it."""

    bone: str
    """The bone that has the property."""
    property: str
    """Its name."""
    value: float
    """What it is set and keyed to."""


@dataclass(frozen=True)
class BoneMap:
    """Bones by role."""

    bones: Mapping[str, str]
    """Role of `ROLES` → bone."""
    switches: tuple[Switch, ...] = ()
    """What to set so that these bones move the rig."""
    preset: str = field(default="", compare=False)
    """Name of the preset that it comes from; empty where it was guessed or made by hand."""

    def missing(self) -> tuple[str, ...]:
        """Roles of `EXPECTED` without a bone, in their order."""
        return tuple(role for role in EXPECTED if not self.bones.get(role))


def label(role: str) -> str:
    """A role as people read it: left_upper_arm → Left Upper Arm, spine2 → Spine 2."""
    words = role.rstrip("0123456789").replace("_", " ").title()
    return f"{words} {role[len(words) :]}".strip()


def checked(pairs: Iterable[tuple[str, str]], there: Collection[str], switches: tuple[Switch, ...] = ()) -> BoneMap:
    """A map that can be used.

    Args:
        pairs: role and bone; pairs without a bone are left out.
        there: names of all bones that the armature has.
        switches: what to set; those of bones that are not there are left out.

    Raises:
        BadArgument: an unknown role, a required role without a bone, or a bone with two roles.
        SceneChanged: the armature has no bone of that name any more.
    """
    bones = {role: bone for role, bone in pairs if bone}
    unknown = [role for role in bones if role not in ROLES]
    if unknown:
        raise BadArgument(f"{unknown[0]} is no role of a bone", hint=f"Roles: {', '.join(ROLES)}.", role=unknown[0])
    gone = [f"{bone} ({label(role)})" for role, bone in bones.items() if bone not in there]
    if gone:
        raise SceneChanged(
            f"the armature has no bone named {', '.join(gone)}",
            hint="It was renamed or removed since it was mapped: choose the bones again, or press Guess Bones.",
            bones=gone,
        )
    lacking = [label(role) for role in REQUIRED if role not in bones]
    if lacking:
        raise BadArgument(
            f"no bone is mapped to {', '.join(lacking)}",
            hint="Choose these bones in the list, or press Guess Bones. Pelvis, thighs and shins are always needed.",
            roles=lacking,
        )
    used: dict[str, str] = {}
    for role, bone in bones.items():
        if bone in used:
            raise BadArgument(
                f"the bone {bone} is mapped twice, to {label(used[bone])} and {label(role)}",
                hint="Give each bone one row of the list.",
                bone=bone,
            )
        used[bone] = role
    return BoneMap(bones, tuple(switch for switch in switches if switch.bone in there))
