"""Some frames of a take, lifted and fitted again: from detections to the skeleton in the take's own world.

As in a reconstruction (`solve.py`), but what a take has settled stays: the person's shape, the camera, the floor.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .body import load_default_body
from .camera import Intrinsics
from .corrections import Corrected
from .generators import MeshEstimate, Observation, Silhouettes
from .geometry import axis_angle_to_matrix, matrix_to_axis_angle
from .lifters.videopose3d import VideoPose3D
from .progress import Meter
from .scene import on_known_floor
from .sightings import Sighting
from .solve import Solver
from .solve_preset import FitPreset, SolvePreset, TrajectoryPreset
from .take import Person
from .targets.motion import SkeletonMotion

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Footage:
    """What was detected of one person over F frames, and the world they are in."""

    keypoints: NDArray[np.float32]
    """(F, 33, 3) pixels of the upright picture, confidence."""
    world_landmarks: NDArray[np.float32]
    """(F, 33, 3) metres, the estimator's own 3D guess."""
    seconds: Array
    """(F,) times."""
    camera: Intrinsics
    """Of the take."""
    world: Array
    """(4, 4) camera frame → Blender's world."""
    betas: NDArray[np.float32]
    """(10,) the person's shape."""

    @classmethod
    def of(cls, person: Person) -> Footage:
        """Of a finished person of an opened take."""
        clip = person.take.info.clip
        fx, fy, cx, cy = (float(v) for v in person.array("camera"))
        names = ("keypoints_2d", "world_landmarks", "seconds", "world", "betas")
        keypoints, guess, seconds, world, betas = (np.array(person.array(name)) for name in names)
        camera = Intrinsics(fx, fy, cx, cy, clip.width, clip.height, "field")
        return cls(keypoints, guess, seconds, camera, world.astype(np.float64), betas)

    def corrected(self, corrected: Corrected, depth: Array) -> Footage:
        """With the corrections in it. Shape: depth (F,) metres from the camera to the pelvis.

        The estimator's own 3D guess goes along in the picture, and keeps its depth.
        """
        aside = corrected.moved / (self.camera.fx, self.camera.fy) * depth[:, None, None]
        guess = self.world_landmarks + np.concatenate([aside, np.zeros_like(aside[..., :1])], -1)
        keypoints = corrected.keypoints.astype(np.float32)
        return replace(self, keypoints=keypoints, world_landmarks=guess.astype(np.float32))

    def rows(self, start: int, stop: int) -> Sighting:
        """The frames [start, stop) as the solver wants them; the shape is known, so no masks."""
        count, part = stop - start, slice(start, stop)
        return Sighting(
            frames=np.arange(start, stop), seconds=self.seconds[part],
            keypoints=self.keypoints[part], world=self.world_landmarks[part],
            boxes=np.zeros((count, 4), np.float32), masks=np.zeros((0, 64, 64), np.uint8),
            mask_squares=np.zeros((0, 4), np.float32), mask_rows=np.zeros(0, np.int64),
        )  # fmt: skip


class SameShape:
    """A `MeshGenerator` for a window: the take's shape, and no pose, since the mesh stream is not made again."""

    def __init__(self, betas: Tensor) -> None:
        """`betas`: (10,)"""
        self._betas = betas

    def shape(self, silhouettes: Silhouettes, height: float) -> Tensor:
        """The take's. Shape: (10,)."""
        return self._betas

    def pose(self, seen: Observation, betas: Tensor) -> MeshEstimate:
        """The T-pose at the camera, in every frame."""
        count = len(seen.points)
        return MeshEstimate(torch.eye(3).expand(count, 24, 3, 3), torch.zeros(count, 3))


def solver_of(person: Person, footage: Footage) -> Solver:
    """The lifter and the body with the settings of a take's person."""
    settings = person.take.info.settings
    preset = SolvePreset(
        height=person.info.height,
        fit=FitPreset(**settings.get("fit", {})),
        trajectory=TrajectoryPreset(**settings.get("trajectory", {})),
    )
    return Solver(load_default_body(), VideoPose3D(), SameShape(torch.tensor(footage.betas)), preset)


def lift_window(
    solver: Solver, footage: Footage, start: int, stop: int, rest_joints: Array, meter: Meter
) -> tuple[SkeletonMotion, Array]:
    """The frames [start, stop), lifted and fitted, in the world; and the lifter's `log_error` (n, 24).

    `rest_joints`: (24, 3) of the take. Raises Cancelled where the meter is asked to stop.
    """

    def go_on(*_: object) -> None:
        meter.stage("lift", 0, 1)

    streams = solver.look(footage.rows(start, stop), footage.camera, go_on)
    solve = on_known_floor(solver, streams, footage.world, go_on)
    pose = matrix_to_axis_angle(solve.target.local_rotations)
    motion = SkeletonMotion.from_camera(solve.target.root, pose, rest_joints, footage.world)
    return motion, solve.lifted.log_error.double().numpy()


def landmarks_of(solver: Solver, footage: Footage, motion: SkeletonMotion) -> Array:
    """The landmarks at their anatomical places on a body in this pose. Shape: (n, 33, 3) metres, camera frame."""
    root, pose = motion.to_camera(footage.world)
    rotations = axis_angle_to_matrix(torch.tensor(pose, dtype=torch.float32))
    joints, landmarks, _ = solver.rig.pose(rotations, torch.tensor(footage.betas)[None])
    return np.asarray((landmarks - joints[:, :1]).double().numpy() + root[:, None])
