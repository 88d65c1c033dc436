"""What the networks are shown: the same for a body wherever in the picture and however large it is seen."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from inference_backend.geometry import axis_angle_to_matrix, swing
from inference_backend.virtual_camera import (
    _BONES,
    _STATURES,
    CENTRE_FRAMES,
    FARTHEST,
    FEATURES,
    SIZE_FRAMES,
    bone_depths,
    moving_average,
    normalise,
    virtual_camera,
)

D = torch.float64
CONTEXT = 33 * 6
"""Where the six features begin that tell of the view: hints given, axis x and y, size, the picture's foot x and y. The
bones' depths follow."""


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=D, generator=torch.Generator().manual_seed(seed))


def centred_body(frames: int = 50, batch: int = 2, hips: float = 1.0) -> Tensor:
    """Landmarks in metres, camera frame, 4 m away, the hips' picture with its middle on the optical axis.

    The shoulders' middle lies straight above it. `hips` 0 puts one hip behind the other, and one shoulder behind the
    other, so that each pair stays one point in the picture wherever the camera turns. Shape: (B, F, 33, 3).
    """
    body = normal(batch, 1, 33, 3) * torch.tensor([0.3, 0.6, 0.2], dtype=D) + 0.05 * normal(
        batch, frames, 33, 3, seed=1
    )
    body[:, :, 23, :2] *= hips
    body[:, :, 24] = body[:, :, 23] * torch.tensor([-1, -1, 1], dtype=D)
    body[:, :, 11] = body[:, :, 23] * torch.tensor([1, 1, 1], dtype=D)
    body[:, :, 12] = body[:, :, 24]
    body[:, :, 11:13] -= torch.tensor([0, 0.5, 0], dtype=D)
    return body + torch.tensor([0, 0, 4.0], dtype=D)


def picture(points: Tensor) -> Tensor:
    return points[..., :2] / points[..., 2:]


def test_shapes_and_layout() -> None:
    points, world = picture(centred_body()), normal(2, 50, 33, 3)
    confidence = torch.rand(2, 50, 33, dtype=D)
    view = normalise(points, confidence, world)
    assert view.points.shape == (2, 50, 33, 2)
    assert view.turn.shape == (2, 50, 3, 3)
    assert view.size.shape == (2, 50)
    assert view.features.shape == (2, FEATURES, 50)
    rows = view.features.transpose(1, 2)
    torch.testing.assert_close(rows[..., :66], view.points.flatten(2))
    torch.testing.assert_close(rows[..., 66:99], confidence)
    hints = (world @ view.turn.mT / 1.7).flatten(2)
    torch.testing.assert_close(rows[..., 99:CONTEXT], hints)
    torch.testing.assert_close(rows[..., CONTEXT], torch.ones(2, 50, dtype=D))
    torch.testing.assert_close(rows[..., CONTEXT + 1 : CONTEXT + 3], view.turn[..., :2, 2])
    torch.testing.assert_close(rows[..., CONTEXT + 3], view.size.log() / 2 + 0.7)
    torch.testing.assert_close(rows[..., CONTEXT + 4 : CONTEXT + 6], view.turn[..., :2, 1])
    torch.testing.assert_close(rows[..., CONTEXT + 6 :], bone_depths(view.points))


def test_without_hints_the_flag_is_down() -> None:
    view = normalise(picture(centred_body()), torch.ones(2, 50, 33, dtype=D), None)
    assert (view.features[:, 99 : CONTEXT + 1] == 0).all()


def test_a_centred_body_is_seen_as_it_is() -> None:
    points = picture(centred_body())
    view = normalise(points, torch.ones(2, 50, 33, dtype=D), None)
    torch.testing.assert_close(view.turn, torch.eye(3, dtype=D).expand(2, 50, 3, 3), atol=1e-12, rtol=0)
    torch.testing.assert_close(view.points * view.size[..., None, None], points, atol=1e-12, rtol=0)


@pytest.mark.parametrize("place", [(0.3, 0.1), (-0.5, 0.4), (0.0, -0.7)])
def test_where_in_the_picture_does_not_matter(place: tuple[float, float]) -> None:
    """The camera turned away from the body: only the axis' direction tells of it."""
    body, confidence = centred_body(hips=0), torch.rand(2, 50, 33, dtype=D)
    away = swing(torch.tensor([0, 0, 1.0], dtype=D), torch.tensor([*place, 1.0], dtype=D))
    centred, aside = (normalise(picture(b), confidence, None) for b in (body, body @ away.T))
    torch.testing.assert_close(aside.turn, away.T.expand(2, 50, 3, 3), atol=1e-12, rtol=0)
    torch.testing.assert_close(aside.size, centred.size)
    axis, foot = [CONTEXT + 1, CONTEXT + 2], [CONTEXT + 4, CONTEXT + 5]
    same = [i for i in range(FEATURES) if i not in axis + foot]
    torch.testing.assert_close(aside.features[:, same], centred.features[:, same], atol=1e-6, rtol=0)
    torch.testing.assert_close(aside.features[:, axis], away[2, :2, None].expand(2, 2, 50), atol=1e-12, rtol=0)


@pytest.mark.parametrize("degrees", [20.0, -90.0, 170.0])
def test_which_way_up_does_not_matter(degrees: float) -> None:
    """A camera on its side or its head sees the same body, and only tells where the picture's foot is."""
    turn = axis_angle_to_matrix(torch.tensor([0, 0, degrees], dtype=D).deg2rad())
    body, confidence, world = centred_body(), torch.rand(2, 50, 33, dtype=D), normal(2, 50, 33, 3)
    body[:, :, 11:13] -= torch.tensor([0, 1.0, 0], dtype=D)  # trunks are longer than what is random here
    upright = normalise(picture(body), confidence, world)
    rolled = normalise(picture(body @ turn.T), confidence, world @ turn.T)
    # The upright vote of a trunk that is seen well moves it by a few degrees.
    trunk = rolled.points[:, :, 11:13].mean(2) - rolled.points[:, :, 23:25].mean(2)
    angle = torch.atan2(trunk[..., 0], -trunk[..., 1]).rad2deg()
    assert angle.abs().max() < 20
    assert (angle.sign() == torch.tensor(degrees).sign()).all()
    rest = axis_angle_to_matrix(torch.stack([0 * angle, 0 * angle, angle.deg2rad()], -1))[..., :2, :2]
    torch.testing.assert_close(rolled.points, upright.points @ rest.mT, atol=1e-6, rtol=0)
    foot = rolled.features[:, CONTEXT + 4 : CONTEXT + 6]
    assert (foot.norm(dim=1) - 1).abs().max() < 1e-9
    assert (torch.atan2(-foot[:, 0], foot[:, 1]).rad2deg() + degrees - angle).abs().max() < 1e-6


def test_a_trunk_seen_from_its_end_is_not_rolled() -> None:
    body = centred_body()
    body[:, :, 11:13] = body[:, :, 23:25] + 0.003 * normal(2, 50, 2, 3)
    view = normalise(picture(body), torch.ones(2, 50, 33, dtype=D), None)
    assert (view.turn[..., 1, 1] > 0.98).all()


@pytest.mark.parametrize("zoom", [0.2, 3.0])
def test_how_large_it_is_seen_does_not_matter(zoom: float) -> None:
    points, confidence = picture(centred_body()), torch.rand(2, 50, 33, dtype=D)
    near, far = normalise(points * zoom, confidence, None), normalise(points, confidence, None)
    torch.testing.assert_close(near.size, zoom * far.size)
    same = [i for i in range(FEATURES) if i != CONTEXT + 3]
    torch.testing.assert_close(near.features[:, same], far.features[:, same])
    shift = torch.tensor(zoom, dtype=D).log() / 2
    torch.testing.assert_close(near.features[:, CONTEXT + 3], far.features[:, CONTEXT + 3] + shift)


def test_the_pelvis_comes_onto_the_axis() -> None:
    turn = axis_angle_to_matrix(torch.tensor([0.3, -0.5, 0.8], dtype=D))
    points = picture(centred_body() @ turn.T)
    rays = torch.cat([points, torch.ones_like(points[..., :1])], -1) @ virtual_camera(points).mT
    hips = picture(rays)[:, :, 23:25].mean(2)
    # Not quite: the axis is the mean of the pictures over some frames, and the turn is no shift.
    assert hips.abs().max() < 0.01
    assert picture(rays[:, :, [23]]).abs().max() > 0.02


def test_a_landmark_far_off_is_held_back() -> None:
    points = picture(centred_body())
    points[0, 20, 15] = torch.tensor([40.0, -90.0], dtype=D)
    view = normalise(points, torch.ones(2, 50, 33, dtype=D), None)
    assert view.points.abs().max() == FARTHEST


def test_bone_depths_of_a_body_of_known_stature() -> None:
    """The picture of a bone and its length make its depth, under a camera far away."""
    bones = [(a, b, length, stature) for a, b, length in _BONES for stature in _STATURES]
    for row, (a, b, length, stature) in enumerate(bones):
        points = torch.zeros(1, 2, 33, 2, dtype=D)
        tilt = torch.tensor(0.6, dtype=D)
        points[0, 0, b, 0] = length * stature * tilt.cos()
        points[0, 1, b, 1] = length * stature * 1.01  # longer than it can be
        points[..., a, :] += 0.3
        points[..., b, :] += 0.3
        depths = bone_depths(points)
        torch.testing.assert_close(depths[0, :, row], torch.stack([length * stature * tilt.sin(), 0 * tilt]))


@pytest.mark.parametrize("frames", [1, 2, 3, 5, 40])
@pytest.mark.parametrize("width", [1, CENTRE_FRAMES, SIZE_FRAMES])
def test_moving_average_equals_its_slow_twin(frames: int, width: int) -> None:
    values = normal(2, frames, 3)
    means = []
    for t in range(frames):
        around = range(t - width // 2, t + width // 2 + 1)
        means.append(torch.stack([values[:, min(max(i, 0), frames - 1)] for i in around]).mean(0))
    torch.testing.assert_close(moving_average(values, width), torch.stack(means, 1))


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_short_clips(frames: int) -> None:
    view = normalise(picture(centred_body(frames)), torch.ones(2, frames, 33, dtype=D), None)
    assert view.features.shape == (2, FEATURES, frames)
    assert view.features.isfinite().all()


def test_finite_where_all_landmarks_coincide() -> None:
    points = torch.full((1, 4, 33, 2), 0.2, requires_grad=True)
    view = normalise(points, torch.zeros(1, 4, 33), torch.zeros(1, 4, 33, 3))
    assert view.features.isfinite().all()
    view.features.sum().backward()
    assert points.grad is not None
    assert points.grad.isfinite().all()


def test_gradient() -> None:
    points = picture(centred_body(4, 1)).requires_grad_()
    confidence = torch.ones(1, 4, 33, dtype=D)
    assert torch.autograd.gradcheck(lambda p: normalise(p, confidence, None).features, points)


@pytest.mark.parametrize(
    ("points", "confidence", "world", "name"),
    [
        ((2, 5, 17, 2), (2, 5, 17), None, "points"),
        ((5, 33, 2), (5, 33), None, "points"),
        ((2, 0, 33, 2), (2, 0, 33), None, "points"),
        ((2, 5, 33, 2), (2, 4, 33), None, "confidence"),
        ((2, 5, 33, 2), (2, 5, 33), (2, 5, 33, 2), "world"),
    ],
)
def test_wrong_shapes_are_named(points, confidence, world, name) -> None:
    with pytest.raises(ValueError, match=f"{name}: found"):
        normalise(torch.zeros(points), torch.zeros(confidence), None if world is None else torch.zeros(world))
