"""The body: shapes, SMPL's equations against a readable twin and against smplx, gradients, stature, broken files."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from inference_backend.body import DEFAULT_BODY, BodyModel, load_default_body
from inference_backend.errors import BodyInvalid, WeightsCorrupt, WeightsMissing
from inference_backend.geometry import axis_angle_to_matrix
from inference_backend.skinning import Regressor, forward_kinematics, skin

from .synthetic_body import body_arrays, synthetic_body, with_fingers

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return synthetic_body(pose_blend=True)


def random_pose(batch: int, joints: int = 24, seed: int = 0) -> Tensor:
    return 0.7 * torch.randn(batch, joints, 3, generator=torch.Generator().manual_seed(seed))


def random_betas(batch: int, seed: int = 1) -> Tensor:
    return torch.randn(batch, 10, generator=torch.Generator().manual_seed(seed))


def slow_pose(body: BodyModel, matrices: Tensor, betas: Tensor, translation: Tensor) -> tuple[Tensor, Tensor]:
    """The readable twin: one body, 4×4 matrices along the chains, one joint at a time."""
    rest = body.template + body.shapedirs @ betas
    rest_joints = body.joint_regressor.dense(body.vertex_count) @ rest
    if body.posedirs is not None:
        rest = rest + body.posedirs @ (matrices[1:] - torch.eye(3)).flatten()
    world: list[Tensor] = []
    for joint, parent in enumerate(body.parents):
        local = torch.eye(4, dtype=rest.dtype)
        local[:3, :3] = matrices[joint]
        local[:3, 3] = rest_joints[joint] - (rest_joints[parent] if parent >= 0 else 0)
        world.append(local if parent < 0 else world[parent] @ local)
    vertices = torch.zeros_like(rest)
    for joint, matrix in enumerate(world):
        moved = (rest - rest_joints[joint]) @ matrix[:3, :3].T + matrix[:3, 3]
        vertices += body.weights[:, joint, None] * moved
    return vertices + translation, torch.stack([matrix[:3, 3] for matrix in world]) + translation


def test_shapes(body: BodyModel) -> None:
    output = body.pose(random_pose(3), random_betas(3), torch.zeros(3, 3))
    assert output.vertices.shape == (3, body.vertex_count, 3)
    assert output.joints.shape == (3, 24, 3)
    assert output.global_rotations.shape == (3, 24, 3, 3)
    assert body.landmarks(output.vertices).shape == (3, 33, 3)
    assert body.h36m(output.vertices).shape == (3, 17, 3)
    assert body.stature(random_betas(3)).shape == (3,)
    assert body.triangles.shape == (2 * len(body.faces), 3)


def test_the_zero_pose_is_the_rest_pose(body: BodyModel) -> None:
    betas = random_betas(2)
    vertices, joints = body.rest(betas)
    output = body.pose(torch.zeros(2, 24, 3), betas)
    torch.testing.assert_close(output.vertices, vertices, atol=1e-6, rtol=0)
    torch.testing.assert_close(output.joints, joints, atol=1e-6, rtol=0)


def test_missing_betas_are_zero(body: BodyModel) -> None:
    some = random_betas(2)[:, :4]
    padded = torch.cat([some, torch.zeros(2, 6)], 1)
    for short, long in zip(body.rest(some), body.rest(padded), strict=True):
        torch.testing.assert_close(short, long, atol=1e-6, rtol=0)
    torch.testing.assert_close(body.stature(some), body.stature(padded))


@pytest.mark.parametrize("shapes", ["each", "shared"])
@pytest.mark.parametrize("batch", [1, 3, 11])
@pytest.mark.parametrize("pose_blend", [False, True])
def test_pose_equals_its_readable_twin(batch: int, shapes: str, pose_blend: bool) -> None:
    body = synthetic_body(3, pose_blend).to(dtype=torch.float64)
    matrices = axis_angle_to_matrix(random_pose(batch).double())
    betas = random_betas(batch if shapes == "each" else 1).double()
    translation = torch.randn(batch, 3, dtype=torch.float64)
    fast = body.pose(matrices, betas, translation)
    for index in range(batch):
        vertices, joints = slow_pose(body, matrices[index], betas[index % len(betas)], translation[index])
        torch.testing.assert_close(fast.vertices[index], vertices, atol=1e-12, rtol=0)
        torch.testing.assert_close(fast.joints[index], joints, atol=1e-12, rtol=0)


@pytest.mark.parametrize("shapes", [1, 9])
@pytest.mark.parametrize("pose_blend", [False, True])
def test_pose_equals_smplx(shapes: int, pose_blend: bool) -> None:
    lbs = pytest.importorskip("smplx.lbs", reason="the package smplx, of another licence, is not installed")
    body = synthetic_body(5, pose_blend)
    pose, betas = random_pose(9), random_betas(shapes)
    posedirs = torch.zeros(body.vertex_count, 3, 207) if body.posedirs is None else body.posedirs
    vertices, joints = lbs.lbs(
        betas.expand(9, -1),
        pose.flatten(1),
        body.template,
        body.shapedirs,
        posedirs.reshape(-1, 207).T,
        body.joint_regressor.dense(body.vertex_count),
        torch.tensor(body.parents),
        body.weights,
    )
    output = body.pose(pose, betas)
    torch.testing.assert_close(output.vertices, vertices, atol=1e-5, rtol=0)
    torch.testing.assert_close(output.joints, joints, atol=1e-5, rtol=0)


def test_the_root_turns_the_body_about_the_rest_pelvis(body: BodyModel) -> None:
    pose = torch.zeros(1, 24, 3)
    pose[0, 0, 1] = torch.pi / 2
    vertices, joints = body.rest(torch.zeros(1, 10))
    output = body.pose(pose, torch.zeros(1, 10), torch.tensor([[1.0, 2.0, 3.0]]))
    pelvis = joints[0, 0]
    torch.testing.assert_close(output.joints[0, 0], pelvis + torch.tensor([1.0, 2.0, 3.0]))
    x, y, z = (vertices[0] - pelvis).unbind(-1)
    turned = torch.stack([z, y, -x], -1) + pelvis + torch.tensor([1.0, 2.0, 3.0])
    torch.testing.assert_close(output.vertices[0], turned, atol=1e-5, rtol=0)


def test_a_bent_elbow_moves_the_hand_only(body: BodyModel) -> None:
    rest = synthetic_body()
    pose = torch.zeros(1, 24, 3)
    pose[0, 18, 2] = torch.pi / 2  # about z: the left forearm, along +x, goes up
    joints = rest.rest(torch.zeros(1, 10))[1][0]
    posed = rest.pose(pose, torch.zeros(1, 10)).joints[0]
    moved = (posed - joints).norm(dim=-1) > 1e-5
    assert moved.nonzero()[:, 0].tolist() == [20, 22]
    forearm = joints[20] - joints[18]
    expected = joints[18] + torch.stack([-forearm[1], forearm[0], forearm[2]])
    torch.testing.assert_close(posed[20], expected, atol=1e-6, rtol=0)


def test_forward_kinematics_keeps_bone_lengths(body: BodyModel) -> None:
    joints = body.rest(random_betas(4))[1]
    rotations = axis_angle_to_matrix(random_pose(4))
    turned, posed = forward_kinematics(rotations, joints, body.parents)
    parents = list(body.parents[1:])
    torch.testing.assert_close(
        (posed[:, 1:] - posed[:, parents]).norm(dim=-1), (joints[:, 1:] - joints[:, parents]).norm(dim=-1)
    )
    torch.testing.assert_close(turned[:, 20], turned[:, 18] @ rotations[:, 20])


def test_gradients_agree_with_finite_differences(body: BodyModel) -> None:
    double = body.to(dtype=torch.float64)
    direction = torch.randn(body.vertex_count, 3, dtype=torch.float64)

    def project(pose: Tensor, betas: Tensor, translation: Tensor) -> Tensor:
        return (double.pose(pose, betas, translation).vertices * direction).sum((1, 2))

    pose = random_pose(1).double()
    pose[0, :4] = 0  # the series of Rodrigues' formula
    inputs = [pose, random_betas(1).double(), torch.zeros(1, 3, dtype=torch.float64)]
    for tensor in inputs:
        tensor.requires_grad_()
    assert torch.autograd.gradcheck(project, inputs)


def test_every_way_of_skinning_has_the_same_gradient(body: BodyModel) -> None:
    vertices, _ = body.rest(torch.zeros(1, 10))
    transforms = torch.randn(9, 24, 3, 4)
    columns = body.weights.T
    gradients = []
    for rest in (vertices, vertices.expand(9, -1, -1)):
        moved = transforms.clone().requires_grad_()
        skin(rest, moved, columns).square().sum().backward()
        gradients.append(moved.grad)
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-3)


def test_vertex_areas_sum_the_faces(body: BodyModel) -> None:
    areas = torch.zeros(body.vertex_count)
    for face in body.faces.tolist():
        for triangle in ([face[0], face[1], face[2]], [face[0], face[2], face[3]]):
            a, b, c = body.template[triangle]
            areas[triangle] += torch.linalg.cross(b - a, c - a).norm() / 6
    torch.testing.assert_close(body.vertex_areas(), areas / areas.sum())
    assert body.vertex_areas().sum() == pytest.approx(1, abs=1e-5)


def test_stature_is_measured_in_the_rest_pose(body: BodyModel) -> None:
    betas = random_betas(5)
    top, sole = body.stature_vertices
    vertices, _ = body.rest(betas)
    torch.testing.assert_close(body.stature(betas), vertices[:, top, 1] - vertices[:, sole, 1])


def test_betas_for_stature_change_least(body: BodyModel) -> None:
    betas, height = random_betas(4), torch.tensor([1.5, 1.7, 1.9, 2.1])
    found = body.betas_for_stature(betas, height)
    torch.testing.assert_close(body.stature(found), height)
    # Any other betas of that stature are farther away: those off along directions that keep the stature.
    slope = body.shapedirs[body.stature_vertices[0], 1] - body.shapedirs[body.stature_vertices[1], 1]
    sideways = torch.randn(20, 4, 10)
    sideways -= (sideways @ slope)[..., None] * slope / slope.square().sum()
    others = found + 0.1 * sideways
    torch.testing.assert_close(body.stature(others.flatten(0, 1)), height.repeat(20), atol=1e-5, rtol=0)
    assert ((others - betas).norm(dim=-1) > (found - betas).norm(dim=-1)).all()


def test_moving_a_body_moves_every_tensor(body: BodyModel) -> None:
    double = body.to(dtype=torch.float64)
    assert double.pose(random_pose(1).double(), random_betas(1).double()).vertices.dtype == torch.float64
    assert double.landmarks(double.template[None]).dtype == torch.float64
    assert double.faces.dtype == torch.int64
    assert body.template.dtype == torch.float32


@pytest.mark.parametrize("joint_count", [52, 55])
def test_smpl_rotations_drive_a_body_with_fingers(body: BodyModel, joint_count: int) -> None:
    plain = synthetic_body()
    fingers = with_fingers(plain, joint_count)
    pose, betas = random_pose(3), random_betas(3)
    output, expected = fingers.pose(pose, betas), plain.pose(pose, betas)
    # All finger bases of this body lie on the hand joint, so turning them all is turning the hand.
    torch.testing.assert_close(output.joints[:, list(fingers.smpl24)], expected.joints, atol=1e-5, rtol=0)
    rest = torch.eye(3).expand(3, 3, 3)
    local = fingers.full_rotations(axis_angle_to_matrix(pose))
    first = joint_count - 30
    torch.testing.assert_close(local[:, first], axis_angle_to_matrix(pose)[:, 22])
    torch.testing.assert_close(local[:, first + 1], rest)
    assert fingers.carriers[first : first + 15] == (22,) * 15
    assert fingers.carriers[first + 15 :] == (23,) * 15
    assert set(fingers.carriers[22:first]) <= {15}


def test_regressor_keeps_the_columns_in_use() -> None:
    dense = torch.zeros(2, 6)
    dense[0, 1], dense[1, 4] = 0.5, 2.0
    regressor = Regressor.from_dense(dense)
    assert regressor.columns.tolist() == [1, 4]
    torch.testing.assert_close(regressor.dense(6), dense)
    vertices = torch.randn(3, 6, 3)
    torch.testing.assert_close(regressor(vertices), dense @ vertices)


@pytest.mark.parametrize(
    ("pose", "betas"),
    [((2, 23, 3), (2, 10)), ((2, 24, 4), (2, 10)), ((24, 3), (2, 10)), ((2, 24, 3), (2, 11)), ((3, 24, 3), (2, 10))],
)
def test_wrong_shapes_are_refused(body: BodyModel, pose: tuple[int, ...], betas: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="found"):
        body.pose(torch.zeros(pose), torch.zeros(betas))


def test_points_of_wrong_vertices_are_refused(body: BodyModel) -> None:
    with pytest.raises(ValueError, match="vertices: found"):
        body.landmarks(torch.zeros(1, 7, 3))


def test_absent_regressors_are_named(body: BodyModel) -> None:
    bare = replace(body, landmark_regressor=None, h36m_regressor=None)
    with pytest.raises(BodyInvalid, match="landmark_regressor"):
        bare.landmarks(bare.template[None])
    with pytest.raises(BodyInvalid, match="h36m_regressor"):
        bare.h36m(bare.template[None])


def test_a_body_that_cannot_grow_says_so(body: BodyModel) -> None:
    rigid = replace(body, shapedirs=torch.zeros_like(body.shapedirs))
    with pytest.raises(BodyInvalid, match="stature"):
        rigid.betas_for_stature(torch.zeros(1, 10), 1.8)


def test_a_body_file_reads_back(tmp_path: Path) -> None:
    body = synthetic_body()
    np.savez(tmp_path / "körper 1.npz", **body_arrays(body))
    read = load_default_body(tmp_path / "körper 1.npz")
    pose, betas = random_pose(2), random_betas(2)
    torch.testing.assert_close(read.pose(pose, betas).vertices, body.pose(pose, betas).vertices, atol=1e-6, rtol=0)
    torch.testing.assert_close(read.landmarks(read.template[None]), body.landmarks(body.template[None]))
    torch.testing.assert_close(read.h36m(read.template[None]), body.h36m(body.template[None]))
    assert read.stature_vertices == body.stature_vertices
    assert read.licence == "CC0"
    assert torch.equal(read.uv_faces, body.uv_faces)


@pytest.mark.parametrize("key", [key for key in body_arrays(synthetic_body()) if key != "shape_variance"])
def test_a_missing_array_is_named(tmp_path: Path, key: str) -> None:
    arrays = body_arrays(synthetic_body())
    del arrays[key]
    np.savez(tmp_path / "body.npz", **arrays)
    with pytest.raises(BodyInvalid) as caught:
        load_default_body(tmp_path / "body.npz")
    assert caught.value.facts["key"] == key
    assert key in caught.value.message


@pytest.mark.parametrize(
    ("key", "value", "trouble"),
    [
        ("v_template", np.zeros((9, 2), np.float32), "shape"),
        ("v_template", np.full((9, 3), np.nan, np.float32), "finite"),
        ("v_template", np.full((9, 3), "a"), "type"),
        ("v_template", np.array([None]), "objects"),
        ("shapedirs", np.zeros((9, 3, 10), np.float32), "shape"),
        ("parents", np.zeros(24, np.int8), "skeleton"),
        ("weights_index", np.full((1120, 4), 24, np.uint8), "outside"),
        ("weights_value", np.ones((1120, 4), np.float32), "sum to 1"),
        ("faces", np.full((3, 4), 1120, np.int32), "outside"),
        ("faces", np.zeros((3, 4), np.float32), "integers"),
        ("L_indptr", np.zeros(34, np.int32), "rows"),
        ("stature_vertices", np.array([-1, 0]), "outside"),
        ("licence", np.array(3), "text"),
    ],
)
def test_a_wrong_array_is_named(tmp_path: Path, key: str, value: np.ndarray, trouble: str) -> None:
    np.savez(tmp_path / "body.npz", **(body_arrays(synthetic_body()) | {key: value}))
    with pytest.raises(BodyInvalid, match=trouble) as caught:
        load_default_body(tmp_path / "body.npz")
    assert caught.value.facts["key"] == key


def test_broken_files_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing):
        load_default_body(tmp_path / "absent.npz")
    path = tmp_path / "body.npz"
    np.savez(path, **body_arrays(synthetic_body()))
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[2000] ^= 0xFF
    for damaged in (b"", whole[:5000], b"not a body", bytes(flipped)):
        path.write_bytes(damaged)
        with pytest.raises(WeightsCorrupt):
            load_default_body(path)


def test_the_shipped_body_is_whole() -> None:
    body = load_default_body()
    assert (body.joint_count, body.shape_count) == (24, 10)
    assert 1.5 < body.stature(torch.zeros(1, 10)).item() < 2.0
    lowest, highest = body.template.amin(0), body.template.amax(0)
    landmarks = body.landmarks(body.template[None])[0]
    assert ((landmarks > lowest) & (landmarks < highest)).all()
    joints = body.rest(torch.zeros(1, 10))[1][0]
    assert (joints[[1, 4, 7, 10, 13, 16, 18, 20, 22], 0] > 0).all(), "x points to the body's left"
    assert joints[10, 2] > joints[7, 2], "the feet point to +z"
    assert joints[15, 1] > joints[0, 1] > joints[7, 1], "y points up"
    assert DEFAULT_BODY.is_file()


def test_smplx_is_not_imported_by_default() -> None:
    code = "import sys, inference_backend.body, inference_backend.smpl_files as f; sys.exit('smplx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
