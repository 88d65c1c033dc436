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
from .alignment_filter import AlignmentFilter
from .blazepose_detector import FINE, FINE_STEP, LARGE, PoseDetector, Roi, parts
from .blazepose_landmarks import LandmarkModel, PoseLandmarks

LOST_WINDOW: Final = 1.6
"""Side of the window in which someone lost is looked for, relative to their last ROI's."""

SETTLED: Final = 0.99
"""Presence of somebody new below which they are looked at again: of a body that the picture's edge cuts, the detector
may make one that faces the other way."""

SETTLING: Final = 2
"""How often they are looked at again at most."""


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
        self._fresh = True
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
            self._fresh = False
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

    def _candidates(self, image: npt.NDArray[np.uint8], poses: dict[int, PoseLandmarks], search: bool) -> Iterator[Roi]:
        """Where people may be: in the frame, where someone was lost, and closer as long as all who are found are small.

        Within each of these the best come first. `poses` grows between them.
        """
        found = self._detector.detect(image)
        for one in self._followed:
            if one.person not in poses:
                around = Roi(one.roi.cx, one.roi.cy, LOST_WINDOW * one.roi.size, 0.0)
                found += self._detector.detect(image, around)
        yield from _best_first(found)
        height, width = image.shape[:2]
        if search and not _somebody_large(image, poses):
            yield from _best_first([roi for part in parts(width, height) for roi in self._detector.detect(image, part)])
            # Whom a run does not find at its start is lost for all of it.
            if self._fresh and poses and not _somebody_large(image, poses):
                closer = parts(width, height, FINE, FINE_STEP)
                yield from _best_first([roi for part in closer for roi in self._detector.detect(image, part)])

    def _settled(self, image: npt.NDArray[np.uint8], pose: PoseLandmarks, with_mask: bool) -> PoseLandmarks:
        """Somebody new, looked at again where they are now known to be."""
        for _ in range(SETTLING):
            again = self._model(image, pose.next_roi, with_mask) if pose.presence < SETTLED else None
            if again is None or again.presence < pose.presence:
                break
            pose = again
        return pose

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
            pose = self._settled(image, pose, with_mask)
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


def _best_first(found: list[Roi]) -> list[Roi]:
    return sorted(found, key=lambda roi: -roi.score)


def _somebody_large(image: npt.NDArray[np.uint8], poses: dict[int, PoseLandmarks]) -> bool:
    return any(pose.next_roi.size > LARGE * min(image.shape[:2]) for pose in poses.values())


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
