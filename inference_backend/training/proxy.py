"""Trains the default mesh stream: pose from landmarks, shape from person masks.

    python -m inference_backend train proxy --minutes 25

The masks are what BlazePose made of the rendered clips, corrupted further: clothes are in the renders, holes, cut
limbs and shifted squares are added here.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..body_points import PointRig
from ..generators.proxy import ProxyNetwork, features_of, pelvis
from ..geometry import axis_angle_to_matrix, matrix_to_sixd
from ..skeletons import JOINTS, LANDMARKS_MIRROR
from ..virtual_camera import normalise
from .lifter import drop_spans, joined
from .lifting_data import LiftingData, RenderedSet


@dataclass(frozen=True)
class ProxyTraining:
    """Settings of a training."""

    motion: Path
    """The packed motion."""
    rendered: tuple[Path, ...]
    """The rendered training sets; the last clips of the last one are held back."""
    out: Path
    """The weight file to write; the checkpoint lies beside it."""
    minutes: float = 25.0
    """Length of this training, a third of it for the shape; with a checkpoint beside `out`, two thirds for the pose."""
    batch: int = 24
    """Windows a step of the pose, half of them rendered."""
    learning_rate: float = 7e-4
    """At the start."""
    threads: int = 1
    """CPU threads."""
    seed: int = 2
    """Of data and initial weights."""


def train(settings: ProxyTraining) -> None:
    """Trains shape, then pose; prints a line a minute."""
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    data = LiftingData(settings.motion, settings.rendered, settings.seed)
    network = ProxyNetwork()
    checkpoint = settings.out.with_suffix(".checkpoint")
    if checkpoint.exists():
        network.load_state_dict(torch.load(checkpoint, weights_only=True))
    else:
        train_shape(network, data, settings, settings.minutes / 3)
        torch.save(network.state_dict(), checkpoint)
    train_pose(network, data, settings, settings.minutes * 2 / 3)
    torch.save(network.state_dict(), checkpoint)
    settings.out.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"network": {k: v.half() for k, v in network.state_dict().items()}}, settings.out)


def train_pose(network: ProxyNetwork, data: LiftingData, settings: ProxyTraining, minutes: float) -> None:
    """θ and the camera: rotations, joints and landmarks of the posed body, and the picture they make."""
    model = network.pose
    rig = data.truth.rig
    if not bool(model.mean.any()):
        model.mean.copy_(mean_state(data))
    optimiser = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, weight_decay=1e-4)
    begun = noted = time.monotonic()
    while (progress := (time.monotonic() - begun) / (minutes * 60)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * (0.02 + 0.98 * (1 - progress))
        batch = joined(data.synthetic(settings.batch // 2), data.seen(settings.batch // 2))
        points, confidence = drop_spans(batch, data.rng)
        view = normalise(points, confidence, batch.world)
        keep = torch.randint(view.features.shape[2], (24,), generator=data.rng)  # frames alike add little
        local, camera = model(view.features[:, :, keep].transpose(1, 2).reshape(-1, view.features.shape[1]))
        turn = view.turn[:, keep].flatten(0, 1)
        rotations = turn[:, None] @ batch.rotations[:, keep].flatten(0, 1)
        targets = batch.targets[:, keep].flatten(0, 1) @ turn.transpose(-1, -2)
        height = batch.height.repeat_interleave(24)
        joints, _, posed = rig.pose(local, torch.zeros(len(local), 10))
        scale = (height / data.body.stature(torch.zeros(1, 10)))[:, None, None]
        truth = (targets - targets[:, :1])[:, : len(JOINTS)]
        distance = ((joints - joints[:, :1]) * scale - truth).norm(dim=-1).mean()
        rotation = (posed - rotations).square().sum((-1, -2)).mean()
        place = pelvis(camera, view.size[:, keep].flatten(), height)
        depth = (place[:, 2].log() - targets[:, 0, 2].clamp_min(0.2).log()).abs().mean()
        aside = (place[:, :2] - targets[:, 0, :2]).norm(dim=-1).mean()
        loss = distance + 0.02 * rotation + 0.1 * depth + 0.5 * aside
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        if time.monotonic() - noted > 60:
            noted = time.monotonic()
            held = validate(network, data)
            print(f"pose {progress:.0%} joints {distance * 1000:.1f} mm, held back {held:.1f}", flush=True)


def mean_state(data: LiftingData) -> Tensor:
    """The mean that the iteration starts from, over synthetic views. Shape: (STATE,)."""
    batch = data.synthetic(32)
    view = normalise(batch.points, batch.confidence, batch.world)
    turned = view.turn[:, :, None] @ batch.rotations
    sixd = matrix_to_sixd(local_of(turned.flatten(0, 1), data.truth.rig)).mean(0).flatten()
    return torch.cat([sixd, torch.tensor([-0.45, 0.0, 0.0])])


def local_of(rotations: Tensor, rig: PointRig) -> Tensor:
    """Global → relative to the parent. Shape: (B, 24, 3, 3)."""
    parents = torch.tensor(rig.parents[1:])
    return torch.cat([rotations[:, :1], rotations[:, parents].transpose(-1, -2) @ rotations[:, 1:]], 1)


@torch.no_grad()
def validate(network: ProxyNetwork, data: LiftingData) -> float:
    """MPJPE in mm on the rendered clips held back, shape known."""
    r, part = data.rendered, slice(data.usable, None)
    view = normalise(r.points[part], r.confidence[part], r.world[part])
    local, _ = network.pose(features_of(view))
    betas = r.betas[part][:, None].expand(-1, r.frames, -1).reshape(-1, 10)
    joints = data.truth.rig.pose(local, betas)[0]
    truth = (r.targets[part] @ view.turn.transpose(-1, -2)).flatten(0, 1)[:, :24]
    return float((joints - joints[:, :1] - truth + truth[:, :1]).norm(dim=-1).mean() * 1000)


def train_shape(network: ProxyNetwork, data: LiftingData, settings: ProxyTraining, minutes: float) -> None:
    """β: the posed-alike difference of rest bodies whose stature is known."""
    model, body, r = network.shape, data.body, data.rendered
    sample = torch.randperm(body.vertex_count, generator=data.rng)[:600]
    directions = body.shapedirs[sample]
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-2)
    begun = noted = time.monotonic()
    held = shape_inputs(r, torch.arange(data.usable, len(r)), data.rng, corrupt_masks=False)
    while (progress := (time.monotonic() - begun) / (minutes * 60)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = 1e-3 * (0.02 + 0.98 * (1 - progress))
        clip = torch.randint(data.usable, (128,), generator=data.rng)
        masks, points, confidence = shape_inputs(r, clip, data.rng, corrupt_masks=True)
        model.train()
        betas, log_deviation = model(masks, points, confidence)
        truth = r.betas[clip]
        fitted = body.betas_for_stature(betas, r.height[clip])
        distance = torch.einsum("nas,bs->bna", directions, fitted - truth).norm(dim=-1).mean()
        likelihood = (log_deviation + 0.5 * (betas - truth).square() * torch.exp(-2 * log_deviation)).mean()
        loss = 10 * distance + 0.1 * likelihood
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        if time.monotonic() - noted > 60:
            noted = time.monotonic()
            model.eval()
            with torch.no_grad():
                guess = body.betas_for_stature(model(*held)[0], r.height[data.usable :])
                none = body.betas_for_stature(torch.zeros_like(guess), r.height[data.usable :])
                missed = [torch.einsum("nas,bs->bna", directions, b - r.betas[data.usable :]) for b in (guess, none)]
            learned, mean = (float(m.norm(dim=-1).mean() * 1000) for m in missed)
            told = f"held back {learned:.1f}, mean shape {mean:.1f}"
            print(f"shape {progress:.0%} {distance * 1000:.1f} mm, {told}", flush=True)


def shape_inputs(
    r: RenderedSet, clip: Tensor, rng: torch.Generator, *, corrupt_masks: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """One found frame of each clip: masks (B, 64, 64), points in the square (B, 33, 2), confidence (B, 33)."""
    weights = r.found[clip].float() + 1e-6
    frame = torch.multinomial(weights, 1, generator=rng)[:, 0]
    masks = torch.tensor(np.unpackbits(r.mask[clip.numpy(), frame.numpy()], axis=-1)).float()
    square = torch.tensor(r.mask_square[clip.numpy(), frame.numpy()])
    f, c = r.intrinsics[clip, None, :2], r.intrinsics[clip, None, 2:]
    points = into_square(r.points[clip, frame] * f + c, square)
    if corrupt_masks:
        masks = corrupt(masks, rng)
        points = points + torch.randn(points.shape, generator=rng) * 0.01
        flip = torch.rand(len(clip), generator=rng) < 0.5
        masks = torch.where(flip[:, None, None], masks.flip(2), masks)
        mirrored = points[:, list(LANDMARKS_MIRROR)] * torch.tensor([-1.0, 1.0]) + torch.tensor([1.0, 0.0])
        points = torch.where(flip[:, None, None], mirrored, points)
    return masks, points, r.confidence[clip, frame]


def into_square(points: Tensor, square: Tensor) -> Tensor:
    """Pixels → the turned square (cx, cy, side, angle), 0 to 1. Shape: (B, 33, 2), (B, 4) → (B, 33, 2)."""
    axis = torch.stack([torch.zeros(len(square)), torch.zeros(len(square)), -square[:, 3]], -1)
    turn = axis_angle_to_matrix(axis)[:, :2, :2]
    return (points - square[:, None, :2]) @ turn.transpose(-1, -2) / square[:, None, 2:3].clamp_min(1e-6) + 0.5


def corrupt(masks: Tensor, rng: torch.Generator) -> Tensor:
    """Grown or shrunk edges, holes and cut-off parts. Shape: (B, 64, 64)."""
    grown = torch.nn.functional.max_pool2d(masks[:, None], 3, 1, 1)[:, 0]
    shrunk = 1 - torch.nn.functional.max_pool2d(1 - masks[:, None], 3, 1, 1)[:, 0]
    kind = torch.rand(len(masks), 1, 1, generator=rng)
    out = torch.where(kind < 0.2, grown, torch.where(kind > 0.85, shrunk, masks)).clone()
    for i in torch.nonzero(torch.rand(len(masks), generator=rng) < 0.4)[:, 0].tolist():
        y, x, h, w = torch.randint(4, 60, (4,), generator=rng).tolist()
        out[i, y : y + h // 4, x : x + w // 4] = 0
    return out
