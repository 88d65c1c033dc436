"""BlazePose on a stream of frames: detect once, then follow every person from frame to frame.

As the original pipeline does (Bazarevsky et al. 2020, section 2.1), a person's next region of interest (ROI) comes from
this frame's alignment points, and the detector runs when someone is lost. Beyond it, several people are followed: the
detector also runs every few frames, and who it finds that no track covers becomes a new track. Someone lost is looked
for in the whole frame, and close to where they were.

The landmarks are given out as the network makes them, without the original's optional smoothing: cleaning up is the
target stack's work, which can be switched off. The two alignment points are filtered over time by the One Euro
filter (Casiez et al. 2012) with the original's constants, as the original always does: a network fed with a steady crop
gives steadier landmarks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..skeletons import LANDMARKS
from ..tracking import associate, overlaps
from . import Frame, FramePoses, PersonPose
from .blazepose_detector import PoseDetector, Roi
from .blazepose_landmarks import LandmarkModel, PoseLandmarks

FREQUENCY: Final = 30.0
"""Frames a second that the filter's constants are meant for: it counts frames, as the original does."""

MIN_CUTOFF: Final = 0.01
"""Cut-off of the alignment points' filter at rest, Hz."""

BETA: Final = 10.0
"""How much the cut-off grows with speed, Hz per body circle diameter a second."""

DERIVATIVE_CUTOFF: Final = 1.0
"""Cut-off of the speed's filter, Hz."""

LOST_WINDOW: Final = 1.6
"""Side of the window in which someone lost is looked for, relative to their last ROI's."""


@dataclass(frozen=True)
class BlazePoseSettings:
    """How people are followed."""

    detect_every: int = 16
    """Look for new people every so many frames; someone lost is looked for at once."""
    mask_every: int = 1
    """Give the masks of every so many frames of the clip, from its first on; all of them take half as long again."""
    thumbnail_every: int = 0
    """Give thumbnails of every so many frames of the clip, from its first on; 0: of none."""
    patience: int = 24
    """Frames that a lost person is looked for before the track ends."""
    start_presence: float = 0.9
    """A new track needs this presence at first sight. People have 0.95 and more, table legs 0.5 to 0.86."""
    max_people: int = 8
    """Follow at most so many people, the detector's best first."""
    same_person: float = 0.6
    """Two tracks whose boxes overlap by more than this follow the same person: the younger one ends."""


class AlignmentFilter:
    """One Euro filter of an ROI's two alignment points, speeds relative to the body circle's diameter."""

    def __init__(self) -> None:
        self._raw: npt.NDArray[np.float64] | None = None
        self._smooth = np.zeros((2, 2))
        self._speed = np.zeros((2, 2))

    def __call__(self, points: npt.NDArray[Any], frames: int = 1) -> npt.NDArray[np.float64]:
        """The filtered points (2, 2) px, given the newest (2, 2) px, `frames` after the last ones."""
        points = np.asarray(points, np.float64)
        if self._raw is None:
            self._raw = self._smooth = points
            return points
        seconds = frames / FREQUENCY
        diameter = 2 * math.hypot(*(points[1] - points[0]))
        speed = (points - self._raw) / max(diameter, 1e-6) / seconds
        self._raw = points
        self._speed = self._speed + self._alpha(np.float64(DERIVATIVE_CUTOFF), seconds) * (speed - self._speed)
        alpha = self._alpha(MIN_CUTOFF + BETA * np.abs(self._speed), seconds)
        self._smooth = self._smooth + alpha * (points - self._smooth)
        return self._smooth

    @staticmethod
    def _alpha(cutoff: npt.NDArray[np.float64] | np.float64, seconds: float) -> npt.NDArray[Any]:
        """Weight of the newest value in a first-order low pass."""
        return np.asarray(1 / (1 + 1 / (2 * math.pi * cutoff * seconds)))


@dataclass
class _Followed:
    """A person being followed."""

    person: int
    roi: Roi
    box: npt.NDArray[np.float32]
    filter: AlignmentFilter
    missing: int = 0  # decoded frames since the person was last seen
    gap: int = 1  # frames since the filter's last value


def landmarks_box(landmarks: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """(4,) x0, y0, x1, y1 around landmarks (K, ≥2)."""
    return np.concatenate([landmarks[:, :2].min(axis=0), landmarks[:, :2].max(axis=0)]).astype(np.float32)


class BlazePose:
    """An `Estimator`. Not safe to share between threads."""

    keypoint_names = LANDMARKS

    def __init__(self, settings: BlazePoseSettings | None = None) -> None:
        """Raises WeightsMissing or WeightsCorrupt."""
        self.settings = settings or BlazePoseSettings()
        self._detector = PoseDetector()
        self._model = LandmarkModel()

    def estimate(self, frames: Iterable[Frame]) -> Iterator[FramePoses]:
        """Follow everyone through consecutive frames; each call starts with a detection and person number 0."""
        run = self.run()
        for index, image in frames:
            yield run.step(index, image)

    def run(self, position: int = 0) -> Run:
        """A new stream from the clip's frame `position` on; several may be open, and share the networks only."""
        return Run(self._detector, self._model, self.settings, position)


class Run:
    """The state of one stream: who is followed, and where they are expected next."""

    def __init__(
        self, detector: PoseDetector, model: LandmarkModel, settings: BlazePoseSettings, position: int = 0
    ) -> None:
        self._detector = detector
        self._model = model
        self._settings = settings
        self._followed: list[_Followed] = []
        self._next_person = 0
        self._since_detection = settings.detect_every  # the first frame is due
        self._position = position

    def step(self, index: int, image: npt.NDArray[np.uint8] | None) -> FramePoses:
        """Everyone in the next frame. An undecodable one (None) changes nothing but the time."""
        due = self._since_detection >= self._settings.detect_every
        self._since_detection += 1
        with_mask = self._position % self._settings.mask_every == 0
        self._position += 1
        if image is None:
            for one in self._followed:
                one.gap += 1
            return FramePoses(index, False, ())
        poses: dict[int, PoseLandmarks] = {}
        for one in self._followed:
            if one.missing == 0 and (pose := self._model(image, one.roi, with_mask)) is not None:
                self._saw(one, pose, poses)
        self._drop_doubles(poses)
        everyone = bool(self._followed) and len(poses) == len(self._followed)
        if due or not everyone:
            self._detect(image, poses, with_mask, search=due)
            self._since_detection = 1 if due else self._since_detection
        for one in self._followed:
            if one.person not in poses:
                one.missing += 1
                one.gap += 1
        self._followed = [one for one in self._followed if one.missing <= self._settings.patience]
        return FramePoses(index, True, tuple(_person(number, poses[number]) for number in sorted(poses)))

    def _saw(self, one: _Followed, pose: PoseLandmarks, poses: dict[int, PoseLandmarks]) -> None:
        """Note where a person is, and where to look next."""
        center, rim = one.filter(pose.alignment, one.gap)
        one.roi = Roi.from_points(center, rim, pose.presence)
        one.box = landmarks_box(pose.landmarks)
        one.missing, one.gap = 0, 1
        poses[one.person] = pose

    def _drop_doubles(self, poses: dict[int, PoseLandmarks]) -> None:
        """End the younger of two tracks that have come to follow the same person."""
        seen = [one for one in self._followed if one.person in poses]
        if len(seen) < 2:
            return
        overlap = overlaps(np.stack([one.box for one in seen]), np.stack([one.box for one in seen]))
        for younger in range(len(seen) - 1, 0, -1):
            if (overlap[younger, :younger] > self._settings.same_person).any():
                self._followed.remove(seen[younger])
                del poses[seen[younger].person]

    def _candidates(self, image: npt.NDArray[np.uint8], poses: dict[int, PoseLandmarks], search: bool) -> list[Roi]:
        """Where people may be, best first."""
        if search:
            return self._detector.search(image)
        found = self._detector.detect(image)
        for one in self._followed:
            if one.person not in poses:
                around = Roi(one.roi.cx, one.roi.cy, LOST_WINDOW * one.roi.size, 0.0)
                found += self._detector.detect(image, around)
        return sorted(found, key=lambda roi: -roi.score)

    def _detect(
        self, image: npt.NDArray[np.uint8], poses: dict[int, PoseLandmarks], with_mask: bool, search: bool
    ) -> None:
        """Find the lost again, and people who are new."""
        for roi in self._candidates(image, poses, search):
            if len(poses) >= self._settings.max_people:
                break
            if any(_same_place(roi, pose.next_roi) for pose in poses.values()):
                continue
            pose = self._model(image, roi, with_mask)
            if pose is None or pose.presence < self._settings.start_presence:
                continue
            box = landmarks_box(pose.landmarks)
            if poses:
                seen = np.stack([landmarks_box(other.landmarks) for other in poses.values()])
                if overlaps(box[None], seen).max() > self._settings.same_person:
                    continue
            lost = [one for one in self._followed if one.person not in poses]
            pairs = associate(np.stack([one.box for one in lost]), box[None]) if lost else []
            if pairs:
                one = lost[pairs[0][0]]
                one.filter = AlignmentFilter()
            else:
                one = _Followed(self._next_person, roi, box, AlignmentFilter())
                self._next_person += 1
                self._followed.append(one)
            self._saw(one, pose, poses)


def _same_place(a: Roi, b: Roi) -> bool:
    """Whether two ROIs are of the same body: like in size, and centres within a sixth of it."""
    larger, smaller = max(a.size, b.size), min(a.size, b.size)
    return math.hypot(a.cx - b.cx, a.cy - b.cy) < larger / 6 and smaller > 0.6 * larger


def _person(number: int, pose: PoseLandmarks) -> PersonPose:
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
