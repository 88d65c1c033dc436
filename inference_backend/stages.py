"""The stages that write into a take: streams, target, meshes, suspects. Each goes on from its finished frames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from .calibrate_rows import Calibrator
from .camera import Intrinsics
from .errors import BadArgument
from .geometry import matrix_to_axis_angle
from .mesh_ahead import MeshBatch
from .person_stack import PersonStack, Sources
from .progress import Meter
from .sightings import Sighting, joint_landmarks
from .solve import PersonSolve, Solver, Streams
from .suspect_signs import suspect_inputs
from .suspects import suspects
from .take_writer import TakeWriter
from .targets.edits import Edits
from .targets.parameters import Layers
from .world import World

Rows = Mapping[str, npt.NDArray[Any]]


def write_streams(writer: TakeWriter, person: int, sighting: Sighting, streams: Streams) -> None:
    """Detections and lifted pose (equation 1)."""
    confidence, lifted = sighting.keypoints[..., 2], streams.lifted
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


def write_shape(writer: TakeWriter, person: int, solver: Solver, streams: Streams) -> None:
    """The person's shape, and the body of that shape in the T-pose."""
    vertices, joints = solver.body.rest(streams.betas[None])
    rest_joints = joints[0, list(solver.body.smpl24)]
    arrays = {"betas": streams.betas, "rest_vertices": vertices[0], "rest_joints": rest_joints}
    writer.write_arrays({name: tensor.numpy() for name, tensor in arrays.items()}, person)


def write_fit(writer: TakeWriter, person: int, solve: PersonSolve) -> None:
    """The fitted skeleton, where the target stack starts."""
    pose = matrix_to_axis_angle(solve.target.local_rotations)
    _write(writer, person, "fit", {"pose_fitted": pose.numpy(), "root_fitted": solve.target.root.numpy()})


def write_world(writer: TakeWriter, world: World) -> None:
    """The world that all stand in."""
    for note in world.notes:
        writer.warn(note)
    writer.write_array("world", world.matrix)


def write_target(writer: TakeWriter, person: int, solve: PersonSolve, layers: Layers, meter: Meter) -> Rows:
    """The target pose: the fitted one after the layers, nothing edited yet. Returns the rows of all frames.

    Where the layers come to nothing the take says so, and has none.
    """
    kept = writer.take.person(person)
    names = set(Sources.__dataclass_fields__) - {"pose", "root_hmr"}
    sources = Sources(
        pose=matrix_to_axis_angle(solve.mesh.pose).numpy(),
        root_hmr=solve.mesh.root.numpy(),
        **{name: np.array(kept.array(name)) for name in names},
    )
    stack = PersonStack(sources)
    meter.stage("target", 0, len(stack))
    try:
        stack.base(layers)
    except BadArgument as error:
        writer.warn(f"Person {person} is not cleaned up: {error.message}.")
        layers = Layers.off()
        writer.note_layers(person, layers.canonical())
    rows = stack.rows(layers, np.arange(len(stack)), Edits.none(len(stack)))
    _write(writer, person, "target", rows)
    meter.stage("target", len(stack), len(stack))
    return rows


def meshes_from(writer: TakeWriter, person: int) -> int:
    """The first frame whose meshes are wanted by `write_calibrated`."""
    done = writer.info.people[person].done
    return min(done.get("mesh", 0), done.get("calibrate", 0))


def write_mesh(writer: TakeWriter, person: int, batch: MeshBatch) -> None:
    """A batch of the mesh stream (equation 3)."""
    rows: Rows = {
        "pose": matrix_to_axis_angle(batch.pose).numpy(),
        "translation": batch.translation.numpy(),
        "joints_hmr": batch.joints.numpy(),
        "vertices_hmr": batch.vertices.numpy(),
    }
    _write_batch(writer, person, "mesh", batch, rows)


def write_calibrated(writer: TakeWriter, person: int, meshes: Iterable[MeshBatch], target: Rows, meter: Meter) -> None:
    """The calibrated meshes (section 3.3), batch by batch: while one is written and flushed, the next one is made."""
    count = len(target["target_hash"])
    calibrator = Calibrator(writer.info.settings)
    writing: Future[None] | None = None
    # Leaving the block waits for the batch that is being written, also where the job is cancelled.
    with ThreadPoolExecutor(1) as pool:
        for batch in meshes:
            wanted = {name: values[batch.start : batch.stop] for name, values in target.items()}
            rows = calibrator(batch.vertices, batch.joints, batch.pose, wanted)
            if writing is not None:
                writing.result()
                meter.stage("calibrate", batch.start, count)
            writing = pool.submit(_write_batch, writer, person, "calibrate", batch, rows)
        if writing is not None:
            writing.result()
    meter.stage("calibrate", count, count)
    for stage in ("mesh", "calibrate"):
        writer.finish(person, stage)


def _write_batch(writer: TakeWriter, person: int, stage: str, batch: MeshBatch, rows: Rows) -> None:
    """Rows of a batch, unless a job before this one has written them: it may have come further with one stage."""
    info = writer.info.people[person]
    if info.done.get(stage, 0) == batch.start:
        writer.write_rows(person, stage, batch.start, rows, finish=batch.stop == info.frames)


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
        writer.write_rows(person, stage, start, {name: value[start:] for name, value in arrays.items()}, finish=True)
    else:
        writer.finish(person, stage)
