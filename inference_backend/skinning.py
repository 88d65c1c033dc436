"""What moves a body's surface: joints along their chains, vertices with their joints, points with their vertices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

_CHUNK = 4
"""Bodies skinned at once on the CPU: their (12, N) matrices then stay in its cache."""


@dataclass(frozen=True, eq=False)
class Regressor:
    """Points as fixed weighted sums of vertices; only the columns in use are kept."""

    columns: Tensor
    """(C,) int64: the vertices in use."""
    matrix: Tensor
    """(K, C): weight of each of those vertices in each point."""

    def __call__(self, vertices: Tensor) -> Tensor:
        """Shape: (..., N, 3) → (..., K, 3)."""
        return self.matrix @ vertices[..., self.columns, :]

    def dense(self, vertex_count: int) -> Tensor:
        """The full matrix. Shape: (K, N)."""
        full = self.matrix.new_zeros(len(self.matrix), vertex_count)
        full[:, self.columns] = self.matrix
        return full

    @classmethod
    def from_dense(cls, matrix: Tensor) -> Regressor:
        """Shape: (K, N)."""
        columns = (matrix != 0).any(0).nonzero()[:, 0]
        return cls(columns, matrix[:, columns])


def forward_kinematics(local_rotations: Tensor, rest_joints: Tensor, parents: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Rotations composed from the root out, and the joints they place; the root stays at its rest place.

    Shape: (B, J, 3, 3), (B or 1, J, 3) → global rotations (B, J, 3, 3), joints (B, J, 3).
    """
    batch = len(local_rotations)
    local = local_rotations.unbind(1)  # indexing would fill a full gradient with zeros for every joint
    rotations, joints = [local[0]], [rest_joints[:, 0].expand(batch, 3)]
    for joint, parent in enumerate(parents[1:], start=1):
        bone = (rest_joints[:, joint] - rest_joints[:, parent]).expand(batch, 3)
        joints.append(joints[parent] + (rotations[parent] @ bone[..., None])[..., 0])
        rotations.append(rotations[parent] @ local[joint])
    return torch.stack(rotations, 1), torch.stack(joints, 1)


def skin(vertices: Tensor, transforms: Tensor, weight_columns: Tensor) -> Tensor:
    """Linear blend skinning, equation 7 of Loper et al.: Σ_j w_nj (R_j v_n + t_j).

    On one CPU thread at N = 13,718, J = 24: one body 0.2 ms; 64 bodies 20 ms, or 8 ms where they share a rest
    shape. Dense products beat gathering the four weights of each vertex (3.6 and 237 ms) and a sparse product
    (0.2 and 66 ms).

    Shape: vertices (B or 1, N, 3), transforms (B, J, 3, 4) as [R|t], weight_columns (J, N) → (B, N, 3).
    """
    batch, joints = transforms.shape[:2]
    if len(vertices) == 1 and batch >= 8:
        # One rest shape: w_nj [v_n; 1] is the same for all, and each body is a single product with it.
        homogeneous = torch.cat([vertices[0].T, torch.ones_like(vertices[0, :, :1]).T])
        blended = (weight_columns[:, None] * homogeneous).reshape(joints * 4, -1)
        rows = transforms.permute(0, 2, 1, 3).reshape(batch * 3, joints * 4)
        return (rows @ blended).view(batch, 3, -1).transpose(1, 2)
    if transforms.device.type == "cpu" and batch > _CHUNK:
        each = vertices.expand(batch, -1, -1)
        parts = zip(torch.split(each, _CHUNK), torch.split(transforms, _CHUNK), strict=True)
        return torch.cat([skin(part, transform, weight_columns) for part, transform in parts])
    rows = transforms.permute(0, 2, 3, 1).reshape(batch * 12, joints)
    blends = (rows @ weight_columns).view(batch, 3, 4, -1)
    coordinates = vertices.transpose(1, 2)[:, None]
    skinned = blends[:, :, 3]
    for axis in range(3):
        skinned = torch.addcmul(skinned, blends[:, :, axis], coordinates[:, :, axis])
    return skinned.transpose(1, 2)
