"""One frame while the artist drags: edits in, the calibrated mesh out. Nothing is written into the take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .calibrate_rows import Calibrator, tensor
from .calibration_kernel import calibrate_frame
from .calibration_row import chain_rotations, segment_rows, twisted
from .calibration_skeleton import blend_target
from .errors import BadArgument
from .geometry import axis_angle_to_matrix
from .person_stack import hashes_of
from .recalibrate import Wanted, check, finished_person, open_stack
from .skeletons import JOINTS, POINT_JOINTS, POINT_LANDMARKS
from .take import open_take
from .take_folder import written_at
from .take_info import JSON_NAME
from .targets.edits import Drag, EditedRow, Edits, apply_edits
from .targets.parameters import Layers
from .targets.posing import Pose


@dataclass(frozen=True, eq=False)
class LiveFrame:
    """What is shown. Metres, Blender's world."""

    vertices: NDArray[np.float32]
    """(N, 3) the calibrated mesh."""
    joints: NDArray[np.float32]
    """(24, 3) the target pose."""
    edits: Edits
    """The frame's one row of edits, after the drags."""


@dataclass(frozen=True, eq=False)
class _Row:
    """A row of the take, as long as it is the one that is edited. Camera frame."""

    number: int
    edited: EditedRow
    vertices: NDArray[np.float32]
    """(N, 3) of the mesh stream."""
    places: NDArray[np.float64]
    """(24, 3) its joints; (35, 3) joints and points, where points turn the mesh."""


class LiveEdit:
    """One person's frames, ready to be edited: everything that is slow is done here, or at the first look at a row."""

    def __init__(self, folder: Path, person: int, layers: Layers) -> None:
        """Raises as `recalibrate`."""
        self._stack, self._layers = open_stack(folder, person), layers
        take = open_take(folder)
        one = finished_person(take, person)
        self._meshes = [one.array(name) for name in ("vertices_hmr", "joints_hmr", "pose")]
        self._calibrator = Calibrator(take.info.settings)
        self._weights = tuple(part.numpy() for part in self._calibrator.weights.compressed)
        world = np.array(one.array("world"), np.float64)
        self._turn, self._shift = world[:3, :3], world[:3, 3]
        self._base = self._stack.base(layers)
        self._arms = self._stack.point_arms()
        self._row: _Row | None = None

    def frame(self, row: int, edits: Edits, wishes: Sequence[Drag] = ()) -> LiveFrame:
        """The mesh of a row with its edits, after one drag after the other. Raises BadArgument."""
        check(Wanted(self._layers, np.array([row]), edits), len(self._stack))
        edited = self._at(row).edited
        for wish in wishes:
            edits = edited.drag(edits, wish)
        if self._calibrator.preset.form != "chain":
            with _one_thread():
                return self._by_torch(row, edits)
        pose, twist = edited.posed(edits)
        vertices = self._calibrated(self._at(row), pose, twist[0], edits.strength[0])
        return LiveFrame(vertices, np.asarray(pose.joints[0], np.float32), edits)

    def _at(self, row: int) -> _Row:
        if self._row is None or self._row.number != row:
            vertices, joints, _ = (np.array(mesh[row]) for mesh in self._meshes)
            places = [joints]
            if self._calibrator.preset.points:
                landmarks = self._calibrator.body.landmarks(torch.from_numpy(vertices)[None])[0]
                places.append(landmarks[list(POINT_LANDMARKS)].numpy())
            edited = EditedRow(self._base.rows(row, row + 1))
            self._row = _Row(row, edited, vertices, np.concatenate(places).astype(np.float64))
        return self._row

    def _calibrated(
        self, row: _Row, pose: Pose, twist: NDArray[np.float64], strength: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """The mesh on a pose, world. Its twin is `_by_torch`."""
        preset, target, count = self._calibrator.preset, pose.joints[0], len(JOINTS)
        if preset.points:
            columns = pose.turned[0].transpose(1, 0, 2).reshape(3, -1)
            target = np.concatenate([target, target[list(POINT_JOINTS)] + (columns @ self._arms).T])
        target = (target - self._shift) @ self._turn
        joints, wanted = row.places[:count], target[:count]
        turns = chain_rotations(row.places, target)
        if twist.any():
            turns = twisted(turns, joints, twist)
        strength = strength * preset.strength
        if (strength < 1).any():
            with _one_thread():
                blended = blend_target(
                    tensor(joints[None]), tensor(wanted[None]), tensor(turns[None]), tensor(strength)
                )
            wanted, turns = (part[0].numpy().astype(np.float64) for part in blended)
        rows = segment_rows(turns, joints, wanted, preset.non_rigid)
        # What turns a segment, its shift and its stretch are led into the world; so the vertices need not be.
        rows = np.concatenate([(self._turn @ rows[:, :9].reshape(-1, 3, 3)).reshape(-1, 9), *self._led(rows)], 1)
        return calibrate_frame(row.vertices, rows.astype(np.float32), self._weights)

    def _led(self, rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Shift and stretch of segments, camera frame → world."""
        return rows[:, 9:12] @ self._turn.T + self._shift, rows[:, 12:] @ self._turn.T

    def _by_torch(self, row: int, edits: Edits) -> LiveFrame:
        """The mesh as `recalibrate` makes it, in any form."""
        pose = apply_edits(self._base.rows(row, row + 1), edits)
        joints, points = self._stack.target(pose)
        target: dict[str, NDArray[Any]] = {
            "joints_target": joints,
            "points_target": points,
            "twist_target": pose.twist,
            "strength": pose.strength,
            "target_hash": hashes_of(self._layers, edits),
        }
        vertices, joints_hmr, pose_hmr = (tensor(mesh[row : row + 1]) for mesh in self._meshes)
        made = self._calibrator(vertices, joints_hmr, axis_angle_to_matrix(pose_hmr), target)
        placed = made["vertices"][0] @ self._turn.T + self._shift
        return LiveFrame(np.asarray(placed, np.float32), np.asarray(pose.joints[0], np.float32), edits)


@contextmanager
def _one_thread() -> Iterator[None]:
    """One frame is too little work to share, and Blender draws meanwhile: threads that wait for a busy core took 60 ms
    where one takes 20."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def edits_from(values: Mapping[str, Any], count: int) -> Edits:
    """Edits of `count` rows from plain lists or arrays; what is not named is no edit. Raises BadArgument."""
    none = Edits.none(count)
    known = [field.name for field in fields(Edits)]
    arrays = {}
    for name, value in values.items():
        if name not in known:
            raise BadArgument(f"edits have no {name}", hint=f"They have {', '.join(known)}.", name=name)
        shape = getattr(none, name).shape
        try:
            arrays[name] = np.asarray(value, np.float64).reshape(shape)
        except (TypeError, ValueError) as error:
            raise BadArgument(f"edits.{name}: {error}", hint=f"It has numbers, {shape} of them.", name=name) from error
    return Edits(**{name: arrays.get(name, getattr(none, name)) for name in known})


_LIVE: dict[tuple[str, int], tuple[Layers, int, LiveEdit]] = {}


def live_edit(folder: Path, person: int, layers: Layers) -> LiveEdit:
    """The person that is being edited; made anew where take, person or layers are others than the last time."""
    key, stamp = (str(folder), person), written_at(folder / JSON_NAME)
    known = _LIVE.get(key)
    if known is None or known[:2] != (layers, stamp):
        _LIVE.clear()
        _LIVE[key] = layers, stamp, LiveEdit(folder, person, layers)
    return _LIVE[key][2]
