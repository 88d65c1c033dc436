"""One person, from detections to target pose and mesh stream: what happens between the 2D estimator and calibration.

Everything here is small (a few kilobytes a frame) and is kept for the whole clip; vertices are made afterwards, batch
by batch.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .body_model import BodyModel
from .body_points import PointRig
from .camera import Intrinsics
from .cut_bodies import CUT_ERROR, SEEN, Completed, complete, stand_in
from .fit import Fitted, Lifted, fit
from .fit_cost import FitSettings
from .footing import Footing
from .generators import MeshEstimate, MeshGenerator, Observation, Silhouettes
from .lifters import LiftedPose, Lifter
from .sightings import Sighting, joint_landmarks, mean_fps
from .skeletons import JOINTS
from .solve_preset import SolvePreset
from .standing import SOLES, stances
from .streams import Clock, lift_clip, mesh_clip
from .trajectory import fit_root

SHAPE_MASKS = 64
"""Person masks that the shape is taken from, at most."""

SETTLING: Final = 60
"""Steps of the fit that are enough to see where feet rest."""

Tick = Callable[[str, int, int], None]
"""Called with a stage of the take, finished frames, and frames in all."""


@dataclass(frozen=True, eq=False)
class Streams:
    """Both streams of one person over F frames, and what they are made of. Camera frame, metres."""

    seen: Observation
    """What was seen, in every frame."""
    masks: Silhouettes
    """What the shape is taken from."""
    seconds: npt.NDArray[np.float64]
    """(F,) times of the frames."""
    betas: Tensor
    """(10,) one shape for the take, of the subject's stature."""
    lifted: LiftedPose
    """The 3D pose stream as the lifter gives it."""
    mesh: MeshEstimate
    """The 3D mesh stream."""
    path: Tensor
    """(F, 3) the pelvis, its path smoothed."""
    standing: Tensor
    """(F, 4) how surely each of `standing.SOLES` stands still."""
    whole: Completed | None = None
    """What the picture's edge cuts off, where that was looked for."""

    @property
    def joints(self) -> Tensor:
        """(F, 24, 3) the lifted joints on the smoothed path."""
        return self.lifted.joints + (self.path - self.lifted.joints[:, 0])[:, None]

    @property
    def points(self) -> Tensor:
        """(F, 11, 3) the lifted points on the smoothed path."""
        return self.lifted.points + (self.path - self.lifted.joints[:, 0])[:, None]


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

    def of_height(self, height: float) -> Solver:
        """The same networks and body for a person of another height, metres."""
        other = copy.copy(self)
        other.preset = replace(self.preset, height=height)
        return other

    def solve(self, sighting: Sighting, intrinsics: Intrinsics, tick: Tick) -> PersonSolve:
        """Both streams and the target pose of one person, in no world."""
        return self.target(self.look(sighting, intrinsics, tick), None, tick)

    def look(self, sighting: Sighting, intrinsics: Intrinsics, tick: Tick) -> Streams:
        """Both streams of one person. What the picture's edge cuts off is put where it likely is."""
        whole = complete(sighting.keypoints, sighting.world, intrinsics.height)
        points = torch.tensor(intrinsics.normalise(whole.keypoints[..., :2]), dtype=torch.float32)
        seen = Observation(points, torch.tensor(whole.keypoints[..., 2]), torch.tensor(whole.world))
        streams = self.streams(seen, silhouettes(sighting), sighting.seconds, tick)
        return replace(streams, whole=whole)

    def streams(self, seen: Observation, masks: Silhouettes, seconds: npt.NDArray[np.float64], tick: Tick) -> Streams:
        """Both streams from what was seen; `seconds` (F,) are the frames' times."""
        preset, count = self.preset, len(seconds)
        clock, steady = self._steady(seen, seconds)
        with ThreadPoolExecutor(1) as pool:  # the streams know nothing of each other
            meshed = pool.submit(self._mesh_stream, steady, clock, masks)
            lifted = lift_clip(self.lifter, steady, clock, preset.height, lambda n: tick("lift", min(n, count), count))
            betas, mesh = meshed.result()
        fps, path = mean_fps(seconds), lifted.joints[:, 0]
        if preset.trajectory.enabled:
            certain = seen.confidence[:, 23:25].mean(1)
            path = torch.tensor(fit_root(path.numpy(), certain.numpy(), fps), dtype=torch.float32)
        still = stances(seen.points, seen.confidence, fps)
        return Streams(seen, masks, seconds, betas, lifted, mesh, path, still)

    def _mesh_stream(self, seen: Observation, clock: Clock, masks: Silhouettes) -> tuple[Tensor, MeshEstimate]:
        """The shape (10,) and the 3D mesh stream."""
        betas = self.generator.shape(masks, self.preset.height)
        return betas, mesh_clip(self.generator, seen, clock, betas)

    def resized(self, streams: Streams, scale: float) -> Streams:
        """The streams of a person who is `scale` times as tall as they were made for: this solver's height."""
        lifted = streams.lifted
        clock, steady = self._steady(streams.seen, streams.seconds)
        betas, mesh = self._mesh_stream(steady, clock, streams.masks)
        return replace(
            streams,
            betas=betas,
            lifted=LiftedPose(
                lifted.joints * scale, lifted.points * scale, lifted.rotations, lifted.log_error + math.log(scale)
            ),
            mesh=mesh,
            path=streams.path * scale,
        )

    def upright(self, streams: Streams, up: npt.NDArray[np.float64]) -> Streams:
        """The streams with legs that the picture's foot cuts off as they are in other frames. Shape: up (3,)."""
        whole, lifted = streams.whole, streams.lifted
        if whole is None or not whole.cut.any():
            return streams
        poses = streams.joints, streams.points, lifted.rotations
        arrays = [t.double().numpy() for t in (*poses, streams.seen.points)]
        made = stand_in(arrays[0], arrays[1], arrays[2], whole, arrays[3], up)
        joints, points, rotations = (torch.tensor(array, dtype=torch.float32) for array in made)
        unseen = torch.tensor(whole.cut @ joint_landmarks().T > SEEN)
        doubt = lifted.log_error.clamp_min(math.log(CUT_ERROR * self.preset.height))
        log_error = torch.where(unseen, doubt, lifted.log_error)
        return replace(streams, lifted=LiftedPose(joints, points, rotations, log_error), path=joints[:, 0])

    def settled(self, streams: Streams, tick: Tick) -> Fitted:
        """The pose on no floor: where its feet rest the floor is looked for. Those of the lifter are on bones that
        breathe, and off the detections by as much as a floor is by centimetres."""
        count = len(streams.seconds)
        return self._fitted(streams, SETTLING, None, lambda _: tick("lift", count, count))

    def target(self, streams: Streams, footing: Footing | None, tick: Tick) -> PersonSolve:
        """The target pose: bone lengths of the take's shape, standing feet at rest, and on the floor if it is known."""
        count, most = len(streams.seconds), self.preset.fit.iterations
        fitted = self._fitted(streams, most, footing, lambda n: tick("target", n, count))
        return PersonSolve(streams.betas, streams.lifted, streams.mesh, fitted)

    def _fitted(
        self, streams: Streams, iterations: int, footing: Footing | None, tick: Callable[[int], None]
    ) -> Fitted:
        """The body fitted to the streams in at most so many steps."""
        wanted = self.preset.fit
        settings = FitSettings(
            iterations=min(iterations, wanted.iterations) if wanted.enabled else 0,
            reprojection=wanted.reprojection,
            smoothness=wanted.smoothness,
            contact=wanted.contact,
            floor=wanted.floor,
        )
        lifted = Lifted(
            streams.joints, streams.points, streams.lifted.rotations, streams.lifted.log_error,
            streams.seen.points, streams.seen.confidence, streams.standing,
        )  # fmt: skip
        fps = mean_fps(streams.seconds)
        return fit(self.rig, self.rig_seen, streams.betas, lifted, fps, settings, tick, footing)

    def sole_clearance(self, betas: Tensor) -> Tensor:
        """How high each of `standing.SOLES`, where the estimator sees it, is above the floor. Shape: (10,) → (4,)."""
        flat = torch.eye(3).expand(1, len(JOINTS), 3, 3)
        _, landmarks, _ = self.rig_seen.pose(flat, betas[None])
        return landmarks[0, list(SOLES), 1] - self.body.rest(betas[None])[0][0, :, 1].min()

    def _steady(self, seen: Observation, seconds: npt.NDArray[np.float64]) -> tuple[Clock, Observation]:
        """What was seen, on the networks' clock."""
        clock = Clock.at(seconds, self.lifter.fps)
        world = None if seen.world is None else clock.to_grid(seen.world)
        return clock, Observation(clock.to_grid(seen.points), clock.to_grid(seen.confidence), world)

    def mesh_vertices(self, solve: PersonSolve | Streams, start: int, stop: int) -> tuple[Tensor, Tensor, Tensor]:
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
