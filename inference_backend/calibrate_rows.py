"""Calibration of a take's rows: mesh stream and target rows in, rows of the stage "calibrate" out (section 3.3)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .body import load_default_body
from .body_model import BodyModel
from .calibration import calibrate
from .calibration_rotations import Form, about_bones, bone_rotations
from .calibration_skeleton import blend_target, skeleton_rotations
from .calibration_weights import CalibrationWeights
from .geometry import axis_angle_to_matrix, matrix_to_quaternion
from .skeletons import PARENTS, POINT_LANDMARKS
from .solve_preset import CalibrationPreset
from .take import Person
from .take_format import row_hashes
from .weights import model_path


class Calibrator:
    """Equations 6 to 13 as a take's settings want them."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        """`settings` of a take's `take.json`."""
        self.preset = CalibrationPreset(**settings.get("calibration", {}))
        self._parameters = json.dumps(settings.get("calibration", {}), sort_keys=True)
        self.body, self.weights = load_default_body(), calibration_weights()

    def rows(self, person: Person, start: int, stop: int, target: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
        """The rows [start, stop) of the stage "calibrate", from the person's meshes and the rows of "target"."""
        meshes = [tensor(person.array(name)[start:stop]) for name in ("vertices_hmr", "joints_hmr", "pose")]
        vertices, joints, pose = meshes
        return self(vertices, joints, axis_angle_to_matrix(pose), target)

    def __call__(
        self, vertices: Tensor, joints: Tensor, pose: Tensor, target: Mapping[str, NDArray[Any]]
    ) -> dict[str, NDArray[Any]]:
        """Rows of the stage "calibrate". Camera frame, metres.

        Args:
            vertices: (B, N, 3) of the mesh stream. joints: (B, 24, 3) its joints. pose: (B, 24, 3, 3) its local turns.
            target: joints_target (B, 24, 3), points_target (B, 11, 3), twist_target and strength (B, 24), target_hash.
        """
        wanted = [tensor(target[name]) for name in ("joints_target", "points_target", "twist_target", "strength")]
        calibrated, rotations, placed = calibrated_batch(
            self.body, self.weights, self.preset, vertices, joints, pose, *wanted
        )
        return {
            "vertices": calibrated.numpy(),
            "joints": placed.numpy(),
            "rotations": rotations.numpy(),
            "calibrated_hash": row_hashes(self._parameters, target["target_hash"]),
        }


@torch.no_grad()
def calibrated_batch(
    body: BodyModel,
    weights: CalibrationWeights,
    preset: CalibrationPreset,
    vertices: Tensor,
    joints: Tensor,
    pose: Tensor,
    target: Tensor,
    points: Tensor,
    twist: Tensor,
    strength: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Calibrated vertices (B, N, 3), the skeleton's local quaternions (B, 24, 4) and its joints (B, 24, 3)."""
    form = cast(Form, preset.form)  # presets allow no other words
    points_hmr = body.landmarks(vertices)[:, list(POINT_LANDMARKS)] if preset.points else None
    turns = bone_rotations(
        joints, target, form=form, points_hmr=points_hmr, points_target=points if preset.points else None
    )
    if twist.any():
        turns = turns @ about_bones(joints, twist)
    strength = strength * preset.strength
    if (strength < 1).any():
        # Here and not in `calibrate`, so that the skeleton turns as the mesh does.
        target, turns = blend_target(joints, target, turns, strength)
    calibrated = calibrate(vertices, joints, target, weights, rotations=turns, form=form, non_rigid=preset.non_rigid)
    return calibrated, matrix_to_quaternion(skeleton_rotations(pose, PARENTS, turns)), target


@lru_cache(maxsize=1)
def calibration_weights() -> CalibrationWeights:
    """A and W of the default body. Raises WeightsMissing, WeightsCorrupt."""
    return CalibrationWeights.load(model_path("calibration"))


def tensor(values: NDArray[Any]) -> Tensor:
    """A copy as float32."""
    return torch.tensor(np.asarray(values, np.float32))
