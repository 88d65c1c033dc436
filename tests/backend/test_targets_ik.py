"""Inverse kinematics: lengths hold, targets in reach are reached, straight and folded chains are defined."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from inference_backend.targets.ik import bend_normal, fabrik, two_bone
from inference_backend.targets.vectors import angle_about, cross, swing, turn_about

Array = NDArray[np.float64]
X, Y, Z = np.eye(3)


def directions(rng: np.random.Generator, *shape: int) -> Array:
    vectors = rng.normal(size=(*shape, 3))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def test_swing_leads_one_direction_onto_the_other() -> None:
    rng = np.random.default_rng(0)
    source, target = directions(rng, 500), directions(rng, 500)
    target[:100] = -source[:100] + 1e-9 * target[:100]
    target[100:200] = source[100:200]
    R = swing(source, target)
    assert np.abs((R @ source[..., None])[..., 0] - target).max() < 1e-7
    assert np.abs(R @ R.swapaxes(-1, -2) - np.eye(3)).max() < 1e-9
    assert (np.linalg.det(R) > 0).all()
    # The axis of the smallest turn is square to both.
    axis = cross(source[200:], target[200:])
    assert np.abs((R[200:] @ axis[..., None])[..., 0] - axis).max() < 1e-9


def test_swing_of_nothing_turns_nothing() -> None:
    assert np.array_equal(swing(np.zeros(3), X), np.eye(3))
    assert np.array_equal(swing(X, np.zeros(3)), np.eye(3))


def test_angle_about_is_undone_by_turning() -> None:
    rng = np.random.default_rng(1)
    axis, source, target = (directions(rng, 200) for _ in range(3))
    turned = (turn_about(axis, angle_about(axis, source, target)) @ source[..., None])[..., 0]
    flat = [v - (v * axis).sum(-1, keepdims=True) * axis for v in (turned, target)]
    assert np.abs(np.cross(*flat)).max() < 1e-9
    assert ((flat[0] * flat[1]).sum(-1) > 0).all()


@pytest.mark.parametrize("seed", range(3))
def test_two_bones_keep_their_lengths_and_get_as_near_as_they_can(seed: int) -> None:
    rng = np.random.default_rng(seed)
    start, normal = rng.normal(size=(1000, 3)), directions(rng, 1000)
    upper, lower = rng.uniform(0.1, 0.5, (2, 1000, 1))
    target = start + directions(rng, 1000) * rng.uniform(0, 1.3, (1000, 1))
    middle, end = two_bone(start, target, upper, lower, normal)
    assert np.abs(np.linalg.norm(middle - start, axis=-1) - upper[:, 0]).max() < 1e-9
    assert np.abs(np.linalg.norm(end - middle, axis=-1) - lower[:, 0]).max() < 1e-9
    distance = np.linalg.norm(target - start, axis=-1)
    nearest = np.clip(distance, np.abs(upper - lower)[:, 0], (upper + lower)[:, 0])
    assert np.abs(np.linalg.norm(end - target, axis=-1) - np.abs(distance - nearest)).max() < 1e-9


def test_two_bones_bend_the_way_they_are_asked_to() -> None:
    middle, _ = two_bone(np.zeros(3), -0.7 * Z, np.array([0.4]), np.array([0.4]), X)
    assert middle[1] < -0.1
    other, _ = two_bone(np.zeros(3), -0.7 * Z, np.array([0.4]), np.array([0.4]), -X)
    assert np.allclose(other, middle * [1, -1, 1])
    upper, lower = middle, -0.7 * Z - middle
    assert cross(upper, lower) @ X > 0


@pytest.mark.parametrize("target", [0 * X, 1e-15 * X, 0.3 * X, 5 * X, X], ids=["zero", "tiny", "along", "far", "full"])
@pytest.mark.parametrize(("upper", "lower"), [(0.5, 0.5), (0.7, 0.2), (0.0, 0.5), (0.5, 0.0), (0.0, 0.0)])
def test_two_bones_are_always_defined(target: Array, upper: float, lower: float) -> None:
    for normal in (Z, X, 0 * X):
        middle, end = two_bone(np.zeros(3), target, np.array([upper]), np.array([lower]), normal)
        assert np.isfinite(middle).all()
        assert abs(np.linalg.norm(middle) - upper) < 1e-9
        assert abs(np.linalg.norm(end - middle) - lower) < 1e-9


def test_the_end_comes_to_full_stretch_without_a_leap() -> None:
    reach = np.linspace(0.9, 1.1, 2001)[:, None] * X
    bones = np.full((2001, 1), 0.5)
    _, end = two_bone(np.zeros((2001, 3)), reach, bones, bones, np.tile(Z, (2001, 1)))
    assert np.linalg.norm(np.diff(end, axis=0), axis=-1).max() < 1.01 * 0.2 / 2000


def test_a_straight_limb_bends_about_its_hinge() -> None:
    assert np.allclose(bend_normal(0 * X, X, 2 * X, Y), Y)
    assert np.allclose(bend_normal(0 * X, 0 * X, 0 * X, Y), Y)


def test_a_bent_limb_bends_on_in_its_plane() -> None:
    end = X + np.array([np.cos(1), 0, np.sin(1)])
    assert np.allclose(bend_normal(0 * X, X, end, (-Y + 0.5 * Z) / np.sqrt(1.25)), -Y)


def test_from_straight_to_bent_the_normal_turns_smoothly() -> None:
    angle = np.radians(np.linspace(-60, 60, 2001))[:, None]
    end = X + np.cos(angle) * X - np.sin(angle) * (0.8 * Z + 0.6 * Y)
    hinge = np.tile(Y, (2001, 1))
    normal = bend_normal(np.zeros((2001, 3)), np.tile(X, (2001, 1)), end, hinge)[500:]
    assert np.linalg.norm(np.diff(normal, axis=0), axis=-1).max() < 0.05


def chains(rng: np.random.Generator, count: int, bones: int) -> tuple[Array, Array]:
    sizes = rng.uniform(0.05, 0.3, bones)
    steps = directions(rng, count, bones) * sizes[:, None]
    return np.concatenate([np.zeros((count, 1, 3)), np.cumsum(steps, 1)], 1), sizes


@pytest.mark.parametrize("bones", [1, 2, 3, 4, 5])
def test_chains_keep_their_lengths_and_reach(bones: int) -> None:
    rng = np.random.default_rng(bones)
    joints, sizes = chains(rng, 1000, bones)
    total, least = sizes.sum(), max(0.0, 2 * sizes.max() - sizes.sum())
    target = directions(rng, 1000) * rng.uniform(0, 1.3, (1000, 1)) * total
    out = fabrik(joints, target, X)
    assert np.array_equal(out[:, 0], joints[:, 0])
    assert np.abs(np.linalg.norm(np.diff(out, axis=1), axis=-1) - sizes).max() < 1e-9
    distance = np.linalg.norm(target, axis=-1)
    miss = np.linalg.norm(out[:, -1] - target, axis=-1) - np.abs(distance - np.clip(distance, least, total))
    inside = (distance > 1.1 * least) | (bones < 3)
    assert miss[inside].max() < 1e-3


def test_a_chain_that_is_there_already_does_not_move() -> None:
    joints, _ = chains(np.random.default_rng(9), 20, 4)
    assert np.array_equal(fabrik(joints, joints[:, -1], X), joints)


def test_a_small_step_of_the_target_moves_the_chain_little() -> None:
    joints = np.array([[0, 0, 0], [0, 0.02, 0.1], [0, 0.03, 0.2], [0, 0.0, 0.5], [0, -0.02, 0.6]])
    out = fabrik(joints, joints[-1] + [0.001, 0, -0.001], X)
    assert np.linalg.norm(out - joints, axis=-1).max() < 0.01


def test_a_straight_chain_folds_the_way_it_is_asked_to() -> None:
    joints = np.linspace(0, 1, 5)[:, None] * Z
    out = fabrik(joints, 0.7 * Z, X)
    assert np.abs(out[-1] - 0.7 * Z).max() < 1e-6
    assert np.abs(out[1:-1, 1]).min() > 0.02
    assert np.abs(out[:, 0]).max() < 1e-9


@pytest.mark.parametrize("joints", [np.zeros((4, 3)), np.linspace(0, 1, 4)[:, None] * X], ids=["no length", "straight"])
@pytest.mark.parametrize("target", [0 * X, X, -X, 5 * Y])
def test_chains_are_always_defined(joints: Array, target: Array) -> None:
    for bend in (X, Z, 0 * X):
        out = fabrik(joints, target, bend)
        assert np.isfinite(out).all()
        sizes = np.linalg.norm(np.diff(joints, axis=0), axis=-1)
        assert np.abs(np.linalg.norm(np.diff(out, axis=0), axis=-1) - sizes).max() < 1e-9


def test_each_frame_is_solved_alone() -> None:
    rng = np.random.default_rng(10)
    joints, sizes = chains(rng, 10, 4)
    target = directions(rng, 10) * 0.6 * sizes.sum()
    together = fabrik(joints, target, X)
    alone = np.stack([fabrik(joints[i], target[i], X) for i in range(10)])
    assert np.abs(together - alone).max() < 1e-12
