"""Accuracy on rendered clips of held-out subjects, seen by the real BlazePose.

    python -m inference_backend evaluate accuracy

Subject's height known, root-relative, millimetres; MPVE weighs each vertex by its share of the surface. Each figure
is the mean over a category's frames, then over categories, so that long dances do not drown short walks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..body import load_default_body
from ..calibration import calibrate
from ..calibration_rotations import Form, bone_rotations
from ..calibration_weights import CalibrationWeights
from ..camera import Intrinsics
from ..generators import Observation, Silhouettes
from ..generators.proxy import Proxy
from ..geometry import axis_angle_to_matrix
from ..lifters.videopose3d import VideoPose3D
from ..scene import on_one_floor
from ..skeletons import LANDMARKS, POINT_LANDMARKS
from ..solve import PersonSolve, Solver, into_square
from ..solve_preset import SolvePreset
from ..suspect_signs import suspect_inputs
from ..training.lifting_data import RenderedSet, Truth
from ..weights import model_path
from .metrics import (
    EXTREMITIES,
    limb_twist_error,
    mpjpe,
    mpve,
    pa_mpjpe,
    rotation_error,
    strata,
)

LIMB_LANDMARKS = tuple(
    i for i, name in enumerate(LANDMARKS) if name.endswith(("shoulder", "elbow", "wrist", "hip", "knee", "ankle"))
)
"""The 12 landmarks that are joints: where BlazePose's own 3D guess can be compared."""
LIMB_JOINTS = (16, 17, 18, 19, 20, 21, 1, 2, 4, 5, 7, 8)
"""The same 12 among SMPL's joints."""

Arrays = dict[str, npt.NDArray[Any]]

Rows = dict[str, dict[str, Tensor]]
"""Per system and metric: a value for every frame: millimetres, degrees, or (2D) hundredths of the height."""


@dataclass(frozen=True)
class Evaluation:
    """Every frame's errors, and what the frames are."""

    rows: Rows
    """Errors."""
    categories: list[str]
    """Of each frame."""
    strata: dict[str, Tensor]
    """(n,) bool each: frames of a kind."""
    predictions: Arrays
    """What suspects are judged by: stacked arrays of all frames."""


class Evaluator:
    """Runs the systems over a set of rendered clips."""

    def __init__(
        self, rendered: Path, lifter: Path | None = None, proxy: Path | None = None, calibration: Path | None = None
    ) -> None:
        """Weight files that are not shipped may be given."""
        self.body = load_default_body()
        self.data = RenderedSet([rendered], Truth(self.body))
        self.lifter = VideoPose3D(lifter)
        self.generator = Proxy(proxy, body=self.body)
        self.weights = CalibrationWeights.load(model_path("calibration") if calibration is None else calibration)
        self.areas = self.body.vertex_areas()

    def run(self, tick: Callable[[int, int], None] = lambda *_: None, clips: int | None = None) -> Evaluation:
        """All systems on every clip."""
        parts, categories, kinds, predictions = [], [], [], []
        count = len(self.data) if clips is None else min(clips, len(self.data))
        for clip in range(count):
            rows, prediction = self.clip(clip)
            parts.append(rows)
            categories += [self.data.categories[clip]] * self.data.frames
            targets, rotations = self.data.targets[clip], self.data.rotations[clip]
            kinds.append(strata(targets[:, :24], self.data.up[clip].expand(len(targets), 3), rotations))
            whole = in_picture(self.data.landmarks[clip], self.data.intrinsics[clip], self.data.size[clip])
            kinds[-1] |= {"whole_in_picture": whole, "cut_by_the_edge": ~whole}
            predictions.append({**prediction, "clip": np.full(self.data.frames, clip)})
            tick(clip + 1, count)
        rows = {s: {m: torch.cat([p[s][m] for p in parts]) for m in parts[0][s]} for s in parts[0]}
        merged = {key: np.concatenate([p[key] for p in predictions]) for key in predictions[0]}
        return Evaluation(rows, categories, {k: torch.cat([part[k] for part in kinds]) for k in kinds[0]}, merged)

    @torch.no_grad()
    def clip(self, clip: int) -> tuple[Rows, Arrays]:
        """Every system's errors on one clip, and the predictions."""
        data, body = self.data, self.body
        height = float(data.height[clip])
        solver = Solver(body, self.lifter, self.generator, replace(SolvePreset(), height=height))
        seconds = np.arange(data.frames) / self.lifter.fps
        seen = Observation(data.points[clip], data.confidence[clip], data.world[clip])
        masks = self.silhouettes(clip)
        with torch.enable_grad():
            streams = solver.streams(seen, masks, seconds, lambda *_: None)
            solve = on_one_floor([solver], [streams], True).targets(lambda *_: None)[0]
        true_joints, points = data.targets[clip][:, :24], data.targets[clip][:, 24:]
        rotations = data.rotations[clip]
        local = axis_angle_to_matrix(data.pose[clip])
        shift = data.root[clip] - body.rest(data.betas[clip : clip + 1])[1][:, 0]
        truth = body.pose(local, data.betas[clip : clip + 1], shift).vertices

        rows: Rows = {"BlazePose's world landmarks": self._blazepose(clip)}
        exact = data.landmarks[clip][..., :2] / data.landmarks[clip][..., 2:]
        exact_seen = Observation(exact, torch.ones_like(seen.confidence), None)
        with torch.enable_grad():
            exact_streams = solver.streams(exact_seen, masks, seconds, lambda *_: None)
        rows["lifter alone"] = {
            **_joints(solve.lifted.joints, true_joints),
            **_rotations(solve.lifted.rotations, rotations, solver.rig.rest_joints(solve.betas[None])[0]),
        }
        rows["lifter, exact 2D"] = _joints(exact_streams.lifted.joints, true_joints)
        rows["lifter, fitted"] = {
            **_joints(solve.target.joints, true_joints),
            **_rotations(solve.target.rotations, rotations, solver.rig.rest_joints(solve.betas[None])[0]),
        }
        vertices, joints, _ = solver.mesh_vertices(solve, 0, data.frames)
        mesh_rotations = solver.rig.pose(solve.mesh.pose, solve.betas[None])[2]

        def surface(made: Tensor, pelvis: Tensor) -> dict[str, Tensor]:
            return {"MPVE": mpve(made, truth, pelvis, true_joints[:, 0], self.areas) * 1000}

        rows["mesh stream alone"] = {
            **_joints(joints, true_joints),
            **surface(vertices, joints[:, 0]),
            **_rotations(mesh_rotations, rotations, solver.rig.rest_joints(solve.betas[None])[0]),
        }
        mesh_points = body.landmarks(vertices)[:, list(POINT_LANDMARKS)]

        def calibrated(
            target: Tensor, target_points: Tensor, form: Form, non_rigid: bool = True
        ) -> tuple[Tensor, Tensor]:
            turns = bone_rotations(joints, target, form=form, points_hmr=mesh_points, points_target=target_points)
            made = calibrate(vertices, joints, target, self.weights, rotations=turns, form=form, non_rigid=non_rigid)
            return made, turns @ mesh_rotations

        forms: tuple[tuple[str, Form], ...] = (
            ("parallel PC-HMR", "chain"), ("… torso-aligned", "torso"), ("… per bone, as the paper", "bone")
        )  # fmt: skip
        rest = solver.rig.rest_joints(solve.betas[None])[0]
        for name, form in forms:
            made, turned = calibrated(solve.target.joints, solve.target.points, form)
            rows[name] = {
                **_joints(solve.target.joints, true_joints), **surface(made, solve.target.joints[:, 0]),
                **_rotations(turned, rotations, rest),
            }  # fmt: skip
            rows[f"{name}, true pose"] = surface(calibrated(true_joints, points, form)[0], true_joints[:, 0])
        rigid = calibrated(solve.target.joints, solve.target.points, "chain", non_rigid=False)[0]
        rows["… without the non-rigid term"] = surface(rigid, solve.target.joints[:, 0])
        rigid = calibrated(true_joints, points, "chain", non_rigid=False)[0]
        rows["… without the non-rigid term, true pose"] = surface(rigid, true_joints[:, 0])
        return rows, self._prediction(clip, solver, solve, true_joints)

    def _blazepose(self, clip: int) -> dict[str, Tensor]:
        """BlazePose's own 3D landmarks, hips on hips, scaled to the true size over the clip."""
        part = list(LIMB_LANDMARKS)
        guess, truth = self.data.world[clip][:, part], self.data.landmarks[clip][:, part]
        guess = guess - guess[:, 6:8].mean(1, keepdim=True)
        truth = truth - truth[:, 6:8].mean(1, keepdim=True)
        guess = guess * (truth.norm(dim=-1).sum() / guess.norm(dim=-1).sum().clamp_min(1e-6))
        distance = (guess - truth).norm(dim=-1).mean(-1) * 1000
        seen = self.data.error[clip].norm(dim=-1).mean(-1) * 100
        return {"limbs": distance, "limbs PA": pa_mpjpe(guess, truth) * 1000, "2D": seen}

    def silhouettes(self, clip: int) -> Silhouettes:
        """Three frames' masks a clip."""
        data = self.data
        rows = [r for r in range(0, data.frames, 15) if data.found[clip, r]]
        masks = np.unpackbits(data.mask[clip][rows], axis=-1)
        f, c = data.intrinsics[clip, :2].numpy(), data.intrinsics[clip, 2:].numpy()
        pixels = data.points[clip][rows].numpy() * f + c
        return Silhouettes(
            torch.tensor(masks, dtype=torch.float32),
            torch.tensor(into_square(pixels, data.mask_square[clip][rows]), dtype=torch.float32),
            data.confidence[clip][rows],
        )

    def _prediction(self, clip: int, solver: Solver, solve: PersonSolve, true_joints: Tensor) -> Arrays:
        """What the suspect score sees, and the truth."""
        data = self.data
        fx, fy, cx, cy = data.intrinsics[clip].tolist()
        intrinsics = Intrinsics(fx, fy, cx, cy, int(data.size[clip, 0]), int(data.size[clip, 1]), "field")
        f, c = data.intrinsics[clip, :2], data.intrinsics[clip, 2:]
        keypoints = torch.cat([data.points[clip] * f + c, data.confidence[clip][..., None]], -1).numpy()
        inputs = suspect_inputs(solver, solve, keypoints, intrinsics)
        count = data.frames
        return {
            "joints_lifted": inputs.joints_lifted, "joints_hmr": inputs.joints_hmr,
            "joints_fitted": solve.target.joints.numpy(),
            "log_error": inputs.log_error, "reprojection": inputs.reprojection, "visibility": inputs.visibility,
            "joints_true": true_joints.numpy(), "height": np.full(count, float(data.height[clip]), np.float32),
        }  # fmt: skip


def in_picture(landmarks: Tensor, intrinsics: Tensor, size: Tensor) -> Tensor:
    """Whether all landmarks lie in the picture.

    Shape: landmarks (F, K, 3) metres, camera frame; intrinsics (4,) fx, fy, cx, cy; size (2,) width, height in px →
    (F,) bool.
    """
    pixels = landmarks[..., :2] / landmarks[..., 2:] * intrinsics[:2] + intrinsics[2:]
    return ((pixels >= 0) & (pixels <= size - 1)).all(-1).all(-1)


def _joints(joints: Tensor, truth: Tensor) -> dict[str, Tensor]:
    """MPJPE over the 24 joints, and over the 12 that BlazePose has, hips on hips."""
    part = list(LIMB_JOINTS)
    limbs, limbs_true = joints[:, part], truth[:, part]
    centred, centred_true = (t - t[:, 6:8].mean(1, keepdim=True) for t in (limbs, limbs_true))
    return {
        "MPJPE": mpjpe(joints, truth) * 1000,
        "PA-MPJPE": pa_mpjpe(joints, truth) * 1000,
        "limbs": (centred - centred_true).norm(dim=-1).mean(-1) * 1000,
        "limbs PA": pa_mpjpe(limbs, limbs_true) * 1000,
    }


def _rotations(rotations: Tensor, truth: Tensor, rest_joints: Tensor) -> dict[str, Tensor]:
    """Degrees: head, hands, feet, limb twist."""
    each = rotation_error(rotations, truth)
    out = {}
    for part in ("head", "wrist", "ankle"):
        columns = [i for i, name in enumerate(EXTREMITIES) if part in name]
        out[{"head": "head°", "wrist": "hand°", "ankle": "foot°"}[part]] = each[:, columns].mean(-1)
    out["twist°"] = limb_twist_error(rotations, truth, rest_joints).mean(-1)
    return out
