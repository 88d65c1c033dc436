"""Quaternions, skeletons in motion, and what the layers look at."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from inference_backend.skeletons import PARENTS
from inference_backend.skinning import forward_kinematics
from inference_backend.targets import quaternions as q
from inference_backend.targets.motion import SkeletonMotion, local_quaternions
from inference_backend.targets.source import SOLE_JOINTS, sole_points

from .made_motion import REST, SOLES, apart, somewhere, source_of, steady, walking

WORLD = np.eye(4)
WORLD[:3, :3] = Rotation.from_euler("xyz", [100, 20, 30], degrees=True).as_matrix()
WORLD[:3, 3] = [1, 2, 3]


def rotations(count: int, seed: int = 0) -> np.ndarray:
    return q.normalised(np.random.default_rng(seed).normal(size=(count, 4)))


def xyzw(quaternion: np.ndarray) -> np.ndarray:
    return np.roll(quaternion, -1, -1)


def test_products_and_vectors_turn_as_scipys() -> None:
    a, b, v = rotations(50), rotations(50, 1), np.random.default_rng(2).normal(size=(50, 3))
    ra, rb = Rotation.from_quat(xyzw(a)), Rotation.from_quat(xyzw(b))
    assert np.allclose(q.to_matrix(q.product(a, b)), (ra * rb).as_matrix())
    assert np.allclose(q.turned(a, v), ra.apply(v))
    assert np.allclose(q.to_vector(a), ra.as_rotvec())
    assert np.allclose(q.angle_between(a, b), (ra.inv() * rb).magnitude())
    assert np.allclose(q.to_matrix(q.product(a, q.conjugate(a))), np.eye(3))


@pytest.mark.parametrize("angle", [0.0, 1e-13, 1e-7, 1.0, np.pi - 1e-7, np.pi])
def test_every_angle_comes_back(angle: float) -> None:
    vector = angle * np.array([2.0, -1.0, 2.0]) / 3
    back = q.to_vector(q.from_vector(vector))
    assert np.allclose(back, vector, atol=1e-12) or np.allclose(back, -vector, atol=1e-6)
    assert np.allclose(
        q.to_matrix(q.from_matrix(q.to_matrix(q.from_vector(vector)))), q.to_matrix(q.from_vector(vector))
    )


def test_half_way_is_half_the_shortest_turn() -> None:
    a, b = rotations(50), rotations(50, 1)
    middle = q.between(a, -b, np.full(50, 0.5))
    assert np.allclose(q.angle_between(a, middle), 0.5 * q.angle_between(a, b))
    assert np.allclose(q.between(a, a, np.full(50, 0.3)), a, atol=1e-15)


def test_signs_made_continuous_leave_the_rotations() -> None:
    path = q.from_vector(np.outer(np.linspace(0, 9, 40), [0, 0, 1.0])) * np.where(np.arange(40) % 3, 1, -1)[:, None]
    smooth = q.continuous(path)
    assert (np.sum(smooth[1:] * smooth[:-1], -1) > 0).all()
    assert np.allclose(q.to_matrix(smooth), q.to_matrix(path))


def test_no_length_is_no_rotation() -> None:
    assert np.array_equal(q.normalised(np.zeros(4)), q.IDENTITY)


def test_forward_kinematics_is_the_bodys() -> None:
    motion = somewhere(20)
    local = torch.tensor(q.to_matrix(motion.rotations))
    turned, joints = forward_kinematics(local, torch.tensor(REST)[None], PARENTS)
    assert np.allclose(motion.globals(), turned.numpy())
    shift = motion.root[:, None] - joints[:, :1].numpy()
    assert np.allclose(motion.joints(), joints.numpy() + shift)
    assert np.allclose(q.to_matrix(local_quaternions(motion.globals())), q.to_matrix(motion.rotations))


def test_camera_and_back() -> None:
    motion = somewhere(20)
    root, pose = motion.to_camera(WORLD)
    back = SkeletonMotion.from_camera(root, pose, REST, WORLD)
    assert np.abs(back.joints() - motion.joints()).max() < 1e-12
    there = (motion.joints() - WORLD[:3, 3]) @ WORLD[:3, :3]
    assert np.allclose(SkeletonMotion.from_camera(root, pose, REST, np.eye(4)).joints(), there)


def test_blends_keep_bones_and_ends() -> None:
    a, b = walking(steady()), somewhere(90)
    assert a.blended(b, 0) is a
    assert a.blended(b, 1) is b
    lengths = np.linalg.norm(np.diff(a.blended(b, 0.4).joints()[:, [18, 20]], axis=1), axis=-1)
    assert np.allclose(lengths, np.linalg.norm(REST[20] - REST[18]))
    assert apart(a.blended(a, 0.4), a).max() < 1e-9
    assert np.allclose(a.blended(b, 0.4).root, 0.6 * a.root + 0.4 * b.root)


def test_rows() -> None:
    motion = somewhere(9)
    assert np.array_equal(motion.rows(2, 5).joints(), motion.joints()[2:5])
    assert len(motion.rows(4, 4).joints()) == 0


@pytest.mark.parametrize(
    ("root", "rotation", "rest"),
    [((5, 2), (5, 24, 4), (24, 3)), ((5, 3), (4, 24, 4), (24, 3)), ((5, 3), (5, 24, 4), (23, 3))],
)
def test_other_shapes_are_refused(root: tuple, rotation: tuple, rest: tuple) -> None:
    with pytest.raises(ValueError, match="found"):
        SkeletonMotion(np.zeros(root), np.zeros(rotation), np.zeros(rest))
    with pytest.raises(ValueError, match="world: found"):
        walking(steady(3)).to_camera(np.eye(3))


def test_source_is_checked() -> None:
    source = source_of(walking(steady(8)), steady(8))
    for name in ("visibility", "standing", "seconds", "sole_offsets", "detected"):
        with pytest.raises(ValueError, match=name):
            dataclasses.replace(source, **{name: getattr(source, name)[:-1]})
    with pytest.raises(ValueError, match="mesh_stream"):
        dataclasses.replace(source, mesh_stream=walking(steady(7)))
    with pytest.raises(ValueError, match="increasing"):
        dataclasses.replace(source, seconds=np.zeros(8))


def test_nobody_sees_joints_of_frames_without_a_person() -> None:
    detected = np.ones(8, bool)
    detected[3] = False
    source = source_of(walking(steady(8)), steady(8), detected=detected)
    assert (source.seen[3] == 0).all()
    assert (source.seen[4] > 0.9).all()


def test_soles_go_with_their_joints() -> None:
    motion = somewhere(6)
    soles, joints = sole_points(motion, SOLES), motion.joints()
    for place, joint in enumerate(SOLE_JOINTS):
        bone = soles[:, place] - joints[:, joint]
        assert np.allclose(bone, motion.globals()[:, joint] @ SOLES[place])
