"""The metrics against values worked out by hand, and against slow twins."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from inference_backend.evaluation.accuracy import in_picture
from inference_backend.evaluation.metrics import (
    EXTREMITIES,
    LIMBS,
    STRATA,
    acceleration_error,
    auroc,
    bone_length_spread,
    category_means,
    limb_twist_error,
    macro_average,
    mpjpe,
    mpve,
    pa_mpjpe,
    root_relative,
    rotation_error,
    strata,
)
from inference_backend.geometry import axis_angle_to_matrix
from inference_backend.skeletons import BONES, JOINTS

# A standing figure, metres, SMPL's axes (y up, z to the front, x to its left).
_PLACES = {
    "pelvis": (0, 0.95, 0), "hip": (0.1, 0.9, 0), "knee": (0.1, 0.5, 0), "ankle": (0.1, 0.1, 0),
    "foot": (0.1, 0.03, 0.12), "spine1": (0, 1.05, 0), "spine2": (0, 1.2, 0), "spine3": (0, 1.3, 0),
    "neck": (0, 1.5, 0), "head": (0, 1.6, 0.02), "collar": (0.05, 1.45, 0), "shoulder": (0.2, 1.45, 0),
    "elbow": (0.45, 1.45, 0), "wrist": (0.7, 1.45, 0), "hand": (0.8, 1.45, 0),
}  # fmt: skip
UP = torch.tensor([0.0, -1.0, 0.0], dtype=torch.float64)
TO_CAMERA = torch.diag(torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64))


def standing() -> torch.Tensor:
    """(24, 3)"""
    rows = [np.array(_PLACES[name.split("_")[-1]], float) * ([-1, 1, 1] if "right" in name else 1) for name in JOINTS]
    return torch.tensor(np.stack(rows))


def about(axis: tuple[float, float, float], degrees: float) -> torch.Tensor:
    """(3, 3)"""
    return axis_angle_to_matrix(torch.tensor(axis, dtype=torch.float64) * math.radians(degrees))


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_mpjpe_is_the_mean_distance_with_the_pelvises_on_one_place():
    truth = random(2, 5, 24, 3)
    guess = truth.clone() + torch.tensor([1.0, 2.0, 3.0])
    guess[0, 3, 7] += torch.tensor([0.0, 0.3, 0.4])
    want = torch.zeros(2, 5, dtype=torch.float64)
    want[0, 3] = 0.5 / 24
    torch.testing.assert_close(mpjpe(guess, truth), want)


def test_mpjpe_counts_a_wrong_pelvis_in_every_other_joint():
    truth = random(1, 24, 3)
    guess = truth.clone()
    guess[0, 0] += torch.tensor([0.1, 0.0, 0.0])
    assert mpjpe(guess, truth).item() == pytest.approx(0.1 * 23 / 24)


def test_root_relative_puts_the_pelvis_at_zero():
    relative = root_relative(random(3, 24, 3) + 5)
    assert relative[:, 0].abs().max() == 0
    torch.testing.assert_close(relative[:, 4], random(3, 24, 3)[:, 4] - random(3, 24, 3)[:, 0])


def test_pa_mpjpe_forgets_similarity_but_not_shape():
    truth = random(4, 24, 3)
    turned = 1.7 * truth @ about((0, 0.6, 0.8), 130).T + torch.tensor([3.0, -1.0, 2.0])
    assert pa_mpjpe(turned, truth).max() < 1e-9
    mirrored = truth * torch.tensor([-1.0, 1.0, 1.0])
    assert pa_mpjpe(mirrored, truth).min() > 0.1


def test_pa_mpjpe_of_two_stretched_points():
    # Points on a line, one pushed out by 3: only a scale is left to find, by least squares.
    truth = torch.tensor([[[-1.0, 0, 0], [0, 0, 0], [1, 0, 0]]], dtype=torch.float64)
    guess = torch.tensor([[[-1.0, 0, 0], [0, 0, 0], [4, 0, 0]]], dtype=torch.float64)
    centred = np.array([-2.0, -1.0, 3.0])
    scale = (centred @ [-1, 0, 1]) / (centred @ centred)
    want = np.abs(scale * centred - [-1, 0, 1]).mean()
    assert pa_mpjpe(guess, truth).item() == pytest.approx(want)


def test_mpve_weighs_by_area_and_aligns_the_pelvis_joint():
    truth, pelvis = random(2, 4, 3), random(2, 3, seed=1)
    shift = torch.tensor([0.5, 0.0, -2.0])
    guess = truth + shift
    guess[1, 2] += torch.tensor([0.0, 0.0, 0.2])
    areas = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
    want = torch.tensor([0.0, 0.2 * 0.3], dtype=torch.float64)
    torch.testing.assert_close(mpve(guess, truth, pelvis + shift, pelvis, areas), want)


@pytest.mark.parametrize("areas", [torch.full((4,), 1.0), torch.full((5,), 0.2)])
def test_mpve_refuses_areas_that_do_not_fit(areas):
    with pytest.raises(ValueError, match="vertex_areas"):
        mpve(random(4, 3), random(4, 3), random(3), random(3), areas)


def test_mpve_refuses_a_pelvis_of_another_batch():
    with pytest.raises(ValueError, match="pelvis"):
        mpve(random(2, 4, 3), random(2, 4, 3), random(3), random(3), torch.full((4,), 0.25))


@pytest.mark.parametrize("metric", [mpjpe, pa_mpjpe, lambda a, b: acceleration_error(a, b, 30)])
def test_joints_of_different_shapes_are_refused(metric):
    with pytest.raises(ValueError, match=r"\(5, 24, 3\).*\(5, 17, 3\)"):
        metric(random(5, 24, 3), random(5, 17, 3))


def test_rotation_error_is_the_angle_in_degrees_at_the_named_joints():
    truth = about((1, 0, 0), 40).expand(3, 24, 3, 3)
    guess = truth.clone()
    guess[1, JOINTS.index("head")] = about((1, 0, 0), 65)
    guess[2, JOINTS.index("left_wrist")] = truth[2, 0] @ about((0, 0, 1), -170)
    guess[2, JOINTS.index("left_hip")] = about((0, 1, 0), 90)  # not among the extremities
    want = torch.zeros(3, 5, dtype=torch.float64)
    want[1, EXTREMITIES.index("head")] = 25
    want[2, EXTREMITIES.index("left_wrist")] = 170
    torch.testing.assert_close(rotation_error(guess, truth), want, atol=1e-6, rtol=0)
    hip = rotation_error(guess, truth, ("left_hip",))
    assert hip.shape == (3, 1)
    assert hip[0].item() == pytest.approx(0, abs=1e-6)


def test_rotation_error_refuses_a_name_that_is_no_joint():
    with pytest.raises(ValueError, match="tail"):
        rotation_error(random(24, 3, 3), random(24, 3, 3), ("tail",))


def test_limb_twist_error_sees_the_twist_and_not_the_swing():
    rest, truth = standing(), about((0.48, 0.6, 0.64), 77).expand(24, 3, 3).clone()
    guess = truth.clone()
    arm, shank = JOINTS.index("left_shoulder"), JOINTS.index("right_knee")
    # A swing first and the twist about the bone's own (rest) axis inside of it: x for the arm, y for the shank.
    guess[arm] = truth[arm] @ about((0, 1, 0), 35) @ about((1, 0, 0), -50)
    guess[shank] = truth[shank] @ about((0, -1, 0), 160)
    guess[JOINTS.index("left_hip")] = truth[0] @ about((1, 0, 0), 80)  # swing only
    want = torch.zeros(8, dtype=torch.float64)
    want[LIMBS.index(("left_shoulder", "left_elbow"))] = 50
    want[LIMBS.index(("right_knee", "right_ankle"))] = 160
    torch.testing.assert_close(limb_twist_error(guess, truth, rest), want, atol=1e-6, rtol=0)


def test_limb_twist_error_of_a_reversed_limb_is_finite():
    truth = torch.eye(3, dtype=torch.float64).expand(24, 3, 3)
    guess = about((0, 0, 1), 180).expand(24, 3, 3)
    assert torch.isfinite(limb_twist_error(guess, truth, standing())).all()


def test_limb_twist_error_refuses_rotations_of_other_skeletons():
    with pytest.raises(ValueError, match="rotations"):
        limb_twist_error(random(22, 3, 3), random(22, 3, 3), standing())
    with pytest.raises(ValueError, match="rest_joints"):
        limb_twist_error(random(24, 3, 3), random(24, 3, 3), standing()[:22])


def test_acceleration_error_is_the_difference_of_the_second_derivatives():
    seconds = torch.arange(6, dtype=torch.float64)[:, None, None] / 25
    truth = random(1, 24, 3).expand(6, 24, 3) + 4 * seconds
    guess = truth + 0.5 * seconds**2 * torch.tensor([0.0, 3.0, 4.0], dtype=torch.float64)
    torch.testing.assert_close(acceleration_error(guess, truth, 25), torch.full((4,), 5.0, dtype=torch.float64))


def test_acceleration_error_wants_three_frames():
    with pytest.raises(ValueError, match="at least 3"):
        acceleration_error(random(2, 24, 3), random(2, 24, 3), 30)


def test_bone_length_spread_is_relative_to_the_mean_length():
    joints = standing().repeat(2, 1, 1)
    joints[0, 15] = joints[0, 12] + torch.tensor([0.0, 0.09, 0.0])
    joints[1, 15] = joints[1, 12] + torch.tensor([0.0, 0.0, 0.11])
    want = torch.zeros(23, dtype=torch.float64)
    want[14] = 0.1
    torch.testing.assert_close(bone_length_spread(joints), want)
    assert bone_length_spread(random(3, 7, 24, 3)).shape == (3, len(BONES))
    assert bone_length_spread(joints, [(12, 15)]).item() == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("scores", "labels", "want"),
    [
        ([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1], 1.0),
        ([0.9, 0.8, 0.2, 0.1], [0, 0, 1, 1], 0.0),
        ([0.5, 0.5, 0.5], [0, 1, 0], 0.5),
        ([1.0, 2.0, 2.0, 3.0], [0, 0, 1, 1], 0.875),
    ],
)
def test_auroc_by_hand(scores, labels, want):
    assert auroc(torch.tensor(scores), torch.tensor(labels, dtype=torch.bool)) == pytest.approx(want)


def test_auroc_equals_the_count_over_all_pairs():
    scores = random(60).mul(4).round()  # with ties
    labels = random(60, seed=1) > 0.5
    pairs = [(a > b) + 0.5 * (a == b) for a in scores[labels].tolist() for b in scores[~labels].tolist()]
    assert auroc(scores, labels) == pytest.approx(sum(pairs) / len(pairs))


def test_auroc_of_one_kind_only_is_not_defined():
    assert math.isnan(auroc(torch.tensor([1.0, 2.0]), torch.tensor([True, True])))
    assert math.isnan(auroc(torch.zeros(0), torch.zeros(0, dtype=torch.bool)))


def test_auroc_refuses_what_cannot_be_ranked():
    with pytest.raises(ValueError, match="one length"):
        auroc(torch.zeros(3), torch.zeros(4, dtype=torch.bool))
    with pytest.raises(ValueError, match="not finite"):
        auroc(torch.tensor([0.0, math.nan]), torch.tensor([True, False]))


def test_macro_average_weighs_categories_alike():
    values, categories = torch.tensor([1.0, 3.0, 10.0]), ["walk", "walk", "salsa"]
    assert category_means(values, categories) == {"walk": 2.0, "salsa": 10.0}
    assert macro_average(values, categories) == 6.0


def test_macro_average_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="values"):
        macro_average(torch.zeros(2), ["walk"])
    with pytest.raises(ValueError, match="empty"):
        macro_average(torch.zeros(0), [])


def seen(*, lean: float = 0, yaw: float = 0, knees: float = 0, lift: float = 0, pitch: float = 0) -> dict[str, bool]:
    """The strata of the figure, 4 m in front of a camera that it faces. All in degrees.

    It leans forward; is turned; bends its knees (thighs and shanks off the vertical); lifts the left leg sideways; the
    camera looks down.
    """
    joints = standing() - standing()[0]
    for side in ("left", "right"):
        hip, knee, ankle = (JOINTS.index(f"{side}_{name}") for name in ("hip", "knee", "ankle"))
        out = lift if side == "left" else 0
        thigh, shank = joints[knee] - joints[hip], joints[ankle] - joints[knee]
        joints[knee] = joints[hip] + about((0, 0, 1), out) @ about((1, 0, 0), -knees) @ thigh
        joints[ankle] = joints[knee] + about((0, 0, 1), out) @ about((1, 0, 0), knees) @ shank
    upper = [JOINTS.index(name) for name in ("spine1", "spine2", "spine3", "neck", "head")]
    joints[upper] = joints[upper] @ about((1, 0, 0), lean).T
    view = about((1, 0, 0), pitch) @ TO_CAMERA
    turn = view @ about((0, 1, 0), yaw)
    joints_cam = joints @ turn.T + torch.tensor([0.0, 0.0, 4.0])
    up = view @ torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)
    masks = strata(joints_cam[None], up, turn.expand(1, 24, 3, 3))
    assert tuple(masks) == STRATA
    return {name: bool(mask[0]) for name, mask in masks.items()}


@pytest.mark.parametrize(
    ("case", "want"),
    [
        ({}, {"upright"}),
        ({"lean": 20}, {"upright"}),
        ({"lean": 30}, {"leaning"}),
        ({"lean": -58}, {"leaning"}),
        ({"lean": 65}, {"crouching_or_lying"}),
        ({"lean": 180}, {"crouching_or_lying"}),
        ({"knees": 30}, {"upright"}),
        ({"knees": 75}, {"crouching_or_lying"}),
        ({"lift": 110}, {"upright"}),  # on one leg
        ({"yaw": 90}, {"upright"}),
        ({"yaw": 130}, {"upright", "from_behind"}),
        ({"yaw": 180}, {"upright", "from_behind"}),
        ({"pitch": 25}, {"upright"}),
        ({"pitch": 35}, {"upright", "steep_camera"}),
        ({"pitch": -35, "lean": 40}, {"leaning", "steep_camera"}),
    ],
)
def test_strata_of_known_poses(case, want):
    assert {name for name, there in seen(**case).items() if there} == want


def test_strata_share_out_all_frames_and_know_batches():
    joints, up = random(3, 50, 24, 3) + torch.tensor([0.0, 0.0, 5.0]), UP
    rotations = axis_angle_to_matrix(random(3, 50, 24, 3, seed=2))
    masks = strata(joints, up, rotations)
    assert all(mask.shape == (3, 50) and mask.dtype == torch.bool for mask in masks.values())
    shared = torch.stack([masks[name] for name in STRATA[:3]]).sum(0)
    assert (shared == 1).all()
    per_frame = strata(joints, UP.expand(3, 50, 3) * 7, rotations)
    assert all(torch.equal(mask, per_frame[name]) for name, mask in masks.items())


def test_strata_refuse_other_skeletons():
    with pytest.raises(ValueError, match="joints_cam"):
        strata(random(2, 17, 3), UP, random(2, 17, 3, 3))
    with pytest.raises(ValueError, match="rotations_cam"):
        strata(random(2, 24, 3), UP, random(2, 3, 3))


def test_in_picture_wants_every_landmark_inside():
    intrinsics, size = torch.tensor([100.0, 100.0, 31.5, 23.5]), torch.tensor([64, 48])
    corner = torch.tensor([[-0.63, -0.47, 2.0], [0.63, 0.47, 2.0]])  # the picture's outermost pixels
    rows = torch.stack([corner, corner * torch.tensor([1.02, 1, 1]), corner * torch.tensor([1, 1.02, 1])])
    assert in_picture(rows, intrinsics, size).tolist() == [True, False, False]
