"""Batches for the lifter: synthetic views of widened motion with BlazePose's real errors, and rendered clips as seen.

The noise bank holds what BlazePose did wrong on each rendered clip, frame by frame, in units of the body's height in
the picture. A synthetic window borrows the errors of a rendered clip whose 2D pose is like its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..body import BodyModel, load_default_body
from ..body_points import PointRig
from ..geometry import axis_angle_to_matrix
from ..lifters.size_normalised import TARGETS_MIRROR
from ..skeletons import JOINTS_MIRROR, LANDMARKS_MIRROR, POINT_LANDMARKS
from .cameras import sample_betas, sample_view
from .sequences import MotionBank, widen

WINDOW = 64
"""Frames of a training window."""


@dataclass(frozen=True)
class Batch:
    """Inputs and truth of B windows of T frames. Camera frame."""

    points: Tensor
    """(B, T, 33, 2) camera-normalised landmarks."""
    confidence: Tensor
    """(B, T, 33)"""
    world: Tensor
    """(B, T, 33, 3) the estimator's own guess, metres."""
    targets: Tensor
    """(B, T, 35, 3) joints and points, metres."""
    rotations: Tensor
    """(B, T, 24, 3, 3) global."""
    height: Tensor
    """(B,) stature, metres."""


class Truth:
    """Joints, points, landmarks and global rotations of the default body, without its mesh."""

    def __init__(self, body: BodyModel) -> None:
        self.body = body
        self.rig = PointRig.of_landmarks(body, as_seen=False)

    def __call__(self, local: Tensor, betas: Tensor, root: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Targets (B, T, 35, 3), landmarks (B, T, 33, 3) and rotations (B, T, 24, 3, 3), with the pelvis at `root`."""
        batch, length = local.shape[:2]
        flat = betas[:, None].expand(-1, length, -1).reshape(batch * length, -1)
        joints, landmarks, rotations = self.rig.pose(local.flatten(0, 1), flat)
        shift = root.reshape(-1, 1, 3) - joints[:, :1]
        targets = torch.cat([joints, landmarks[:, list(POINT_LANDMARKS)]], 1) + shift
        shape = (batch, length)
        return targets.view(*shape, -1, 3), (landmarks + shift).view(*shape, -1, 3), rotations.view(*shape, -1, 3, 3)


class RenderedSet:
    """Rendered clips as tensors, but those where BlazePose found the body in less than 60% of the frames."""

    def __init__(self, paths: Sequence[Path], truth: Truth) -> None:
        """`paths` of one or several sets with clips of one length, one after the other."""
        sets = [dict(np.load(path)) for path in paths]
        data = {key: np.concatenate([one[key] for one in sets]) for key in sets[0]}
        keep = data["found"].mean(1) >= 0.6
        self.categories: list[str] = data["category"][keep].tolist()
        found = data["found"][keep]
        pixels = fill_gaps(data["keypoints"][keep][..., :2], found)
        f, c = data["intrinsics"][keep][:, None, None, :2], data["intrinsics"][keep][:, None, None, 2:]
        self.found = torch.tensor(found)
        self.points = torch.tensor((pixels - c) / f, dtype=torch.float32)
        self.confidence = torch.tensor(data["keypoints"][keep][..., 2] * found[..., None], dtype=torch.float32)
        self.world = torch.tensor(fill_gaps(data["world"][keep].astype(np.float32), found))
        self.betas = torch.tensor(data["betas"][keep])
        self.pose = torch.tensor(data["pose"][keep])
        self.root = torch.tensor(data["root"][keep])
        self.up = torch.tensor(data["up"][keep])
        self.intrinsics = torch.tensor(data["intrinsics"][keep])
        self.size = torch.tensor(data["size"][keep])
        self.mask, self.mask_square = data["mask"][keep], data["mask_square"][keep]
        self.height = truth.body.stature(self.betas)
        parts = [
            truth(axis_angle_to_matrix(self.pose[i : i + 64]), self.betas[i : i + 64], self.root[i : i + 64])
            for i in range(0, len(self.pose), 64)
        ]
        self.targets, self.landmarks, self.rotations = (torch.cat(column) for column in zip(*parts, strict=True))
        stature = (self.height[:, None] / self.root[..., 2])[..., None, None]
        self.error = (self.points - self.landmarks[..., :2] / self.landmarks[..., 2:]) / stature
        hips = self.landmarks[:, :, 23:25].mean(2, keepdim=True)
        self.world_error = self.world / 1.7 - (self.landmarks - hips) / self.height[:, None, None, None]

    def __len__(self) -> int:
        return len(self.points)

    @property
    def frames(self) -> int:
        return self.points.shape[1]


def fill_gaps(values: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Linear interpolation over the frames that are not found. Shape: (N, T, K, C), (N, T)."""
    out = values.copy()
    frames = np.arange(values.shape[1])
    for clip, good in enumerate(found):
        if good.all() or not good.any():
            continue
        low = np.maximum.accumulate(np.where(good, frames, -1))
        high = np.minimum.accumulate(np.where(good, frames, len(frames))[::-1])[::-1]
        low, high = np.where(low < 0, high, low), np.where(high >= len(frames), low, high)
        share = ((frames - low) / np.maximum(high - low, 1))[:, None, None]
        out[clip] = values[clip, low] * (1 - share) + values[clip, high] * share
    return out


class LiftingData:
    """Endless batches."""

    def __init__(self, motion: Path, rendered: Sequence[Path], seed: int, *, held_back: int = 120) -> None:
        self.body = load_default_body()
        self.truth = Truth(self.body)
        self.motion = MotionBank(motion, test=False)
        self.rendered = RenderedSet(rendered, self.truth)
        self.usable = len(self.rendered) - held_back
        self.rng = torch.Generator().manual_seed(seed)
        self.poses = centred(self.rendered.points[:, self.rendered.frames // 2])

    def synthetic(self, batch: int, *, exact: bool = False) -> Batch:
        """Views that were never rendered. `exact`: without BlazePose's errors."""
        windows = [self.motion.windows(batch, WINDOW, (0.6, 1.6), self.rng) for _ in range(2)]
        motion = widen(windows[0], windows[1], self.rng)
        view = sample_view(motion, self.rng)
        local = motion.rotations
        local[:, :, 0] = view.rotation[:, None] @ local[:, :, 0]
        betas = sample_betas(batch, self.body.shape_count, self.rng)
        targets, landmarks, rotations = self.truth(local, betas, view.root)
        height = self.body.stature(betas)
        points = landmarks[..., :2] / landmarks[..., 2:].clamp_min(0.2)
        hips = landmarks[:, :, 23:25].mean(2, keepdim=True)
        world = (landmarks - hips) / height[:, None, None, None]
        confidence = torch.ones(points.shape[:3])
        if not exact:
            clip, frame = self.mates(centred(points[:, WINDOW // 2])), self.bounce(batch)
            amount = torch.empty(batch, 1, 1, 1).uniform_(0.0, 1.15, generator=self.rng)
            stature = (height[:, None] / view.root[..., 2].clamp_min(0.3))[..., None, None]
            points = points + self.rendered.error[clip[:, None], frame] * stature * amount
            world = world + self.rendered.world_error[clip[:, None], frame] * amount
            confidence = self.rendered.confidence[clip[:, None], frame]
        return Batch(points, confidence, world * 1.7, targets, rotations, height)

    def seen(self, batch: int) -> Batch:
        """Rendered clips as BlazePose saw them, mirrored and rolled."""
        clip = torch.randint(self.usable, (batch,), generator=self.rng)
        at = (clip[:, None], self.bounce(batch))
        r = self.rendered
        points, confidence, world = r.points[at], r.confidence[at], r.world[at]
        targets, rotations = r.targets[at], r.rotations[at]
        which = torch.rand(batch, generator=self.rng) < 0.5
        flip = torch.diag(torch.tensor([-1.0, 1.0, 1.0]))
        lm, tg, jt = list(LANDMARKS_MIRROR), list(TARGETS_MIRROR), list(JOINTS_MIRROR)
        points = pick(which, points[:, :, lm] @ flip[:2, :2], points)
        confidence = pick(which, confidence[:, :, lm], confidence)
        world = pick(which, world[:, :, lm] @ flip, world)
        targets = pick(which, targets[:, :, tg] @ flip, targets)
        rotations = pick(which, flip @ rotations[:, :, jt] @ flip, rotations)
        # A camera on its side or its head now and then: the networks see every body upright, and are only told.
        any_way = torch.rand(batch, 1, 1, generator=self.rng) < 0.1
        spread = torch.where(any_way, torch.pi, 0.12)
        roll = torch.randn(batch, 1, 1, generator=self.rng) * spread
        turn = axis_angle_to_matrix(torch.cat([torch.zeros(batch, 1, 2), roll], -1))
        back = turn.transpose(-1, -2)
        return Batch(
            points @ back[..., :2, :2],
            confidence,
            world @ back,
            targets @ back,
            turn[:, :, None] @ rotations,
            r.height[clip],
        )

    def mates(self, poses: Tensor) -> Tensor:
        """For each 2D pose (B, 66), one of the ten rendered clips like it among 400 drawn at random. Shape: (B,)."""
        drawn = torch.randint(self.usable, (400,), generator=self.rng)
        near = torch.cdist(poses, self.poses[drawn]).topk(10, largest=False).indices
        one = torch.randint(10, (len(poses), 1), generator=self.rng)
        return drawn[near.gather(1, one)[:, 0]]

    def bounce(self, batch: int) -> Tensor:
        """Frame numbers that run to and fro over a rendered clip from a random start. Shape: (B, WINDOW)."""
        last = self.rendered.frames - 1
        at = (torch.randint(2 * last, (batch, 1), generator=self.rng) + torch.arange(WINDOW)) % (2 * last)
        return torch.where(at > last, 2 * last - at, at)


def pick(which: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """`a` in the windows where `which` (B,) is true, else `b`."""
    return torch.where(which.view(-1, *[1] * (a.ndim - 1)), a, b)


def centred(points: Tensor) -> Tensor:
    """2D poses about their mean and over their spread, to compare them. Shape: (B, 33, 2) → (B, 66)."""
    offset = points - points.mean(1, keepdim=True)
    return (offset / offset.square().mean((1, 2), keepdim=True).sqrt().clamp_min(1e-9)).flatten(1)
