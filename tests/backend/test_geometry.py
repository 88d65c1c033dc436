"""Rotations and alignments: round trips, readable twins, and gradients where the formulas have their weak spots."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from inference_backend.geometry import (
    angle_between,
    axis_angle_to_matrix,
    cross_matrix,
    kabsch,
    matrix_to_axis_angle,
    matrix_to_quaternion,
    matrix_to_sixd,
    procrustes,
    quaternion_to_matrix,
    sixd_to_matrix,
    swing,
)

D = torch.float64


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=D, generator=torch.Generator().manual_seed(seed))


def axis_angles() -> Tensor:
    """Every size of angle from 0 up to just below π, in random directions, and half turns about the axes. (N, 3)"""
    directions = torch.nn.functional.normalize(normal(200, 3), dim=-1)
    angles = torch.cat([torch.zeros(1, dtype=D), torch.logspace(-12, math.log10(3.14159), 199, dtype=D)])
    return torch.cat([directions * angles[:, None], math.pi * torch.eye(3, dtype=D)])


def slow_axis_angle_to_matrix(axis_angle: Tensor) -> Tensor:
    """The readable twin: the exponential of the cross product's matrix."""
    return torch.matrix_exp(cross_matrix(axis_angle))


def test_cross_matrix() -> None:
    a, b = normal(4, 5, 3), normal(4, 5, 3, seed=1)
    torch.testing.assert_close((cross_matrix(a) @ b[..., None])[..., 0], torch.linalg.cross(a, b))


def test_axis_angle_to_matrix_equals_the_exponential() -> None:
    for size in (1e-9, 1e-4, 0.9e-3, 1.1e-3, 0.1, 1, 3, 10):
        axis_angle = size * torch.nn.functional.normalize(normal(2, 20, 3), dim=-1)
        matrix = axis_angle_to_matrix(axis_angle)
        assert matrix.shape == (2, 20, 3, 3)
        atol = 1e-15 if size < 1e-2 else 1e-13
        torch.testing.assert_close(matrix, slow_axis_angle_to_matrix(axis_angle), atol=atol, rtol=0)


def test_round_trips() -> None:
    axis_angle = axis_angles()
    matrix = axis_angle_to_matrix(axis_angle)
    torch.testing.assert_close(quaternion_to_matrix(matrix_to_quaternion(matrix)), matrix, atol=1e-12, rtol=0)
    torch.testing.assert_close(quaternion_to_matrix(7 * matrix_to_quaternion(matrix)), matrix, atol=1e-12, rtol=0)
    torch.testing.assert_close(sixd_to_matrix(matrix_to_sixd(matrix)), matrix, atol=1e-12, rtol=0)
    torch.testing.assert_close(axis_angle_to_matrix(matrix_to_axis_angle(matrix)), matrix, atol=1e-12, rtol=0)
    torch.testing.assert_close(matrix_to_axis_angle(matrix)[:-3], axis_angle[:-3], atol=1e-9, rtol=0)


def test_quaternions_are_unit_and_have_w_above_0() -> None:
    quaternion = matrix_to_quaternion(axis_angle_to_matrix(axis_angles()))
    torch.testing.assert_close(quaternion.norm(dim=-1), torch.ones(len(quaternion), dtype=D))
    assert (quaternion[:, 0] >= 0).all()
    torch.testing.assert_close(
        matrix_to_quaternion(axis_angle_to_matrix(torch.tensor([0, 0, math.pi / 2], dtype=D))),
        torch.tensor([math.sqrt(0.5), 0, 0, math.sqrt(0.5)], dtype=D),
    )


def test_sixd_is_the_first_two_columns_in_turn() -> None:
    matrix = axis_angle_to_matrix(normal(3))
    torch.testing.assert_close(matrix_to_sixd(matrix), torch.cat([matrix[:, 0], matrix[:, 1]]))
    skewed = torch.cat([3 * matrix[:, 0], 2 * matrix[:, 1] + 5 * matrix[:, 0]])
    torch.testing.assert_close(sixd_to_matrix(skewed), matrix)


def test_angle_between() -> None:
    a, turn = axis_angle_to_matrix(normal(199, 3)), axis_angles()[1:200]
    torch.testing.assert_close(angle_between(a, a @ axis_angle_to_matrix(turn)), turn.norm(dim=-1), atol=1e-9, rtol=0)
    assert angle_between(a, a).max() < 1e-7


def test_swing_is_the_smallest_turn_onto_the_target() -> None:
    source, target = normal(50, 3), 10 * normal(50, 3, seed=1)
    turn = swing(source, target)
    turned = (turn @ source[..., None])[..., 0]
    torch.testing.assert_close(torch.cosine_similarity(turned, target), torch.ones(50, dtype=D))
    torch.testing.assert_close(torch.linalg.det(turn), torch.ones(50, dtype=D))
    between = torch.arccos(torch.cosine_similarity(source, target))
    torch.testing.assert_close(angle_between(torch.eye(3, dtype=D), turn), between, atol=1e-9, rtol=0)


HARD_PAIRS = {
    "parallel": ([1, 2, 3], [2, 4, 6]),
    "equal": ([0, 0, 1], [0, 0, 1]),
    "opposite": ([1, 2, 3], [-1, -2, -3]),
    "opposite along x": ([1, 0, 0], [-2, 0, 0]),
    "opposite along z": ([0, 0, 1], [0, 0, -1]),
    "nearly opposite": ([1, 0, 0], [-1, 1e-9, 0]),
    "at the limit of opposite": ([1, 0, 0], [-0.999, math.sqrt(1 - 0.999**2), 0]),
    "no source": ([0, 0, 0], [1, 2, 3]),
    "no target": ([1, 2, 3], [0, 0, 0]),
    "nothing": ([0, 0, 0], [0, 0, 0]),
    "tiny": ([1e-20, 0, 0], [0, 1, 0]),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("pair", HARD_PAIRS)
def test_swing_is_finite_in_value_and_gradient(pair: str, dtype: torch.dtype) -> None:
    source, target = (torch.tensor(v, dtype=dtype, requires_grad=True) for v in HARD_PAIRS[pair])
    turn = swing(source, target)
    torch.testing.assert_close(turn @ turn.T, torch.eye(3, dtype=dtype), atol=1e-5, rtol=0)
    if source.norm() > 1e-8 and target.norm() > 1e-8:
        turned = turn @ torch.nn.functional.normalize(source, dim=0)
        torch.testing.assert_close(turned, torch.nn.functional.normalize(target, dim=0), atol=1e-5, rtol=0)
    else:
        torch.testing.assert_close(turn, torch.eye(3, dtype=dtype))
    (turn * torch.arange(9, dtype=dtype).view(3, 3)).sum().backward()
    for vector in (source, target):
        assert vector.grad is not None
        assert vector.grad.isfinite().all()


def test_gradients() -> None:
    generic, small = normal(4, 3).requires_grad_(), (1e-5 * normal(4, 3)).requires_grad_()
    for axis_angle in (generic, small, torch.zeros(2, 3, dtype=D, requires_grad=True)):
        assert torch.autograd.gradcheck(axis_angle_to_matrix, axis_angle)
    assert torch.autograd.gradcheck(lambda v: matrix_to_axis_angle(axis_angle_to_matrix(v)), generic)
    assert torch.autograd.gradcheck(lambda v: matrix_to_quaternion(axis_angle_to_matrix(v)), generic)
    assert torch.autograd.gradcheck(quaternion_to_matrix, normal(4, 4).requires_grad_())
    assert torch.autograd.gradcheck(sixd_to_matrix, normal(4, 6).requires_grad_())
    assert torch.autograd.gradcheck(swing, (generic, normal(4, 3, seed=1).requires_grad_()))


@pytest.mark.parametrize("angle", [0.0, 1e-12, 1e-5, math.pi])
def test_gradients_at_the_ends_are_finite(angle: float) -> None:
    axis_angle = torch.tensor([0.0, angle, 0.0], dtype=D, requires_grad=True)
    matrix = axis_angle_to_matrix(axis_angle)
    matrix.retain_grad()
    (matrix_to_axis_angle(matrix).sum() + angle_between(matrix, torch.eye(3, dtype=D))).backward()
    assert matrix.grad is not None
    assert matrix.grad.isfinite().all()
    assert axis_angle.grad is not None
    assert axis_angle.grad.isfinite().all()


def test_kabsch_finds_the_rotation_and_no_reflection() -> None:
    source, turn = normal(6, 5, 3), axis_angle_to_matrix(normal(6, 3, seed=1))
    target = source @ turn.mT
    torch.testing.assert_close(kabsch(source, target), turn)
    torch.testing.assert_close(kabsch(source, -target).det(), torch.ones(6, dtype=D))
    # Least squares under noise: no small turn about any axis is better.
    noisy = target + 0.3 * normal(6, 5, 3, seed=2)
    best = kabsch(source, noisy)

    def missed(rotation: Tensor) -> Tensor:
        return (source @ rotation.mT - noisy).square().sum((-1, -2))

    for axis in 0.01 * torch.cat([torch.eye(3, dtype=D), -torch.eye(3, dtype=D)]):
        assert (missed(axis_angle_to_matrix(axis) @ best) > missed(best)).all()


def test_kabsch_weights_count() -> None:
    source, turn = normal(5, 3), axis_angle_to_matrix(normal(3, seed=1))
    target = source @ turn.T
    target[4] += 10
    weights = torch.tensor([1.0, 1, 1, 1, 0], dtype=D)
    torch.testing.assert_close(kabsch(source, target, weights), turn)
    assert angle_between(kabsch(source, target), turn) > 0.1


def test_kabsch_has_a_gradient_where_the_singular_values_differ() -> None:
    """And not elsewhere, as its docstring says: `calibration_align.align` is for that."""
    source, target = normal(4, 3).requires_grad_(), normal(4, 3, seed=1)
    assert torch.autograd.gradcheck(lambda s: kabsch(s, target), source)
    right_angle = torch.eye(3, dtype=D)[:2].requires_grad_()
    kabsch(right_angle, torch.eye(3, dtype=D)[:2])[0, 1].backward()
    assert right_angle.grad is not None
    assert not right_angle.grad.isfinite().all()


def test_procrustes_undoes_a_similarity() -> None:
    source = normal(3, 8, 3)
    turn = axis_angle_to_matrix(normal(3, 3, seed=1))
    target = 2.5 * source @ turn.mT + normal(3, 1, 3, seed=2)
    torch.testing.assert_close(procrustes(source, target), target)
    torch.testing.assert_close(
        procrustes(torch.ones(3, 8, 3, dtype=D), target), target.mean(1, keepdim=True).expand_as(target)
    )


def test_procrustes_is_the_best_similarity() -> None:
    """Against scipy's, which centres both sides and scales the target to norm 1."""
    spatial = pytest.importorskip("scipy.spatial")
    source, target = normal(8, 3), normal(8, 3, seed=1)
    if torch.linalg.det(target.T @ source) < 0:
        source = -source  # scipy's may reflect
    _, _, disparity = spatial.procrustes(target.numpy(), source.numpy())
    centred = target - target.mean(0)
    ours = (procrustes(source, target) - target).square().sum() / centred.square().sum()
    assert ours.item() == pytest.approx(disparity, abs=1e-12)


@pytest.mark.parametrize(
    ("routine", "shape", "name"),
    [
        (cross_matrix, (2, 4), "vector"),
        (axis_angle_to_matrix, (3, 3, 4), "axis_angle"),
        (matrix_to_quaternion, (2, 4, 4), "matrix"),
        (matrix_to_axis_angle, (9,), "matrix"),
        (matrix_to_sixd, (3, 2), "matrix"),
        (quaternion_to_matrix, (5, 3), "quaternion"),
        (sixd_to_matrix, (2, 9), "sixd"),
        (lambda t: swing(t, t), (2, 2), "source"),
        (lambda t: kabsch(t, t[:-1]), (4, 3), "target"),
        (lambda t: procrustes(t, t[..., :2]), (4, 3), "target"),
        (lambda t: procrustes(t, t), (4, 2), "source"),
    ],
)
def test_wrong_shapes_are_named(routine, shape, name) -> None:
    with pytest.raises(ValueError, match=f"{name}: found"):
        routine(torch.zeros(shape))
