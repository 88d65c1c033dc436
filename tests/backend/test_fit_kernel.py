"""The machine code of the fit's cost against its readable twin, in value and in gradient."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from inference_backend.fit_cost import ENDS, FitCost, FitSettings
from inference_backend.fit_kernel import cost_of
from inference_backend.footing import LASTING_TIPTOE, TIPTOE, Footing
from inference_backend.geometry import axis_angle_to_matrix

SETTINGS = FitSettings(joints=1.3, reprojection=0.7, rotation=0.4, smoothness=0.9, contact=15.0, floor=3.0)
PARTS = ("joints", "reprojection", "rotation", "smoothness", "contact", "floor")


def made(frames: int, settings: FitSettings = SETTINGS, *, floor: bool = True) -> tuple[FitCost, list[Tensor]]:
    """A cost, and a pose of which some values lie on either side of every corner of it."""
    rng = torch.Generator().manual_seed(frames)

    def random(*shape: int) -> Tensor:
        return torch.randn(frames, *shape, generator=rng)

    place = torch.tensor([0.2, -0.1, 4.0]) + 0.3 * random(3)
    if frames > 4:
        place[1, 2], place[3, 2] = 0.1, 0.6  # nearer than the shortest depth; landmarks behind the camera
    up = torch.nn.functional.normalize(torch.tensor([0.1, -1.0, 0.2]), dim=0)
    footing = Footing(
        up, place @ up - 0.9 + 0.03 * random(), torch.tensor([0.02, 0.01, 0.03, 0.02]),
        random(4).sigmoid(), random().sigmoid(), torch.tensor([TIPTOE, LASTING_TIPTOE]).repeat(frames, 1),
    )  # fmt: skip
    cost = FitCost(
        place=place, relative=0.4 * random(24, 3), weight=random(24).sigmoid(),
        ends=axis_angle_to_matrix(random(len(ENDS), 3)), seen=0.2 * random(33, 2), trust=random(33).sigmoid(),
        stands=random(4).sigmoid()[1:], fps=25.0, settings=settings, footing=footing if floor else None,
    )  # fmt: skip
    places = 0.4 * random(57, 3)
    places[:, 24:57] -= 0.9 * up * torch.rand(frames, 33, 1, generator=rng).round()
    near = cost.place + (places[:, 24:, :].mean(1)) * 0  # some detections are met within the corner of the Huber cost
    places[:, 30, :2] = (cost.seen[:, 6] + 0.001) * near[:, 2:] - near[:, :2]
    places[:, 30, 2] = 0
    places[:, 31, :2] = (cost.seen[:, 7] + 0.005) * near[:, 2:] - near[:, :2]  # and some between it and the next
    places[:, 31, 2] = 0
    return cost, [places, axis_angle_to_matrix(random(24, 3)), 0.3 * random(24, 3), 0.02 * random(3)]


def in_double(value: Any) -> Any:
    """A cost, or what it holds, in float64."""
    if isinstance(value, Tensor):
        return value.double()
    if isinstance(value, FitCost | Footing):
        return replace(value, **{field.name: in_double(getattr(value, field.name)) for field in fields(value)})
    return value


def compare(cost: FitCost, pose: list[Tensor]) -> None:
    found_at = [tensor.clone().requires_grad_() for tensor in pose]
    wanted_at = [tensor.double().requires_grad_() for tensor in pose]
    found, wanted = cost_of(cost, *found_at), in_double(cost).plain(*wanted_at)
    torch.testing.assert_close(found.double(), wanted, rtol=2e-6, atol=1e-7)
    (3 * found).backward()
    (3 * wanted).backward()
    for a, b in zip(found_at, wanted_at, strict=True):
        assert a.grad is not None
        gradient = torch.zeros_like(b) if b.grad is None else b.grad
        assert (a.grad - gradient).abs().max() <= 2e-5 * gradient.abs().max() + 1e-9


@pytest.mark.parametrize("frames", [1, 2, 3, 40])
@pytest.mark.parametrize("floor", [True, False])
def test_value_and_gradient_are_the_twin_s(frames: int, floor: bool) -> None:
    compare(*made(frames, floor=floor))


@pytest.mark.parametrize("part", PARTS)
def test_each_part_alone(part: str) -> None:
    """A slip in a small part would drown in the others."""
    none = replace(SETTINGS, **dict.fromkeys(PARTS, 0.0))
    cost, pose = made(20, replace(none, **{part: 2.0}))
    bare = cost_of(replace(cost, settings=none), *pose)
    assert abs(float(cost_of(cost, *pose) - bare)) > 1e-3
    compare(cost, pose)


def test_where_nothing_is_off_the_gradient_is_none() -> None:
    """Distances have no slope at 0."""
    cost, (_, _, turn, shift) = made(6, floor=False)
    still = replace(cost, place=cost.place[:1].expand(6, 3), relative=cost.relative[:1].expand(6, 24, 3))
    places = torch.cat([still.relative, torch.zeros(6, 33, 3)], 1).requires_grad_()
    cost_of(replace(still, settings=replace(SETTINGS, reprojection=0.0)), places, torch.zeros(6, 24, 3, 3), turn * 0,
            shift * 0).backward()  # fmt: skip
    assert places.grad is not None
    assert places.grad.abs().max() == 0


def test_what_was_detected_far_off_pulls_less_than_what_was_near() -> None:
    cost, pose = made(8, replace(SETTINGS, **dict.fromkeys(PARTS, 0.0) | {"reprojection": 1.0}), floor=False)
    cost = replace(cost, trust=torch.zeros(8, 33).index_fill(1, torch.tensor([11]), 1.0))
    pulls = []
    for metres in (0.004, 0.03, 0.3):
        places = pose[0].clone()
        places[:, 24 + 11] = torch.tensor([0.3, 0.1, 0.0])
        root = cost.root(torch.zeros(8, 3))
        place = places[:, 24 + 11] + root
        seen = cost.seen.clone()
        seen[:, 11] = place[:, :2] / place[:, 2:] + torch.tensor([metres, 0.0]) / cost.depth[:, None]
        places.requires_grad_()
        cost_of(replace(cost, seen=seen), places, pose[1], pose[2] * 0, pose[3] * 0).backward()
        assert places.grad is not None
        pulls.append(float(places.grad[7, 24 + 11, :2].norm()))
    assert pulls[2] < 0.5 * pulls[0] < 0.5 * pulls[1]


def test_strides_do_not_matter() -> None:
    cost, pose = made(12)
    turned_round = [tensor.transpose(0, 1).contiguous().transpose(0, 1) for tensor in pose]
    assert torch.equal(cost_of(cost, *pose), cost_of(cost, *turned_round))
