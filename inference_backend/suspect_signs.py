"""What the suspect score is made from: both streams, the fit, and how well the body meets its detections."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .camera import Intrinsics
from .sightings import joint_landmarks
from .skeletons import LANDMARKS
from .solve import PersonSolve, Solver
from .suspects import SuspectInputs


def suspect_inputs(
    solver: Solver, solve: PersonSolve, keypoints: npt.NDArray[Any], intrinsics: Intrinsics
) -> SuspectInputs:
    """What the suspect score is made from. Shape: keypoints (F, 33, 3) px, confidence."""
    body, target = solver.body, solve.target
    if keypoints.shape != (len(target.joints), len(LANDMARKS), 3):
        raise ValueError(f"keypoints: found {keypoints.shape}, want {(len(target.joints), len(LANDMARKS), 3)}")
    stature = float(body.stature(solve.betas[None])[0])
    shown = joint_landmarks()
    errors, heights = [], []
    for start in range(0, len(keypoints), 1024):
        rows = slice(start, start + 1024)
        joints, landmarks, _ = solver.rig_seen.pose(target.local_rotations[rows], solve.betas[None])
        landmarks = landmarks + (target.root[rows] - joints[:, 0])[:, None]
        pixels = intrinsics.project(landmarks.numpy())
        stature_px = intrinsics.fx * stature / np.maximum(target.root[rows, 2].numpy(), 0.1)
        heights.append(stature_px)
        errors.append(np.linalg.norm(pixels - keypoints[rows, :, :2], axis=-1) / stature_px[:, None])
    error = np.concatenate(errors)
    # A landmark that was not seen says nothing of the fit.
    weight = keypoints[..., 2] + 1e-3
    reprojection = (error * weight) @ shown.T / (weight @ shown.T)
    seen = np.einsum("jl,fld->fjd", shown, keypoints[..., :2] * weight[..., None]) / (weight @ shown.T)[..., None]
    return SuspectInputs(
        joints_lifted=solve.lifted.joints.numpy(),
        joints_hmr=_mesh_joints(solver, solve),
        joints_fitted=target.joints.numpy(),
        log_error=solve.lifted.log_error.numpy(),
        reprojection=reprojection.astype(np.float32),
        visibility=keypoints[..., 2] @ shown.T,
        seen=seen / np.concatenate(heights)[:, None, None],
    )


def _mesh_joints(solver: Solver, solve: PersonSolve) -> npt.NDArray[np.float32]:
    """The mesh stream's joints in every frame. Shape: (F, 24, 3)."""
    joints, _, _ = solver.rig.pose(solve.mesh.pose, solve.betas[None])
    return np.asarray((joints + (solve.mesh.root - joints[:, 0])[:, None]).numpy(), np.float32)
