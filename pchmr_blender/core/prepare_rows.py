# SPDX-License-Identifier: GPL-3.0-or-later
"""What of showing a take's rows again needs no Blender: the bones' poses in them, and the compressed body's keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .inverse_skinning import Skin, deform_transforms
from .posed_clip import PosedClip
from .recompress import Recompressed, recompress
from .skeleton import BonePose, free_pose, rest_bones, skeleton_pose
from .takes import PersonView


@dataclass(frozen=True, eq=False)
class PreparedRows:
    """n rows of a person."""

    rows: NDArray[np.int64]
    """(n,) increasing."""
    hashes: NDArray[np.uint64]
    """(F,) `PersonView.row_hashes`, of all rows, when these were read."""
    bones: BonePose
    """The skeleton's."""
    base: BonePose
    """The targets' base bones'."""

    def part(self, start: int, stop: int) -> PreparedRows:
        """Those from `start` to before `stop` of the n rows."""
        bones, base = (
            BonePose(pose.quaternions[start:stop], pose.locations[start:stop], pose.located)
            for pose in (self.bones, self.base)
        )
        return PreparedRows(self.rows[start:stop], self.hashes, bones, base)


def prepare_rows(person: PersonView, rows: NDArray[np.int64], located: frozenset[int]) -> PreparedRows:
    """Read what bones hold in some rows. `located`: the joints whose bones have locations in other rows."""
    rest = rest_bones(person.rest_joints)
    bones = skeleton_pose(rest, person.rotations[rows], person.joints[rows], located)
    base = free_pose(rest, person.rotations_base[rows], person.joints_base[rows])
    return PreparedRows(rows, person.row_hashes, bones, base)


def recompress_rows(
    person: PersonView,
    prepared: PreparedRows,
    weights: NDArray[np.float32],
    keys: NDArray[np.float32],
    steady: NDArray[np.float32],
    tolerance_mm: float,
    tick: Callable[[int, int], None],
) -> Recompressed:
    """The compressed body in the rows: as `recompress`, for a body that follows the bones by `weights` (24, N)."""
    meshes = _meshes(person, prepared.rows)
    transforms = deform_transforms(rest_bones(person.rest_joints), prepared.bones)
    skin = Skin(np.ascontiguousarray(person.rest_vertices.T, np.float32), weights)
    clip = PosedClip(lambda start, stop: meshes[start:stop], skin, transforms)
    return recompress(clip, keys, steady, tolerance_mm, tick)


def _meshes(person: PersonView, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Shape: (n, N, 3)."""
    return np.concatenate([person.vertices(row, row + 1) for row in rows.tolist()])
