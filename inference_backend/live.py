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
from .errors import BadArgument
from .geometry import axis_angle_to_matrix
from .person_stack import hashes_of
from .recalibrate import Wanted, check, finished_person, open_stack
from .take import open_take
from .targets.edits import Drag, Edits, apply_edits, drag
from .targets.parameters import Layers


@dataclass(frozen=True, eq=False)
class LiveFrame:
    """What is shown. Metres, Blender's world."""

    vertices: NDArray[np.float32]
    """(N, 3) the calibrated mesh."""
    joints: NDArray[np.float32]
    """(24, 3) the target pose."""
    edits: Edits
    """The frame's one row of edits, after the drags."""


class LiveEdit:
    """One person's frames, ready to be edited: everything that is slow is done here."""

    def __init__(self, folder: Path, person: int, layers: Layers) -> None:
        """Raises as `recalibrate`."""
        self._stack, self._layers = open_stack(folder, person), layers
        take = open_take(folder)
        one = finished_person(take, person)
        self._meshes = [one.array(name) for name in ("vertices_hmr", "joints_hmr", "pose")]
        self._calibrator = Calibrator(take.info.settings)
        world = np.array(one.array("world"), np.float32)
        self._turn, self._shift = world[:3, :3], world[:3, 3]
        self._base, _ = self._stack.base(layers)

    def frame(self, row: int, edits: Edits, wishes: Sequence[Drag] = ()) -> LiveFrame:
        """The mesh of a row with its edits, after one drag after the other. Raises BadArgument."""
        with _one_thread():
            return self._frame(row, edits, wishes)

    def _frame(self, row: int, edits: Edits, wishes: Sequence[Drag]) -> LiveFrame:
        check(Wanted(self._layers, np.array([row]), edits), len(self._stack))
        base = self._base.rows(row, row + 1)
        for wish in wishes:
            edits = drag(base, edits, wish)
        if wishes:
            check(Wanted(self._layers, np.array([row]), edits), len(self._stack))
        pose = apply_edits(base, edits)
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
        return LiveFrame(self._placed(made["vertices"][0]), np.asarray(pose.joints[0], np.float32), edits)

    def _placed(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Camera frame → world. Shape: (N, 3)."""
        return np.asarray(points @ self._turn.T + self._shift, np.float32)


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
    key, stamp = (str(folder), person), (folder / "take.json").stat().st_mtime_ns
    known = _LIVE.get(key)
    if known is None or known[:2] != (layers, stamp):
        _LIVE.clear()
        _LIVE[key] = layers, stamp, LiveEdit(folder, person, layers)
    return _LIVE[key][2]
