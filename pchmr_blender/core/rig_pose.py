# SPDX-License-Identifier: GPL-3.0-or-later
"""A rig of any make as its mapped bones: where they rest, who carries whom, and what a pose asks of their channels.

A control rig's hierarchy does not say who carries a control: constraints do. So each bone names two carriers among the
mapped ones, one whose rotation it takes along and one that its head is fixed to; for a plain armature both are the
nearest mapped bone above. Everything is in the world: metres, z up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .turns import turned

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TargetRig:
    """B mapped bones, carriers before what they carry."""

    names: tuple[str, ...]
    """The bones."""
    roles: tuple[str, ...]
    """Their roles, of `bone_map.ROLES`."""
    heads: Array
    """(B, 3) where they start at rest, in the world."""
    tips: Array
    """(B, 3) where they point at rest: what hangs on them, else their tails."""
    axes: Array
    """(B, 3, 3) their axes at rest in the world, as columns of a rotation."""
    turned_by: tuple[int, ...]
    """The bone whose rotation each takes along; -1: none."""
    placed_by: tuple[int, ...]
    """The bone that each one's head is fixed to; -1: none."""
    reach: Mapping[str, Array]
    """(3, 3) of the roles that may be moved: how far the head goes in the world for a location of 1 in x, y, z."""
    origin: Array
    """(3,) the armature object's place: the middle of the floor that the rig stands on."""
    orientation: Array
    """(3, 3) the armature object's axes in the world."""

    def index(self, role: str) -> int | None:
        """The bone of a role; None where none is mapped."""
        return self.roles.index(role) if role in self.roles else None

    def at(self, role: str) -> int:
        """The bone of a role that is mapped."""
        return self.roles.index(role)


def positions(rig: TargetRig, turns: Array, shifts: Mapping[int, Array]) -> Array:
    """Heads of the bones of a pose, in the world. Shape: (F, B, 3).

    Args:
        turns: (F, B, 3, 3) how each bone is turned from its rest, in the world.
        shifts: (F, 3) by bone: how far it is moved from where its carrier puts it, in the world.
    """
    placed = np.empty(turns.shape[:3])
    for bone, carrier in enumerate(rig.placed_by):
        if carrier < 0:
            placed[:, bone] = rig.heads[bone]
        else:
            placed[:, bone] = placed[:, carrier] + turned(turns[:, carrier], rig.heads[bone] - rig.heads[carrier])
        if bone in shifts:
            placed[:, bone] += shifts[bone]
    return placed


def carried(rig: TargetRig, turns: Array) -> Array:
    """How each bone would be turned by its carrier alone. Shape: (F, B, 3, 3) → same."""
    carriers = np.array(rig.turned_by)
    return np.asarray(np.where((carriers < 0)[None, :, None, None], np.eye(3), turns[:, carriers]))


def channel_rotations(rig: TargetRig, turns: Array) -> Array:
    """What the bones' own rotation channels must hold. Shape: (F, B, 3, 3) → same."""
    own = carried(rig, turns).swapaxes(-1, -2) @ turns
    return np.asarray(rig.axes.swapaxes(-1, -2) @ own @ rig.axes)
