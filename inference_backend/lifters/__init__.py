"""2D→3D lifters: keypoints over time in, the target pose out.

Lifters know nothing of estimators and mesh generators: whoever has the `Lifter` protocol's members can stand in for
another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


@dataclass(frozen=True)
class Keypoints:
    """One person's keypoints over consecutive frames at a steady rate."""

    points: Tensor
    """(F, K, 2) in camera-normalised coordinates: ((x - cx) / fx, (y - cy) / fy)."""
    confidence: Tensor
    """(F, K) 0 to 1; 0 in a frame that has no detection, whose points are then interpolated."""
    world: Tensor | None
    """(F, K, 3) metres: the estimator's own 3D guess, camera's axes, origin between the hips; None: it has none."""


@dataclass(frozen=True)
class LiftedPose:
    """The target pose of the 3D pose stream. Camera frame, metres, on the CPU."""

    joints: Tensor
    """(F, 24, 3) SMPL's joints."""
    points: Tensor
    """(F, 11, 3) the extra points, `skeletons.POINTS`."""
    rotations: Tensor
    """(F, 24, 3, 3) global rotations relative to the T-pose."""
    log_error: Tensor
    """(F, 24) the lifter's own estimate of the log of each joint's error in metres."""


class Lifter(Protocol):
    """A 2D→3D lifter."""

    fps: float
    """The frame rate it was trained at; its input is resampled to it."""

    def lift(self, keypoints: Keypoints, height: float) -> LiftedPose:
        """The pose of a person of this stature in metres."""
        ...
