"""Somebody whom BlazePose follows: where they were last seen, and where they are expected."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from . import PersonPose
from .alignment_filter import AlignmentFilter
from .blazepose_detector import Roi
from .blazepose_landmarks import PoseLandmarks
from .second_look import SecondLook

OTHER_POSE: Final = 0.06
"""Mean distance of two poses' landmarks over the longer side of their box, from which on they are not the same."""


@dataclass
class Followed:
    """A person being followed."""

    person: int
    roi: Roi
    landmarks: npt.NDArray[np.float32]
    filter: AlignmentFilter
    missing: int = 0  # decoded frames since the person was last seen
    gap: int = 1  # frames since the filter's last value
    second: SecondLook = field(default_factory=SecondLook)

    @property
    def box(self) -> npt.NDArray[np.float32]:
        """(4,) around them where they were last seen."""
        return landmarks_box(self.landmarks)

    def saw(self, pose: PoseLandmarks) -> None:
        """Note where the person is, and where to look next."""
        center, rim = self.filter(pose.alignment, self.gap)
        self.roi = Roi.from_points(center, rim, pose.presence)
        self.landmarks = pose.landmarks
        self.missing, self.gap = 0, 1

    def differs(self, other: PersonPose) -> bool:
        """Whether this is surely a person, and was just seen in another pose than `other`."""
        way = np.linalg.norm(self.landmarks[:, :2] - other.keypoints[:, :2], axis=1).mean()
        size = np.ptp(self.landmarks[:, :2], axis=0).max()
        return self.second.known and not self.missing and bool(way > OTHER_POSE * size)


def landmarks_box(landmarks: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """(4,) x0, y0, x1, y1 around landmarks (K, ≥2)."""
    return np.concatenate([landmarks[:, :2].min(axis=0), landmarks[:, :2].max(axis=0)]).astype(np.float32)


def same_place(a: Roi, b: Roi) -> bool:
    """Whether two ROIs are of the same body: like in size, and centres within a sixth of it."""
    larger, smaller = max(a.size, b.size), min(a.size, b.size)
    return math.hypot(a.cx - b.cx, a.cy - b.cy) < larger / 6 and smaller > 0.6 * larger


def person_pose(number: int, pose: PoseLandmarks) -> PersonPose:
    """The estimators' common form of a pose."""
    return PersonPose(
        person=number,
        keypoints=np.concatenate([pose.landmarks[:, :2], pose.visibility[:, None]], axis=1),
        box=landmarks_box(pose.landmarks),
        presence=pose.presence,
        depth=pose.landmarks[:, 2].copy(),
        world=pose.world,
        mask=pose.mask,
        mask_square=np.array([pose.roi.cx, pose.roi.cy, pose.roi.size, pose.roi.angle], np.float32),
    )
