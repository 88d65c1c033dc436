"""Each fault is found where it was made, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from inference_backend.body import load_default_body
from inference_backend.evaluation import motion_faults as faults
from inference_backend.geometry import axis_angle_to_matrix, matrix_to_quaternion
from inference_backend.skeletons import JOINTS, JOINTS_MIRROR, LANDMARKS, LANDMARKS_MIRROR, POINTS

FRAMES, FPS, TALL = 40, 30.0, 400.0
SECONDS = np.arange(FRAMES) / FPS


def posed(bends: dict[str, tuple[float, float, float]]) -> tuple[np.ndarray, np.ndarray]:
    """Joints (24, 3), y up and facing +z, and local quaternions (24, 4) of the default body; axis-angle in degrees."""
    turns = torch.zeros(1, 24, 3)
    for name, bend in bends.items():
        turns[0, JOINTS.index(name)] = torch.tensor(bend).deg2rad()
    rotations = axis_angle_to_matrix(turns)
    joints = load_default_body().pose(rotations, torch.zeros(1, 10), torch.zeros(1, 3)).joints
    return joints[0].double().numpy(), matrix_to_quaternion(rotations)[0].numpy()


def walking() -> np.ndarray:
    """Joints (F, 24, 3), camera frame: someone who faces the camera swings legs and arms, and steps aside."""
    frames = []
    for time in SECONDS:
        swing = 25 * np.sin(2 * np.pi * time)
        joints, _ = posed({"left_hip": (swing, 0, 0), "right_hip": (-swing, 0, 0), "left_shoulder": (0, 0, swing - 50)})
        frames.append(joints * [1, -1, -1] + [time, 0, 4])
    return np.stack(frames)


WALK = walking()


def test_a_clean_walk_has_none():
    for found in (faults.swapped(WALK), faults.flipped(WALK), faults.depth_jumps(WALK, SECONDS)):
        assert found.shape == (FRAMES,)
        assert not found.any()
    assert faults.bone_spread(WALK) < 1e-3


def test_bones_that_breathe():
    breathing = WALK.copy()
    knee, ankle = JOINTS.index("left_knee"), JOINTS.index("left_ankle")
    breathing[7, ankle] += 0.1 * (breathing[7, ankle] - breathing[7, knee])
    assert faults.bone_spread(breathing) == pytest.approx(10, rel=0.01)  # the foot's bone changes by less


def test_exchanged_sides_are_found_where_they_begin_and_end():
    mixed = WALK.copy()
    mixed[10:20] = WALK[10:20][:, list(JOINTS_MIRROR)]
    assert np.flatnonzero(faults.swapped(mixed)).tolist() == [10, 20]
    assert np.flatnonzero(faults.flipped(mixed)).tolist() == [10, 20]


def test_a_body_that_turns_round_at_once():
    turned = WALK.copy()
    middle = turned[:, :1]
    turned[15:] = (turned - middle)[15:] * [-1, 1, -1] + middle[15:]
    assert np.flatnonzero(faults.flipped(turned)).tolist() == [15]
    slowly = np.stack([turned_by(WALK[0], 10.0 * k) for k in range(FRAMES)])
    assert not faults.flipped(slowly).any()


def turned_by(joints: np.ndarray, degrees: float) -> np.ndarray:
    """About the vertical through the pelvis."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return (joints - joints[:1]) @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T + joints[:1]


def test_landmarks_on_the_other_side():
    rng = np.random.default_rng(0)
    placed = rng.uniform(0, 400, (FRAMES, len(LANDMARKS), 2))
    detected = np.concatenate([placed + rng.normal(0, 2, placed.shape), np.full((FRAMES, len(LANDMARKS), 1), 0.99)], -1)
    tall = np.full(FRAMES, TALL)
    assert not faults.crossed(placed, detected, tall).any()
    detected[4:6] = detected[4:6][:, list(LANDMARKS_MIRROR)]
    assert np.flatnonzero(faults.crossed(placed, detected, tall)).tolist() == [4, 5]
    detected[..., 2] = 0.5  # nothing is known of what was not seen
    assert not faults.crossed(placed, detected, tall).any()


@pytest.mark.parametrize(
    ("joint", "allowed", "end", "forward"),
    [
        ("left_knee", (60, 0, 0), "left_ankle", -1),
        ("right_knee", (60, 0, 0), "right_ankle", -1),
        ("left_elbow", (0, -60, 0), "left_wrist", 1),
        ("right_elbow", (0, 60, 0), "right_wrist", 1),
    ],
)
def test_hinges_bend_one_way_only(joint, allowed, end, forward):
    joints, quaternions = posed({joint: allowed})
    straight, _ = posed({})
    moved = joints[JOINTS.index(end)] - straight[JOINTS.index(end)]
    assert forward * moved[2] > 0.1  # shins go backwards, forearms forwards
    _, wrong = posed({joint: tuple(-angle for angle in allowed)})
    _, little = posed({joint: tuple(-angle / 6 for angle in allowed)})
    _, twisted = posed({joint: (80, 0, 0) if "elbow" in joint else (0, 80, 0)})
    assert faults.bent_back(np.stack([quaternions, wrong, -wrong, little, twisted])).tolist() == [
        False, True, True, False, False
    ]  # fmt: skip


def test_jumps_in_depth():
    jumping = WALK.copy()
    jumping[12, JOINTS.index("left_wrist"), 2] += 0.5
    assert np.flatnonzero(faults.depth_jumps(jumping, SECONDS)).tolist() == [12, 13]
    assert not faults.depth_jumps(jumping, SECONDS * 3).any()  # the same at 10 frames a second


def test_feet_that_swim_while_they_stand():
    detected = np.zeros((FRAMES, len(LANDMARKS), 3))
    detected[..., 2] = 0.8
    points = np.zeros((FRAMES, len(POINTS), 3))
    points[..., 2] = 4 + 0.2 * SECONDS[:, None]  # 200 mm/s away from the camera
    right = [LANDMARKS.index("right_heel"), LANDMARKS.index("right_foot_index")]
    detected[:, right, 0] = 300 * SECONDS[:, None]  # a foot that walks is none that stands
    speeds = faults.standing_speeds(points, detected, np.full(FRAMES, TALL), SECONDS)
    assert len(speeds) == FRAMES - 6
    np.testing.assert_allclose(speeds, 0.2)
    detected[..., 2] = 0.3
    assert len(faults.standing_speeds(points, detected, np.full(FRAMES, TALL), SECONDS)) == 0


def test_which_feet_stand():
    detected = np.zeros((FRAMES, len(LANDMARKS), 3))
    detected[..., 2] = 0.8
    detected[:, LANDMARKS.index("right_heel"), 0] = 300 * SECONDS
    stands = faults.standing_feet(detected, np.full(FRAMES, TALL), SECONDS)
    assert stands[3:-3, 0].all()
    assert stands[:, 0].sum() == FRAMES - 6
    assert not stands[:, 1].any()


@pytest.mark.parametrize("frames", [1, 2])
def test_shortest_clips(frames):
    detected, tall = np.ones((frames, 33, 3)), np.full(frames, TALL)
    for found in (
        faults.swapped(WALK[:frames]),
        faults.flipped(WALK[:frames]),
        faults.depth_jumps(WALK[:frames], SECONDS[:frames]),
        faults.crossed(detected[..., :2], detected, tall),
    ):
        assert found.tolist() == [False] * frames
    assert len(faults.standing_speeds(np.zeros((frames, 11, 3)), detected, tall, SECONDS[:frames])) == 0
    assert not faults.standing_feet(detected, tall, SECONDS[:frames]).any()
