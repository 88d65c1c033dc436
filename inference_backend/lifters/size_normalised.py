"""What the lifter says, as a pose: depths over the height, and offsets from where the 2D landmarks place each joint.

The network predicts each joint's depth relative to the pelvis over the height, a small offset from its place among
the 2D landmarks, and the pelvis' depth over the height. The subject's height turns that into metres.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..geometry import sixd_to_matrix
from ..skeletons import JOINTS, JOINTS_MIRROR, POINTS, POINTS_MIRROR
from ..virtual_camera import Normalised

TARGETS = len(JOINTS) + len(POINTS)
"""24 joints, then 11 points."""

TARGETS_MIRROR = JOINTS_MIRROR + tuple(len(JOINTS) + i for i in POINTS_MIRROR)
"""Each target's counterpart on the other side."""

OUTPUTS = 1 + TARGETS * 4 + len(JOINTS) * 6
"""Per frame: log depth; depths, offsets and log errors of the targets; 6D rotations."""


@dataclass(frozen=True)
class Prediction:
    """What the network says, decoded. Virtual camera, over the subject's height."""

    targets: Tensor
    """(B, F, 35, 3) relative to the pelvis."""
    pelvis: Tensor
    """(B, F, 3) the pelvis."""
    rotations: Tensor
    """(B, F, 24, 3, 3) global."""
    log_error: Tensor
    """(B, F, 35) log of the expected distance."""
    log_depth: Tensor
    """(B, F) log of the pelvis' depth over height, times size: what the network says of the distance."""


def decode(output: Tensor, seen: Normalised, placement: Tensor) -> Prediction:
    """The network's numbers as a pose.

    Args:
        output: (B, OUTPUTS, F).
        placement: (35, 33) where each target lies among the 2D landmarks, by least squares; rows sum to 1.
    """
    batch, _, frames = output.shape
    out = output.transpose(1, 2)
    log_depth = out[..., 0].clamp(-3.0, 2.0)
    z = out[..., 1 : 1 + TARGETS]
    offset = out[..., 1 + TARGETS : 1 + 3 * TARGETS].reshape(batch, frames, TARGETS, 2)
    log_error = (out[..., 1 + 3 * TARGETS : 1 + 4 * TARGETS] - 3.5).clamp(-6.0, 1.0)
    sixd = out[..., 1 + 4 * TARGETS :].reshape(batch, frames, len(JOINTS), 6)
    z = z - z[..., :1]
    base = placement @ seen.points
    # X_j = p_j Z_j with p = size · q and Z_j / h = e^ζ / size + z_j: exact for a pinhole.
    xy = base * (log_depth.exp()[..., None] + seen.size[..., None] * z)[..., None] + offset
    targets = torch.cat([xy, z[..., None]], -1)
    pelvis = torch.cat([xy[:, :, 0], (log_depth.exp() / seen.size)[..., None]], -1)
    targets = targets - torch.cat([xy[:, :, :1], torch.zeros_like(xy[:, :, :1, :1])], -1)
    upright = torch.tensor([1.0, 0, 0, 0, -1, 0], dtype=sixd.dtype, device=sixd.device)  # standing, facing the camera
    return Prediction(targets, pelvis, sixd_to_matrix(sixd + upright), log_error, log_depth)
