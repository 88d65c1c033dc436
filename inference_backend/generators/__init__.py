"""Mesh generators (HMR): keypoints and person masks in, pose, shape and camera of the body out.

Generators know nothing of estimators and lifters: whoever has the `MeshGenerator` protocol's members can stand in for
another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


@dataclass(frozen=True)
class Observation:
    """What a generator may look at: one person over consecutive frames."""

    points: Tensor
    """(F, 33, 2) BlazePose's landmarks in camera-normalised coordinates."""
    confidence: Tensor
    """(F, 33) 0 to 1."""
    world: Tensor | None
    """(F, 33, 3) metres: the estimator's own 3D guess, camera's axes, origin between the hips; None: it has none."""


@dataclass(frozen=True)
class Silhouettes:
    """Person masks of some frames, for the shape."""

    masks: Tensor
    """(M, 64, 64) 0 to 1, in a square about the person that is turned so that the body is upright."""
    points: Tensor
    """(M, 33, 2) the landmarks in that square, 0 to 1 along its sides."""
    confidence: Tensor
    """(M, 33) 0 to 1."""


@dataclass(frozen=True)
class MeshEstimate:
    """θ, R and t of the mesh stream's Θ = (β, θ, R, t) (section 3.1). Camera frame, on the CPU."""

    pose: Tensor
    """(F, 24, 3, 3) rotations relative to the parent, the pelvis' relative to the camera."""
    root: Tensor
    """(F, 3) the pelvis in metres."""


class MeshGenerator(Protocol):
    """A mesh generator."""

    def shape(self, silhouettes: Silhouettes, height: float) -> Tensor:
        """One shape for the take, of the given stature in metres. Shape: (10,)."""
        ...

    def pose(self, seen: Observation, betas: Tensor) -> MeshEstimate:
        """Pose and place in every frame, for a body of shape `betas` (10,)."""
        ...
