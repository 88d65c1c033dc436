"""The two trained matrices of calibration: A, which segments move a vertex, and W, how far along each it lies."""

from __future__ import annotations

import tempfile
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from .calibration_rotations import SEGMENTS
from .errors import WeightsCorrupt, WeightsMissing
from .skeletons import JOINTS

_KEYS: Final = ("index", "A", "W")
_SOFTNESS: Final = 0.02
"""Metres: nearer than this, two bones of one joint count as equally near."""
_LEAST: Final = 0.002
"""Smaller initial weights are left out: they would move a vertex by a tenth of a millimetre."""


@dataclass(frozen=True, eq=False)
class CalibrationWeights:
    """A and W on their common sparse support: up to k of the 28 `SEGMENTS` per vertex."""

    index: Tensor
    """(N, k) int64: the segments that may move each vertex."""
    A: Tensor
    """(N, k): weight of each of them, at least 0, rows sum to 1; 0 where a row has fewer than k."""
    W: Tensor
    """(N, k): where along each segment the vertex lies: 0 at its start, 1 at its end."""

    @property
    def vertex_count(self) -> int:
        return len(self.index)

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> CalibrationWeights:
        """The same weights elsewhere or in another floating dtype."""
        return CalibrationWeights(self.index.to(device), self.A.to(device, dtype), self.W.to(device, dtype))

    @cached_property
    def columns(self) -> tuple[Tensor, Tensor]:
        """A and A W in full, a row for each segment. Shape: (28, N) twice."""
        empty = self.A.new_zeros(len(SEGMENTS), self.vertex_count)
        place = self.index.T
        return empty.scatter_add(0, place, self.A.T), empty.scatter_add(0, place, (self.A * self.W).T)

    @cached_property
    def compressed(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The entries of A above 0, vertex after vertex, without gradient.

        Where each vertex' entries begin (N + 1,) int32, their segments (E,) int32, A (E,), A W (E,).
        """
        used = self.A > 0
        first = torch.nn.functional.pad(used.sum(1).cumsum(0), (1, 0)).int()
        A = self.A.detach()
        return first, self.index[used].int(), A[used], (A * self.W.detach())[used]

    def save(self, path: Path) -> None:
        """Write an .npz in float32; `path` holds the old file or the whole new one, never a part."""
        index = self.index.cpu().numpy().astype(np.uint8)
        A, W = (tensor.detach().cpu().numpy().astype(np.float32) for tensor in (self.A, self.W))
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as part:
            np.savez_compressed(part, index=index, A=A, W=W)
        Path(part.name).replace(path)

    @classmethod
    def load(cls, path: Path) -> CalibrationWeights:
        """Read what `save` wrote, float32 on the CPU.

        Raises:
            WeightsMissing: no such file.
            WeightsCorrupt: not an .npz, or its arrays are not those of calibration weights.
        """
        if not path.is_file():
            raise WeightsMissing(
                f"no calibration weights at {path}", hint="Train them or install the backend again.", path=str(path)
            )
        hint = "Install the backend again, or train the weights anew."
        try:
            with np.load(path, allow_pickle=False) as archive:
                index, A, W = (archive[key] for key in _KEYS)
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise WeightsCorrupt(f"{path.name} holds no calibration weights", hint=hint, path=str(path)) from error
        fits = (
            index.ndim == 2
            and index.shape == A.shape == W.shape
            and index.dtype == np.uint8
            and A.dtype == W.dtype == np.float32
            and bool((index < len(SEGMENTS)).all() and (A >= 0).all() and np.isfinite(W).all())
            and np.allclose(A.sum(1), 1, atol=1e-4)
        )
        if not fits:
            raise WeightsCorrupt(
                f"{path.name}: index, A and W do not fit each other",
                hint=hint,
                path=str(path),
                shapes=[list(array.shape) for array in (index, A, W)],
            )
        return cls(torch.from_numpy(index.astype(np.int64)), torch.from_numpy(A), torch.from_numpy(W))


def initial_weights(
    rest_vertices: Tensor, rest_joints: Tensor, skinning_index: Tensor, skinning_value: Tensor
) -> CalibrationWeights:
    """A from skinning weights, W from each vertex' projection on the bone in the rest pose, cut off at 0 and 1.

    A joint's skinning weight goes to the segment that begins in it. Pelvis and chest share theirs among their three
    bones, smoothly, by the vertex' distance d from each (as (d² + 2² cm²)⁻²).

    Args:
        rest_vertices: (N, 3) metres, T-pose.
        rest_joints: (24, 3) metres, same pose.
        skinning_index: (N, m) joints that move each vertex.
        skinning_value: (N, m) their weights, rows sum to 1.

    Raises:
        ValueError: a wrong shape.
    """
    count = len(rest_vertices)
    if rest_vertices.shape != (count, 3) or rest_joints.shape != (len(JOINTS), 3):
        shapes = tuple(rest_vertices.shape), tuple(rest_joints.shape)
        raise ValueError(f"rest_vertices, rest_joints: found {shapes[0]}, {shapes[1]}, want (N, 3), (24, 3)")
    if skinning_index.shape != skinning_value.shape or skinning_index.ndim != 2 or len(skinning_index) != count:
        shapes = tuple(skinning_index.shape), tuple(skinning_value.shape)
        raise ValueError(f"skinning: found {shapes[0]}, {shapes[1]}, want ({count}, m) twice")
    start, end = torch.tensor(SEGMENTS, device=rest_vertices.device).T
    joint_weights = rest_vertices.new_zeros(count, len(JOINTS))
    joint_weights.scatter_add_(1, skinning_index.long(), skinning_value.to(rest_vertices))
    bones = rest_joints[end] - rest_joints[start]
    offsets = rest_vertices[:, None] - rest_joints[start]
    along = ((offsets * bones).sum(-1) / bones.square().sum(-1).clamp_min(1e-12)).clamp(0, 1)
    distances = (offsets - along[..., None] * bones).norm(dim=-1)
    nearness = (distances.square() + _SOFTNESS**2).pow(-2)
    nearness_at_joint = rest_vertices.new_zeros(count, len(JOINTS)).index_add_(1, start, nearness)
    A = joint_weights[:, start] * nearness / nearness_at_joint[:, start]
    A = A * (A / A.sum(1, keepdim=True) >= _LEAST)
    k = int((A > 0).sum(1).max())
    values, index = A.topk(k, dim=1)
    return CalibrationWeights(index, values / values.sum(1, keepdim=True), along.gather(1, index))
