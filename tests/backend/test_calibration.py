from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from inference_backend.calibration import (
    SEGMENTS,
    CalibrationModule,
    CalibrationWeights,
    blend_target,
    bone_rotations,
    calibrate,
    calibrate_plain,
    initial_weights,
    skeleton_joints,
    skeleton_rotations,
)
from inference_backend.calibration_align import align
from inference_backend.calibration_kernel import LANES
from inference_backend.calibration_rotations import segment_rotations
from inference_backend.errors import WeightsCorrupt, WeightsMissing
from inference_backend.geometry import angle_between, axis_angle_to_matrix, kabsch
from inference_backend.skeletons import BONES, PARENTS, POINT_JOINTS
from inference_backend.skinning import forward_kinematics

FORMS = ("bone", "torso", "chain")
D = torch.float64

# A T-pose, metres: y up, x to the body's left; the right side mirrors the left.
HALF = {
    0: (0, 0.95, 0), 1: (0.09, 0.87, 0.01), 3: (0, 1.07, -0.02), 4: (0.1, 0.48, 0.02), 6: (0, 1.2, -0.01),
    7: (0.11, 0.08, -0.03), 9: (0, 1.26, 0.01), 10: (0.12, 0.02, 0.1), 12: (0, 1.48, -0.02), 13: (0.06, 1.4, -0.01),
    15: (0, 1.57, 0.02), 16: (0.18, 1.41, -0.02), 18: (0.43, 1.4, -0.03), 20: (0.68, 1.41, -0.01),
    22: (0.77, 1.4, 0.01),
}  # fmt: skip
MIRRORED = {2: 1, 5: 4, 8: 7, 11: 10, 14: 13, 17: 16, 19: 18, 21: 20, 23: 22}
POINTS = [
    (0, 0.02, 0.12), (0.07, 0.04, 0), (-0.07, 0.04, 0), (0.09, 0, 0.03), (-0.09, 0, 0.03), (0.08, 0, -0.03),
    (-0.08, 0, -0.03), (0, -0.06, -0.07), (0, -0.06, -0.07), (0, 0, 0.07), (0, 0, 0.07),
]  # fmt: skip
"""Offset of each of the extra points from its joint in the T-pose."""


def rest() -> Tensor:
    rows = [HALF[j] if j in HALF else (-HALF[MIRRORED[j]][0], *HALF[MIRRORED[j]][1:]) for j in range(24)]
    return torch.tensor(rows, dtype=D)


def random_rotations(batch: int, sigma: float, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return axis_angle_to_matrix(sigma * torch.randn(batch, 24, 3, dtype=D, generator=generator))


def posed(local: Tensor, joints: Tensor) -> tuple[Tensor, Tensor]:
    """Global rotations, and joints two metres in front of the camera."""
    rotations, placed = forward_kinematics(local, joints.expand(len(local), 24, 3), PARENTS)
    return rotations, placed + torch.tensor([0.1, -0.2, 2.0], dtype=D)


def points_of(rotations: Tensor, joints: Tensor) -> Tensor:
    carriers = list(POINT_JOINTS)
    offsets = torch.tensor(POINTS, dtype=D)[..., None]
    return joints[:, carriers] + (rotations[:, carriers] @ offsets)[..., 0]


class Scene:
    """Two poses of bodies with bones of different lengths, and a cloud of vertices skinned to the first."""

    def __init__(self, batch: int = 5, count: int = 300, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.rest = rest()
        near = torch.randint(24, (count,), generator=generator)
        rest_vertices = self.rest[near] + 0.07 * torch.randn(count, 3, dtype=D, generator=generator)
        index = torch.rand(count, 24, generator=generator).topk(4, dim=1).indices
        index[:, 0] = near
        value = torch.rand(count, 4, dtype=D, generator=generator) * torch.tensor([1, 0.5, 0.2, 0], dtype=D)
        self.weights = initial_weights(rest_vertices, self.rest, index, value / value.sum(1, keepdim=True))
        self.local_hmr = random_rotations(batch, 0.4, seed + 1)
        self.rotations_hmr, self.joints_hmr = posed(self.local_hmr, self.rest)
        self.rotations_target, self.joints_target = posed(random_rotations(batch, 0.4, seed + 2), 1.1 * self.rest)
        self.vertices = self.joints_hmr[:, near] + 0.1 * torch.randn(batch, count, 3, dtype=D, generator=generator)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene()


def at_joints(ends: bool) -> CalibrationWeights:
    """A vertex for each of the 23 bones, wholly its own, at its start or its end."""
    index = torch.arange(len(BONES))[:, None]
    return CalibrationWeights(index, torch.ones_like(index, dtype=D), torch.full_like(index, float(ends), dtype=D))


# Rotations


def test_segments_begin_in_every_joint() -> None:
    assert len(SEGMENTS) == 28
    assert SEGMENTS[:23] == BONES
    assert {start for start, _ in SEGMENTS} == set(range(24))


def test_align_is_kabsch_and_knows_when_it_is_not_determined() -> None:
    generator = torch.Generator().manual_seed(0)
    source, target = torch.randn(2, 50, 3, 3, dtype=D, generator=generator)
    rotation, unique = align(source, target)
    torch.testing.assert_close(rotation, kabsch(source, target))
    assert unique.all()
    line = torch.randn(3, 1, dtype=D, generator=generator) * torch.randn(1, 3, dtype=D, generator=generator)
    assert not align(line, target[0])[1]
    assert not align(torch.zeros(3, 3), torch.zeros(3, 3))[1]


def test_gradient_of_align() -> None:
    generator = torch.Generator().manual_seed(0)
    source, target = torch.randn(2, 4, 3, 3, dtype=D, generator=generator)
    assert torch.autograd.gradcheck(lambda s, t: align(s, t)[0], (source.requires_grad_(), target.requires_grad_()))
    # Equal singular values: two unit vectors at a right angle.
    right_angle = torch.eye(3, dtype=D)[:2].requires_grad_()
    assert torch.autograd.gradcheck(lambda s: align(s, torch.eye(3, dtype=D)[:2])[0], right_angle)


@pytest.mark.parametrize("form", FORMS)
def test_rotations_lead_single_bones_onto_their_target(scene: Scene, form: str) -> None:
    rotations = bone_rotations(scene.joints_hmr, scene.joints_target, form=form)
    torch.testing.assert_close(rotations @ rotations.mT, torch.eye(3, dtype=D).expand_as(rotations))
    assert (torch.linalg.det(rotations) > 0).all()
    for parent, child in BONES:
        if parent in (0, 9):
            continue
        turned = (rotations[:, parent] @ (scene.joints_hmr[:, child] - scene.joints_hmr[:, parent])[..., None])[..., 0]
        wanted = scene.joints_target[:, child] - scene.joints_target[:, parent]
        torch.testing.assert_close(torch.cosine_similarity(turned, wanted), torch.ones(5, dtype=D))


def test_paper_form_is_equations_6_and_7(scene: Scene) -> None:
    rotations = bone_rotations(scene.joints_hmr, scene.joints_target, form="bone")
    segments = segment_rotations(scene.joints_hmr, scene.joints_target, rotations, "bone")
    for segment, (parent, child) in enumerate(BONES):
        b_hmr = scene.joints_hmr[:, parent] - scene.joints_hmr[:, child]
        b_target = scene.joints_target[:, parent] - scene.joints_target[:, child]
        axis = torch.linalg.cross(b_hmr, b_target)
        cosine = (b_hmr * b_target).sum(-1) / (b_hmr.norm(dim=-1) * b_target.norm(dim=-1))
        psi = torch.arccos(cosine)[:, None] * axis / axis.norm(dim=-1, keepdim=True)
        torch.testing.assert_close(segments[:, segment], axis_angle_to_matrix(psi))


@pytest.mark.parametrize("form", ["torso", "chain"])
def test_a_turn_of_the_whole_body_is_found(scene: Scene, form: str) -> None:
    turn = axis_angle_to_matrix(torch.tensor([0.3, 2.8, -0.4], dtype=D))
    rotations = bone_rotations(scene.joints_hmr, scene.joints_hmr @ turn.T, form=form)
    torch.testing.assert_close(rotations, turn.expand_as(rotations))


def test_the_paper_form_misses_a_turn_about_the_bone(scene: Scene) -> None:
    turn = axis_angle_to_matrix(torch.tensor([0, 2.8, 0], dtype=D))
    rotations = bone_rotations(scene.joints_hmr, scene.joints_hmr @ turn.T, form="bone")
    assert angle_between(rotations[:, 3], turn.expand(5, 3, 3)).min() > 1


def test_chain_keeps_the_parents_twist() -> None:
    """A straight arm rolled with the whole body: the forearm has no bone that shows it, but its parent does."""
    joints = rest()[None]
    turn = axis_angle_to_matrix(torch.tensor([1.2, 0, 0], dtype=D))
    chain = bone_rotations(joints, joints @ turn.T, form="chain")
    bone = bone_rotations(joints, joints @ turn.T, form="bone")
    assert angle_between(chain[:, 18], turn[None]) < 1e-6
    assert angle_between(bone[:, 18], turn[None]) > 1


@pytest.mark.parametrize(("flexion", "found"), [(60, 1.0), (45, 1.0), (12, 0.0), (0, 0.0)])
@pytest.mark.parametrize("joint", [1, 2, 16, 17])
def test_limb_twist_comes_from_the_bend(joint: int, flexion: float, found: float) -> None:
    elbow = next(child for parent, child in BONES if parent == joint)
    axis = torch.nn.functional.normalize(rest()[elbow] - rest()[joint], dim=-1)
    local = torch.eye(3, dtype=D).repeat(1, 24, 1, 1)
    local[:, elbow] = axis_angle_to_matrix(torch.tensor([0.0, math.radians(flexion), 0.0], dtype=D))
    if joint < 3:
        local[:, elbow] = axis_angle_to_matrix(torch.tensor([math.radians(flexion), 0.0, 0.0], dtype=D))
    joints = rest()
    # Upper and lower limb on one line, so that the flexion is the angle given.
    lower = next(child for parent, child in BONES if parent == elbow)
    joints[lower] = joints[elbow] + 0.25 * axis
    rolled = local.clone()
    rolled[:, joint] = axis_angle_to_matrix(0.8 * axis)
    joints_hmr, joints_target = posed(local, joints)[1], posed(rolled, joints)[1]
    rotations = bone_rotations(joints_hmr, joints_target)
    angle = angle_between(rotations[0, joint], torch.eye(3, dtype=D)).item()
    assert angle == pytest.approx(0.8 * found, abs=0.02)
    without = bone_rotations(joints_hmr, joints_target, limb_twist=False)
    torch.testing.assert_close(without[0, joint], torch.eye(3, dtype=D), atol=1e-6, rtol=0)


def test_points_turn_head_hands_and_feet(scene: Scene) -> None:
    local = random_rotations(5, 0.4, 9)
    rotations_target, joints_target = posed(local, scene.rest)
    points = points_of(scene.rotations_hmr, scene.joints_hmr), points_of(rotations_target, joints_target)
    given = bone_rotations(scene.joints_hmr, joints_target, points_hmr=points[0], points_target=points[1])
    truth = rotations_target @ scene.rotations_hmr.mT
    for joint in (7, 8, 15, 20, 21):
        assert angle_between(given[:, joint], truth[:, joint]).max() < 1e-5, joint
    torch.testing.assert_close(given[:, 22], given[:, 20])
    for joint, tip in ((10, 9), (11, 10)):
        turned = (given[:, joint] @ (points[0][:, tip] - scene.joints_hmr[:, joint])[..., None])[..., 0]
        torch.testing.assert_close(turned, points[1][:, tip] - joints_target[:, joint])


def test_joints_without_their_points_follow_the_parent(scene: Scene) -> None:
    points_hmr = points_of(scene.rotations_hmr, scene.joints_hmr)
    points_target = points_of(scene.rotations_target, scene.joints_target)
    plain = bone_rotations(scene.joints_hmr, scene.joints_target)
    torch.testing.assert_close(plain[:, [15, 22, 23, 10, 11]], plain[:, [12, 20, 21, 7, 8]])
    absent = points_target.clone()
    absent[0] = torch.nan  # all of a frame
    absent[1, 0] = torch.nan  # the nose
    # Nose and ears on a line through the head joint.
    absent[2, :3] = scene.joints_target[2:3, 15] + torch.linspace(0.1, 0.2, 3, dtype=D)[:, None]
    given = bone_rotations(scene.joints_hmr, scene.joints_target, points_hmr=points_hmr, points_target=absent)
    torch.testing.assert_close(given[0], plain[0])
    for frame in (1, 2):
        torch.testing.assert_close(given[frame, 15], plain[frame, 15])
        assert angle_between(given[frame, 20], plain[frame, 20]) > 1e-3
    assert angle_between(given[3, 15], plain[3, 15]) > 1e-3


# The mesh


@pytest.mark.parametrize("form", FORMS)
def test_its_own_joints_as_target_leave_the_mesh_alone(scene: Scene, form: str) -> None:
    out = calibrate(scene.vertices, scene.joints_hmr, scene.joints_hmr, scene.weights, form=form)
    torch.testing.assert_close(out, scene.vertices, atol=1e-10, rtol=0)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("extras", ["", "rigid", "strength", "self_rotation"])
def test_fast_forms_equal_the_equations(scene: Scene, form: str, extras: str) -> None:
    generator = torch.Generator().manual_seed(3)
    options = {
        "": {},
        "rigid": {"non_rigid": False},
        "strength": {"strength": torch.rand(5, 24, dtype=D, generator=generator)},
        "self_rotation": {"self_rotation": torch.randn(5, 24, dtype=D, generator=generator)},
    }[extras]
    weights = CalibrationWeights(scene.weights.index, scene.weights.A, 2 * torch.randn_like(scene.weights.W))
    arguments = scene.vertices, scene.joints_hmr, scene.joints_target
    plain = calibrate_plain(*arguments, weights, form=form, **options)
    kernel = calibrate(*arguments, weights, form=form, **options)
    torch.testing.assert_close(kernel, plain, atol=1e-10, rtol=0)
    weights.W.requires_grad_()
    in_torch = calibrate(*arguments, weights, form=form, **options)
    assert in_torch.requires_grad or extras == "rigid"
    torch.testing.assert_close(in_torch.detach(), plain.detach(), atol=1e-10, rtol=0)


@pytest.mark.parametrize("batch", [1, LANES - 1, LANES, 2 * LANES + 3])
@pytest.mark.parametrize("threads", [1, 2])
def test_any_number_of_frames_and_threads(batch: int, threads: int) -> None:
    scene = Scene(batch=batch, count=77)
    arguments = scene.joints_hmr, scene.joints_target, scene.weights
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        out = calibrate(scene.vertices, *arguments)
        planar = calibrate(scene.vertices.mT.contiguous().mT, *arguments)
    finally:
        torch.set_num_threads(before)
    torch.testing.assert_close(out, calibrate_plain(scene.vertices, *arguments), atol=1e-10, rtol=0)
    torch.testing.assert_close(planar, out, atol=0, rtol=0)


def test_float32(scene: Scene) -> None:
    streams = scene.vertices, scene.joints_hmr, scene.joints_target
    exact = calibrate(*streams, scene.weights)
    out = calibrate(*(tensor.float() for tensor in streams), scene.weights.to(dtype=torch.float32))
    assert out.dtype == torch.float32
    torch.testing.assert_close(out.double(), exact, atol=1e-5, rtol=0)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("turned", [False, True])
def test_bones_reach_both_target_joints(scene: Scene, form: str, turned: bool) -> None:
    start, end = (list(side) for side in zip(*BONES, strict=True))
    self_rotation = torch.linspace(-2, 2, 24, dtype=D) if turned else None
    arguments = scene.joints_hmr, scene.joints_target
    options = {"form": form, "self_rotation": self_rotation}
    at_start = calibrate(scene.joints_hmr[:, start], *arguments, at_joints(False), **options)
    torch.testing.assert_close(at_start, scene.joints_target[:, start])
    at_end = calibrate(scene.joints_hmr[:, end], *arguments, at_joints(True), **options)
    torch.testing.assert_close(at_end, scene.joints_target[:, end])
    rigid = calibrate(scene.joints_hmr[:, end], *arguments, at_joints(True), non_rigid=False, **options)
    missing = (rigid - scene.joints_target[:, end]).norm(dim=-1)
    lengths = (scene.joints_target[:, end] - scene.joints_target[:, start]).norm(dim=-1)
    single = [bone for bone, (parent, _) in enumerate(BONES) if parent not in (0, 9)]
    torch.testing.assert_close(missing[:, single], lengths[:, single] * (1 - 1 / 1.1))


def test_self_rotation_turns_about_the_bone() -> None:
    joints = rest()[None]
    weights = CalibrationWeights(torch.tensor([[17]]), torch.ones(1, 1, dtype=D), torch.zeros(1, 1, dtype=D))
    assert SEGMENTS[17] == (16, 18)
    joints[0, 18] = joints[0, 16] + torch.tensor([0.3, 0, 0], dtype=D)
    vertex = joints[:, [16]] + torch.tensor([0.1, 0.05, 0], dtype=D)
    angles = torch.zeros(24, dtype=D)
    angles[16] = math.pi / 2
    out = calibrate(vertex, joints, joints, weights, self_rotation=angles)
    torch.testing.assert_close(out, joints[:, [16]] + torch.tensor([0.1, 0, 0.05], dtype=D))


def test_wrong_shapes_are_named(scene: Scene) -> None:
    arguments = scene.vertices, scene.joints_hmr, scene.joints_target
    with pytest.raises(ValueError, match=r"joints_target: found \(5, 23, 3\), want \(5, 24, 3\)"):
        calibrate(*arguments[:2], scene.joints_target[:, 1:], scene.weights)
    with pytest.raises(ValueError, match=r"vertices_hmr: found \(5, 299, 3\), want \(5, 300, 3\)"):
        calibrate(scene.vertices[:, 1:], *arguments[1:], scene.weights)
    with pytest.raises(ValueError, match="form"):
        calibrate(*arguments, scene.weights, form="spline")
    with pytest.raises(ValueError, match="rotations"):
        calibrate(*arguments, scene.weights, rotations=torch.eye(3, dtype=D))
    with pytest.raises(ValueError, match="strength"):
        calibrate(*arguments, scene.weights, strength=torch.ones(23))
    with pytest.raises(ValueError, match="weights"):
        calibrate(*arguments, scene.weights.to(dtype=torch.float32))
    with pytest.raises(ValueError, match="points"):
        bone_rotations(*arguments[1:], points_target=torch.zeros(5, 11, 3))
    with pytest.raises(ValueError, match="points_hmr"):
        bone_rotations(*arguments[1:], points_hmr=torch.zeros(5, 9, 3), points_target=torch.zeros(5, 11, 3))
    with pytest.raises(ValueError, match="rest_vertices"):
        initial_weights(torch.zeros(5, 2), rest(), torch.zeros(5, 4), torch.zeros(5, 4))
    with pytest.raises(ValueError, match="skinning"):
        initial_weights(torch.zeros(5, 3), rest(), torch.zeros(5, 4), torch.zeros(4, 4))


# Strength and skeleton


def test_strength_1_is_the_target_and_0_keeps_the_rotations(scene: Scene) -> None:
    rotations = bone_rotations(scene.joints_hmr, scene.joints_target)
    arguments = scene.joints_hmr, scene.joints_target, rotations
    joints, blended = blend_target(*arguments, torch.ones(24, dtype=D))
    torch.testing.assert_close(joints, scene.joints_target)
    torch.testing.assert_close(blended, rotations)
    joints, blended = blend_target(*arguments, torch.zeros(24, dtype=D))
    torch.testing.assert_close(blended, torch.eye(3, dtype=D).expand_as(blended))
    torch.testing.assert_close(joints - joints[:, :1], 1.1 * (scene.joints_hmr - scene.joints_hmr[:, :1]))
    torch.testing.assert_close(joints[:, 0], scene.joints_target[:, 0])


@pytest.mark.parametrize("form", FORMS)
def test_strength_0_of_a_body_of_the_same_size_keeps_the_mesh(scene: Scene, form: str) -> None:
    target = posed(random_rotations(5, 0.4, 4), scene.rest)[1]
    target = target - target[:, :1] + scene.joints_hmr[:, :1]
    arguments = scene.vertices, scene.joints_hmr, target, scene.weights
    out = calibrate(*arguments, form=form, strength=torch.zeros(24, dtype=D))
    torch.testing.assert_close(out, scene.vertices)
    out = calibrate(*arguments, form=form, strength=torch.ones(5, 24, dtype=D))
    torch.testing.assert_close(out, calibrate(*arguments, form=form))


def test_strength_of_one_joint_is_its_own_and_keeps_lengths(scene: Scene) -> None:
    rotations = bone_rotations(scene.joints_hmr, scene.joints_target)
    strength = torch.ones(24, dtype=D)
    strength[16] = 0.25
    joints, blended = blend_target(scene.joints_hmr, scene.joints_target, rotations, strength)
    for parent, child in BONES:
        length = (scene.joints_target[:, child] - scene.joints_target[:, parent]).norm(dim=-1)
        torch.testing.assert_close((joints[:, child] - joints[:, parent]).norm(dim=-1), length)
    whole = angle_between(rotations[:, 13], rotations[:, 16])
    torch.testing.assert_close(angle_between(blended[:, 13], blended[:, 16]), 0.25 * whole)
    below = [18, 20, 22]
    above = [joint for joint in range(24) if joint not in (16, *below)]
    torch.testing.assert_close(blended[:, above], rotations[:, above])
    change = blended[:, 16].mT @ blended[:, 18]
    torch.testing.assert_close(change, rotations[:, 16].mT @ rotations[:, 18])


def test_skeleton_reproduces_a_target_it_can_reach(scene: Scene) -> None:
    """Other lengths along arms, legs and neck, pelvis and chest of one size, collars still."""
    local = random_rotations(5, 0.4, 7)
    local[:, [13, 14]] = torch.eye(3, dtype=D)
    local_hmr = scene.local_hmr.clone()
    local_hmr[:, [13, 14]] = torch.eye(3, dtype=D)
    joints_hmr = posed(local_hmr, scene.rest)[1]
    longer = scene.rest.clone()
    for parent, child in BONES:
        scale = 1.0 if parent in (0, 9, 13, 14) else 1.15 if child % 2 else 0.9
        longer[child] = longer[parent] + scale * (scene.rest[child] - scene.rest[parent])
    target = posed(local, longer)[1]
    rotations = bone_rotations(joints_hmr, target)
    exported = skeleton_rotations(local_hmr, PARENTS, rotations)
    torch.testing.assert_close(skeleton_joints(exported, scene.rest, target), target, atol=1e-6, rtol=0)
    # A hip moved against the pelvis cannot be reached; the residual says so.
    target[:, 1] += 0.02 * torch.nn.functional.normalize(target[:, 3] - target[:, 0], dim=-1)
    exported = skeleton_rotations(local_hmr, PARENTS, bone_rotations(joints_hmr, target))
    residual = (skeleton_joints(exported, scene.rest, target) - target).norm(dim=-1)
    assert residual[:, [1, 4, 7]].min() > 1e-3
    assert residual.max() < 0.03


def test_skeleton_keeps_the_mesh_streams_twist(scene: Scene) -> None:
    eye = torch.eye(3, dtype=D).expand(5, 24, 3, 3)
    torch.testing.assert_close(skeleton_rotations(scene.local_hmr, PARENTS, eye), scene.local_hmr)
    with pytest.raises(ValueError, match="local_hmr"):
        skeleton_rotations(scene.local_hmr, PARENTS, eye[:, :5])


# Gradients


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", ["parallel", "opposite", "short", "no length", "all in one place", "folded"])
@pytest.mark.parametrize("dtype", [torch.float32, D])
def test_gradients_are_finite(form: str, case: str, dtype: torch.dtype) -> None:
    hmr = rest()[None].to(dtype).repeat(2, 1, 1)
    target = hmr.clone()
    if case == "opposite":
        target = -target
    elif case == "short":
        hmr[:, 18] = hmr[:, 16] + 1e-6
        target[:, 4] = target[:, 1] + 1e-6
    elif case == "no length":
        hmr[:, [18, 12, 1]] = hmr[:, [16, 9, 0]]
        target[:, [5, 17, 3]] = target[:, [2, 14, 0]]
    elif case == "all in one place":
        target = torch.zeros_like(target)
    elif case == "folded":
        hmr[:, 20], target[:, 7] = hmr[:, 16], target[:, 1]
        hmr[:, 7, 2], target[:, 8, 2] = hmr[:, 7, 2] + 0.2, target[:, 8, 2] - 0.2
    generator = torch.Generator().manual_seed(0)
    points_hmr, points_target = (pose[:, list(POINT_JOINTS)].clone() for pose in (hmr, target))
    vertices = torch.randn(2, 60, 3, dtype=dtype, generator=generator)
    index = torch.arange(60)[:, None] % 28
    weights = CalibrationWeights(index, torch.ones(60, 1, dtype=dtype), torch.rand(60, 1, dtype=dtype))
    inputs = [hmr, target, points_hmr, points_target, vertices]
    for tensor in inputs:
        tensor.requires_grad_()
    rotations = bone_rotations(hmr, target, form=form, points_hmr=points_hmr, points_target=points_target)
    strength = torch.full((24,), 0.5, dtype=dtype)
    whole = calibrate(vertices, hmr, target, weights, rotations=rotations, form=form)
    half = calibrate(vertices, hmr, target, weights, form=form, strength=strength, self_rotation=strength)
    for out in (whole, half):
        assert out.isfinite().all()
    for gradient in torch.autograd.grad((whole.square() + half.square()).sum(), inputs):
        assert gradient.isfinite().all()


@pytest.mark.parametrize("form", FORMS)
def test_gradient_is_that_of_the_values(form: str) -> None:
    scene = Scene(batch=1, count=6)
    inputs = [tensor.requires_grad_() for tensor in (scene.vertices, scene.joints_hmr, scene.joints_target)]
    assert torch.autograd.gradcheck(lambda *streams: calibrate(*streams, scene.weights, form=form), inputs)


# Weights


def test_initial_weights(scene: Scene) -> None:
    weights = scene.weights
    torch.testing.assert_close(weights.A.sum(1), torch.ones(300, dtype=D))
    assert ((weights.W >= 0) & (weights.W <= 1)).all()
    elbow, shoulder = rest()[18], rest()[16]
    vertices = torch.stack([0.75 * shoulder + 0.25 * elbow, shoulder - 0.1 * (elbow - shoulder), elbow, rest()[15]])
    index, value = (
        torch.tensor([[16, 0], [16, 0], [16, 18], [15, 0]]),
        torch.tensor([[1, 0], [1, 0], [0.7, 0.3], [1, 0]]),
    )
    found = initial_weights(vertices, rest(), index, value)
    A, A_W = found.columns
    assert A.shape == (28, 4)
    assert A[SEGMENTS.index((16, 18))].tolist() == pytest.approx([1, 1, 0.7, 0])
    assert A_W[SEGMENTS.index((16, 18))].tolist() == pytest.approx([0.25, 0, 0.7, 0])
    assert A[SEGMENTS.index((18, 20)), 2].item() == pytest.approx(0.3)
    assert A[SEGMENTS.index((15, 15)), 3].item() == pytest.approx(1)


def test_pelvis_shares_its_weight_by_distance() -> None:
    left, middle = torch.tensor([[0.08, 0.88, 0.0], [0.0, 0.95, 0.0]], dtype=D)
    found = initial_weights(torch.stack([left, middle]), rest(), torch.zeros(2, 1), torch.ones(2, 1))
    A, _ = found.columns
    assert A[0, 0] > 0.9  # the left hip's bone
    torch.testing.assert_close(A[:3, 1], torch.full((3,), 1 / 3, dtype=D))


def test_save_and_load(scene: Scene, tmp_path) -> None:
    path = tmp_path / "ä weights.npz"
    weights = scene.weights.to(dtype=torch.float32)
    weights.save(path)
    weights.save(path)
    loaded = CalibrationWeights.load(path)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    for name in ("index", "A", "W"):
        torch.testing.assert_close(getattr(loaded, name), getattr(weights, name), atol=0, rtol=0)


def test_bad_files_are_named(scene: Scene, tmp_path) -> None:
    path = tmp_path / "weights.npz"
    with pytest.raises(WeightsMissing):
        CalibrationWeights.load(path)
    path.write_bytes(b"no zip")
    with pytest.raises(WeightsCorrupt):
        CalibrationWeights.load(path)
    CalibrationWeights(scene.weights.index, 2 * scene.weights.A, scene.weights.W).save(path)
    with pytest.raises(WeightsCorrupt, match="fit"):
        CalibrationWeights.load(path)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(WeightsCorrupt):
        CalibrationWeights.load(path)


def test_module_begins_with_the_weights_and_learns(scene: Scene) -> None:
    module = CalibrationModule(scene.weights)
    frozen = module.freeze()
    torch.testing.assert_close(frozen.A, scene.weights.A)
    torch.testing.assert_close(frozen.W, scene.weights.W)
    true = CalibrationWeights(scene.weights.index, scene.weights.A.sqrt(), scene.weights.W + 0.3)
    true = CalibrationWeights(true.index, true.A / true.A.sum(1, keepdim=True), true.W)
    streams = scene.vertices, scene.joints_hmr, scene.joints_target
    wanted = calibrate(*streams, true)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.02)
    losses = []
    for _ in range(40):
        loss = (module(*streams) - wanted).square().sum(-1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]
    trained = module.freeze()
    assert not trained.A.requires_grad
    torch.testing.assert_close(trained.A.sum(1), torch.ones(300, dtype=D))
    assert (trained.A[scene.weights.A == 0] == 0).all()
    torch.testing.assert_close(frozen.A, scene.weights.A)
    torch.testing.assert_close(calibrate(*streams, trained), module(*streams).detach())
