"""Both streams over a clip: resampled to the networks' frame rate, run window by window, and brought back.

Windows overlap by more than a network sees, so the result does not depend on where they are cut, and memory does not
grow with the clip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .generators import MeshEstimate, MeshGenerator, Observation
from .geometry import matrix_to_sixd, sixd_to_matrix
from .lifters import Keypoints, LiftedPose, Lifter

WINDOW, MARGIN = 1024, 64
"""Frames kept of a window, and frames around them that the networks look at: at least 55 a side."""


@dataclass(frozen=True)
class Clock:
    """Frames of a clip on a steady grid."""

    frames: npt.NDArray[np.float64]
    """(F,) seconds of the clip's frames."""
    grid: npt.NDArray[np.float64]
    """(G,) seconds of the grid; the frames' own where their rate is steady and right."""

    @classmethod
    def at(cls, seconds: npt.NDArray[np.float64], fps: float) -> Clock:
        """A grid of `fps` over the clip, or its own frames if they are within half a percent of it."""
        span = float(seconds[-1] - seconds[0])
        steps = np.diff(seconds)
        if len(seconds) < 2 or np.abs(steps * fps - 1).max() < 0.005:
            return cls(seconds, seconds)
        count = max(2, round(span * fps) + 1)
        return cls(seconds, seconds[0] + np.arange(count) / fps)

    @property
    def steady(self) -> bool:
        """Whether nothing is resampled."""
        return self.grid is self.frames

    def to_grid(self, values: Tensor) -> Tensor:
        """Linear interpolation over time. Shape: (F, ...) → (G, ...)."""
        return values if self.steady else _resample(values, self.frames, self.grid)

    def to_frames(self, values: Tensor) -> Tensor:
        """Linear interpolation over time. Shape: (G, ...) → (F, ...)."""
        return values if self.steady else _resample(values, self.grid, self.frames)

    def rotations_to_frames(self, matrices: Tensor) -> Tensor:
        """As `to_frames`, for rotations. Shape: (G, ..., 3, 3) → (F, ..., 3, 3)."""
        return matrices if self.steady else sixd_to_matrix(self.to_frames(matrix_to_sixd(matrices)))


def lift_clip(lifter: Lifter, seen: Observation, clock: Clock, height: float, tick: Callable[[int], None]) -> LiftedPose:
    """The 3D pose stream (section 3.2, "3D Pose Stream") on every frame; `tick` gets the number of finished frames."""
    parts = []
    for part, inner, done in _windows(seen):
        pose = lifter.lift(Keypoints(part.points, part.confidence, part.world), height)
        parts.append([t[inner] for t in (pose.joints, pose.points, pose.rotations, pose.log_error)])
        tick(done)
    joints, points, rotations, log_error = (torch.cat(column) for column in zip(*parts, strict=True))
    return LiftedPose(
        clock.to_frames(joints), clock.to_frames(points), clock.rotations_to_frames(rotations), clock.to_frames(log_error)
    )


def mesh_clip(generator: MeshGenerator, seen: Observation, clock: Clock, betas: Tensor) -> MeshEstimate:
    """The 3D mesh stream's pose and place on every frame (section 3.2, "3D Mesh Stream")."""
    parts = []
    for part, inner, _ in _windows(seen):
        estimate = generator.pose(part, betas)
        parts.append([estimate.pose[inner], estimate.root[inner]])
    pose, root = (torch.cat(column) for column in zip(*parts, strict=True))
    return MeshEstimate(clock.rotations_to_frames(pose), clock.to_frames(root))


def _windows(seen: Observation) -> Iterator[tuple[Observation, slice, int]]:
    """Parts of the clip, which frames of each to keep, and how many frames are then done."""
    count = len(seen.points)
    for start in range(0, count, WINDOW):
        stop = min(start + WINDOW, count)
        low, high = max(start - MARGIN, 0), min(stop + MARGIN, count)
        world = None if seen.world is None else seen.world[low:high]
        part = Observation(seen.points[low:high], seen.confidence[low:high], world)
        yield part, slice(start - low, stop - low), stop


def _resample(values: Tensor, old: npt.NDArray[np.float64], new: npt.NDArray[np.float64]) -> Tensor:
    at = np.searchsorted(old, new, side="right").clip(1, len(old) - 1)
    share = torch.tensor(((new - old[at - 1]) / (old[at] - old[at - 1])).clip(0, 1), dtype=values.dtype)
    share = share.view(-1, *[1] * (values.ndim - 1))
    return values[at - 1] * (1 - share) + values[at] * share
