"""One person's detections as arrays: gaps filled, masks kept, and which landmarks show which joint."""

from __future__ import annotations

import numpy as np
import pytest

from inference_backend.estimators import FramePoses, PersonPose
from inference_backend.sightings import gather, interpolate, joint_landmarks, mean_fps
from inference_backend.skeletons import JOINTS, JOINTS_MIRROR, LANDMARKS, LANDMARKS_MIRROR
from inference_backend.tracking import Track


def slow_interpolate(values, seen):
    """The readable twin: numpy's own interpolation, number by number."""
    if not seen.any():
        return values
    rows = np.arange(len(values))
    columns = values.reshape(len(values), -1).T
    return np.stack([np.interp(rows, rows[seen], column[seen]) for column in columns], -1).reshape(values.shape)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("frames", [1, 2, 3, 40])
def test_interpolate_equals_its_slow_twin(frames, share):
    rng = np.random.default_rng(frames)
    for _ in range(10):
        values = rng.standard_normal((frames, 3, 2)).astype(np.float32)
        seen = rng.random(frames) < share
        found = interpolate(values, seen)
        assert found.dtype == np.float32
        assert np.allclose(found, slow_interpolate(values.astype(np.float64), seen), atol=1e-6)
        assert np.array_equal(found[seen], values[seen])
        if seen.any():
            first, last = np.flatnonzero(seen)[[0, -1]]
            assert (found[:first] == values[first]).all()
            assert (found[last:] == values[last]).all()


def test_interpolate_wrong_shapes():
    with pytest.raises(ValueError, match="values, seen"):
        interpolate(np.zeros((4, 2), np.float32), np.ones(4, bool))
    with pytest.raises(ValueError, match="values, seen"):
        interpolate(np.zeros((4, 2, 3), np.float32), np.ones(5, bool))


def person(number, place, mask=False, world=True):
    keypoints = np.full((33, 3), place, np.float32)
    keypoints[:, 2] = 0.9
    return PersonPose(
        person=number,
        keypoints=keypoints,
        box=np.array([place, place, place + 10, place + 20], np.float32),
        presence=1.0,
        world=np.full((33, 3), place / 100, np.float32) if world else None,
        mask=np.full((64, 64), 255, np.uint8) if mask else None,
        mask_square=np.array([place, place, 30, 0.1], np.float32) if mask else None,
    )


def clip():
    """Frames 10, 12, …, 28 of the footage: person 0 throughout but for a gap, person 1 from 14 to 20, person 2 once."""
    frames = []
    for i, index in enumerate(range(10, 30, 2)):
        people = []
        if index not in (16, 18):
            people.append(person(0, 100 + 10 * i, mask=index % 4 == 0))
        if 14 <= index <= 20:
            people.append(person(1, -50, world=index != 20))
        if index == 22:
            people.append(person(2, 7))
        frames.append(FramePoses(index, index != 16, tuple(people)))
    return frames


def track(number, frames):
    return Track(number, np.array(frames, np.int64), np.zeros((len(frames), 4), np.float32), 1.0)


def test_gather():
    indices, times = np.arange(10, 30, 2), np.arange(10, 30, 2) / 60
    tracks = (track(1, [14, 16, 18, 20]), track(0, [10, 12, 14, 20, 22, 24, 26, 28]))
    small, long = gather(clip(), tracks, indices, times)
    assert small.frames.tolist() == [14, 16, 18, 20]
    assert (small.keypoints[..., :2] == -50).all()
    assert small.masks.shape == (0, 64, 64)
    assert small.mask_squares.shape == (0, 4)
    assert long.frames.tolist() == indices.tolist()
    assert np.array_equal(long.seconds, times)
    assert long.fps == pytest.approx(30)
    shapes = [(10, 33, 3), (10, 33, 3), (10, 4), (4, 64, 64), (4, 4)]
    assert [a.shape for a in (long.keypoints, long.world, long.boxes, long.masks, long.mask_squares)] == shapes
    assert {long.keypoints.dtype, long.world.dtype, long.boxes.dtype} == {np.dtype(np.float32)}
    # The gap is filled along a line, and says that nobody was seen.
    assert np.allclose(long.keypoints[:, 0, 0], 100 + 10 * np.arange(10))
    assert np.allclose(long.world[:, 5, 2], 1 + 0.1 * np.arange(10))
    assert np.allclose(long.boxes[:, 3], 120 + 10 * np.arange(10))
    assert (long.keypoints[[3, 4], :, 2] == 0).all()
    assert (long.keypoints[[0, 1, 2, 5, 6, 7, 8, 9], :, 2] == np.float32(0.9)).all()
    # Each mask knows its row.
    assert long.mask_rows.tolist() == [1, 5, 7, 9]
    assert np.array_equal(long.mask_squares[:, 0], 100 + 10 * long.mask_rows)


def test_gather_of_somebody_under_several_numbers():
    frames = [FramePoses(k, True, (person(0 if k < 4 else 7, 10 * k),) if k < 4 or k > 5 else ()) for k in range(10)]
    joined = Track(0, np.array([0, 1, 2, 3, 6, 7, 8, 9]), np.zeros((8, 4), np.float32), 1.0, also=(7,))
    (one,) = gather(frames, (joined,), np.arange(10), np.arange(10) / 30)
    assert np.allclose(one.keypoints[:, 0, 0], 10 * np.arange(10))
    assert (one.keypoints[:, 0, 2] > 0).tolist() == [True] * 4 + [False] * 2 + [True] * 4


def test_gather_of_a_single_frame():
    sighting = gather([FramePoses(3, True, (person(0, 5),))], (track(0, [3]),), np.array([3]), np.array([0.1]))[0]
    assert sighting.keypoints.shape == (1, 33, 3)
    assert sighting.fps == 30


def test_gather_wrong_shapes():
    with pytest.raises(ValueError, match="indices, times"):
        gather([], (), np.arange(3), np.arange(4.0))


def test_mean_fps():
    assert mean_fps(np.array([2.0, 2.1, 2.5])) == pytest.approx(4)
    assert mean_fps(np.array([2.0])) == 30


def test_joint_landmarks():
    shown = joint_landmarks()
    assert shown.shape == (24, 33)
    assert np.allclose(shown.sum(1), 1)
    assert np.array_equal(shown[list(JOINTS_MIRROR)][:, list(LANDMARKS_MIRROR)], shown)
    for joint, landmark in (
        ("left_knee", "left_knee"),
        ("right_wrist", "right_wrist"),
        ("left_foot", "left_foot_index"),
    ):
        assert shown[JOINTS.index(joint), LANDMARKS.index(landmark)] == 1
