"""Both streams over a clip: resampled to the networks' frame rate, run window by window, and brought back.

Windows overlap by more than a network sees, so the result does not depend on where they are cut, and memory does not
grow with the clip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .generators import MeshEstimate, MeshGenerator, Observation
from .geometry import matrix_to_sixd, sixd_to_matrix
from .lifters import Keypoints, LiftedPose, Lifter

WINDOW: Final = 1024
"""Frames kept of a window."""

MARGIN: Final = 80
"""Frames around them that the networks look at. An output depends on 78 a side: 40 of the lifter's receptive field, 15
of the body's mean size, 4 of the virtual camera's mean roll, 15 of the size that the trunk is measured by, and 4 of the
mean axis."""


@dataclass(frozen=True)
class Clock:
    """Frames of a clip on a steady grid."""

    frames: npt.NDArray[np.float64]
    """(F,) seconds of the clip's frames."""
    grid: npt.NDArray[np.float64]
    """(G,) seconds of the grid, from the first frame to the last; the frames' own where these are steady and right."""

    @classmethod
    def at(cls, seconds: npt.NDArray[np.float64], fps: float) -> Clock:
        """The grid over the clip that is nearest to `fps`, or the clip's own frames if all are within half a percent.

        Args:
            seconds: (F,) times of the frames, strictly increasing.
        """
        steps = np.diff(seconds)
        if seconds.ndim != 1 or len(seconds) == 0 or not (np.isfinite(seconds).all() and (steps > 0).all()):
            raise ValueError(f"seconds: found {seconds.shape}, want (F,) strictly increasing")
        if np.abs(steps * fps - 1).max(initial=0) < 0.005:
            return cls(seconds, seconds)
        count = max(2, round(float(seconds[-1] - seconds[0]) * fps) + 1)
        return cls(seconds, np.linspace(seconds[0], seconds[-1], count))

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


def lift_clip(
    lifter: Lifter, seen: Observation, clock: Clock, height: float, tick: Callable[[int], None]
) -> LiftedPose:
    """The 3D pose stream (section 3.2, "3D Pose Stream") on every frame of the clip.

    Args:
        seen: the person on the clock's grid.
        height: stature in metres.
        tick: called with the number of finished frames of the grid.
    """
    _check(seen, clock)
    parts = []
    for part, inner, done in _windows(seen):
        pose = lifter.lift(Keypoints(part.points, part.confidence, part.world), height)
        parts.append([t[inner] for t in (pose.joints, pose.points, pose.rotations, pose.log_error)])
        tick(done)
    joints, points, rotations, log_error = (torch.cat(column) for column in zip(*parts, strict=True))
    return LiftedPose(
        joints=clock.to_frames(joints),
        points=clock.to_frames(points),
        rotations=clock.rotations_to_frames(rotations),
        log_error=clock.to_frames(log_error),
    )


def mesh_clip(generator: MeshGenerator, seen: Observation, clock: Clock, betas: Tensor) -> MeshEstimate:
    """The 3D mesh stream's pose and place on every frame of the clip (section 3.2, "3D Mesh Stream").

    Args:
        seen: the person on the clock's grid.
        betas: (10,)
    """
    _check(seen, clock)
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


def _check(seen: Observation, clock: Clock) -> None:
    if len(seen.points) != len(clock.grid):
        raise ValueError(f"seen: found {len(seen.points)} frames, want the {len(clock.grid)} of the clock's grid")


def _resample(values: Tensor, old: npt.NDArray[np.float64], new: npt.NDArray[np.float64]) -> Tensor:
    at = np.searchsorted(old, new, side="right").clip(1, len(old) - 1)
    share = torch.tensor(((new - old[at - 1]) / (old[at] - old[at - 1])).clip(0, 1), dtype=values.dtype)
    share = share.view(-1, *[1] * (values.ndim - 1))
    return values[at - 1] * (1 - share) + values[at] * share
