"""Calibration of one frame in numpy against its twins for many."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from inference_backend.calibration import bone_rotations, calibrate
from inference_backend.calibration_kernel import calibrate_frame
from inference_backend.calibration_rotations import about_bones
from inference_backend.calibration_row import chain_rotations, segment_rows, twisted
from inference_backend.targets.chains import TWISTING

from .test_calibration import Scene, points_of, posed, random_rotations, rest

D = torch.float64
COUNT = 40


def places(seed: int, sigma: float = 0.5, longer: float = 1.0) -> torch.Tensor:
    """Joints and points of random poses. Shape: (COUNT, 35, 3)."""
    rotations, joints = posed(random_rotations(COUNT, sigma, seed), longer * rest())
    return torch.cat([joints, points_of(rotations, joints)], 1)


@pytest.mark.parametrize("longer", [1.0, 1.1])
@pytest.mark.parametrize("points", [True, False])
@pytest.mark.parametrize("sigma", [0.01, 0.4, 1.5])
def test_rotations_are_the_twin_s(sigma: float, points: bool, longer: float) -> None:
    hmr, target = places(1), places(2, sigma, longer)
    target[3, 24] = torch.nan
    target[4, 33] = torch.nan
    given = {"points_hmr": hmr[:, 24:], "points_target": target[:, 24:]} if points else {}
    wanted = bone_rotations(hmr[:, :24], target[:, :24], **given).numpy()
    size = 35 if points else 24
    found = [chain_rotations(*(both[:size].numpy() for both in pair)) for pair in zip(hmr, target, strict=True)]
    assert np.abs(np.array(found) - wanted).max() < 1e-6


def test_a_pose_onto_itself_turns_nothing() -> None:
    one = places(3)[0].numpy()
    assert np.abs(chain_rotations(one, one) - np.eye(3)).max() < 1e-7


def test_joints_in_one_place_give_numbers() -> None:
    nowhere = np.zeros((35, 3))
    assert np.isfinite(chain_rotations(nowhere, places(3)[0].numpy())).all()
    assert np.isfinite(chain_rotations(places(3)[0].numpy(), nowhere)).all()


def test_twist_is_the_twin_s() -> None:
    joints, rotations = places(4)[:, :24], random_rotations(COUNT, 1.0, 5)
    angles = torch.zeros(COUNT, 24, dtype=D)
    angles[:, list(TWISTING)] = torch.randn(COUNT, len(TWISTING), dtype=D)
    angles[:, 5] = 0
    wanted = (rotations @ about_bones(joints, angles)).numpy()
    for row in range(COUNT):
        found = twisted(rotations[row].numpy(), joints[row].numpy(), angles[row].numpy())
        assert np.abs(found - wanted[row]).max() < 1e-9


@pytest.mark.parametrize("non_rigid", [True, False])
def test_vertices_are_the_twin_s(non_rigid: bool) -> None:
    scene = Scene()
    weights = scene.weights.to(dtype=torch.float32)
    hmr, target, vertices = (part.float() for part in (scene.joints_hmr, scene.joints_target, scene.vertices))
    rotations = bone_rotations(hmr, target)
    wanted = calibrate(vertices, hmr, target, weights, rotations=rotations, non_rigid=non_rigid).numpy()
    sparse = tuple(part.numpy() for part in weights.compressed)
    for row in range(len(vertices)):
        turns, joints, to = (part[row].double().numpy() for part in (rotations, hmr, target))
        rows = segment_rows(turns, joints, to, non_rigid).astype(np.float32)
        assert np.abs(calibrate_frame(vertices[row].numpy(), rows, sparse) - wanted[row]).max() < 1e-5
