"""The stages that write into a take: streams, target, calibration, suspects. Each goes on from its finished frames."""

from __future__ import annotations

import json

import numpy as np
import torch
from torch import Tensor

from .calibration import calibrate
from .calibration_rotations import bone_rotations
from .calibration_skeleton import skeleton_rotations
from .calibration_weights import CalibrationWeights
from .camera import Intrinsics
from .geometry import matrix_to_axis_angle, matrix_to_quaternion
from .presets import result_settings
from .progress import Meter
from .sightings import Sighting, joint_landmarks
from .skeletons import PARENTS, POINT_LANDMARKS
from .solve import PersonSolve, Solver
from .solve_preset import SolvePreset
from .suspect_signs import suspect_inputs
from .suspects import suspects
from .take_format import row_hashes
from .take_writer import TakeWriter
from .world import estimate_world

BATCH = 64
"""Frames of vertices in memory at once."""


def write_streams(
    writer: TakeWriter, person: int, sighting: Sighting, solve: PersonSolve, solver: Solver, meter: Meter
) -> None:
    """Detections, lifted pose and mesh stream (equations 1 to 3)."""
    confidence = sighting.keypoints[..., 2]
    lifted = solve.lifted
    _write(
        writer, person, "estimate",
        {"frames": sighting.frames, "seconds": sighting.seconds, "keypoints_2d": sighting.keypoints,
         "world_landmarks": sighting.world},
    )  # fmt: skip
    _write(
        writer, person, "lift",
        {"joints_lifted": lifted.joints.numpy(), "points_lifted": lifted.points.numpy(),
         "log_error": lifted.log_error.numpy(), "visibility_joints": confidence @ joint_landmarks().T},
    )  # fmt: skip
    writer.write_array("betas", solve.betas.numpy(), person)
    count = len(sighting.frames)
    for start in range(_done(writer, person, "mesh"), count, BATCH):
        stop = min(start + BATCH, count)
        vertices, joints, translation = solver.mesh_vertices(solve, start, stop)
        rows = {
            "pose": matrix_to_axis_angle(solve.mesh.pose[start:stop]), "translation": translation,
            "joints_hmr": joints, "vertices_hmr": vertices,
        }  # fmt: skip
        writer.write_rows(person, "mesh", start, {name: t.numpy() for name, t in rows.items()})
        meter.stage("mesh", stop, count)
    writer.finish(person, "mesh")


def write_target(writer: TakeWriter, solves: list[PersonSolve], sightings: list[Sighting], meter: Meter) -> None:
    """Target poses, and the world that they stand in: of the person who is seen longest."""
    longest = max(range(len(solves)), key=lambda k: len(sightings[k].frames))
    target, confidence = solves[longest].target, sightings[longest].keypoints[..., 2].mean(1)
    world = estimate_world(target.joints.numpy(), target.points.numpy(), confidence, sightings[longest].fps)
    for note in world.notes:
        writer.warn(note)
    writer.write_array("world", world.matrix)
    parameters = json.dumps(writer.info.settings, sort_keys=True)
    for person, solve in enumerate(solves):
        joints, points = solve.target.joints.numpy(), solve.target.points.numpy()
        hashes = row_hashes(parameters, solve.lifted.joints.numpy(), solve.lifted.points.numpy())
        _write(writer, person, "target", {"joints_target": joints, "points_target": points, "target_hash": hashes})
        meter.stage("target", len(joints), len(joints))


def calibrate_person(
    writer: TakeWriter, person: int, solver: Solver, solve: PersonSolve, weights: CalibrationWeights, meter: Meter
) -> None:
    """The calibration module (section 3.3): the mesh stream's mesh bent onto the target pose."""
    preset = solver.preset
    count = len(solve.target.joints)
    parameters = json.dumps(result_settings(preset), sort_keys=True)
    stored = writer.take.person(person)
    for start in range(_done(writer, person, "calibrate"), count, BATCH):
        rows = slice(start, min(start + BATCH, count))
        vertices = torch.from_numpy(np.array(stored.array("vertices_hmr")[rows]))
        joints = torch.from_numpy(np.array(stored.array("joints_hmr")[rows]))
        target, points = solve.target.joints[rows], solve.target.points[rows]
        calibrated, rotations = calibrate_batch(
            solver, preset, weights, vertices, joints, target, points, solve.mesh.pose[rows]
        )
        hashes = row_hashes(parameters, joints.numpy(), target.numpy(), points.numpy())
        made = {"vertices": calibrated.numpy(), "rotations": rotations.numpy(), "calibrated_hash": hashes}
        writer.write_rows(person, "calibrate", start, made)
        meter.stage("calibrate", rows.stop, count)
    writer.finish(person, "calibrate")


@torch.no_grad()
def calibrate_batch(
    solver: Solver,
    preset: SolvePreset,
    weights: CalibrationWeights,
    vertices: Tensor,
    joints: Tensor,
    target: Tensor,
    points: Tensor,
    pose: Tensor,
) -> tuple[Tensor, Tensor]:
    """Equations 6 to 13 on a batch of frames, as the preset wants them.

    Shape: vertices (B, N, 3), joints and target (B, 24, 3), points (B, 11, 3), pose (B, 24, 3, 3) local → calibrated
    vertices (B, N, 3), and the skeleton's local quaternions (B, 24, 4).
    """
    chosen = preset.calibration
    points_hmr = solver.body.landmarks(vertices)[:, list(POINT_LANDMARKS)] if chosen.points else None
    turns = bone_rotations(
        joints, target, form=chosen.form, points_hmr=points_hmr, points_target=points if chosen.points else None
    )
    strength = None if chosen.strength == 1 else torch.full((len(PARENTS),), chosen.strength)
    calibrated = calibrate(
        vertices,
        joints,
        target,
        weights,
        rotations=turns,
        form=chosen.form,
        strength=strength,
        non_rigid=chosen.non_rigid,
    )
    return calibrated, matrix_to_quaternion(skeleton_rotations(pose, PARENTS, turns))


def find_suspects(
    writer: TakeWriter,
    person: int,
    sighting: Sighting,
    solve: PersonSolve,
    solver: Solver,
    intrinsics: Intrinsics,
    meter: Meter,
) -> None:
    """Which joints of which frames are likely wrong, and why."""
    count = len(sighting.frames)
    inputs = suspect_inputs(solver, solve, sighting.keypoints, intrinsics)
    report = suspects(inputs, solver.preset.height, sighting.fps)
    _write(writer, person, "suspects", {"suspect": report.score, "suspect_causes": report.causes})
    meter.stage("suspects", count, count)


def _done(writer: TakeWriter, person: int, stage: str) -> int:
    return writer.info.people[person].done.get(stage, 0)


def _write(writer: TakeWriter, person: int, stage: str, arrays: dict[str, np.ndarray]) -> None:  # type: ignore[type-arg]
    """A stage of small rows, from where it stands."""
    count, start = len(next(iter(arrays.values()))), _done(writer, person, stage)
    if start < count:
        writer.write_rows(person, stage, start, {name: value[start:] for name, value in arrays.items()})
    writer.finish(person, stage)
