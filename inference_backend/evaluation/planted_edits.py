"""What one edited joint mends of a planted mistake, in the mesh. Part of `evaluate targets`.

A forearm points 90° aside for ten frames. The artist drags its wrist to where it belongs, in the first, the middle and
the last of them; between these keys the edit runs as Blender's curves do, and the mesh is calibrated again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..body import load_default_body
from ..calibrate_rows import calibrated_batch, calibration_weights
from ..geometry import axis_angle_to_matrix
from ..person_stack import point_rig
from ..skeletons import JOINTS, POINT_LANDMARKS
from ..solve_preset import CalibrationPreset
from ..targets import quaternions
from ..targets.edits import Drag, Edits, TargetPose, apply_edits, drag
from ..targets.motion import SkeletonMotion
from .planted_mistakes import wrong_elbow
from .planted_takes import PlantedTake

_ELBOWS: Final = (JOINTS.index("left_elbow"), JOINTS.index("right_elbow"))
_TO_WRIST: Final = JOINTS.index("left_wrist") - _ELBOWS[0]


@dataclass(frozen=True)
class Mended:
    """MPVE of the calibrated mesh in the frames with the mistake, the mean over all takes, in mm."""

    before: float
    """With the mistake."""
    after: float
    """After the edit."""
    right: float
    """Had there been no mistake."""


def mended(clean: Sequence[PlantedTake]) -> Mended:
    """The edit in takes that have no mistake yet."""
    errors = np.mean([_errors(take, np.random.default_rng(k)) for k, take in enumerate(clean)], axis=0)
    return Mended(*(1000 * errors).tolist())


def table(found: Mended) -> str:
    """Markdown."""
    return (
        "| one joint edited in three of ten frames | MPVE mm | less by | without the mistake |\n|---|---|---|---|\n"
        f"| 90° wrong forearm | {found.before:.1f} → {found.after:.1f} | {1 - found.after / found.before:.0%} "
        f"| {found.right:.1f} |"
    )


def _errors(clean: PlantedTake, draw: np.random.Generator) -> tuple[float, float, float]:
    """Metres: before, after, and without the mistake."""
    take = wrong_elbow(clean, draw)
    rows = np.flatnonzero(take.wrong.any(1))
    elbow = next(joint for joint in _ELBOWS if take.wrong[:, joint].any())
    base, truth = (motion.rows(rows[0], rows[-1] + 1) for motion in (take.source.fitted, take.truth))
    mesh = take.source.mesh_stream.rows(rows[0], rows[-1] + 1)
    betas = torch.tensor(take.betas)
    true_vertices = _mesh(truth, betas)[0]
    edits = _edited(base, truth.joints()[:, elbow + _TO_WRIST], elbow + _TO_WRIST)
    errors = []
    for pose in (
        apply_edits(base, Edits.none(len(base))),
        apply_edits(base, edits),
        apply_edits(truth, Edits.none(len(base))),
    ):
        made = _calibrated(mesh, pose, betas)
        errors.append(float((made - true_vertices).norm(dim=-1).mean()))
    return errors[0], errors[1], errors[2]


def _edited(base: SkeletonMotion, wanted: NDArray[np.float64], joint: int) -> Edits:
    """A drag in the first, middle and last row, and what the curves make of it between. Shape: wanted (n, 3)."""
    keys = np.array([0, len(base) // 2, len(base) - 1])
    made = [drag(base.rows(k, k + 1), Edits.none(1), Drag(joint, to=wanted[k])) for k in keys]
    rows = np.arange(len(base))
    values = {}
    for field in fields(Edits):
        held = np.concatenate([getattr(edit, field.name) for edit in made]).reshape(len(keys), -1)
        flat = np.stack([np.interp(rows, keys, column) for column in held.T], -1)
        values[field.name] = flat.reshape(len(rows), *getattr(made[0], field.name).shape[1:])
    values["turn"] = quaternions.normalised(values["turn"])
    return Edits(**values)


def _calibrated(mesh: SkeletonMotion, pose: TargetPose, betas: Tensor) -> Tensor:
    """The mesh stream's mesh on a target pose. Shape: → (n, N, 3)."""
    vertices, joints, local = _mesh(mesh, betas)
    turned = axis_angle_to_matrix(_tensor(quaternions.to_vector(pose.motion.rotations)))
    placed, landmarks, _ = point_rig().pose(turned, betas)
    points = landmarks[:, list(POINT_LANDMARKS)] + (_tensor(pose.motion.root) - placed[:, 0])[:, None]
    made, _, _ = calibrated_batch(
        load_default_body(), calibration_weights(), CalibrationPreset(), vertices, joints, local,
        _tensor(pose.joints), points, _tensor(pose.twist), _tensor(pose.strength),
    )  # fmt: skip
    return made


def _mesh(motion: SkeletonMotion, betas: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Vertices (n, N, 3), joints (n, 24, 3) and local rotations of a body in a motion's poses."""
    body = load_default_body()
    local = axis_angle_to_matrix(_tensor(quaternions.to_vector(motion.rotations)))
    pelvis = body.rest(betas)[1][0, 0]
    output = body.pose(local, betas, _tensor(motion.root) - pelvis)
    return output.vertices, output.joints, local


def _tensor(values: NDArray[np.float64]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)
