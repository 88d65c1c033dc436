from __future__ import annotations

import numpy as np
import pytest

from inference_backend.ground import Stander, find_ground
from inference_backend.upright import LEVEL_ERROR, body_up, foot_contacts, level_up
from inference_backend.world import World, camera_to_world, world_matrix, world_to_camera

from .stick_figure import FPS, STATURE, angle, camera, joint, see, walk


def estimate_world(joints: np.ndarray, points: np.ndarray, weights: np.ndarray, fps: float) -> World:
    """The world of one person of whom nothing is told to stand in the picture."""
    still = np.zeros((len(joints), 4))
    return find_ground([Stander(joints, points, weights, still, fps, STATURE, given=True)]).world


def noise(rng: np.random.Generator, shape: tuple[int, ...], seconds: float) -> np.ndarray:
    """Of unit variance, correlated over about so many seconds along the first axis."""
    keep = np.exp(-1 / (seconds * FPS))
    out = rng.normal(size=shape)
    for f in range(1, shape[0]):
        out[f] = keep * out[f - 1] + np.sqrt(1 - keep**2) * out[f]
    return out


def lean(joints: np.ndarray, points: np.ndarray, degrees: float, axis: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The whole figure turned about its ankles in every frame."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.roll(np.array([[1, 0, 0], [0, c, -s], [0, s, c]]), (axis, axis), (0, 1))
    pivot = joints[:, [7, 8]].mean(1, keepdims=True)
    return (joints - pivot) @ turn.T + pivot, (points - pivot) @ turn.T + pivot


@pytest.mark.parametrize("tilt", [-10.0, 0.0, 20.0, 40.0])
def test_a_clean_walk_gives_the_camera_back(tilt):
    matrix = camera(tilt, roll=3.0)
    joints, points = walk()
    world = estimate_world(*see(matrix, joints, points), np.ones(len(joints)), FPS)
    assert angle(world.up_cam, matrix[:3, 2]) < 1.0
    assert world.tilt_degrees == pytest.approx(tilt, abs=1.0)
    assert world.floor_offset == pytest.approx(1.4, abs=0.06)
    assert world.confidence > 0.8
    assert world.notes == ()
    placed = camera_to_world(see(matrix, joints)[0], world.matrix)
    np.testing.assert_allclose(placed[..., 2], joints[..., 2], atol=0.06)


def test_the_matrix_is_what_it_says():
    joints, points = walk()
    joints_cam, points_cam = see(camera(25.0, roll=5.0), joints, points)
    world = estimate_world(joints_cam, points_cam, np.ones(len(joints)), FPS)
    R = world.matrix[:3, :3]
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(R) == pytest.approx(1.0)
    np.testing.assert_allclose(R @ world.up_cam, [0, 0, 1], atol=1e-12)
    looks = R @ [0, 0, 1]
    assert looks[0] == pytest.approx(0, abs=1e-12)
    assert looks[1] > 0
    np.testing.assert_allclose(camera_to_world(joints_cam[0, 0], world.matrix)[:2], 0, atol=1e-12)
    np.testing.assert_allclose(world.matrix[2, 3], world.floor_offset)
    np.testing.assert_array_equal(world.matrix[3], [0, 0, 0, 1])


def test_up_from_noisy_walks():
    """Half of the 2% is the same all through the clip, as a lifter's is, and the depth jitters by 28 mm; besides, every
    clip is tilted towards the camera or away by 3° (standard deviation)."""
    errors, floors = [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        matrix = camera(rng.uniform(0, 40), roll=rng.normal(0, 3))
        joints, points = see(matrix, *walk(turn=rng.uniform(0, 6)))
        joints, points = lean(joints, points, rng.normal(0, 3))
        both = np.concatenate([joints, points], 1)
        each = noise(rng, both.shape, 0.15) + rng.normal(size=(1, *both.shape[1:]))
        both += each * 0.02 * STATURE / np.sqrt(3 * 2)
        both *= 1 + 0.028 * noise(rng, (len(both), 1, 1), 0.15) / 5
        world = estimate_world(both[:, :24], both[:, 24:], np.ones(len(both)), FPS)
        errors.append(angle(world.up_cam, matrix[:3, 2]))
        floors.append(abs(world.floor_offset - 1.4))
    assert np.median(errors) < 1.0
    assert np.max(errors) < 2.5
    assert np.median(floors) < 0.05


def test_the_floor_corrects_a_body_that_leans():
    """A lifter's usual fault: everyone is tilted towards the camera, in every frame."""
    matrix = camera(15.0)
    joints, points = lean(*walk(), 6.0)
    joints_cam, points_cam = see(matrix, joints, points)
    body, error = body_up(joints_cam, np.ones(len(joints)), FPS)
    world = estimate_world(joints_cam, points_cam, np.ones(len(joints)), FPS)
    assert angle(body, matrix[:3, 2]) > 4.5
    assert angle(world.up_cam, matrix[:3, 2]) < 0.6 * angle(body, matrix[:3, 2])
    assert world.error_degrees < error


def test_contacts_near_each_other_leave_up_as_it_was():
    rng = np.random.default_rng(0)
    up = np.array([0.0, -1.0, 0.0])
    near = np.array([0.0, 1.4, 5.0]) + rng.normal(0, 0.03, (20, 3)) * [1, 1, 3]
    levelled = level_up(near, up, 4.0)
    assert levelled is not None
    assert angle(levelled[0], up) < 1.5
    assert levelled[1] == pytest.approx(4.0, abs=0.4)


def test_bows_do_not_pull():
    matrix = camera(10.0)
    joints, points = walk()
    bow = slice(60, 130)
    joints[bow, 1:3], points[bow, :3] = joints[bow, 1:3], joints[bow, 15:16]
    upper = [joint(name) for name in ("neck", "head", "left_shoulder", "right_shoulder")]
    joints[bow, upper] = joints[bow, :1] + np.array([0.45, 0.0, 0.1])
    up, _ = body_up(*see(matrix, joints), np.ones(len(joints)), FPS)
    assert angle(up, matrix[:3, 2]) < 2.0


@pytest.mark.parametrize(("degrees", "axis"), [(90.0, 1), (-90.0, 1), (90.0, 0), (-90.0, 0), (180.0, 0)])
def test_a_body_that_lies_or_stands_on_its_hands_says_nothing_of_up(degrees, axis):
    joints, points = see(camera(10.0), *lean(*walk(), degrees, axis))
    up, error = body_up(joints, np.ones(len(joints)), FPS)
    assert up.tolist() == [0, -1, 0]
    assert error == LEVEL_ERROR
    world = estimate_world(joints, points, np.ones(len(joints)), FPS)
    assert any("level" in note for note in world.notes)
    assert world.confidence < 0.5


def test_stairs_are_not_the_floor():
    matrix = camera(5.0)
    joints, points = walk(radius=30.0, climb=0.6)
    world = estimate_world(*see(matrix, joints, points), np.ones(len(joints)), FPS)
    assert angle(world.up_cam, matrix[:3, 2]) < 1.5
    assert any("not rest on one level floor" in note for note in world.notes)


def test_feet_that_never_rest_leave_the_lowest_place_as_floor():
    matrix = camera(5.0)
    joints, points = walk(1)
    glide = np.arange(30)[:, None, None] * np.array([0.05, 0.0, 0.0])
    world = estimate_world(*see(matrix, joints + glide, points + glide), np.ones(30), FPS)
    assert any("rest nowhere" in note for note in world.notes)
    assert world.floor_offset == pytest.approx(1.4, abs=0.15)


def test_contacts_are_where_feet_stand():
    joints, points = walk()
    contacts = foot_contacts(joints, points, np.ones(len(joints), bool), np.array([0, 0, 1.0]), FPS)
    assert len(contacts) >= 12
    assert np.abs(contacts[:, 2]).max() < 0.03
    steps = np.linalg.norm(contacts[:, :2], axis=1)
    assert ((steps > 1.3) & (steps < 1.7)).all()


def test_one_frame_will_do():
    matrix = camera(12.0)
    joints, points = walk(1)
    world = estimate_world(*see(matrix, joints, points), np.ones(1), FPS)
    assert angle(world.up_cam, matrix[:3, 2]) < 8.0
    assert world.floor_offset == pytest.approx(1.4, abs=0.3)
    assert world.confidence < 0.6


def test_the_frame_rate_does_not_matter():
    matrix = camera(20.0)
    joints, points = see(matrix, *walk())
    full = estimate_world(joints, points, np.ones(240), FPS)
    half = estimate_world(joints[::2], points[::2], np.ones(120), FPS / 2)
    assert angle(full.up_cam, half.up_cam) < 0.5
    assert full.floor_offset == pytest.approx(half.floor_offset, abs=0.02)


def test_frames_without_weight_are_not_looked_at():
    joints, points = see(camera(20.0), *walk())
    weights = np.ones(len(joints))
    weights[:30] = weights[100:110] = 0
    expected = estimate_world(joints, points, weights, FPS)
    joints[:30], joints[100:110], points[100:110] = 9.0, np.nan, -3.0
    world = estimate_world(joints, points, weights, FPS)
    np.testing.assert_allclose(world.matrix, expected.matrix, atol=1e-12)
    np.testing.assert_allclose(camera_to_world(joints[30, 0], world.matrix)[:2], 0, atol=1e-12)


@pytest.mark.parametrize("up", [[0, -1.0, 0], [0.1, -0.9, -0.3], [0, 0, -1.0], [0, 0, 1.0], [0, 0.05, -1.0]])
def test_round_trip(up):
    rng = np.random.default_rng(0)
    points_cam = rng.normal(size=(4, 5, 3))
    unit = np.array(up) / np.linalg.norm(up)
    matrix = world_matrix(unit, -1.3, np.array([0.2, 0.4, 4.0]))
    np.testing.assert_allclose(world_to_camera(camera_to_world(points_cam, matrix), matrix), points_cam, atol=1e-12)
    homogeneous = np.append(points_cam[1, 2], 1)
    np.testing.assert_allclose(camera_to_world(points_cam[1, 2], matrix), (matrix @ homogeneous)[:3])
    assert np.linalg.det(matrix) == pytest.approx(1.0)


def test_a_camera_that_looks_straight_down_has_the_picture_s_top_ahead():
    matrix = world_matrix(np.array([0.0, 0.0, -1.0]), -3.0, np.array([0.0, 0.0, 2.0]))
    np.testing.assert_allclose(matrix[:3, :3] @ [0, -1, 0], [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(camera_to_world(np.zeros(3), matrix), [0, 0, 3])


def test_wrong_arguments():
    joints, points = walk(10)
    weights = np.ones(10)
    with pytest.raises(ValueError, match=r"\(10, 23, 3\)"):
        estimate_world(joints[:, :23], points, weights, FPS)
    with pytest.raises(ValueError, match=r"\(9, 11, 3\)"):
        estimate_world(joints, points[:9], weights, FPS)
    with pytest.raises(ValueError, match="fps"):
        estimate_world(joints, points, weights, 0.0)
    with pytest.raises(ValueError, match="0 frames"):
        estimate_world(joints, points, weights * 0, FPS)
    with pytest.raises(ValueError, match=r"\(3, 3\)"):
        camera_to_world(joints, np.eye(3))
    with pytest.raises(ValueError, match=r"\(10, 2\)"):
        world_to_camera(np.zeros((10, 2)), np.eye(4))
