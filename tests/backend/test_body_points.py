"""Points of a body without its mesh, against the mesh's own linear blend skinning."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from inference_backend.body import BodyModel
from inference_backend.body_points import PointRig, compose
from inference_backend.errors import BodyInvalid
from inference_backend.geometry import axis_angle_to_matrix
from inference_backend.skinning import Regressor, forward_kinematics

from .synthetic_body import synthetic_body, with_fingers

D = torch.float64


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=D, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def body() -> BodyModel:
    """With landmarks whose weights sum to 1 in float64 too."""
    body = synthetic_body().to(dtype=D)
    regressor = body.landmark_regressor
    assert regressor is not None
    rows = regressor.matrix / regressor.matrix.sum(1, keepdim=True)
    return replace(body, landmark_regressor=Regressor(regressor.columns, rows), landmark_offsets=0.02 * normal(33, 3))


def rotations(batch: int, joints: int = 24) -> Tensor:
    return axis_angle_to_matrix(0.8 * normal(batch, joints, 3))


@pytest.mark.parametrize("shapes", ["each", "shared"])
@pytest.mark.parametrize("batch", [1, 5])
def test_the_rig_equals_the_whole_bodys_skinning(body: BodyModel, batch: int, shapes: str) -> None:
    local, betas = rotations(batch), normal(batch if shapes == "each" else 1, 10, seed=1)
    joints, points, turned = PointRig.of_landmarks(body, as_seen=False).pose(local, betas)
    whole = body.pose(local, betas)
    torch.testing.assert_close(joints, whole.joints, atol=1e-12, rtol=0)
    torch.testing.assert_close(points, body.landmarks(whole.vertices), atol=1e-12, rtol=0)
    torch.testing.assert_close(turned, whole.global_rotations, atol=1e-12, rtol=0)


def test_the_rest_pose(body: BodyModel) -> None:
    betas = normal(3, 10)
    rig = PointRig.of_landmarks(body, as_seen=False)
    vertices, rest = body.rest(betas)
    joints, points, _ = rig.pose(torch.eye(3, dtype=D).expand(3, 24, 3, 3), betas)
    torch.testing.assert_close(rig.rest_joints(betas), rest, atol=1e-12, rtol=0)
    torch.testing.assert_close(joints, rest, atol=1e-12, rtol=0)
    torch.testing.assert_close(points, body.landmarks(vertices), atol=1e-12, rtol=0)


def test_offsets_turn_with_their_joint(body: BodyModel) -> None:
    local, betas = rotations(4), normal(4, 10, seed=1)
    there, seen = (PointRig.of_landmarks(body, as_seen=as_seen) for as_seen in (False, True))
    _, points, turned = there.pose(local, betas)
    assert body.landmark_offsets is not None
    moved = (turned[:, there.shares.argmax(1)] @ body.landmark_offsets[..., None])[..., 0]
    torch.testing.assert_close(seen.pose(local, betas)[1], points + moved, atol=1e-12, rtol=0)


def test_without_offsets_the_places_are_the_same(body: BodyModel) -> None:
    plain = replace(body, landmark_offsets=None)
    there, seen = (PointRig.of_landmarks(plain, as_seen=as_seen) for as_seen in (False, True))
    assert torch.equal(there.arms, seen.arms)


@pytest.mark.parametrize("joints", [24, 52, 55])
def test_compose_equals_its_readable_twin(joints: int) -> None:
    """Also where joints do not come level by level, as fingers do not."""
    parents = with_fingers(synthetic_body(), joints).parents if joints > 24 else synthetic_body().parents
    local = rotations(6, joints)
    turned, _ = forward_kinematics(local, torch.zeros(1, joints, 3, dtype=D), parents)
    torch.testing.assert_close(compose(local, parents), turned, atol=1e-12, rtol=0)


def test_a_body_with_fingers() -> None:
    body = with_fingers(synthetic_body(), 52).to(dtype=D)
    local, betas = rotations(3, 52), normal(1, 10)
    joints, points, _ = PointRig.of_landmarks(body, as_seen=False).pose(local, betas)
    whole = body.pose(local, betas)
    torch.testing.assert_close(joints, whole.joints, atol=1e-12, rtol=0)
    torch.testing.assert_close(points, body.landmarks(whole.vertices), atol=1e-6, rtol=0)


def test_gradient(body: BodyModel) -> None:
    rig = PointRig.of_landmarks(body, as_seen=True)
    axis_angle, betas = normal(2, 24, 3).requires_grad_(), normal(2, 10, seed=1).requires_grad_()

    def places(axis_angle: Tensor, betas: Tensor) -> tuple[Tensor, ...]:
        return rig.pose(axis_angle_to_matrix(axis_angle), betas)

    assert torch.autograd.gradcheck(places, (axis_angle, betas), fast_mode=True)
    assert torch.autograd.gradcheck(places, (axis_angle, betas[:1].detach().requires_grad_()), fast_mode=True)


def test_what_no_rig_can_be_made_of(body: BodyModel) -> None:
    blended = synthetic_body(pose_blend=True)
    assert blended.landmark_regressor is not None
    with pytest.raises(ValueError, match="pose blend shapes"):
        PointRig.of(blended, blended.landmark_regressor)
    with pytest.raises(BodyInvalid) as caught:
        PointRig.of_landmarks(replace(body, landmark_regressor=None), as_seen=False)
    assert caught.value.facts["key"] == "landmark_regressor"
    assert body.landmark_regressor is not None
    half = Regressor(body.landmark_regressor.columns, body.landmark_regressor.matrix / 2)
    with pytest.raises(ValueError, match="sum to 1"):
        PointRig.of(body, half)


def test_wrong_shapes_are_named(body: BodyModel) -> None:
    rig = PointRig.of_landmarks(body, as_seen=False)
    with pytest.raises(ValueError, match=r"local_rotations: found \(2, 23, 3, 3\)"):
        rig.pose(rotations(2)[:, 1:], normal(1, 10))
    with pytest.raises(ValueError, match=r"betas: found \(3, 10\), want \(1 or 2, 10\)"):
        rig.pose(rotations(2), normal(3, 10))
    with pytest.raises(ValueError, match="betas"):
        rig.pose(rotations(2), normal(10))
