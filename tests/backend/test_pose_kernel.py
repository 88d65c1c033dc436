"""The machine code of turned joints against its readable twin, in value and in gradient."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from inference_backend.geometry import axis_angle_to_matrix
from inference_backend.pose_kernel import turned, turned_plain
from inference_backend.skeletons import PARENTS

SIZES = [0.0, 1e-5, 1e-3, 0.05, 1.0, 3.1, 6.0]


def made(size: float, frames: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    """Turns of about this many radians, local rotations, and what the rotations are weighed with."""
    generator = torch.Generator().manual_seed(3)
    turn = torch.randn(frames, 24, 3, generator=generator) * size
    local = axis_angle_to_matrix(torch.randn(frames, 24, 3, generator=generator))
    return turn.requires_grad_(), local, torch.randn(frames, 24, 3, 3, generator=generator)


@pytest.mark.parametrize("size", SIZES)
def test_the_rotations_are_the_twin_s(size: float) -> None:
    turn, local, _ = made(size)
    wanted = turned_plain(turn.double(), local.double(), PARENTS)
    assert (turned(turn, local, PARENTS) - wanted).abs().max() < 5e-6


@pytest.mark.parametrize("size", SIZES)
def test_the_gradient_is_the_twin_s(size: float) -> None:
    turn, local, weights = made(size)
    found = torch.autograd.grad((turned(turn, local, PARENTS) * weights).sum(), turn)[0]
    wanted = torch.autograd.grad((turned_plain(turn.double(), local.double(), PARENTS) * weights).sum(), turn)[0]
    assert wanted.abs().max() > 1
    assert (found - wanted).abs().max() < 1e-5 * wanted.abs().max()


def test_the_gradient_that_comes_in_is_left_alone() -> None:
    turn, local, weights = made(0.3)
    kept = weights.clone()
    turned(turn, local, PARENTS).backward(weights)
    assert torch.equal(weights, kept)


def test_strides_do_not_matter() -> None:
    turn, local, weights = made(0.3, frames=10)
    halves = turned(turn[::2], local[::2], PARENTS)
    assert torch.equal(halves, turned(turn, local, PARENTS)[::2])
    (halves * weights[::2]).sum().backward()
    assert turn.grad is not None
    assert turn.grad[::2].abs().min() > 0
    assert turn.grad[1::2].abs().max() == 0


def test_no_frames() -> None:
    assert turned(torch.zeros(0, 24, 3), torch.zeros(0, 24, 3, 3), PARENTS).shape == (0, 24, 3, 3)
