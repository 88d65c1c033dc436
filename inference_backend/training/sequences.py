"""Motion for training: windows of the packed clips, widened beyond what the database holds.

Everything works on batches of whole sequences of local rotations, (B, T, 24, 3, 3), y up.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..geometry import axis_angle_to_matrix, matrix_to_axis_angle, matrix_to_sixd, sixd_to_matrix
from ..skeletons import JOINTS, JOINTS_MIRROR
from .motion import FPS, TEST_SUBJECTS

ARMS = tuple(i for i, name in enumerate(JOINTS) if name.endswith(("collar", "shoulder", "elbow", "wrist", "hand")))
EXTREMITIES = tuple(i for i, name in enumerate(JOINTS) if name.endswith(("neck", "head", "ankle", "wrist")))


@dataclass(frozen=True)
class Motion:
    """A batch of windows."""

    rotations: Tensor
    """(B, T, 24, 3, 3) local rotations, the pelvis' relative to the world (y up)."""
    root: Tensor
    """(B, T, 3) the pelvis' path, metres, y up."""
    clip: Tensor
    """(B,) index of the clip."""


class MotionBank:
    """The packed clips of one side of the split by subject."""

    def __init__(self, path: Path, *, test: bool) -> None:
        data = np.load(path)
        keep = np.isin(data["subject"], TEST_SUBJECTS) == test
        self.names: list[str] = data["name"][keep].tolist()
        self.categories: list[str] = data["category"][keep].tolist()
        self.start = torch.tensor(data["start"][keep])
        self.frames = torch.tensor(data["frames"][keep])
        self.rotations = torch.tensor(data["rotations"])
        self.root = torch.tensor(data["root"])
        # Categories count alike, and within one a clip counts by the root of its length: salsa is 37% of the minutes.
        weight = self.frames.double().sqrt()
        for category in set(self.categories):
            mask = torch.tensor([c == category for c in self.categories])
            weight[mask] /= weight[mask].sum()
        self.weight = weight

    def windows(self, batch: int, length: int, speed: tuple[float, float], rng: torch.Generator) -> Motion:
        """Random windows of `length` frames, played at a random speed; short clips go back and forth."""
        clip = torch.multinomial(self.weight, batch, replacement=True, generator=rng)
        factor = torch.empty(batch).uniform_(*speed, generator=rng)
        frames = self.frames[clip]
        span = factor * (length - 1)
        start = torch.rand(batch, generator=rng) * (frames - 1 - span).clamp_min(0)
        position = start[:, None] + factor[:, None] * torch.arange(length)
        last = (frames - 1)[:, None].float()
        position = (position % (2 * last)).clamp_min(0)
        position = torch.where(position > last, 2 * last - position, position)
        low = position.floor().long().clamp_max(frames[:, None] - 2)
        share = (position - low)[..., None]
        at = low + self.start[clip][:, None]
        root = self.root[at] * (1 - share) + self.root[at + 1] * share
        sixd = matrix_to_sixd(self.rotations[at]), matrix_to_sixd(self.rotations[at + 1])
        rotations = sixd_to_matrix(sixd[0] * (1 - share[..., None]) + sixd[1] * share[..., None])
        return Motion(rotations, root, clip)


TILTED = 0.15
"""The share of windows in which `widen` leans, lays or turns the body over."""


STANDING = 0.35
"""The share of windows in which `widen` straightens legs by up to 45°, else 16°. Nobody in the database stands still
for long: 2% of its knees are bent by less than 8°, and a lifter that never saw straight legs makes people crouch."""


def widen(motion: Motion, other: Motion, rng: torch.Generator, *, tilted: float = TILTED) -> Motion:
    """What the database lacks: other arms on a trunk, straight legs, moving clavicles, tilted bodies, mirrors."""
    R, root = motion.rotations.clone(), motion.root
    batch, length = R.shape[:2]
    swap = torch.rand(batch, generator=rng) < 0.2
    R[:, :, ARMS] = torch.where(swap[:, None, None, None, None], other.rotations[:, :, ARMS], R[:, :, ARMS])
    standing = torch.rand(batch, generator=rng) < STANDING
    most = torch.where(standing, 45.0, 16.0)
    R = straighten_legs(R, torch.empty(batch).uniform_(-0.125, 1, generator=rng).clamp_min(0) * most.deg2rad())
    R = clavicle_rhythm(R, torch.empty(batch).uniform_(0, 0.35, generator=rng))

    some = (torch.rand(batch, generator=rng) < 0.4).float()
    amplitude = torch.full((24,), 7.0)
    amplitude[list(ARMS)] = 14.0
    amplitude[list(EXTREMITIES)] = 14.0
    amplitude[0] = 0.0
    wobble = smooth_noise(batch, length, 24 * 3, rng).view(batch, length, 24, 3)
    steady = torch.randn(batch, 1, 24, 3, generator=rng)
    strength = torch.empty(batch).uniform_(0, 1, generator=rng) * some
    turn = (wobble + steady) * 0.6 * strength[:, None, None, None] * amplitude.deg2rad()[:, None]
    R = R @ axis_angle_to_matrix(turn)

    # Some of the windows are tilted: leaning, lying, upside down.
    tilt = torch.where(
        torch.rand(batch, generator=rng) < tilted,
        torch.empty(batch).uniform_(10, 180, generator=rng),
        torch.empty(batch).uniform_(0, 6, generator=rng),
    ).deg2rad()
    angle = torch.rand(batch, generator=rng) * 2 * np.pi
    axis = torch.stack([angle.cos(), torch.zeros(batch), angle.sin()], -1) * tilt[:, None]
    lean = axis_angle_to_matrix(axis)
    R[:, :, 0] = lean[:, None] @ R[:, :, 0]
    return mirror(Motion(R, root, motion.clip), torch.rand(batch, generator=rng) < 0.5)


def mirror(motion: Motion, which: Tensor) -> Motion:
    """Left and right exchanged in the windows where `which` (B,) is true."""
    flip = torch.diag(torch.tensor([-1.0, 1.0, 1.0]))
    mirrored = flip @ motion.rotations[:, :, list(JOINTS_MIRROR)] @ flip
    return Motion(
        torch.where(which[:, None, None, None, None], mirrored, motion.rotations),
        torch.where(which[:, None, None], motion.root * flip.diagonal(), motion.root),
        motion.clip,
    )


def straighten_legs(R: Tensor, angle: Tensor) -> Tensor:
    """Takes `angle` (B,) radians of flexion out of both knees; the foot keeps its global rotation."""
    R = R.clone()
    for hip, knee, ankle in ((1, 4, 7), (2, 5, 8)):
        flexion = matrix_to_axis_angle(R[:, :, knee])
        size = flexion.norm(dim=-1, keepdim=True).clamp_min(1e-6)
        less = torch.minimum(angle[:, None, None], size)
        half = axis_angle_to_matrix(flexion / size * less / 2)
        R[:, :, hip] = R[:, :, hip] @ half
        R[:, :, knee] = axis_angle_to_matrix(flexion / size * (size - less))
        R[:, :, ankle] = half @ R[:, :, ankle]
    return R


def clavicle_rhythm(R: Tensor, share: Tensor) -> Tensor:
    """Raises each clavicle by `share` (B,) of the arm's elevation past 60°; the arm keeps its global rotation."""
    R = R.clone()
    for collar, shoulder, side in ((13, 16, 1.0), (14, 17, -1.0)):
        down = -(R[:, :, collar] @ R[:, :, shoulder])[..., 1, 0] * side
        elevation = torch.acos(down.clamp(-0.999, 0.999))
        rise = (share[:, None] * (elevation - np.deg2rad(60))).clamp(np.deg2rad(-8), np.deg2rad(30))
        turn = axis_angle_to_matrix(torch.stack([torch.zeros_like(rise), torch.zeros_like(rise), rise * side], -1))
        R[:, :, collar] = R[:, :, collar] @ turn
        R[:, :, shoulder] = turn.transpose(-1, -2) @ R[:, :, shoulder]
    return R


def smooth_noise(batch: int, length: int, channels: int, rng: torch.Generator) -> Tensor:
    """Unit-variance noise that changes over about half a second. Shape: (B, T, C)."""
    period = FPS / 2
    knots = int(length / period) + 4
    values = torch.randn(batch, channels, knots, generator=rng)
    fine = torch.nn.functional.interpolate(values, size=int(knots * period), mode="linear", align_corners=True)
    shift = int(torch.randint(0, int(period), (1,), generator=rng))
    return fine[:, :, shift : shift + length].transpose(1, 2) * 1.2
