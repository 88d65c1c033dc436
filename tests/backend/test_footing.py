"""Feet on what they rest on: the cost, and what the fit makes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from inference_backend.body import load_default_body
from inference_backend.body_points import PointRig
from inference_backend.fit import FitSettings, Fitted, Lifted, fit, posed
from inference_backend.footing import FLAT, LASTING_TIPTOE, SINKING, TIPTOE, Footing, tiptoes
from inference_backend.geometry import axis_angle_to_matrix
from inference_backend.skeletons import POINTS
from inference_backend.standing import SOLES

FRAMES = 40
UP = torch.tensor([0.0, -0.8, -0.6])  # of a camera that looks down by 37°
CLEARANCE = torch.tensor([0.04, 0.04, 0.02, 0.02])


def floor(frames: int = FRAMES, held: float = 1.0, over: float = 1.0) -> Footing:
    """2 m under the camera."""
    holds = torch.full((frames, 4), held)
    level, overs = torch.full((frames,), -2.0), torch.full((frames,), over)
    return Footing(UP, level, CLEARANCE, holds, overs, torch.full((frames, 2), TIPTOE))


def soles(*heights: float) -> Tensor:
    """A frame of soles at these heights above the floor, each 4 m before the camera."""
    ahead = torch.tensor([0.0, -0.6, 0.8]) * 4
    return torch.stack([ahead + (h + c - 2.0) * UP for h, c in zip(heights, CLEARANCE.tolist(), strict=True)])[None]


def test_feet_cost_what_their_lower_ends_are_off_the_floor() -> None:
    one = floor(1, over=0)
    assert one.cost(soles(0, 0, 0, 0)).item() == pytest.approx(0, abs=1e-6)
    assert one.cost(soles(0.3, 0, 0, 0)).item() == pytest.approx(0, abs=1e-6)  # on its toes
    assert one.cost(soles(0.3, 0, 0.1, 0)).item() == pytest.approx(0.05, abs=1e-6)
    assert one.cost(soles(0, -0.1, 0, 0)).item() == pytest.approx(0.05, abs=1e-6)
    in_the_air = replace(one, held=torch.tensor([[0.0, 1, 0, 1]]))
    assert in_the_air.cost(soles(0.3, 0, 0.1, 0)).item() == pytest.approx(0, abs=1e-6)


def test_a_resting_foot_that_is_nearly_flat_costs_what_it_is_not() -> None:
    one = floor(1, over=0)
    assert one.cost(soles(0.04, 0, 0, 0)).item() == pytest.approx(FLAT * 0.04 / 2, abs=1e-6)
    assert one.cost(soles(0, 0, 0, 0.03)).item() == pytest.approx(FLAT * 0.03 / 2, abs=1e-6)
    on_its_toes = replace(one, held=torch.tensor([[0.0, 1, 1, 1]]))
    assert on_its_toes.cost(soles(0.04, 0, 0, 0)).item() == pytest.approx(0, abs=1e-6)


def test_who_stands_for_long_does_not_stand_on_their_toes() -> None:
    on_its_toes = soles(0.12, 0, 0, 0)
    short, long = floor(1, over=0), replace(floor(1, over=0), tiptoe=torch.tensor([[LASTING_TIPTOE, TIPTOE]]))
    assert short.cost(on_its_toes).item() == pytest.approx(0, abs=1e-6)
    assert long.cost(on_its_toes).item() == pytest.approx(FLAT * 0.12 / 2, abs=1e-6)
    assert long.cost(soles(0, 0.12, 0, 0)).item() == pytest.approx(0, abs=1e-6)  # the other foot stands for a moment


def test_a_foot_stands_for_long_where_heel_and_toes_do() -> None:
    held = torch.zeros(150, 4)
    held[30:120, 0] = held[30:120, 2] = 1  # three seconds, left
    held[40:70, 1] = held[40:70, 3] = 1  # one second, right
    held[90:, 1] = 1  # the right heel alone
    limits = tiptoes(held, 30.0)
    assert (limits[30:120, 0] == LASTING_TIPTOE).all()
    assert (limits[:15, 0] == TIPTOE).all()
    assert (limits[:, 1] == TIPTOE).all()


def test_any_foot_costs_under_the_floor_unless_it_may_be_there() -> None:
    swinging = floor(1, held=0)
    assert swinging.cost(soles(0.2, 0.2, 0.2, 0.2)).item() == pytest.approx(0, abs=1e-6)
    assert swinging.cost(soles(0.2, -0.1, 0.2, -0.3)).item() == pytest.approx(0.3 * SINKING, abs=1e-6)
    assert floor(1, held=0, over=0).cost(soles(0.2, -0.1, 0.2, -0.3)).item() == pytest.approx(0, abs=1e-6)


@pytest.fixture(scope="module")
def rigs() -> tuple[PointRig, PointRig]:
    body = load_default_body()
    return PointRig.of_landmarks(body, as_seen=False), PointRig.of_landmarks(body, as_seen=True)


def standing(rigs: tuple[PointRig, PointRig]) -> tuple[Tensor, Fitted, Lifted]:
    """A body that stands on the floor 5 m away, and a lifter that puts it too near and so too high.

    It is seen badly: else its size in the picture alone tells how far away it is.
    """
    betas = torch.zeros(10)
    right = torch.tensor([1.0, 0, 0])
    local = torch.eye(3).repeat(FRAMES, 24, 1, 1)
    local[:, 0] = torch.stack([-right, UP, torch.linalg.cross(-right, UP)], 1)
    _, landmarks, _ = rigs[1].pose(local[:1], betas[None])
    ahead = torch.tensor([0.0, -0.6, 0.8]) * 5
    lowest = (landmarks[0, list(SOLES)] @ UP - CLEARANCE).mean()
    shift = ahead + (-2.0 - lowest) * UP
    joints, landmarks, rotations = rigs[1].pose(local, betas[None])
    truth = posed(rigs[0], betas, local, joints[:, 0] + shift)
    picture = (landmarks + shift)[..., :2] / (landmarks + shift)[..., 2:]
    nearer = -0.4 * truth.root / truth.root.norm(dim=-1, keepdim=True)
    joints, points = truth.joints + nearer[:, None], truth.points + nearer[:, None]
    lifted = Lifted(
        joints,
        points,
        rotations,
        torch.full((FRAMES, 24), -3.0),
        picture,
        torch.full((FRAMES, 33), 0.15),
        torch.ones(FRAMES, 4),
    )
    return betas, truth, lifted


def heights(fitted: Fitted) -> Tensor:
    """Of the ankles, above where they are on the floor."""
    return fitted.joints[:, [7, 8]] @ UP


def test_the_fit_puts_standing_feet_on_the_floor(rigs: tuple[PointRig, PointRig]) -> None:
    betas, truth, lifted = standing(rigs)
    settings = FitSettings()
    floating = fit(*rigs, betas, lifted, 30.0, settings)
    grounded = fit(*rigs, betas, lifted, 30.0, settings, footing=floor())
    assert (heights(floating) - heights(truth)).abs().mean() > 0.02
    assert (heights(grounded) - heights(truth)).abs().mean() < 0.01


def test_without_weight_there_is_no_floor(rigs: tuple[PointRig, PointRig]) -> None:
    betas, _, lifted = standing(rigs)
    settings = FitSettings(floor=0.0, iterations=5)
    with_floor, without = (fit(*rigs, betas, lifted, 30.0, settings, footing=f) for f in (floor(), None))
    torch.testing.assert_close(with_floor.joints, without.joints)


def test_a_footing_is_cut_as_the_clip_is(rigs: tuple[PointRig, PointRig], monkeypatch: pytest.MonkeyPatch) -> None:
    betas, truth, lifted = standing(rigs)
    monkeypatch.setattr("inference_backend.fit.WINDOW", 24)
    monkeypatch.setattr("inference_backend.fit.OVERLAP", 8)
    grounded = fit(*rigs, betas, lifted, 30.0, FitSettings(), footing=floor())
    assert (heights(grounded) - heights(truth)).abs().max() < 0.02


def on_tiptoe(rigs: tuple[PointRig, PointRig]) -> tuple[Tensor, Lifted]:
    """A body that stands flat, and detections and a lifter that have it on its toes."""
    betas, truth, lifted = standing(rigs)
    local = truth.local_rotations.clone()
    bend = torch.tensor([0.9, 0.0, 0.0])
    for ankle, toes in ((7, 10), (8, 11)):
        local[:, ankle], local[:, toes] = axis_angle_to_matrix(bend), axis_angle_to_matrix(-0.8 * bend)
    joints, landmarks, rotations = rigs[1].pose(local, betas[None])
    made = posed(rigs[0], betas, local, truth.root)
    landmarks = landmarks + (truth.root - joints[:, 0])[:, None]
    picture = landmarks[..., :2] / landmarks[..., 2:]
    return betas, replace(lifted, joints=made.joints, points=made.points, rotations=rotations, landmarks=picture)


def tilts(fitted: Fitted) -> Tensor:
    """How much higher the heels are than the toe tips, beside a flat foot's. Shape: (F, 2) metres."""
    heels, tips = (
        fitted.points[:, [POINTS.index(f"{side}_{part}") for side in ("left", "right")]] @ UP
        for part in ("heel", "foot_index")
    )
    return heels - tips - (CLEARANCE[0] - CLEARANCE[2])


def test_the_fit_puts_heels_down_that_were_seen_too_high_for_long(rigs: tuple[PointRig, PointRig]) -> None:
    betas, lifted = on_tiptoe(rigs)
    lasting = replace(floor(), tiptoe=torch.full((FRAMES, 2), LASTING_TIPTOE))
    short, long = (fit(*rigs, betas, lifted, 30.0, FitSettings(), footing=under) for under in (floor(), lasting))
    assert tilts(short).median() > 0.08
    assert tilts(long).abs().median() < 0.04
