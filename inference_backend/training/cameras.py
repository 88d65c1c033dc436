"""Synthetic cameras and bodies: heights from floor to ceiling, tilts, lenses, distances, bodies cut by the frame."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..geometry import axis_angle_to_matrix
from .sequences import Motion

TO_CAMERA = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
"""y up, facing +z → OpenCV's axes for a camera in front."""


@dataclass(frozen=True)
class View:
    """How a batch of windows is seen. Camera frame: OpenCV, metres."""

    rotation: Tensor
    """(B, 3, 3) world (y up) → camera."""
    root: Tensor
    """(B, T, 3) the pelvis in the camera frame."""
    focal: Tensor
    """(B,) focal length, in units of the picture's longer side."""


def sample_view(
    motion: Motion, rng: torch.Generator, *, picture_height: Tensor | None = None, steep: float = 0.2
) -> View:
    """A still camera for each window.

    `picture_height` (B,) is in units of the picture's longer side, 1 where left out; `steep` the share of cameras
    that look down or up by 30 to 65°.
    """
    batch = len(motion.root)

    def uniform(low: float, high: float) -> Tensor:
        return torch.empty(batch).uniform_(low, high, generator=rng)

    yaw = uniform(-torch.pi, torch.pi)
    is_steep = torch.rand(batch, generator=rng) < steep
    pitch = torch.where(is_steep, uniform(30, 65), uniform(-12, 25)).deg2rad()
    pitch = torch.where(is_steep & (torch.rand(batch, generator=rng) < 0.2), -pitch * 0.7, pitch)
    roll = (torch.randn(batch, generator=rng) * 3).deg2rad()
    focal = torch.exp(uniform(-0.5, 0.9))  # fields of view of 23 to 79 degrees along the longer side
    zero = torch.zeros(batch)
    turn = axis_angle_to_matrix(torch.stack([zero, yaw, zero], -1))
    tilt = axis_angle_to_matrix(torch.stack([pitch, zero, zero], -1))
    rolled = axis_angle_to_matrix(torch.stack([zero, zero, roll], -1))
    rotation = rolled @ TO_CAMERA @ tilt @ turn

    # The body's height fills this share of the picture's: from far away to cut by the frame.
    share = torch.exp(uniform(-1.5, 0.12)) * (1.0 if picture_height is None else picture_height)
    distance = (1.75 * focal / share).clamp(1.3, 30.0)
    path = (motion.root - motion.root.mean(1, keepdim=True)) @ rotation.transpose(-1, -2)
    aside = torch.randn(batch, 2, generator=rng) * (0.17 * (1 - share * 0.6))[:, None]
    aside[:, 1] *= 0.5 * (1.0 if picture_height is None else picture_height)
    centre = torch.cat([aside / focal[:, None], torch.ones(batch, 1)], -1) * distance[:, None]
    root = path + centre[:, None]
    # Nobody walks through the camera: paths that come too near are shortened.
    nearest = root[..., 2].amin(1)
    room = ((centre[:, 2] - 1.2).clamp_min(0.05) / (centre[:, 2] - nearest).clamp_min(0.05)).clamp_max(1.0)
    return View(rotation, centre[:, None] + path * room[:, None, None], focal)


def sample_betas(batch: int, count: int, rng: torch.Generator) -> Tensor:
    """Shapes of the default body. Shape: (B, S)."""
    return (torch.randn(batch, count, generator=rng) * 1.0).clamp(-2.5, 2.5)
