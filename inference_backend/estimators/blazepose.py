"""BlazePose on a stream of frames: detect once, then follow every person from frame to frame.

As the original pipeline does (Bazarevsky et al. 2020, section 2.1), a person's next region of interest (ROI) comes from
this frame's alignment points, and the detector runs when someone is lost. Beyond it, several people are followed: the
detector also runs every few frames, and who it finds that no track covers becomes a new track. Someone lost is looked
for in the whole frame, and close to where they were. Doubtful frames are looked at again (`second_look`).

The landmarks are given out as the network makes them, without the original's optional smoothing: cleaning up is the
target stack's work, which can be switched off. The two alignment points are filtered over time by the One Euro
filter (Casiez et al. 2012) with the original's constants, as the original always does: a network fed with a steady crop
gives steadier landmarks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from ..skeletons import LANDMARKS
from ..tracking import associate, overlaps
from . import Frame, FramePoses
from .alignment_filter import AlignmentFilter
from .blazepose_detector import PoseDetector, Roi
from .blazepose_landmarks import LandmarkModel, LandmarkSize, PoseLandmarks
from .blazepose_search import candidates
from .followed import Followed, landmarks_box, person_pose, same_place
from .second_look import SecondLook, within

SETTLED: Final = 0.99
"""Presence of somebody new below which they are looked at again: of a body that the picture's edge cuts, the detector
may make one that faces the other way."""

SETTLING: Final = 2
"""How often they are looked at again at most."""


@dataclass(frozen=True)
class BlazePoseSettings:
    """How people are followed."""

    landmark_model: LandmarkSize = "heavy"
    """Which of BlazePose's landmark models."""
    detect_every: int = 16
    """Look for new people every so many frames; someone lost is looked for at once."""
    mask_every: int = 1
    """Give the masks of every so many frames of the clip, from its first on; all of them take half as long again."""
    patience: int = 24
    """Frames that a lost person is looked for before the track ends."""
    start_presence: float = 0.9
    """A new track needs this presence at first sight. People have 0.95 and more, table legs 0.5 to 0.86."""
    max_people: int = 8
    """Follow at most so many people, the detector's best first."""
    second_look: bool = True
    """Look at doubtful frames again; the original does not."""
    same_person: float = 0.6
    """Two tracks whose boxes overlap by more than this follow the same person: the younger one ends."""


class BlazePose:
    """An `Estimator`. Not safe to share between threads."""

    keypoint_names = LANDMARKS

    def __init__(self, settings: BlazePoseSettings | None = None) -> None:
        """Raises WeightsMissing or WeightsCorrupt."""
        self.settings = settings or BlazePoseSettings()
        self._detector = PoseDetector()
        self._model = LandmarkModel(self.settings.landmark_model)

    def estimate(self, frames: Iterable[Frame]) -> Iterator[FramePoses]:
        """Follow everyone through consecutive frames; each call starts with a detection and person number 0."""
        run = self.run()
        waiting: list[FramePoses] = []
        for index, image in frames:
            waiting.append(run.step(index, image))
            if not run.undecided:
                yield from run.decided(waiting)
                waiting = []
        yield from run.decided(waiting)

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
        self._followed: list[Followed] = []
        self._next_person = 0
        self._since_detection = settings.detect_every  # the first frame is due
        self._fresh = True
        self._position = position
        self._seconds: dict[int, SecondLook] = {}
        self._newcomers = True

    @property
    def following(self) -> bool:
        """Whether anybody is followed, or lost and looked for."""
        return bool(self._followed)

    def leave(self, found: FramePoses) -> None:
        """Go on with nobody but those whom another run does not see like this in the same frame.

        That is, whom it does not see at all, and people known for sure whom it sees in another pose. Whoever is lost
        when this is first called is not looked for any more.
        """
        left = [one for one in self._followed if found.decoded and not (self._newcomers and one.missing)]
        self._newcomers = False
        if left and found.people:
            pairs = associate(np.stack([one.box for one in left]), np.stack([one.box for one in found.people]))
            taken = {i for i, j in pairs if not left[i].differs(found.people[j])}
            left = [one for i, one in enumerate(left) if i not in taken]
        self._followed = left

    @property
    def undecided(self) -> bool:
        """Whether frames that were given out may yet change."""
        return any(second.chain is not None for second in self._seconds.values())

    def decided(self, frames: Iterable[FramePoses]) -> list[FramePoses]:
        """Frames that `step` gave out, as they are after all. Ends what is undecided."""
        for second in self._seconds.values():
            second.decide()
        out = []
        for frame in frames:
            better = {n: second.decided.pop(frame.index, None) for n, second in self._seconds.items()}
            people = (
                person_pose(one.person, pose) if (pose := better.get(one.person)) else one for one in frame.people
            )
            out.append(replace(frame, people=tuple(people)))
        followed = {one.person for one in self._followed}
        self._seconds = {number: second for number, second in self._seconds.items() if number in followed}
        for second in self._seconds.values():
            second.decided.clear()  # of frames that were decided earlier
        return out

    def step(self, index: int, image: npt.NDArray[np.uint8] | None) -> FramePoses:
        """Everyone in the next frame, at first sight (see `decided`). None, undecodable, changes the time only."""
        due = self._since_detection >= self._settings.detect_every
        self._since_detection += 1
        with_mask = self._position % self._settings.mask_every == 0
        self._position += 1
        if image is None:
            for one in self._followed:
                one.gap += 1
            return FramePoses(index, False, ())
        poses: dict[int, PoseLandmarks] = {}
        expected = [one for one in self._followed if one.missing == 0]
        first = {one.person: self._model(image, one.roi, with_mask) for one in expected}
        for one in expected:
            others = [pose for number, pose in first.items() if number != one.person and pose is not None]
            self._look(index, image, one, first[one.person], others, poses, with_mask)
        self._drop_doubles(poses)
        everyone = bool(self._followed) and len(poses) == len(self._followed)
        if (due and self._newcomers) or not everyone:
            self._detect(index, image, poses, with_mask, search=due)
            self._fresh = False
            self._since_detection = 1 if due else self._since_detection
        for one in self._followed:
            if one.person not in poses:
                one.missing += 1
                one.gap += 1
                one.second.lost()
        self._followed = [one for one in self._followed if one.missing <= self._settings.patience]
        return FramePoses(index, True, tuple(person_pose(number, poses[number]) for number in sorted(poses)))

    def _look(
        self, index: int, image: npt.NDArray[np.uint8], one: Followed, pose: PoseLandmarks | None,
        others: list[PoseLandmarks], poses: dict[int, PoseLandmarks], with_mask: bool,
    ) -> None:  # fmt: skip
        """Take the pose that the model gives for where a person is expected, or what a second look makes of it."""

        def look(roi: Roi) -> PoseLandmarks | None:
            again = self._model(image, roi, with_mask)
            if again is None or any(same_place(again.next_roi, other.next_roi) for other in others):
                return None
            return again

        if self._settings.second_look:
            self._seconds[one.person] = one.second
            cut = not within(one.landmarks if pose is None else pose.landmarks, image.shape[1], image.shape[0])
            pose, jumped = one.second.see(index, look, one.roi, pose, self._settings.start_presence, cut=cut)
            if jumped:
                one.filter = AlignmentFilter()
        if pose is not None:
            one.saw(pose)
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

    def _settled(self, image: npt.NDArray[np.uint8], pose: PoseLandmarks, with_mask: bool) -> PoseLandmarks:
        """Somebody new, looked at again where they are now known to be."""
        for _ in range(SETTLING):
            again = self._model(image, pose.next_roi, with_mask) if pose.presence < SETTLED else None
            if again is None or again.presence < pose.presence:
                break
            pose = again
        return pose

    def _detect(
        self, index: int, image: npt.NDArray[np.uint8], poses: dict[int, PoseLandmarks], with_mask: bool, search: bool
    ) -> None:
        """Find the lost again, and people who are new."""
        lost_at = [one.roi for one in self._followed if one.person not in poses]
        for roi in candidates(self._detector, image, poses, lost_at, parted=search, fine=self._fresh):
            if len(poses) >= self._settings.max_people:
                break
            if any(same_place(roi, pose.next_roi) for pose in poses.values()):
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
            elif not self._newcomers:
                continue
            else:
                one = Followed(self._next_person, roi, pose.landmarks, AlignmentFilter())
                self._next_person += 1
                self._followed.append(one)
            one.roi = pose.roi
            self._look(index, image, one, pose, list(poses.values()), poses, with_mask)
