"""2D pose estimators: frames in, keypoints of every person out.

Estimators know nothing of each other, nor of lifters and mesh generators: whoever has the `Estimator` protocol's
two members can stand in for another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Frame: TypeAlias = tuple[int, npt.NDArray[np.uint8] | None]
"""Index in the footage, and the upright image (H, W, 3) uint8 RGB, or None where the frame cannot be decoded."""


@dataclass(frozen=True)
class PersonPose:
    """One person in one frame. What an estimator does not give is None."""

    person: int
    """The same number for the same person in all frames of a stream; counts from 0 in order of appearance."""
    keypoints: npt.NDArray[np.float32]
    """(K, 3): x, y in px of the upright image (pixel centres at integers), and confidence in [0, 1]."""
    box: npt.NDArray[np.float32]
    """(4,) x0, y0, x1, y1 px: around the keypoints."""
    presence: float
    """Confidence in [0, 1] that there is a person at all."""
    depth: npt.NDArray[np.float32] | None = None
    """(K,) px: depth relative to the hips in the unit of x and y, negative towards the camera."""
    world: npt.NDArray[np.float32] | None = None
    """(K, 3) metres: the estimator's own 3D guess, origin between the hips, axes of the camera (x right, y down,
    z forward)."""
    mask: npt.NDArray[np.uint8] | None = None
    """(64, 64): probability · 255 that a cell shows the person; may be given for some frames only."""
    mask_square: npt.NDArray[np.float32] | None = None
    """(4,): the image square that a mask covers: centre x, y and side in px, clockwise angle in rad."""


@dataclass(frozen=True)
class FramePoses:
    """All people of one frame."""

    index: int
    """Index in the footage."""
    decoded: bool
    """False: the frame could not be decoded, so nobody is known to be there or not."""
    people: tuple[PersonPose, ...]
    """By ascending person number; empty where nobody is seen."""
    thumbnail: npt.NDArray[np.uint8] | None = None
    """(h, w): the picture as `camera_motion.flattened` makes it, in the frames for which it was asked."""


class Estimator(Protocol):
    """A 2D pose estimator."""

    keypoint_names: tuple[str, ...]
    """Names of the K keypoints, in their order."""

    def estimate(self, frames: Iterable[Frame]) -> Iterator[FramePoses]:
        """One result per frame, in order, as a stream: nothing is kept that grows with the number of frames."""
        ...
