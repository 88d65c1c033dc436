# SPDX-License-Identifier: GPL-3.0-or-later
"""The body as its skeleton poses it, and back: what must be added to the rest pose to arrive at given vertices.

Linear blend skinning takes a rest vertex x to M x + t, with [M|t] = Σ_j w_j [R_j|t_j] over its joints. A residual r of
the posed vertex is undone by d in M d = r. Where a joint is twisted by nearly 180° M loses its rank and d becomes huge,
so the inverse is damped, and repeated on what it leaves (iterated Tikhonov): d += (MᵀM + λ)⁻¹ Mᵀ (r - M d). What M
shrinks to less than about a tenth stays undone; the rest is exact.

Coordinates are kept apart, (n, 3, N), because numpy then works on long runs of one coordinate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...inference_backend.skeletons import JOINTS, PARENTS
from .axes import quaternions_to_matrices
from .skeleton import BonePose, RestBones

_DAMPING: Final = 0.03
_PASSES: Final = 3


@dataclass(frozen=True, eq=False)
class Skin:
    """A rest pose and how it follows the 24 joints."""

    rest: NDArray[np.float32]
    """(3, N) metres."""
    weights: NDArray[np.float32]
    """(24, N) columns sum to 1."""

    @classmethod
    def from_influences(
        cls, rest_vertices: NDArray[np.float32], skin_joints: NDArray[np.int32], skin_weights: NDArray[np.float32]
    ) -> Skin:
        """From the few joints of each vertex. Shape: (N, 3) metres, (N, k) of `JOINTS`, (N, k)."""
        count = len(rest_vertices)
        if rest_vertices.shape != (count, 3) or skin_joints.shape != skin_weights.shape or len(skin_joints) != count:
            shapes = rest_vertices.shape, skin_joints.shape, skin_weights.shape
            raise ValueError(f"rest_vertices, skin_joints, skin_weights: found {shapes}, want (N, 3), (N, k), (N, k)")
        weights = np.zeros((len(JOINTS), count), np.float32)
        np.add.at(weights, (skin_joints, np.arange(count)[:, None]), skin_weights)
        return cls(np.ascontiguousarray(rest_vertices.T, np.float32), weights)

    def blends(self, transforms: NDArray[np.float32]) -> NDArray[np.float32]:
        """[M|t] of every vertex. Shape: `deform_transforms` (n, 24, 3, 4) → (n, 3, 4, N)."""
        n, joints = transforms.shape[:2]
        rows = transforms.reshape(n, joints, 12).transpose(0, 2, 1).reshape(n * 12, joints)
        return (np.ascontiguousarray(rows, np.float32) @ self.weights).reshape(n, 3, 4, -1)


def deform_transforms(rest: RestBones, pose: BonePose) -> NDArray[np.float32]:
    """Where Blender's bones carry the rest pose: `pose · rest⁻¹` of each, along the chain. Shape: (F, 24, 3, 4).

    Taken from what is keyed, not from the joints: a bone that is held by its parent stands up to `FK_TOLERANCE` off.
    """
    own = rest.matrices @ quaternions_to_matrices(pose.quaternions)
    shifts = (rest.matrices @ pose.locations[..., None])[..., 0]
    turns, places = np.empty_like(own), np.empty_like(shifts)
    for joint, parent in enumerate(PARENTS):
        # [turn|place] of the rest frame under the parent: x → turn x + place.
        local = own[:, joint] @ rest.matrices[joint].T
        offset = rest.heads[joint] + shifts[:, joint] - local @ rest.heads[joint]
        if parent < 0:
            turns[:, joint], places[:, joint] = local, offset
        else:
            turns[:, joint] = turns[:, parent] @ local
            places[:, joint] = places[:, parent] + (turns[:, parent] @ offset[..., None])[..., 0]
    return np.concatenate([turns, places[..., None]], -1).astype(np.float32)


def pose_points(blends: NDArray[np.float32], points: NDArray[np.float32]) -> NDArray[np.float32]:
    """M x + t. Shape: (n, 3, 4, N), (n or 1, 3, N) rest → (n, 3, N) world."""
    posed = blends[:, :, 3].copy()
    for axis in range(3):
        posed += blends[:, :, axis] * points[:, None, axis]
    return posed


def unpose(blends: NDArray[np.float32], rest: NDArray[np.float32], posed: NDArray[np.float32]) -> NDArray[np.float32]:
    """What must be added to the rest pose, damped. Shape: (n, 3, 4, N), (3, N), world (n, 3, N) → rest (n, 3, N)."""
    inverse = _damped_inverse(blends)
    offsets = np.zeros_like(posed)
    for _ in range(_PASSES):
        offsets += _product(inverse, posed - pose_points(blends, rest + offsets))
    return offsets


def unpose_exactly(
    blends: NDArray[np.float32], rest: NDArray[np.float32], posed: NDArray[np.float32]
) -> NDArray[np.float32]:
    """`unpose` without damping, in float64: exact, and huge where M nearly loses its rank.

    Raises numpy.linalg.LinAlgError where it has lost it.
    """
    matrices = blends.astype(np.float64).transpose(0, 3, 1, 2)
    moved = posed.transpose(0, 2, 1) - matrices[..., 3]
    back = np.linalg.solve(matrices[..., :3], moved[..., None])[..., 0]
    return np.asarray(back.transpose(0, 2, 1) - rest, np.float32)


def _damped_inverse(blends: NDArray[np.float32]) -> NDArray[np.float32]:
    """(MᵀM + λ)⁻¹ Mᵀ, by the adjugate. Shape: (n, 3, 4, N) → (n, 3, 3, N)."""
    m = blends[:, :, :3]
    a, b, c, d, e, f = (
        np.einsum("fkn,fkn->fn", m[:, :, i], m[:, :, j]) for i, j in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
    )
    for diagonal in (a, d, f):
        diagonal += _DAMPING
    # Cofactors of the symmetric [[a, b, c], [b, d, e], [c, e, f]].
    aa, ab, ac = d * f - e * e, c * e - b * f, b * e - c * d
    bb, bc, cc = a * f - c * c, b * c - a * e, a * d - b * b
    scale = 1 / (a * aa + b * ab + c * ac)
    rows = (
        (scale * aa, scale * ab, scale * ac),
        (scale * ab, scale * bb, scale * bc),
        (scale * ac, scale * bc, scale * cc),
    )
    return np.stack([np.stack([_along(row, m[:, k]) for k in range(3)], 1) for row in rows], 1)


def _along(row: Sequence[NDArray[np.float32]], vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Shape: three (n, N), (n, 3, N) → (n, N)."""
    return np.asarray(row[0] * vectors[:, 0] + row[1] * vectors[:, 1] + row[2] * vectors[:, 2], np.float32)


def _product(matrices: NDArray[np.float32], vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Shape: (n, 3, 3, N), (n, 3, N) → (n, 3, N)."""
    return np.stack([_along([matrices[:, i, k] for k in range(3)], vectors) for i in range(3)], 1)
