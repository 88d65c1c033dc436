# SPDX-License-Identifier: GPL-3.0-or-later
"""The artist's edits: between what the control bones hold and what the target stack takes.

A control bone is the child of its base bone, so its location and rotation are in the base bone's axes. The target stack
knows no bones: its offsets and turns are in the axes of the joint, those of the rest pose (y up, facing +z) turned as
the base pose turns the joint. Per joint one constant turn leads from the one to the other. The pelvis' location, which
moves the whole body, is in the axes of the bone at rest, which stand still, and its offset is in the world's.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...inference_backend.skeletons import JOINTS
from ...inference_backend.take_format import target_hashes
from .axes import blender_to_y_up, matrices_to_quaternions, quaternions_to_matrices
from .skeleton import rest_bones

COUNT = len(JOINTS)


@dataclass(frozen=True, eq=False)
class EditRows:
    """Edits of n rows, as the target stack's `Edits`; on the wire by these names."""

    offset: NDArray[np.float64]
    """(n, 24, 3) metres, joint's axes; the pelvis': Blender's world, and it takes all others along."""
    turn: NDArray[np.float64]
    """(n, 24, 4) w, x, y, z: the joint's own turn after the base pose's, joint's axes."""
    stretch: NDArray[np.float64]
    """(n, 24) 0 to 1: how far the bone that ends in the joint may leave its length."""
    strength: NDArray[np.float64]
    """(n, 24) 0 keeps the mesh stream's rotation, 1 takes the target's."""

    @classmethod
    def none(cls, rows: int) -> EditRows:
        """Nothing edited."""
        turn = np.zeros((rows, COUNT, 4))
        turn[..., 0] = 1
        return cls(np.zeros((rows, COUNT, 3)), turn, np.zeros((rows, COUNT)), np.ones((rows, COUNT)))

    def __len__(self) -> int:
        return len(self.offset)

    def hashes(self, layers: str) -> NDArray[np.uint64]:
        """The take's `target_hash` of these rows, with the stack's parameters as canonical JSON. Shape: (n,)."""
        return target_hashes(layers, self.offset, self.turn, self.stretch, self.strength)

    def edited(self) -> NDArray[np.bool_]:
        """Which rows have any edit. Shape: (n,)."""
        none = EditRows.none(1)
        changed = np.zeros(len(self), bool)
        for field in fields(self):
            values, rest = getattr(self, field.name), getattr(none, field.name)
            changed |= differing(values, rest).reshape(len(self), -1).any(1)
        return changed


def differing(some: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which numbers of edits are others; what is none differs from all that are. Shape: as they are."""
    return np.asarray(~np.isclose(some, others, rtol=0.0, atol=1e-6, equal_nan=True))


class EditAxes:
    """The turns between a person's control bones and joints."""

    def __init__(self, rest_joints: ArrayLike) -> None:
        """`rest_joints`: (24, 3) metres, z up, facing -y, as `PersonView.rest_joints`."""
        bones = rest_bones(rest_joints).matrices
        self._to_joint = np.stack([blender_to_y_up(axes.T).T for axes in bones])
        """(24, 3, 3) bone's axes → joint's axes."""
        self._to_offset = self._to_joint.copy()
        """(24, 3, 3) bone's axes → those of the joint's offset."""
        self._to_offset[0] = bones[0]

    def edits(self, locations: ArrayLike, quaternions: ArrayLike, stretch: ArrayLike, strength: ArrayLike) -> EditRows:
        """What the control bones hold, as edits.

        Shape: locations (n, 24, 3) metres, quaternions (n, 24, 4) of any length but 0, stretch and strength (n, 24).
        """
        turns = self._to_joint @ quaternions_to_matrices(quaternions) @ self._to_joint.swapaxes(-1, -2)
        turn = matrices_to_quaternions(turns)
        return EditRows(
            (self._to_offset @ np.asarray(locations, np.float64)[..., None])[..., 0],
            np.where(turn[..., :1] < 0, -turn, turn),
            np.clip(np.asarray(stretch, np.float64), 0, 1),
            np.clip(np.asarray(strength, np.float64), 0, 1),
        )

    def controls(self, edits: EditRows) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Edits as the control bones hold them. Shape: n edits → locations (n, 24, 3), quaternions (n, 24, 4)."""
        back = self._to_joint.swapaxes(-1, -2)
        turns = back @ quaternions_to_matrices(edits.turn) @ self._to_joint
        locations = (self._to_offset.swapaxes(-1, -2) @ edits.offset[..., None])[..., 0]
        return locations, matrices_to_quaternions(turns)
