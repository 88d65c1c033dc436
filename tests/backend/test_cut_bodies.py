"""People whose legs the picture's foot cuts off."""

from __future__ import annotations

import numpy as np
import pytest

from inference_backend.cut_bodies import CUT_CONFIDENCE, complete, cut_off, stand_in
from inference_backend.skeletons import JOINTS, LANDMARKS, POINTS

HEIGHT = 400
PLACES = {
    "nose": (0, -18), "eye": (3, -20), "ear": (6, -18), "mouth": (2, -14), "shoulder": (15, 0), "elbow": (20, 26),
    "wrist": (22, 50), "pinky": (22, 58), "index": (22, 58), "thumb": (20, 55), "hip": (9, 50), "knee": (10, 90),
    "ankle": (10, 130), "heel": (10, 136), "foot": (14, 138),
}  # fmt: skip
LEGS = [k for k, name in enumerate(LANDMARKS) if name.split("_")[1:2] and name.split("_")[1] in
        ("hip", "knee", "ankle", "heel", "foot")]  # fmt: skip
UPPER = [k for k in range(33) if k not in LEGS]


def person(x: float, y: float, size: float = 1.0) -> np.ndarray:
    """Somebody who stands, shoulders at (x, y) px, seen from behind. Shape: (33, 3)."""
    out = np.ones((33, 3), np.float32)
    for k, name in enumerate(LANDMARKS):
        words = name.split("_")
        part = next(word for word in words if word in PLACES)
        aside, below = PLACES[part]
        sign = -1 if "left" in words else 1 if "right" in words else 0
        out[k] = x + size * sign * aside, y + size * below, 0.99
    return out


def entering() -> np.ndarray:
    """Somebody who comes in from below: legs folded into the picture at first, whole from frame 3 on."""
    out = np.stack([person(200, y) for y in (370, 340, 320, 220, 200)])
    out[:3, LEGS, 1] = np.minimum(out[:3, LEGS, 1], HEIGHT - 5) - 40
    out[:3, LEGS, 2] = 0.1
    out[:3, 23:25, 1] = np.array([420, 390, 370])[:, None]
    return out


def test_what_is_cut_off() -> None:
    keypoints = entering()
    cut = cut_off(keypoints, HEIGHT)
    assert cut.any(1).tolist() == [True, True, True, False, False]
    assert not cut[:, UPPER].any()
    assert cut[0, LEGS].all()
    keypoints[2, 23:25, 2] = 0.9  # the hips are seen: the legs alone are cut off
    assert cut_off(keypoints, HEIGHT)[2, LEGS].sum() == len(LEGS) - 2


def test_what_is_only_hidden_is_not_cut_off() -> None:
    behind_a_table = person(200, 100)[None]
    behind_a_table[:, LEGS, 2] = 0.1
    assert not cut_off(behind_a_table, HEIGHT).any()
    side_view = person(200, 300)[None]
    side_view[:, 25::2, 2] = 0.1  # one leg hides the other
    assert not cut_off(side_view, HEIGHT).any()
    handstand = entering()[:1]
    handstand[:, 7:9, 1] = 399
    assert not cut_off(handstand, HEIGHT).any()


def test_it_is_taken_from_the_nearest_frame_that_shows_it() -> None:
    keypoints, world = entering(), np.arange(5 * 33 * 3, dtype=np.float32).reshape(5, 33, 3)
    done = complete(keypoints, world, HEIGHT)
    assert done.like.tolist() == [3, 3, 3, -1, -1]
    np.testing.assert_allclose(done.keypoints[:3, :, :2], [person(200, y)[:, :2] for y in (370, 340, 320)], atol=0.5)
    assert (done.keypoints[:3, LEGS, 2] <= CUT_CONFIDENCE).all()
    np.testing.assert_array_equal(done.keypoints[:, UPPER], keypoints[:, UPPER])
    np.testing.assert_array_equal(done.keypoints[3:], keypoints[3:])
    np.testing.assert_array_equal(done.world[:3], np.broadcast_to(world[3], (3, 33, 3)))


def test_it_is_as_large_as_what_is_seen() -> None:
    keypoints = entering()
    larger = person(150, 350, size=1.3)
    keypoints[0, UPPER] = larger[UPPER]
    done = complete(keypoints, np.zeros_like(keypoints), HEIGHT)
    np.testing.assert_allclose(done.keypoints[0, LEGS, :2], larger[LEGS, :2], atol=1.0)


@pytest.mark.parametrize("facing", [1, -1])
def test_where_no_frame_shows_it_somebody_stands(facing: int) -> None:
    keypoints = entering()[:2]
    keypoints[..., 0] = 200 + facing * (keypoints[..., 0] - 200)
    done = complete(keypoints, np.zeros_like(keypoints), HEIGHT)
    assert done.like.tolist() == [-1, -1]
    hips, ankles = done.keypoints[:, 23:25], done.keypoints[:, 27:29]
    shoulders = keypoints[:, 11:13, 1].mean(1, keepdims=True)
    assert (hips[..., 1] > shoulders + 30).all()
    assert (ankles[..., 1] > hips[..., 1] + 40).all()
    across = hips[:, 0, 0] - hips[:, 1, 0]
    assert (np.sign(across) == -facing).all()


def test_a_clip_with_nothing_cut_off_stays_as_it_is() -> None:
    keypoints = np.stack([person(200, 150)] * 3)
    done = complete(keypoints, np.zeros_like(keypoints), HEIGHT)
    np.testing.assert_array_equal(done.keypoints, keypoints)
    assert not done.cut.any()


def test_wrong_shapes() -> None:
    with pytest.raises(ValueError, match="found"):
        complete(entering()[:, :32], np.zeros((5, 33, 3), np.float32), HEIGHT)


FOCAL = 300.0
UP = np.array([0.0, -0.8, -0.6])


def poses(path: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A stiff figure, the pelvis along a path (F, 3): joints, points, rotations."""
    rng = np.random.default_rng(0)
    joints, points = 0.3 * rng.normal(size=(24, 3)), 0.3 * rng.normal(size=(11, 3))
    joints[0] = 0
    for side, sign in (("left", -0.17), ("right", 0.17)):
        joints[JOINTS.index(f"{side}_shoulder")] = 0.5 * UP + np.array([sign, 0, 0])
        points[POINTS.index(f"{side}_ear")] = 0.7 * UP + np.array([sign / 2, 0, 0])
    turn = np.broadcast_to(np.eye(3), (len(path), 24, 3, 3)).copy()
    return path[:, None] + joints, path[:, None] + points, turn


def test_the_body_stands_where_head_and_shoulders_are_seen() -> None:
    """The lifter lays the body down where it is cut; the frame that shows it tells how it stands."""
    level = np.array([0.0, -0.6, 0.8])
    path = np.array([3.0, 3.3, 3.6, 3.9, 4.2])[:, None] * level - 1.0 * UP
    true_joints, true_points, turns = poses(path)
    rays = np.zeros((5, 33, 2))
    for side in ("left", "right"):
        shoulder, ear = true_joints[:, JOINTS.index(f"{side}_shoulder")], true_points[:, POINTS.index(f"{side}_ear")]
        rays[:, LANDMARKS.index(f"{side}_shoulder")] = shoulder[:, :2] / shoulder[:, 2:]
        rays[:, LANDMARKS.index(f"{side}_ear")] = ear[:, :2] / ear[:, 2:]
    whole = complete(entering(), np.zeros((5, 33, 3), np.float32), HEIGHT)
    lying_joints, lying_points, wrong = true_joints.copy(), true_points.copy(), turns.copy()
    lying_joints[:3] = path[:3, None] + 0.1
    lying_points[:3] = path[:3, None] - 0.2
    wrong[:3] *= -1
    joints, points, rotations = stand_in(lying_joints, lying_points, wrong, whole, rays, UP)
    np.testing.assert_allclose(joints, true_joints, atol=0.01)
    np.testing.assert_allclose(points, true_points, atol=0.01)
    np.testing.assert_array_equal(rotations, turns)
    np.testing.assert_array_equal(lying_joints[3:], joints[3:])


def test_legs_alone_are_taken_over_where_the_hips_are_seen() -> None:
    keypoints = entering()
    keypoints[:3, 23:25, 2] = 0.9
    whole = complete(keypoints, np.zeros((5, 33, 3), np.float32), HEIGHT)
    joints, points, turns = poses(np.repeat([[0.0, 0.2, 4.0]], 5, axis=0))
    bent, knee, elbow = joints.copy(), JOINTS.index("left_knee"), JOINTS.index("left_elbow")
    bent[:3, [knee, elbow]] += 0.3
    rays = np.zeros((5, 33, 2))
    made, _, _ = stand_in(bent, points, turns, whole, rays, UP)
    relative, wanted = made - made[:, :1], joints - joints[:, :1]
    np.testing.assert_allclose(relative[:3, knee], wanted[:3, knee], atol=1e-9)
    np.testing.assert_allclose(relative[:3, elbow], wanted[:3, elbow] + 0.3, atol=1e-9)
