"""One person, from detections to target pose and mesh stream: what happens between the 2D estimator and calibration.

Everything here is small (a few kilobytes a frame) and is kept for the whole clip; vertices are made afterwards, batch
by batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .body_model import BodyModel
from .body_points import PointRig
from .camera import Intrinsics
from .fit import FitSettings, Fitted, Lifted, fit
from .generators import MeshEstimate, MeshGenerator, Observation, Silhouettes
from .lifters import LiftedPose, Lifter
from .sightings import Sighting, mean_fps
from .solve_preset import SolvePreset
from .standing import standing
from .streams import Clock, lift_clip, mesh_clip
from .trajectory import fit_root

SHAPE_MASKS = 64
"""Person masks that the shape is taken from, at most."""

Tick = Callable[[str, int, int], None]
"""Called with a stage of the take, finished frames, and frames in all."""


@dataclass(frozen=True)
class PersonSolve:
    """The two streams and the target pose of F frames. Camera frame, metres."""

    betas: Tensor
    """(10,) one shape for the take, of the subject's stature."""
    lifted: LiftedPose
    """The 3D pose stream as the lifter gives it."""
    mesh: MeshEstimate
    """The 3D mesh stream."""
    target: Fitted
    """The target pose: lifted, fitted, its path smoothed."""


class Solver:
    """The networks and the body of a job."""

    def __init__(self, body: BodyModel, lifter: Lifter, generator: MeshGenerator, preset: SolvePreset) -> None:
        self.body = body
        self.rig = PointRig.of_landmarks(body, as_seen=False)
        self.rig_seen = PointRig.of_landmarks(body, as_seen=True)
        self.lifter = lifter
        self.generator = generator
        self.preset = preset

    def solve(self, sighting: Sighting, intrinsics: Intrinsics, tick: Tick) -> PersonSolve:
        """Both streams of one person."""
        points = torch.tensor(intrinsics.normalise(sighting.keypoints[..., :2]), dtype=torch.float32)
        seen = Observation(points, torch.tensor(sighting.keypoints[..., 2]), torch.tensor(sighting.world))
        return self.streams(seen, silhouettes(sighting), sighting.seconds, tick)

    def streams(
        self, seen: Observation, masks: Silhouettes, seconds: npt.NDArray[np.float64], tick: Tick
    ) -> PersonSolve:
        """Both streams from what was seen; `seconds` (F,) are the frames' times."""
        preset, count = self.preset, len(seconds)
        clock = Clock.at(seconds, self.lifter.fps)
        world = None if seen.world is None else clock.to_grid(seen.world)
        steady = Observation(clock.to_grid(seen.points), clock.to_grid(seen.confidence), world)
        lifted = lift_clip(self.lifter, steady, clock, preset.height, lambda n: tick("lift", min(n, count), count))
        betas = self.generator.shape(masks, preset.height)
        mesh = mesh_clip(self.generator, steady, clock, betas)
        return PersonSolve(betas, lifted, mesh, self._target(betas, lifted, seen, seconds, tick))

    def _target(
        self, betas: Tensor, lifted: LiftedPose, seen: Observation, seconds: npt.NDArray[np.float64], tick: Tick
    ) -> Fitted:
        """The target pose: the path smooth in depth, bone lengths of the take's shape, standing feet at rest."""
        preset, count = self.preset, len(seconds)
        fps = mean_fps(seconds)
        settings = FitSettings(
            iterations=preset.fit.iterations if preset.fit.enabled else 0,
            reprojection=preset.fit.reprojection,
            smoothness=preset.fit.smoothness,
            contact=preset.fit.contact,
        )
        place = lifted.joints[:, 0]
        if preset.trajectory.enabled:
            certain = seen.confidence[:, 23:25].mean(1)
            place = torch.tensor(fit_root(place.numpy(), certain.numpy(), fps), dtype=torch.float32)
        shift = (place - lifted.joints[:, 0])[:, None]
        still = standing(seen.points, seen.confidence, fps)
        wanted = Lifted(
            lifted.joints + shift, lifted.points + shift, lifted.rotations, lifted.log_error,
            seen.points, seen.confidence, still,
        )  # fmt: skip
        return fit(self.rig, self.rig_seen, betas, wanted, fps, settings, lambda n: tick("target", n, count))

    def mesh_vertices(self, solve: PersonSolve, start: int, stop: int) -> tuple[Tensor, Tensor, Tensor]:
        """Vertices (n, N, 3), joints (n, 24, 3) and translation (n, 3) of the mesh stream in frames [start, stop)."""
        rest_pelvis = self.body.rest(solve.betas[None])[1][0, 0]
        translation = solve.mesh.root[start:stop] - rest_pelvis
        output = self.body.pose(solve.mesh.pose[start:stop], solve.betas[None], translation)
        return output.vertices, output.joints, translation


def silhouettes(sighting: Sighting) -> Silhouettes:
    """The person masks whose body is seen best, with the landmarks in their squares."""
    confidence = sighting.keypoints[sighting.mask_rows, :, 2]
    order = np.argsort(-confidence.mean(1), kind="stable")[:SHAPE_MASKS]
    order = order[confidence[order].max(1, initial=0) > 0]
    rows = sighting.mask_rows[order]
    squares = sighting.mask_squares[order]
    return Silhouettes(
        masks=torch.tensor(sighting.masks[order], dtype=torch.float32) / 255,
        points=torch.tensor(into_square(sighting.keypoints[rows, :, :2], squares), dtype=torch.float32),
        confidence=torch.tensor(confidence[order], dtype=torch.float32),
    )


def into_square(points: npt.NDArray[Any], squares: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Pixels → places in a turned square (cx, cy, side, clockwise angle), 0 to 1 along its sides.

    Shape: (M, K, 2), (M, 4) → (M, K, 2).
    """
    if points.ndim != 3 or points.shape[2] != 2 or squares.shape != (len(points), 4):
        raise ValueError(f"points, squares: found {points.shape}, {squares.shape}, want (M, K, 2), (M, 4)")
    c, s = np.cos(squares[:, 3]), np.sin(squares[:, 3])
    turn = np.stack([np.stack([c, s], -1), np.stack([-s, c], -1)], -2)
    offset = points - squares[:, None, :2]
    return np.asarray(offset @ turn.transpose(0, 2, 1) / np.maximum(squares[:, None, 2:3], 1e-6) + 0.5)
