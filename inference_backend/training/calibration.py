"""Trains A and W of the calibration module for the default body (section 3.3, equations 12 and 13).

    python -m inference_backend train calibration --minutes 8

The mesh stream's errors are imitated: a wrong shape and wrong joint angles; the target pose is the truth with a
lifter's noise. The loss is the calibrated surface's distance from the true one, area by area.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..body import BodyModel, load_default_body
from ..calibration import CalibrationModule, calibrate
from ..calibration_rotations import bone_rotations
from ..calibration_weights import initial_weights
from ..geometry import axis_angle_to_matrix
from ..skeletons import POINT_LANDMARKS
from .cameras import sample_betas
from .sequences import MotionBank, widen


@dataclass(frozen=True)
class CalibrationTraining:
    """Settings of a training."""

    motion: Path
    """The packed motion."""
    out: Path
    """The weight file to write."""
    minutes: float = 8.0
    """Length of the training."""
    batch: int = 12
    """Poses a step."""
    learning_rate: float = 0.01
    """At the start; that of W is a third of it."""
    threads: int = 1
    """CPU threads."""
    seed: int = 3
    """Of poses and shapes."""


@dataclass(frozen=True)
class CalibrationBatch:
    """The mesh stream's meshes, the target poses, and the true surfaces. Metres."""

    vertices: Tensor
    """(B, N, 3)"""
    joints: Tensor
    """(B, 24, 3)"""
    target: Tensor
    """(B, 24, 3)"""
    rotations: Tensor
    """(B, 24, 3, 3) Ψ in the chain form."""
    truth: Tensor
    """(B, N, 3)"""


def train(settings: CalibrationTraining) -> None:
    """Trains from the skinning weights on, and prints the error before, meanwhile and after."""
    torch.set_num_threads(settings.threads)
    rng = torch.Generator().manual_seed(settings.seed)
    body = load_default_body()
    motion = MotionBank(settings.motion, test=False)
    value, index = body.weights.topk(4, dim=1)
    rest_vertices, rest_joints = body.rest(torch.zeros(1, body.shape_count))
    initial = initial_weights(rest_vertices[0], rest_joints[0], index, value)
    module = CalibrationModule(initial)
    areas = body.vertex_areas()
    optimiser = torch.optim.Adam(
        [{"params": [module.logits], "lr": 0.0}, {"params": [module.W], "lr": 0.0}]  # set at every step
    )
    held = [sample(body, motion, settings.batch, torch.Generator().manual_seed(99)) for _ in range(2)]
    begun = noted = time.monotonic()
    print(f"start: {error(module, held, areas):.2f} mm", flush=True)
    while (progress := (time.monotonic() - begun) / (settings.minutes * 60)) < 1:
        for group, share in zip(optimiser.param_groups, (1.0, 1 / 3), strict=True):
            group["lr"] = settings.learning_rate * share * (0.05 + 0.95 * (1 - progress))
        batch = sample(body, motion, settings.batch, rng)
        made = module(batch.vertices, batch.joints, batch.target, rotations=batch.rotations)
        loss = ((made - batch.truth).square().sum(-1) + 1e-8).sqrt() @ areas
        optimiser.zero_grad(set_to_none=True)
        loss.mean().backward()
        optimiser.step()
        if time.monotonic() - noted > 60:
            noted = time.monotonic()
            print(f"{progress:.0%}: {error(module, held, areas):.2f} mm", flush=True)
    print(f"end: {error(module, held, areas):.2f} mm", flush=True)
    settings.out.parent.mkdir(parents=True, exist_ok=True)
    module.freeze().save(settings.out)


@torch.no_grad()
def sample(body: BodyModel, motion: MotionBank, batch: int, rng: torch.Generator) -> CalibrationBatch:
    """Poses of the training subjects, seen by an imitated mesh stream and an imitated lifter."""
    windows = [motion.windows(batch, 2, (1.0, 1.0), rng) for _ in range(2)]
    local = widen(windows[0], windows[1], rng).rotations[:, 0]
    betas = sample_betas(batch, body.shape_count, rng)
    true = body.pose(local, betas)
    # The shape's own error once the stature is known, and angles as wrong as an HMR's.
    guessed = betas + torch.randn(betas.shape, generator=rng) * 0.7
    guessed = body.betas_for_stature(guessed, body.stature(betas))
    wrong = torch.randn(batch, 24, 3, generator=rng) * torch.empty(batch, 1, 1).uniform_(0.02, 0.25, generator=rng)
    mesh = body.pose(local @ axis_angle_to_matrix(wrong), guessed)
    noise = torch.empty(batch, 1, 1).uniform_(0, 0.012, generator=rng)
    target = true.joints + torch.randn(true.joints.shape, generator=rng) * noise
    points = [body.landmarks(o.vertices)[:, list(POINT_LANDMARKS)] for o in (mesh, true)]
    rotations = bone_rotations(mesh.joints, target, points_hmr=points[0], points_target=points[1])
    return CalibrationBatch(mesh.vertices, mesh.joints, target, rotations, true.vertices)


@torch.no_grad()
def error(module: CalibrationModule, batches: list[CalibrationBatch], areas: Tensor) -> float:
    """Area-weighted MPVE in mm."""
    weights = module.freeze()
    distances = [
        (calibrate(b.vertices, b.joints, b.target, weights, rotations=b.rotations) - b.truth).norm(dim=-1) @ areas
        for b in batches
    ]
    return float(torch.cat(distances).mean() * 1000)
