"""Second looks at doubtful frames. Stand-ins take the landmark model's place."""

import itertools
import math

import numpy as np
import pytest

from inference_backend.estimators.blazepose import BlazePoseSettings, Run
from inference_backend.estimators.blazepose_detector import Roi
from inference_backend.estimators.blazepose_landmarks import PoseLandmarks
from inference_backend.estimators.pose_chain import FARTHEST, MOTION, Chain
from inference_backend.estimators.second_look import KNOWN, LONGEST, SecondLook, doubtful, views, within

SIZE = 125.0
"""Side of a stand-in's ROI, whose body circle has a diameter of 100 px."""


def pose(x=200.0, angle=0.0, presence=1.0, scatter=0.0):
    """A body at (x, 200), turned clockwise by `angle`."""
    up = np.array([math.sin(angle), -math.cos(angle)])
    landmarks = np.zeros((33, 3), np.float32)
    landmarks[:, :2] = (x, 200) + np.linspace(-40, 40, 33)[:, None] * up + scatter
    points = np.array([(x, 200), (x, 200) + 50 * up], np.float32)
    roi = Roi(x, 200.0, SIZE, angle)
    return PoseLandmarks(landmarks, np.ones(33, np.float32), presence, landmarks, None, roi, points)


def test_the_path_is_the_cheapest_of_all():
    rng = np.random.default_rng(5)
    frames = [
        [pose(200 + rng.normal(0, 15), rng.uniform(-3, 3), rng.uniform(0.5, 1)) for _ in range(n)]
        for n in (1, 3, 2, 4, 1, 3)
    ]
    chain = Chain(100.0)
    for index, poses in enumerate(frames):
        chain.add(index, poses)

    def cost(path):
        total = -sum(math.log(one.presence) for one in path)
        for a, b in itertools.pairwise(path):
            way = np.linalg.norm(a.landmarks[:, :2] - b.landmarks[:, :2], axis=1) / 100
            total += MOTION * np.minimum(way, FARTHEST).mean()
        return total

    best = min(itertools.product(*frames), key=cost)
    found = [one for _, one in sorted(chain.path(), key=lambda item: item[0])]
    assert all(one is other for one, other in zip(found, best, strict=True))
    assert cost(best) < cost([max(poses, key=lambda one: one.presence) for poses in frames])


def test_a_chain_says_when_its_end_jumps():
    chain = Chain(100.0)
    assert chain.add(0, [pose()]) == (chain._links[0].poses[0], False)
    upright, fallen = pose(presence=0.99), pose(angle=2.0, presence=0.8)
    assert chain.add(1, [upright, fallen]) == (upright, False)
    assert [roi.angle for roi in chain.rivals()] == []  # too far from the frame before
    end, jumped = chain.add(2, [pose(angle=2.1, presence=1.0), pose(angle=1.9, presence=0.4)])
    assert (end.presence, jumped) == (1.0, False)
    chain = Chain(100.0)
    chain.add(0, [upright, fallen])
    assert len(chain.rivals()) == 1
    assert chain.add(1, [pose(angle=2.0)])[1] is True


def model(*bodies):
    """Sees the one of the bodies whose angle is nearest to the ROI's, within 45°."""
    looks = []

    def look(roi):
        looks.append(roi)
        turns = [abs(math.remainder(body.roi.angle - roi.angle, 2 * math.pi)) for body in bodies]
        return bodies[int(np.argmin(turns))] if min(turns) < 0.79 else None

    return look, looks


def test_views_are_of_the_same_person_and_each_is_there_once():
    fallen, far, upside = pose(angle=1.5), pose(x=400, angle=-0.8), pose(angle=3.1)
    look, looks = model(pose(), fallen, far, upside)
    first = pose()

    def angles(*arguments, turned):
        return sorted(one.roi.angle for one in views(look, *arguments, turned=turned))

    assert angles(first.roi, first, [], turned=True) == [0, 1.5, 3.1]
    assert angles(first.roi, first, [fallen.roi, fallen.roi, far.roi], turned=False) == [0, 1.5]
    assert angles(first.roi, None, [], turned=True) == [1.5, 3.1]
    assert all(-math.pi <= roi.angle <= math.pi for roi in looks)


def test_who_is_cut_by_the_edge():
    assert within(pose().landmarks, 400, 400)
    assert not within(pose().landmarks, 400, 200)


def test_what_is_doubtful():
    assert not doubtful(pose(angle=0.9, presence=0.985))
    assert doubtful(pose(presence=0.97))
    assert doubtful(pose(angle=-1.1))


def known():
    """Somebody who has been seen well for a while, and what was seen last."""
    second, seen = SecondLook(), pose(angle=0.9)
    for index in range(KNOWN):
        second.see(index, refused, seen.roi, seen, 0.9, cut=False)
    return second


def refused(roi):
    raise AssertionError("nothing to look at")


def fall(second, angles, wrong, *, least=0.9, cut=False):
    """See a body that turns, and a wrong one that is surer at first."""
    out = []
    for index, angle in enumerate(angles, start=KNOWN):
        true = pose(angle=angle, presence=0.95)
        look, _ = model(true, wrong)
        first = look(Roi(200, 200, SIZE, wrong.roi.angle if index == KNOWN else angle))
        out.append(second.see(index, look, true.roi, first, least, cut=cut)[0])
    return out


def test_what_goes_together_over_time_is_kept():
    second, wrong = known(), pose(angle=-1.5, presence=0.99)
    seen = fall(second, [1.2, 1.5, 1.8], wrong)
    assert second.chain is not None
    second.decide()
    angles = [round(second.decided[index].roi.angle, 1) for index in range(KNOWN, KNOWN + 3)]
    assert angles == [1.2, 1.5, 1.8]
    assert seen[-1] is second.decided[KNOWN + 2]


def test_strangers_and_bodies_cut_by_the_edge_are_not_looked_at_again():
    wrong = pose(angle=-1.5, presence=0.99)
    for second, cut in ((SecondLook(), False), (known(), True)):
        assert fall(second, [1.2], wrong, cut=cut)[0] is wrong
        assert second.chain is None
        assert second.decided == {}


def test_a_person_is_known_after_sure_frames_in_a_row():
    second = SecondLook()
    for index in range(2 * KNOWN - 1):
        seen = pose(presence=0.985 if index == KNOWN - 1 else 1.0)
        second.see(index, refused, seen.roi, seen, 0.9, cut=False)
        assert not second.known
    second.see(2 * KNOWN, refused, pose().roi, pose(), 0.9, cut=False)
    assert second.known


@pytest.mark.parametrize(("presence", "there"), [(0.95, True), (0.85, False)])
def test_somebody_unseen_must_be_surer_in_another_turn(presence, there):
    second, other = known(), pose(angle=2.3, presence=presence)
    look, _ = model(other)
    found, _ = second.see(KNOWN, look, pose().roi, None, 0.9, cut=False)
    assert (found is other) is there
    assert (second.last is not None) is there


def test_a_chain_ends_where_all_is_well_again_or_after_long():
    second = known()
    fall(second, [1.2, 1.1], pose(angle=1.2))
    second.see(KNOWN + 2, model(pose(angle=0.9))[0], pose().roi, pose(angle=0.9), 0.9, cut=False)
    assert second.chain is None
    assert set(second.decided) >= {KNOWN, KNOWN + 1, KNOWN + 2}
    fall(second, [1.2] * LONGEST, pose(angle=1.2))
    assert second.chain is None or len(second.chain) < LONGEST


class Standing:
    """A detector that knows two people, standing at 200 and 330."""

    def detect(self, image, window=None):
        return [Roi(x, 200.0, SIZE, 0.0, 0.9) for x in (200.0, 330.0)]


class Tumbling:
    """Sees the bodies of a frame, whose first pixels say how they are turned, and a ghost that jumps to and fro."""

    def __call__(self, image, roi, with_mask=True):
        bodies = [pose(x, float(a) / 40 - 3) for x, a in zip((200.0, 330.0), image[0, :2, 0], strict=True)]
        ghost = pose(185.0 + image[0, 2, 0], presence=0.97)
        for body in (*bodies, ghost):
            turn = math.remainder(body.roi.angle - roi.angle, 2 * math.pi)
            if abs(turn) < 0.4 and abs(body.roi.cx - roi.cx) < 70:
                return body
        return None


def tumble(first, **settings):
    """Angles of two people in frames in which the first turns; the other stands."""
    run, frames = Run(Standing(), Tumbling(), BlazePoseSettings(**settings)), []
    for index, angle in enumerate(first):
        image = np.zeros((400, 600, 3), np.uint8)
        image[0, :3, 0] = round((angle + 3) * 40), 120, 30 * (index % 2)
        frames.append(run.step(index, image))
    waits = run.undecided
    return [[one.keypoints for one in frame.people] for frame in run.decided(frames)], waits


def turn(keypoints):
    """The angle of a stand-in's body."""
    x, y = keypoints[32, :2] - keypoints[0, :2]
    return math.atan2(x, -y)


def test_a_somersault_is_followed_and_nobody_is_taken_for_another():
    angles = [0.0] * (KNOWN + 2) + [0.7, 1.4, 2.1, 2.8, 2.8, 2.1, 1.4, 0.7] + [0.0] * 3
    people, waits = tumble(angles)
    assert [len(frame) for frame in people] == [2] * len(angles)
    assert [turn(frame[0]) for frame in people] == pytest.approx(angles, abs=0.02)
    assert all(abs(turn(frame[1])) < 0.02 for frame in people)
    assert not waits
    plain, _ = tumble(angles, second_look=False)
    assert max(abs(turn(frame[0]) - angle) for frame, angle in zip(plain, angles, strict=True)) > 1


def test_frames_wait_for_a_decision():
    _, waits = tumble([0.0] * KNOWN + [0.7, 1.4])
    assert waits
