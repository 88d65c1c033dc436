"""Recalibration without networks or torch: what the real one does to a made-up take, by skinning alone.

The pose is the fitted one with the artist's edits. Smoothing, where it is on, stands for all layers: it lifts the body
by 10 cm times its strength. Edited bodies bulge a little, which no skinning makes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from inference_backend.edit_jobs import EffectsParams, RecalibrateParams
from inference_backend.errors import BadArgument, Cancelled
from inference_backend.job_params import Context, read_params
from inference_backend.progress import Progress
from inference_backend.skeletons import POINT_JOINTS
from inference_backend.take import Person
from inference_backend.take_format import row_hashes, target_hashes
from inference_backend.take_writer import TakeWriter
from inference_backend.targets import quaternions
from inference_backend.targets.edits import Edits, apply_edits
from inference_backend.targets.motion import SkeletonMotion
from inference_backend.targets.parameters import SECTIONS, Layers, Strip, read_layers

from .bodies import TestBody
from .motion import skinned

LIFT, BULGE = 0.1, 0.2
STRIPS = (Strip("left", "heel", 0.1, 0.3), Strip("right", "toe", 0.25, 0.5))
"""What is detected."""
FIELDS = ("offset", "turn", "stretch", "strength")


def recalibrate(params: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
    """The server's method: the rows that differ are made again."""
    job = read_params(RecalibrateParams, params)
    layers = read_layers(job.layers)
    arrays: dict[str, np.ndarray] = dict(np.load(job.edits)) if job.edits else {}
    with mock.patch.object(os, "fsync"), TakeWriter.open(job.take) as writer:
        person = writer.take.person(job.person)
        edits = all_edits(person.frames, arrays)
        wanted = target_hashes(layers.canonical(), *(getattr(edits, name) for name in FIELDS))
        stale = np.flatnonzero((person.array("target_hash") != wanted) | (person.array("calibrated_hash") == 0))
        writer.note_layers(job.person, layers.canonical())
        for done, row in enumerate(stale.tolist()):
            if context.cancelled():
                raise Cancelled("stopped on request", hint="Start it again.")
            context.report(Progress("calibrate", done, len(stale)))
            target, calibrated = made(person, layers, row, edits.rows(row, row + 1), wanted[row : row + 1])
            writer.invalidate(job.person, "calibrate", row, row + 1)
            writer.write_rows(job.person, "target", row, target)
            writer.write_rows(job.person, "calibrate", row, calibrated)
    runs = np.split(stale, np.flatnonzero(np.diff(stale) > 1) + 1) if len(stale) else []
    return {"spans": [[int(run[0]), int(run[-1]) + 1] for run in runs], **told(layers)}


def effects(params: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
    """The server's method: what layers would do."""
    return told(read_layers(read_params(EffectsParams, params).layers))


def told(layers: Layers) -> dict[str, Any]:
    """Made-up effects: each layer halves every number, smoothing takes its strength's share away. Two strips."""
    reports, number = [], 80.0
    for name in SECTIONS:
        own = getattr(layers, name)
        after = number * (1 - own.strength if name == "smoothing" else 0.5) if own.enabled else number
        each = [dict.fromkeys(("foot_slide", "floor_error", "jerk", "bone_length_spread"), n) for n in (number, after)]
        reports.append({"name": name, "enabled": own.enabled, "before": each[0], "after": each[1], "moved": 1.0})
        number = after
    strips = layers.foot_contact.strips
    return {"layers": reports, "strips": [asdict(one) for one in (STRIPS if strips is None else strips)]}


def all_edits(frames: int, arrays: Mapping[str, np.ndarray]) -> Edits:
    """Of all rows. Raises BadArgument for rows that the take does not have."""
    edits, rows = Edits.none(frames), arrays.get("rows", np.zeros(0, int))
    if len(rows) and not 0 <= rows.min() <= rows.max() < frames:
        raise BadArgument(f"edited rows {rows.min()} to {rows.max()} of a take with {frames} frames", hint="Fewer.")
    for name in FIELDS:
        if name in arrays:
            getattr(edits, name)[rows] = arrays[name]
    return Edits(*(getattr(edits, name) for name in FIELDS))


def made(person: Person, layers: Layers, row: int, edits: Edits, hashes: np.ndarray) -> tuple[dict, dict]:
    """The rows of both derived stages, of one frame."""
    world, rest = np.array(person.array("world"), float), np.array(person.array("rest_joints"), float)
    own = slice(row, row + 1)
    base = SkeletonMotion.from_camera(person.array("root_fitted")[own], person.array("pose_fitted")[own], rest, world)
    if layers.smoothing.enabled:
        base = base.changed(root=base.root + np.array([0, 0, LIFT * layers.smoothing.strength]))
    pose = apply_edits(base, edits)
    vertices = skinned(_body(person), pose.motion.globals(), pose.joints)
    shape = np.sin(7 * np.array(person.array("rest_vertices"), float))
    vertices += BULGE * np.abs(edits.offset).max() * shape

    def to_camera(places: np.ndarray) -> np.ndarray:
        return (places - world[:3, 3]) @ world[:3, :3]

    joints = to_camera(pose.joints)
    target = {
        "joints_base": to_camera(base.joints()),
        "rotations_base": quaternions.from_vector(base.to_camera(world)[1]),
        "joints_target": joints,
        "points_target": joints[:, list(POINT_JOINTS)],
        "twist_target": pose.twist,
        "strength": pose.strength,
        "target_hash": hashes,
    }
    calibrated = {
        "vertices": to_camera(vertices),
        "joints": joints,
        "rotations": quaternions.from_vector(pose.motion.to_camera(world)[1]),
        "calibrated_hash": row_hashes("mini", hashes),
    }
    return target, calibrated


def recalibrate_take(folder: Path, layers: Layers, rows: np.ndarray, edits: Any, person: int = 0) -> list[list[int]]:
    """Here and now; the runs that were made again."""
    path = folder.parent / "edits.npz"
    np.savez(path, rows=rows, **{name: getattr(edits, name) for name in FIELDS})
    params = {"take": str(folder), "person": person, "layers": layers.values(), "edits": str(path)}
    return recalibrate(params, Context(lambda progress: None, lambda: False))["spans"]


def _body(person: Person) -> TestBody:
    """As much of it as skinning asks for."""
    arrays = {"vertices": "rest_vertices", "joints": "rest_joints"}
    arrays |= {name: name for name in ("skin_joints", "skin_weights")}
    body = mock.Mock(spec=TestBody)
    for name, source in arrays.items():
        setattr(body, name, np.array(person.array(source)))
    return body
