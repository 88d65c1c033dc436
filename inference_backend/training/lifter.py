"""Trains the default lifter.

    python -m inference_backend train lifter --minutes 60

Resumable: a run continues from its checkpoint; `--minutes` is the whole training's length, over which the learning
rate falls.
"""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..geometry import procrustes
from ..lifters.size_normalised import TARGETS
from ..lifters.videopose3d import LifterNetwork, load_network
from ..virtual_camera import normalise
from .lifting_data import Batch, LiftingData


@dataclass(frozen=True)
class LifterTraining:
    """Settings of a training."""

    motion: Path
    """The packed motion."""
    rendered: tuple[Path, ...]
    """The rendered training sets; the last clips of the last one are held back."""
    out: Path
    """The weight file to write; the checkpoint lies beside it."""
    start: Path | None = None
    """The weight file to begin with where there is no checkpoint: fine-tuning; None: from scratch."""
    minutes: float = 60.0
    """Length of the whole training."""
    batch: int = 32
    """Windows a step."""
    rendered_share: float = 0.5
    """The part of them that was rendered."""
    learning_rate: float = 1e-3
    """At the start, after a short warm-up."""
    channels: int = 512
    """Width of the network."""
    threads: int = 1
    """CPU threads."""
    device: str = "cpu"
    """Where the network runs."""
    seed: int = 1
    """Of data and initial weights."""


def train(settings: LifterTraining) -> None:
    """Trains until the time is over; prints a line a minute."""
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    data = LiftingData(settings.motion, settings.rendered, settings.seed)
    network = (begun(data, settings.channels) if settings.start is None else load_network(settings.start)).to(
        settings.device
    )
    average = copy.deepcopy(network).eval()
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=1e-4)
    checkpoint = settings.out.with_suffix(".checkpoint")
    step, spent = 0, 0.0
    if checkpoint.exists():
        known = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(known["network"])
        average.load_state_dict(known["average"])
        optimiser.load_state_dict(known["optimiser"])
        step, spent = known["step"], known["spent"]
        data.rng.manual_seed(settings.seed + step)
    since, noted, running = time.monotonic() - spent, time.monotonic(), torch.zeros(3)
    counted = 0
    while (spent := time.monotonic() - since) < settings.minutes * 60:
        progress = spent / (settings.minutes * 60)
        rate = settings.learning_rate * min(1.0, (step + 1) / 200) * (0.02 + 0.98 * (1 - progress) ** 1.2)
        for group in optimiser.param_groups:
            group["lr"] = rate
        rendered = round(settings.batch * settings.rendered_share)
        batch = joined(data.synthetic(settings.batch - rendered), data.seen(rendered))
        network.train()
        loss, figures = loss_of(network, batch, settings.batch - rendered, data.rng, settings.device)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        size = torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        if not torch.isfinite(size):
            print(f"step {step}: a gradient without bound; left out", flush=True)
            continue
        optimiser.step()
        blend(average, network, min(0.999, step / (step + 100)))
        running += figures
        step, counted = step + 1, counted + 1
        if time.monotonic() - noted > 60:
            noted = time.monotonic()
            val = validate(average, data, settings.device)
            mean = running / counted
            train_ = f"synthetic {mean[0]:.1f} rendered {mean[1]:.1f} rotation {mean[2]:.1f}"
            held = f"held back {val[0]:.1f} PA {val[1]:.1f} no hint {val[2]:.1f} exact 2D {val[3]:.1f}"
            print(f"step {step} minute {spent / 60:.1f} rate {rate:.1e} {train_} | {held}", flush=True)
            running.zero_()
            counted = 0
            save(average, settings.out, step)
            state: dict[str, Any] = {"network": network.state_dict(), "average": average.state_dict()}
            state |= {"optimiser": optimiser.state_dict(), "step": step, "spent": spent}
            torch.save(state, checkpoint.with_suffix(".part"))
            checkpoint.with_suffix(".part").replace(checkpoint)
    save(average, settings.out, step)


def begun(data: LiftingData, channels: int) -> LifterNetwork:
    """A network that knows nothing but where targets lie among the landmarks, and the mean depth."""
    network = LifterNetwork(channels)
    placement, log_depth = fit_placement(data)
    network.placement.copy_(placement)
    bias = network.temporal.shrink.bias
    assert bias is not None
    with torch.no_grad():
        bias[0] = log_depth
    return network


def loss_of(
    network: LifterNetwork, batch: Batch, synthetic: int, rng: torch.Generator, device: str
) -> tuple[Tensor, Tensor]:
    """The loss, and for the log: mm of the first, `synthetic` windows and of the others, degrees of rotation."""
    points, confidence = drop_spans(batch, rng)
    show = (torch.rand(len(points), generator=rng) < 0.75).to(device)
    half = [t.to(device) for t in (points, confidence, batch.world, batch.targets, batch.rotations, batch.height)]
    points, confidence, world, targets, rotations, height = half
    # The hint and its flag are features of the network, so both are put out together.
    seen = normalise(points, confidence, world)
    features = torch.where(show[:, None, None], seen.features, normalise(points, confidence, None).features)
    prediction, turn = network.decode_features(features, seen)
    truth = targets @ turn.transpose(-1, -2) / height[:, None, None, None]
    pelvis = truth[:, :, :1]
    distance = (prediction.targets - (truth - pelvis)).norm(dim=-1)
    likelihood = prediction.log_error + distance.detach() * torch.exp(-prediction.log_error)
    speed = (prediction.targets.diff(dim=1) - (truth - pelvis).diff(dim=1)).norm(dim=-1)
    turned = turn[:, :, None] @ rotations
    rotation = (prediction.rotations - turned).square().sum((-1, -2))
    depth = (pelvis[:, :, 0, 2] * seen.size).clamp_min(1e-3).log()
    aside = (prediction.pelvis[..., :2] - pelvis[:, :, 0, :2]).norm(dim=-1)
    loss = (
        distance.mean() + 0.003 * likelihood.mean() + 0.5 * speed.mean() + 0.012 * rotation.mean()
        + 0.05 * (prediction.log_depth - depth).abs().mean() + 0.5 * aside.mean()
    )  # fmt: skip
    with torch.no_grad():
        mm = (distance[..., :24] * height[:, None, None] * 1000).mean((1, 2)).cpu()
        degrees = 2 * torch.asin((rotation / 8).clamp(0, 1).sqrt()).mean().rad2deg().cpu()
    return loss, torch.stack([mm[:synthetic].mean(), mm[synthetic:].mean(), degrees])


def drop_spans(batch: Batch, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """In a fifth of the windows, the detections of 2 to 20 frames are lost: the last ones stand still, unseen."""
    count, frames = batch.points.shape[:2]
    start = torch.randint(1, frames - 1, (count,), generator=rng)
    span = torch.randint(2, 20, (count,), generator=rng) * (torch.rand(count, generator=rng) < 0.2)
    time_ = torch.arange(frames).expand(count, -1)
    lost = (time_ >= start[:, None]) & (time_ < (start + span)[:, None])
    source = torch.where(lost, start[:, None] - 1, time_)
    row = torch.arange(count)[:, None]
    return batch.points[row, source], torch.where(lost[..., None], 0.0, batch.confidence)


def joined(a: Batch, b: Batch) -> Batch:
    """Both batches, one after the other."""
    return Batch(*(torch.cat([getattr(a, name), getattr(b, name)]) for name in Batch.__dataclass_fields__))


@torch.no_grad()
def fit_placement(data: LiftingData) -> tuple[Tensor, float]:
    """Where each target lies among the 2D landmarks, by ridge regression on exact views, and the mean log depth.

    Shape: (35, 33), rows sum to 1.
    """
    depths = []
    gram, moment = torch.zeros(33, 33, dtype=torch.float64), torch.zeros(33, TARGETS, dtype=torch.float64)
    for _ in range(12):
        batch = data.synthetic(32, exact=True)
        seen = normalise(batch.points, batch.confidence, None)
        turned = batch.targets @ seen.turn.transpose(-1, -2)
        depths.append((turned[..., 0, 2] / batch.height[:, None] * seen.size).log().mean())
        wanted = turned[..., :2] / turned[..., 2:].clamp_min(0.2) / seen.size[..., None, None]
        q = seen.points.permute(0, 1, 3, 2).reshape(-1, 33).double()
        gram += q.T @ q
        moment += q.T @ wanted.permute(0, 1, 3, 2).reshape(-1, TARGETS).double()
    scale = gram.diagonal().mean()
    ones = torch.ones(33, dtype=torch.float64)
    gram = gram + 100 * scale * torch.outer(ones, ones) + 3e-4 * scale * torch.eye(33, dtype=torch.float64)
    weights = torch.linalg.solve(gram, moment + 100 * scale * torch.ones(33, TARGETS, dtype=torch.float64))
    return (weights / weights.sum(0)).T.float(), float(torch.stack(depths).mean())


@torch.no_grad()
def validate(network: LifterNetwork, data: LiftingData, device: str) -> list[float]:
    """On clips held back from training: MPJPE, PA-MPJPE, MPJPE without the hint, MPJPE with exact 2D; mm."""
    network.eval()
    r, part = data.rendered, slice(data.usable, None)
    truth = (r.targets[part] - r.targets[part][:, :, :1])[:, :, :24]
    exact = r.landmarks[part][..., :2] / r.landmarks[part][..., 2:]
    rows = []
    for points, confidence, world in (
        (r.points[part], r.confidence[part], r.world[part]),
        (r.points[part], r.confidence[part], None),
        (exact, torch.ones_like(r.confidence[part]), None),
    ):
        hint = None if world is None else world.to(device)
        prediction, turn = network(points.to(device), confidence.to(device), hint)
        joints = (prediction.targets @ turn).cpu()[:, :, :24] * r.height[part][:, None, None, None]
        rows.append(float((joints - truth).norm(dim=-1).mean() * 1000))
        if len(rows) == 1:
            rows.append(float((procrustes(joints, truth) - truth).norm(dim=-1).mean() * 1000))
    return rows


@torch.no_grad()
def blend(average: LifterNetwork, network: LifterNetwork, keep: float) -> None:
    """The running average of the weights, which is what is saved."""
    for a, b in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if a.dtype.is_floating_point:
            a.lerp_(b, 1 - keep)
        else:
            a.copy_(b)


def save(network: LifterNetwork, path: Path, steps: int) -> None:
    """Writes the weights in half precision."""
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {k: v.half() if v.dtype.is_floating_point else v for k, v in network.state_dict().items()}
    torch.save({"network": state, "channels": network.channels, "steps": steps}, path.with_suffix(".part"))
    path.with_suffix(".part").replace(path)
