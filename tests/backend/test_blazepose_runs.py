"""Following people, cutting clips into runs, and joining them. Stand-ins take the networks' places."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from inference_backend.estimators import FramePoses
from inference_backend.estimators.blazepose import BlazePoseSettings, Run
from inference_backend.estimators.blazepose_detector import FINE, FINE_STEP, Roi, parts
from inference_backend.estimators.blazepose_landmarks import PoseLandmarks
from inference_backend.estimators.blazepose_runs import (
    RUN_FRAMES,
    Block,
    RunJoiner,
    block_poses,
    plan_blocks,
)

HEIGHT = 120.0


def frame(*people, presence=1.0):
    """A picture that says, in its first bytes, who stands where: a stand-in for one that shows them."""
    image = np.zeros((400, 900, 3), np.uint8)
    for k, (x, y) in enumerate(people):
        image[0, k] = (x // 4, y // 4, round(255 * presence))
    return image


def standing(image):
    return [(4.0 * x, 4.0 * y, p / 255) for x, y, p in image[0].tolist() if p]


class Detector:
    """Finds whoever a frame names."""

    def detect(self, image, window=None):
        rois = [Roi(x, y, 1.25 * HEIGHT, 0.0, 0.9) for x, y, _ in standing(image)]
        return [roi for roi in rois if window is None or abs(roi.cx - window.cx) < window.size / 2]


class Model:
    """Sees who is near the ROI's centre."""

    def __call__(self, image, roi, with_mask=True):
        near = [(x, y, p) for x, y, p in standing(image) if max(abs(x - roi.cx), abs(y - roi.cy)) < HEIGHT / 4]
        if not near:
            return None
        x, y, presence = near[0]
        landmarks = np.zeros((33, 3), np.float32)
        landmarks[:, 0], landmarks[:, 1] = x + np.linspace(-20, 20, 33), y + np.linspace(-60, 60, 33)
        mask = np.zeros((64, 64), np.uint8) if with_mask else None
        points = np.array([(x, y), (x, y - HEIGHT / 2)], np.float32)
        return PoseLandmarks(landmarks, np.ones(33, np.float32), presence, landmarks, mask, roi, points)


@dataclass
class Pose:
    """`BlazePose` over the stand-ins."""

    settings: BlazePoseSettings

    def run(self, position=0):
        return Run(Detector(), Model(), self.settings, position)


def follow(frames, **settings):
    run = Pose(BlazePoseSettings(**settings)).run()
    return [run.step(k, image) for k, image in enumerate(frames)]


def numbers(poses):
    return [[one.person for one in frame.people] for frame in poses]


def test_people_keep_their_numbers_as_they_pass_each_other():
    frames = [frame((100 + 8 * k, 100), (500 - 8 * k, 300)) for k in range(40)]
    poses = follow(frames)
    assert numbers(poses) == [[0, 1]] * 40
    assert poses[-1].people[0].box[1] < 100 < 200 < poses[-1].people[1].box[1]


def test_someone_new_is_found_when_it_is_time():
    frames = [frame((100, 200))] * 3 + [frame((100, 200), (500, 200))] * 20
    assert numbers(follow(frames, detect_every=8)) == [[0]] * 8 + [[0, 1]] * 15


def test_someone_lost_is_found_again_under_the_same_number_for_a_while():
    here, gone = frame((100, 200)), frame()
    assert numbers(follow([here] * 3 + [gone] * 5 + [here] * 3, patience=5)) == [[0]] * 3 + [[]] * 5 + [[0]] * 3
    assert numbers(follow([here] * 3 + [gone] * 6 + [here] * 3, patience=5)) == [[0]] * 3 + [[]] * 6 + [[1]] * 3


def test_an_undecodable_frame_changes_nothing():
    here = frame((100, 200))
    poses = follow([here, None, None, here], patience=0)
    assert numbers(poses) == [[0], [], [], [0]]
    assert [pose.decoded for pose in poses] == [True, False, False, True]


def test_a_new_track_needs_more_presence_than_an_old_one():
    dim, clear = frame((100, 200), presence=0.7), frame((100, 200))
    assert numbers(follow([dim, clear, dim, dim])) == [[], [0], [0], [0]]


def test_two_tracks_on_one_person_become_one():
    apart = [frame((100, 200), (180, 200))] * 2
    merged = [frame((100 + 4 * k, 200), (180, 200)) for k in range(20)] + [frame((180, 200))] * 3
    poses = follow(apart + merged)
    assert numbers(poses)[0] == [0, 1]
    assert len(numbers(poses)[-1]) == 1


def test_no_more_than_the_settings_allow():
    assert numbers(follow([frame((100, 200), (300, 200), (500, 200))], max_people=2)) == [[0, 1]]


class Nearsighted(Detector):
    """Finds people only in windows that they fill well enough; in the whole frame something large that is nobody."""

    def __init__(self, window=np.inf):
        self.window, self.windows = window, []

    def detect(self, image, window=None):
        if window is None:
            return [Roi(450, 200, 900.0, 0.0, 0.6)]
        self.windows.append(window.size)
        return super().detect(image, window) if window.size <= self.window else []


def nearsighted(frames, window=np.inf):
    detector = Nearsighted(window)
    run = Run(detector, Model(), BlazePoseSettings(detect_every=4))
    return [run.step(k, image) for k, image in enumerate(frames)], detector


def test_something_large_that_is_nobody_does_not_keep_from_looking_closer():
    poses, _ = nearsighted([frame((100, 200), (600, 200))] * 2)
    assert sorted(numbers(poses)[0]) == [0, 1]


@pytest.mark.parametrize(("large", "looks"), [(0.1, False), (2.0, True)])
def test_somebody_large_keeps_from_looking_closer(monkeypatch, large, looks):
    class Logging(Detector):
        windows = 0

        def detect(self, image, window=None):
            self.windows += window is not None
            return super().detect(image, window)

    monkeypatch.setattr("inference_backend.estimators.blazepose_search.LARGE", large)
    run = Run(detector := Logging(), Model(), BlazePoseSettings())
    assert numbers([run.step(0, frame((100, 200)))]) == [[0]]
    assert (detector.windows > 0) is looks


def test_a_run_looks_closest_at_its_start_where_everyone_is_small():
    """Only half a frame's side is near enough, but one person is found at once."""
    both, shorter = [frame((100, 200), (600, 200))] * 6, 400
    poses, detector = nearsighted(both, window=0.7 * shorter)
    assert numbers(poses)[0] == []  # nobody at all was found from further away, so the picture may well be empty
    assert min(detector.windows) == shorter

    class One(Nearsighted):
        """Sees the first person from anywhere."""

        def detect(self, image, window=None):
            found = super().detect(image, window)
            return found + [roi for roi in Detector().detect(image, window) if roi.cx < 300 and window is not None]

    run = Run(one := One(0.7 * shorter), Model(), BlazePoseSettings(detect_every=4))
    poses = [run.step(k, image) for k, image in enumerate(both)]
    assert sorted(numbers(poses)[0]) == [0, 1]
    fine = sum(size < shorter for size in one.windows)
    assert fine == len(parts(900, 400, FINE, FINE_STEP))  # at the start alone


def test_somebody_new_and_unsure_is_looked_at_again():
    class Unsure(Model):
        """Is surer of whom it looks at the second time, until the third."""

        def __init__(self):
            self.looks = 0

        def __call__(self, image, roi, with_mask=True):
            pose = super().__call__(image, roi, with_mask)
            self.looks += 1
            return pose and replace(pose, presence=min(0.92 + 0.03 * self.looks, 1.0))

    run = Run(Detector(), model := Unsure(), BlazePoseSettings())
    (one,) = run.step(0, frame((100, 200))).people
    assert model.looks == 3
    assert one.presence == pytest.approx(1.0, abs=0.01)
    run.step(1, frame((100, 200)))
    assert model.looks == 4
    run = Run(Detector(), Model(), BlazePoseSettings())
    assert run.step(0, frame((100, 200))).people[0].presence == 1.0


def test_masks_follow_the_clips_positions():
    run = Pose(BlazePoseSettings(mask_every=5)).run(29)
    poses = [run.step(k, frame((100, 200))) for k in range(29, 41)]
    assert [pose.index for pose in poses if pose.people[0].mask is not None] == [30, 35, 40]


@pytest.mark.parametrize(("start", "stop", "workers"), [(0, 1, 4), (0, 247, 2), (60, 5000, 3), (30, 31, 1), (0, 0, 2)])
def test_blocks_cover_the_clip_and_are_cut_where_runs_are(start, stop, workers):
    blocks = plan_blocks(start, stop, workers)
    frames = [k for block in blocks for k in range(block.start, block.stop)]
    assert frames == list(range(start, stop))
    assert all(block.start % RUN_FRAMES == 0 for block in blocks)
    sizes = [len(block.runs()) for block in blocks]
    assert max(sizes, default=0) - min(sizes, default=0) <= 1
    assert max(sizes, default=0) <= 10


def test_runs_start_at_cuts():
    with pytest.raises(ValueError, match="multiple"):
        plan_blocks(31, 90, 2)


def walk(count):
    """Two people walking; the second is there from frame 20, and away from 55 to 62, over the cut at 60."""
    frames = []
    for k in range(count):
        people = [(100 + 2 * k, 100)]
        if k >= 20 and not 55 <= k <= 62:
            people.append((700 - 2 * k, 300))
        frames.append(None if k == 89 else frame(*people))
    return lambda start, stop: iter([(k + 1000, frames[k]) for k in range(start, min(stop, count))])


def joined(source, blocks, before=()):
    joiner, poser = RunJoiner(24, before), Pose(BlazePoseSettings())
    return [pose for block in blocks for run in block_poses(source, block, poser) for pose in joiner.join(run)]


def same(a, b):
    assert [(x.index, x.decoded) for x in a] == [(y.index, y.decoded) for y in b]
    for x, y in zip(a, b, strict=True):
        assert [one.person for one in x.people] == [one.person for one in y.people]
        for one, other in zip(x.people, y.people, strict=True):
            assert np.array_equal(one.keypoints, other.keypoints)


def test_runs_join_to_the_same_result_however_they_are_parted():
    source = walk(150)
    whole = joined(source, [Block(0, 150)])
    same(joined(source, plan_blocks(0, 150, 2)), whole)
    same(joined(source, plan_blocks(0, 150, 5)), whole)
    assert [pose.index for pose in whole] == list(range(1000, 1150))
    assert numbers(whole)[40] == numbers(whole)[80] == numbers(whole)[149] == [0, 1]
    assert numbers(whole)[58] == [0]
    assert whole[89].people == ()


def test_a_job_goes_on_where_it_was_stopped():
    source = walk(150)
    whole = joined(source, [Block(0, 150)])
    same(whole[:60] + joined(source, [Block(60, 150)], before=whole[:60]), whole)


def test_a_clip_may_be_shorter_than_it_said():
    assert [pose.index for pose in joined(walk(100), plan_blocks(0, 200, 2))] == list(range(1000, 1100))


def test_poses_are_renumbered_without_losing_anything():
    run = next(block_poses(walk(60), Block(30, 60), Pose(BlazePoseSettings())))
    before = [FramePoses(0, True, (replace(run.frames[0].people[1], person=4),))] * 3
    (first, *_) = RunJoiner(24, before).join(run)
    assert [one.person for one in first.people] == [4, 5]
    assert np.array_equal(first.people[0].keypoints, run.frames[0].people[1].keypoints)


class Shy(Detector):
    """Finds nobody whose presence is low."""

    def detect(self, image, window=None):
        sure = [(x, y) for x, y, presence in standing(image) if presence > 0.95]
        return [roi for roi in super().detect(image, window) if (roi.cx, roi.cy) in sure]


@dataclass
class ShyPose(Pose):
    """`BlazePose` with a detector that misses people."""

    def run(self, position=0):
        return Run(Shy(), Model(), self.settings, position)


def dim(count, low, high):
    """Two people walking; the second is hard to find from frame `low` to `high` - 1."""

    def picture(k):
        image = frame((100 + 2 * k, 100), (700 - 2 * k, 300))
        if low <= k < high:
            image[0, 1, 2] = 235
        return image

    return lambda start, stop: iter([(k + 1000, picture(k)) for k in range(start, min(stop, count))])


def shyly(source, blocks, before=(), last=None):
    joiner, poser = RunJoiner(24, before, last), ShyPose(BlazePoseSettings())
    return [pose for block in blocks for run in block_poses(source, block, poser) for pose in joiner.join(run)]


def test_a_run_goes_on_with_whom_the_next_one_does_not_find():
    source = dim(150, 50, 85)
    whole = shyly(source, [Block(0, 150)])
    assert numbers(whole) == [[0, 1]] * 150
    same(shyly(source, plan_blocks(0, 150, 2)), whole)
    same(shyly(source, plan_blocks(0, 150, 5)), whole)
    runs = list(block_poses(source, Block(30, 90), ShyPose(BlazePoseSettings())))
    assert [len(run.after) for run in runs] == [30, 0]
    assert all(len(frame.people) == 1 for frame in runs[0].after)


def test_a_run_goes_on_for_one_run_only():
    whole = shyly(dim(150, 50, 150), [Block(0, 150)])
    assert numbers(whole) == [[0, 1]] * 90 + [[0]] * 60


def test_what_a_run_goes_on_with_is_there_again_when_a_job_goes_on():
    source = dim(150, 50, 85)
    whole = shyly(source, [Block(0, 150)])
    last = next(block_poses(source, Block(30, 60), ShyPose(BlazePoseSettings())))
    same(whole[:60] + shyly(source, [Block(60, 150)], before=whole[:60], last=last), whole)
    assert numbers(shyly(source, [Block(60, 150)], before=whole[:60]))[0] == [0]


class Mistaken(Shy):
    """Finds people who are hard to find, but the model first sees them in another pose."""

    def detect(self, image, window=None):
        return [Roi(roi.cx, roi.cy, roi.size, 0.1, 0.9) for roi in Detector.detect(self, image, window)]


class Turning(Model):
    """Sees bodies shifted in regions that are turned as `Mistaken` turns them, and goes on like that."""

    def __call__(self, image, roi, with_mask=True):
        pose = super().__call__(image, roi, with_mask)
        if pose is None or abs(roi.angle - 0.1) > 0.02 or image[0, 1, 2] == 255:
            return pose
        points = pose.alignment.copy()
        points[1] = points[0] + HEIGHT / 2 * np.array([np.sin(0.1), -np.cos(0.1)])
        return replace(pose, landmarks=pose.landmarks + np.float32(20), alignment=points)


def test_a_run_goes_on_with_whom_the_next_one_sees_in_another_pose():
    @dataclass
    class MistakenPose(Pose):
        def run(self, position=0):
            return Run(Mistaken(), Turning(), self.settings, position)

    source = dim(90, 50, 75)
    poser, joiner = MistakenPose(BlazePoseSettings(start_presence=0.5)), RunJoiner(24)
    runs = list(block_poses(source, Block(0, 90), poser))
    assert [len(run.after) for run in runs] == [0, 75 - 60 + 1, 0]
    frames = [pose for run in runs for pose in joiner.join(run)]
    assert numbers(frames) == [[0, 1]] * 90
    places = [frame.people[1].keypoints[16, 0] - (700 - 2 * k) for k, frame in enumerate(frames)]
    assert max(map(abs, places)) < 3  # frames name places by fours; the other pose is 20 px away
