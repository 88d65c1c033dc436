"""The default body fitted to a lifted clip: one shape, constant bone lengths, a smooth path, the 2D detections met.

Between lifter and target stack. The lifter's joints have bones that breathe and a depth that jitters; the fit finds
the body pose nearest to them, frame by frame but coupled over time, by a few dozen steps of Adam.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .body_points import PointRig
from .geometry import axis_angle_to_matrix, matrix_to_sixd, sixd_to_matrix, swing
from .skeletons import PARENTS, POINT_LANDMARKS

WINDOW, OVERLAP = 256, 32
"""Frames solved at once, and shared by neighbouring windows, which are blended over them."""

CHILD = (-1, 4, 5, -1, 7, 8, -1, 10, 11, -1, -1, -1, 15, 16, 17, -1, 18, 19, 20, 21, 22, 23, -1, -1)
"""The joint that each joint's bone points to; -1 where there are several or none."""


@dataclass(frozen=True)
class FitSettings:
    """Weights of the fit."""

    iterations: int = 50
    """Steps of Adam; 0 only makes the bone lengths constant."""
    joints: float = 1.0
    """Pull towards the lifted joints, over their expected errors."""
    reprojection: float = 1.0
    """Pull of the 2D landmarks."""
    rotation: float = 0.3
    """Pull towards the lifter's rotations."""
    smoothness: float = 1.0
    """Against acceleration."""


@dataclass(frozen=True)
class Lifted:
    """What is fitted, over F frames. Camera frame, metres."""

    joints: Tensor
    """(F, 24, 3)"""
    points: Tensor
    """(F, 11, 3)"""
    rotations: Tensor
    """(F, 24, 3, 3) global."""
    log_error: Tensor
    """(F, 24) log of the expected error in metres."""
    landmarks: Tensor
    """(F, 33, 2) the 2D detections, camera-normalised."""
    confidence: Tensor
    """(F, 33)"""

    def part(self, start: int, stop: int) -> Lifted:
        """Some of the frames."""
        return Lifted(*(getattr(self, name)[start:stop] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Fitted:
    """The fitted clip: its joints are the skeleton's forward kinematics. Camera frame, metres."""

    local_rotations: Tensor
    """(F, 24, 3, 3)"""
    root: Tensor
    """(F, 3) the pelvis."""
    joints: Tensor
    """(F, 24, 3)"""
    points: Tensor
    """(F, 11, 3)"""
    rotations: Tensor
    """(F, 24, 3, 3) global."""


def fit(
    rig: PointRig,
    rig_seen: PointRig,
    betas: Tensor,
    lifted: Lifted,
    fps: float,
    settings: FitSettings,
    tick: Callable[[int], None] = lambda _: None,
) -> Fitted:
    """Fits a clip of any length, window by window.

    Args:
        rig: the body's landmarks at their anatomical places.
        rig_seen: the same where the estimator sees them, which the 2D detections are compared with.
        betas: (10,)
        fps: frames per second.
        tick: called with the number of finished frames.
    """
    frames = len(lifted.joints)
    if frames == 0:
        raise ValueError("nothing to fit: no frames")
    sixd = torch.zeros(frames, 24, 6)
    root, total = torch.zeros(frames, 3), torch.zeros(frames)
    for start in range(0, max(frames - OVERLAP, 1), WINDOW - OVERLAP):
        stop = min(start + WINDOW, frames)
        local, path = _fit_window(rig_seen, betas, lifted.part(start, stop), fps, settings)
        ramp = torch.ones(stop - start)
        fade = torch.linspace(0, 1, OVERLAP + 2)[1:-1]
        if start > 0:
            ramp[:OVERLAP] = fade
        if stop < frames:
            ramp[-OVERLAP:] = fade.flip(0)
        sixd[start:stop] += matrix_to_sixd(local) * ramp[:, None, None]
        root[start:stop] += path * ramp[:, None]
        total[start:stop] += ramp
        tick(stop)
    return posed(rig, betas, sixd_to_matrix(sixd), root / total[:, None])


def posed(rig: PointRig, betas: Tensor, local: Tensor, root: Tensor) -> Fitted:
    """Forward kinematics, the pelvis at `root`. Shape: (10,), (F, 24, 3, 3), (F, 3)."""
    joints, landmarks, rotations = rig.pose(local, betas[None])
    shift = root[:, None] - joints[:, :1]
    return Fitted(local, root, joints + shift, (landmarks + shift)[:, list(POINT_LANDMARKS)], rotations)


def aligned_rotations(rig: PointRig, betas: Tensor, joints: Tensor, rotations: Tensor) -> Tensor:
    """The lifter's rotations, swung so that each limb points at its lifted joint. Shape: (F, 24, 3, 3) global."""
    rest = rig.rest_joints(betas[None])[0]
    out = rotations.clone()
    owner = [j for j, child in enumerate(CHILD) if child >= 0]
    child = [CHILD[j] for j in owner]
    along = (rotations[:, owner] @ (rest[child] - rest[owner])[..., None])[..., 0]
    out[:, owner] = swing(along, joints[:, child] - joints[:, owner]) @ rotations[:, owner]
    return out


def _fit_window(rig: PointRig, betas: Tensor, lifted: Lifted, fps: float, settings: FitSettings) -> tuple[Tensor, Tensor]:
    """Local rotations (F, 24, 3, 3) and root (F, 3) of one window."""
    start = aligned_rotations(rig, betas, lifted.joints, lifted.rotations)
    parents = torch.tensor(PARENTS[1:])
    local = torch.cat([start[:, :1], start[:, parents].transpose(-1, -2) @ start[:, 1:]], 1)
    place = lifted.joints[:, 0]
    depth = place[:, 2].clamp_min(0.3)
    # An expected error of 3 cm weighs 1; nothing weighs more than three times that.
    weight = (0.03 / lifted.log_error.exp()).clamp(0.1, 3.0)
    trust = lifted.confidence.clamp(0, 1).square()
    relative = lifted.joints - lifted.joints[:, :1]
    turn = torch.zeros(len(local), 24, 3, requires_grad=True)
    shift = torch.zeros(len(local), 3, requires_grad=True)
    optimiser = torch.optim.Adam([{"params": [turn], "lr": 0.03}, {"params": [shift], "lr": 0.01}])
    dt2 = (fps / 30.0) ** 2  # accelerations are weighed as at 30 frames/s
    for step in range(settings.iterations):
        for group, rate in zip(optimiser.param_groups, (0.03, 0.01), strict=True):
            group["lr"] = rate * (1 - 0.9 * step / settings.iterations)
        joints, landmarks, _ = rig.pose(local @ axis_angle_to_matrix(turn), betas[None])
        # The shift is in units of depth: sideways and along the ray alike.
        root = place + shift * depth[:, None]
        joints, landmarks = joints - joints[:, :1], landmarks - joints[:, :1] + root[:, None]
        data = ((joints - relative).norm(dim=-1) * weight).mean()
        seen = landmarks[..., :2] / landmarks[..., 2:].clamp_min(0.1)
        pixels = ((seen - lifted.landmarks) * depth[:, None, None]).norm(dim=-1)
        reprojection = (F.smooth_l1_loss(pixels, torch.zeros_like(pixels), reduction="none", beta=0.02) * trust).mean()
        drift = (shift[:, 2] * depth).square().mean()
        loss = settings.joints * data + 2.0 * settings.reprojection * reprojection
        loss = loss + 0.1 * settings.rotation * turn.square().sum(-1).mean() + 0.05 * drift
        if len(local) > 2:
            world = joints + root[:, None]
            bend = (world[2:] - 2 * world[1:-1] + world[:-2]) * dt2
            loss = loss + settings.smoothness * (2.0 * bend[..., :2].norm(dim=-1).mean() + 1.0 * bend[..., 2].abs().mean())
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    with torch.no_grad():
        return local @ axis_angle_to_matrix(turn), place + shift * depth[:, None]
