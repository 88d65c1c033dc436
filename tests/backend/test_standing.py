"""Feet that rest in the picture stand; feet that move, that turn back in the air or that are not seen do not."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from inference_backend.skeletons import LANDMARKS
from inference_backend.standing import MOVING, SOLES, STILL, stances, standing

FPS = 30.0
TALL = 0.4
"""The figure's height in the picture."""


def figure(frames: int) -> Tensor:
    """Somebody who stands with the arms down, in a picture of normalised coordinates. Shape: (F, 33, 2)."""
    places = {
        "nose": (0, 0.06), "shoulder": (0.1, 0.18), "elbow": (0.13, 0.36), "wrist": (0.14, 0.5),
        "hip": (0.06, 0.48),
        "knee": (0.06, 0.72), "ankle": (0.06, 0.95), "heel": (0.05, 0.98), "foot_index": (0.09, 1.0),
        "ear": (0.05, 0.05),
    }  # fmt: skip
    one = torch.zeros(33, 2)
    for index, name in enumerate(LANDMARKS):
        side = -1 if "right" in name else 1
        x, y = next((place for part, place in places.items() if part in name), (0.0, 0.05))
        one[index] = torch.tensor([side * x, y]) * TALL
    return one.expand(frames, 33, 2).clone()


def walk(points: Tensor, landmark: int, statures_a_second: float) -> Tensor:
    """One point moves sideways at a steady speed."""
    out = points.clone()
    out[:, landmark, 0] += statures_a_second * TALL * torch.arange(len(points)) / FPS
    return out


def test_who_stands_stands() -> None:
    still = standing(figure(40), torch.ones(40, 33), FPS)
    assert still.shape == (40, 4)
    assert (still == 1).all()


@pytest.mark.parametrize("place", range(4))
def test_each_sole_is_judged_alone(place: int) -> None:
    still = standing(walk(figure(40), SOLES[place], 1.0), torch.ones(40, 33), FPS)
    others = [other for other in range(4) if other != place]
    assert (still[:, place] == 0).all()
    assert (still[:, others] == 1).all()


def test_speeds_between() -> None:
    speed = (STILL + MOVING) / 2
    still = standing(walk(figure(60), SOLES[0], speed), torch.ones(60, 33), FPS)[10:-10, 0]
    assert ((still > 0.2) & (still < 0.8)).all()


@pytest.mark.parametrize("fps", [12.0, 30.0, 60.0, 120.0])
def test_any_frame_rate(fps: float) -> None:
    frames = round(2 * fps)
    moving = figure(frames)
    moving[:, SOLES[1], 0] += 0.5 * TALL * torch.arange(frames) / fps
    still = standing(moving, torch.ones(frames, 33), fps)
    assert (still[:, 1] == 0).all()
    assert (still[:, [0, 2, 3]] == 1).all()


def test_a_foot_that_is_not_seen_is_not_held() -> None:
    confidence = torch.ones(40, 33)
    confidence[20:23, SOLES[3]] = 0.1
    still = standing(figure(40), confidence, FPS)
    assert (still[20:23, 3] == 0).all()
    assert (still[:17, 3] == 1).all()
    assert (still[:, :3] == 1).all()


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_too_short_to_tell(frames: int) -> None:
    assert (standing(figure(frames), torch.ones(frames, 33), FPS) == 0).all()


def test_a_stance_lasts_until_the_foot_leaves() -> None:
    """The speed over a fifth of a second blurs landing and leaving."""
    points = figure(40)
    points[:10, SOLES[0], 0] += TALL * torch.arange(10, 0, -1) / FPS
    points[30:, SOLES[0], 0] += TALL * torch.arange(1, 11) / FPS
    confidence = torch.ones(40, 33)
    blurred, sharp = standing(points, confidence, FPS)[:, 0], stances(points, confidence, FPS)[:, 0]
    assert blurred[[10, 29]].max() < 0.5
    assert sharp[10:30].min() > 0.9
    assert (sharp[:9] == 0).all()
    assert (sharp[31:] == 0).all()
    confidence[10:14, SOLES[0]] = 0.1
    assert (stances(points, confidence, FPS)[10:14, 0] == 0).all()


def test_what_moves_through_has_no_stance() -> None:
    moving = walk(figure(40), SOLES[1], 1.0)
    assert (stances(moving, torch.ones(40, 33), FPS)[:, 1] == 0).all()
    assert (stances(figure(3), torch.ones(3, 33), FPS) == 0).all()
