"""Made-up finished takes on disk, written by the backend's own writer: no footage, no networks, no torch.

    folder = make_take(tmp_path / "dance.take")                          8 frames of a body of boxes, landscape
    folder = make_take(tmp_path / "x.take", width=360, height=640, principal=(100.0, 400.0), people=2)
    folder = make_take(tmp_path / "x.take", body=shipped(), frames=300)

A person walks, turns and bends every joint in front of a camera that looks down by 8°. Forward kinematics of the rest
joints with the rotations gives the joints, and linear skinning gives the vertices, exactly.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from inference_backend.skeletons import JOINTS, LANDMARKS, POINT_JOINTS, POINTS
from inference_backend.take_format import STAGES, SUSPECT_CAUSES, target_hashes
from inference_backend.take_info import BodyInfo, PersonInfo, identify
from inference_backend.take_writer import TakeWriter
from inference_backend.targets.parameters import Layers

from .bodies import TestBody, boxes
from .motion import Array, axis_angle, forward, motion, quaternions, skinned

CAMERA_HEIGHT, CAMERA_DISTANCE, TILT = 1.5, 4.0, np.radians(8)
BATCH = 64


def make_take(
    folder: Path,
    *,
    body: TestBody | None = None,
    frames: int = 8,
    people: int = 1,
    width: int = 640,
    height: int = 360,
    focal: float | None = None,
    principal: tuple[float, float] | None = None,
    fps: float = 30.0,
    seconds: Sequence[float] | None = None,
    first_frame: int = 0,
    rotation: int = 0,
    clip: Path | None = None,
    finished: bool = True,
) -> Path:
    """Write a take; returns its folder.

    Args:
        folder: where.
        body: `boxes()` or `shipped()`; boxes where none is given.
        frames: F of each person. people: how many, side by side.
        width, height: of the upright picture, pixels.
        focal: pixels; 1.2 times the picture's longer side where none is given. principal: cx, cy; the middle.
        fps: the clip's mean rate. seconds: (F,) time of each frame, for a rate that varies; regular at `fps`.
        first_frame: index in the footage of the first one.
        rotation: degrees clockwise that turn the stored picture upright.
        clip: the footage; where none is given a file that no program can play is put beside the take.
        finished: without the last two stages where not, as a job leaves it that was killed.
    """
    body = body or boxes()
    folder.parent.mkdir(parents=True, exist_ok=True)
    if clip is None:
        clip = folder.with_suffix(".mp4")
        clip.write_bytes(b"footage of " + folder.name.encode())
    times = np.arange(first_frame, first_frame + frames) / fps if seconds is None else np.asarray(seconds, float)
    if times.shape != (frames,):
        raise ValueError(f"seconds: wanted {frames}, found {times.shape}")
    length = focal or 1.2 * max(width, height)
    intrinsics = (length, length, *(principal or ((width - 1) / 2, (height - 1) / 2)))
    sizes = len(body.vertices), len(body.faces), len(body.uvs)
    last = first_frame + frames - 1
    # Disks take milliseconds to flush, a hundred times.
    with (
        mock.patch.object(os, "fsync"),
        TakeWriter.create_or_resume(
            folder,
            clip=identify(clip, fps=fps, width=width, height=height, rotation=rotation),
            settings={"height": 1.7, "layers": Layers.off().values()},
            body=BodyInfo(body.name, "00" * 32, *sizes),
            weights={},
            created_by="a test",
        ) as writer,
    ):
        writer.set_people([PersonInfo(i, (0, 0, width, height), first_frame, last, 1.7, frames) for i in range(people)])
        world = camera_to_world()
        writer.write_array("camera", np.array(intrinsics, np.float32))
        writer.write_array("world", world.astype(np.float32))
        for name in ("faces", "face_uvs", "uvs", "skin_joints", "skin_weights"):
            writer.write_array(name, getattr(body, name))
        for person in range(people):
            _write_person(writer, person, body, times, world, intrinsics, finished)
    return folder


def camera_to_world() -> Array:
    """(4, 4) OpenCV's camera → Blender's world."""
    down, ahead = np.cos(TILT), np.sin(TILT)
    matrix = np.eye(4)
    matrix[:3, :3] = np.array([[1, 0, 0], [0, -ahead, -down], [0, down, -ahead]]).T
    matrix[:3, 3] = 0, -CAMERA_DISTANCE, CAMERA_HEIGHT
    return matrix


def _write_person(
    writer: TakeWriter,
    person: int,
    body: TestBody,
    times: Array,
    world: Array,
    intrinsics: tuple[float, float, float, float],
    finished: bool,
) -> None:
    count, noise = len(times), np.random.default_rng(person)
    written = STAGES if finished else STAGES[:-2]
    writer.write_array("betas", np.zeros(10, np.float32), person)
    writer.write_array("rest_vertices", body.vertices, person)
    writer.write_array("rest_joints", body.joints, person)
    for start in range(0, count, BATCH):
        stop = min(start + BATCH, count)
        n = stop - start
        stream = _stream(body, times[start:stop], person, 0.8, world)  # the mesh stream bends less
        solved = _stream(body, times[start:stop], person, 1.0, world)
        joints, points = solved["joints"], solved["points"]
        keypoints = _keypoints(joints, points, intrinsics)
        rows: dict[str, dict[str, NDArray[Any]]] = {
            "estimate": {
                "frames": np.arange(start, stop) + writer.info.people[person].first_frame,
                "seconds": times[start:stop],
                "keypoints_2d": np.concatenate([keypoints, noise.uniform(0.5, 1, (n, len(LANDMARKS), 1))], -1),
                "world_landmarks": noise.normal(0, 0.3, (n, len(LANDMARKS), 3)),
            },
            "lift": {
                "joints_lifted": joints + noise.normal(0, 0.02, joints.shape),
                "points_lifted": points + noise.normal(0, 0.02, points.shape),
                "visibility_joints": noise.uniform(0.5, 1, (n, len(JOINTS))),
                "log_error": np.full((n, len(JOINTS)), np.log(0.05)),
            },
            "mesh": {
                "pose": axis_angle(stream["quaternions"]),
                "translation": stream["joints"][:, 0] - body.joints[0],
                "joints_hmr": stream["joints"],
                "vertices_hmr": stream["vertices"],
            },
            "fit": {"pose_fitted": axis_angle(solved["quaternions"]), "root_fitted": joints[:, 0]},
            "target": {
                "joints_base": joints,
                "rotations_base": solved["quaternions"],
                "joints_target": joints,
                "points_target": points,
                "twist_target": np.zeros((n, len(JOINTS))),
                "strength": np.ones((n, len(JOINTS))),
                "target_hash": np.repeat(_unedited(), n),
            },
            "calibrate": {
                "vertices": solved["vertices"],
                "joints": joints,
                "rotations": solved["quaternions"],
                "calibrated_hash": _hashes(start, stop),
            },
            "suspects": {
                "suspect": noise.uniform(0, 0.9, (n, len(JOINTS))),
                "suspect_causes": noise.integers(0, 255, (n, len(JOINTS), len(SUSPECT_CAUSES)), np.uint8),
            },
        }
        for stage in written:
            writer.write_rows(person, stage, start, rows[stage])
    for stage in written:
        writer.finish(person, stage)


def _stream(body: TestBody, times: Array, person: int, size: float, world: Array) -> dict[str, Array]:
    """One pose stream, in the camera frame: joints, points, vertices, and local quaternions."""
    turn, shift = world[:3, :3], world[:3, 3]
    local, root = motion(body, times, person, size)
    local[:, 0] = turn.T @ local[:, 0]
    turned, joints = forward(body, local, (root - shift) @ turn)
    carriers = list(POINT_JOINTS)
    offsets = (body.points - body.joints[carriers])[None, :, :, None]
    return {
        "joints": joints,
        "points": joints[:, carriers] + (turned[:, carriers] @ offsets)[..., 0],
        "vertices": skinned(body, turned, joints),
        "quaternions": quaternions(local),
    }


def _keypoints(joints: Array, points: Array, intrinsics: tuple[float, float, float, float]) -> Array:
    """(F, 33, 2) pixels: landmarks that are joints or points where these are, thumbs at the index, eyes at the nose."""
    placed = []
    for name in LANDMARKS:
        near = name.replace("thumb", "index") if name.endswith("thumb") else name
        if near in JOINTS:
            placed.append(joints[:, JOINTS.index(near)])
        else:
            placed.append(points[:, POINTS.index(near if near in POINTS else "nose")])
    at = np.stack(placed, 1)
    fx, fy, cx, cy = intrinsics
    return np.stack([fx * at[..., 0] / at[..., 2] + cx, fy * at[..., 1] / at[..., 2] + cy], -1)


def _unedited() -> NDArray[np.uint64]:
    """(1,) `target_hash` of a row without an edit."""
    turn = np.tile([1.0, 0.0, 0.0, 0.0], (1, len(JOINTS), 1))
    still = np.zeros((1, len(JOINTS), 3)), turn, np.zeros((1, len(JOINTS))), np.ones((1, len(JOINTS)))
    return target_hashes(Layers.off().canonical(), *still)


def _hashes(start: int, stop: int) -> NDArray[np.uint64]:
    return np.arange(start + 1, stop + 1, dtype=np.uint64)
