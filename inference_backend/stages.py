"""The stages that write into a take: streams, target, meshes, suspects. Each goes on from its finished frames."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, cast

import numpy.typing as npt
import torch
from torch import Tensor

from .calibration import calibrate
from .calibration_rotations import Form, bone_rotations
from .calibration_skeleton import blend_target, skeleton_rotations
from .calibration_weights import CalibrationWeights
from .camera import Intrinsics
from .geometry import matrix_to_axis_angle, matrix_to_quaternion
from .presets import result_settings
from .progress import Meter
from .sightings import Sighting, joint_landmarks
from .skeletons import PARENTS, POINT_LANDMARKS
from .solve import PersonSolve, Solver
from .suspect_signs import suspect_inputs
from .suspects import suspects
from .take_format import row_hashes
from .take_writer import TakeWriter
from .world import estimate_world

BATCH = 64
"""Frames of vertices made at once. Another number may change the last bit of them."""

Rows = Mapping[str, npt.NDArray[Any]]


def write_streams(writer: TakeWriter, person: int, sighting: Sighting, solve: PersonSolve) -> None:
    """Detections, lifted pose, shape (equations 1 and 2)."""
    confidence, lifted = sighting.keypoints[..., 2], solve.lifted
    detected: Rows = {
        "frames": sighting.frames,
        "seconds": sighting.seconds,
        "keypoints_2d": sighting.keypoints,
        "world_landmarks": sighting.world,
    }
    _write(writer, person, "estimate", detected)
    pose: Rows = {
        "joints_lifted": lifted.joints.numpy(),
        "points_lifted": lifted.points.numpy(),
        "log_error": lifted.log_error.numpy(),
        "visibility_joints": confidence @ joint_landmarks().T,
    }
    _write(writer, person, "lift", pose)
    writer.write_array("betas", solve.betas.numpy(), person)


def write_rest(writer: TakeWriter, person: int, solver: Solver, solve: PersonSolve) -> None:
    """The person's body in the T-pose."""
    vertices, joints = solver.body.rest(solve.betas[None])
    writer.write_array("rest_vertices", vertices[0].numpy(), person)
    writer.write_array("rest_joints", joints[0, list(solver.body.smpl24)].numpy(), person)


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


def write_meshes(
    writer: TakeWriter, person: int, solver: Solver, solve: PersonSolve, weights: CalibrationWeights, meter: Meter
) -> None:
    """The mesh stream's meshes (equation 3) and the calibrated ones (section 3.3), batch by batch.

    While a batch is written and flushed, the next one is made.
    """
    count = len(solve.target.joints)
    done = writer.info.people[person].done
    writing: Future[None] | None = None
    # Leaving the block waits for the batch that is being written, also where the job is cancelled.
    with ThreadPoolExecutor(1) as pool:
        for start in range(min(done.get("mesh", 0), done.get("calibrate", 0)), count, BATCH):
            made = _meshes(solver, solve, weights, start, min(start + BATCH, count))
            if writing is not None:
                writing.result()
                meter.stage("calibrate", start, count)
            writing = pool.submit(_write_meshes, writer, person, start, made)
        if writing is not None:
            writing.result()
    meter.stage("calibrate", count, count)
    for stage in ("mesh", "calibrate"):
        writer.finish(person, stage)


def _meshes(solver: Solver, solve: PersonSolve, weights: CalibrationWeights, start: int, stop: int) -> dict[str, Rows]:
    """The rows of both stages in frames [start, stop)."""
    rows = slice(start, stop)
    vertices, joints, translation = solver.mesh_vertices(solve, start, stop)
    pose, target, points = solve.mesh.pose[rows], solve.target.joints[rows], solve.target.points[rows]
    calibrated, rotations, placed = calibrate_batch(solver, weights, vertices, joints, target, points, pose)
    parameters = json.dumps(result_settings(solver.preset), sort_keys=True)
    hashes = row_hashes(parameters, joints.numpy(), target.numpy(), points.numpy())
    return {
        "mesh": {
            "pose": matrix_to_axis_angle(pose).numpy(),
            "translation": translation.numpy(),
            "joints_hmr": joints.numpy(),
            "vertices_hmr": vertices.numpy(),
        },
        "calibrate": {
            "vertices": calibrated.numpy(),
            "joints": placed.numpy(),
            "rotations": rotations.numpy(),
            "calibrated_hash": hashes,
        },
    }


def _write_meshes(writer: TakeWriter, person: int, start: int, made: dict[str, Rows]) -> None:
    for stage, rows in made.items():
        # A job that was killed between the two stages' rows has the first ones already.
        if writer.info.people[person].done.get(stage, 0) == start:
            writer.write_rows(person, stage, start, rows)


@torch.no_grad()
def calibrate_batch(
    solver: Solver,
    weights: CalibrationWeights,
    vertices: Tensor,
    joints: Tensor,
    target: Tensor,
    points: Tensor,
    pose: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Equations 6 to 13 on a batch of frames, as the preset wants them.

    Shape: vertices (B, N, 3), joints and target (B, 24, 3), points (B, 11, 3), pose (B, 24, 3, 3) local → calibrated
    vertices (B, N, 3), the skeleton's local quaternions (B, 24, 4) and its joints (B, 24, 3). Camera frame, metres.
    """
    chosen = solver.preset.calibration
    form = cast(Form, chosen.form)  # presets allow no other words
    points_hmr = solver.body.landmarks(vertices)[:, list(POINT_LANDMARKS)] if chosen.points else None
    turns = bone_rotations(
        joints, target, form=form, points_hmr=points_hmr, points_target=points if chosen.points else None
    )
    if chosen.strength < 1:
        # Here and not in `calibrate`, so that the skeleton turns as the mesh does.
        target, turns = blend_target(joints, target, turns, torch.full((len(PARENTS),), chosen.strength))
    calibrated = calibrate(vertices, joints, target, weights, rotations=turns, form=form, non_rigid=chosen.non_rigid)
    return calibrated, matrix_to_quaternion(skeleton_rotations(pose, PARENTS, turns)), target


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


def _write(writer: TakeWriter, person: int, stage: str, arrays: Rows) -> None:
    """A stage of small rows, from where it stands."""
    count, start = len(next(iter(arrays.values()))), writer.info.people[person].done.get(stage, 0)
    if start < count:
        writer.write_rows(person, stage, start, {name: value[start:] for name, value in arrays.items()})
    writer.finish(person, stage)
