# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes over the wire while a joint is dragged: how a frame is edited there, what it looks like back. No bpy.

Meshes come back through a file of two halves: the backend writes one while the other may still be read.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..core.edit_rows import COUNT, EditRows, differing

METHOD: Final = "preview"
"""The backend's."""

HALVES: Final = 2


@dataclass(frozen=True)
class How:
    """How dragged joints take others along."""

    mode: str = "lengths"
    """"lengths": bones keep theirs; "free": those at the joint stretch."""
    children: bool = True
    """What hangs on a joint comes along; else it stays."""
    mirror: bool = False
    """The joint of the other side moves likewise."""
    pins: tuple[int, ...] = ()
    """Joints that stay where they are."""


@dataclass(frozen=True, eq=False)
class Wish:
    """What the artist does to one joint."""

    joint: int
    to: NDArray[np.float64] | None = None
    """(3,) metres, world of the take: where it is dragged to; None: it is only turned."""
    turn: NDArray[np.float64] | None = None
    """(4,) its `EditRows.turn`; None: it is only moved."""


@dataclass(frozen=True, eq=False)
class Question:
    """What a frame would look like."""

    take: Path
    person: int
    row: int
    layers: Mapping[str, Any]
    """The target stack's parameters, nested."""
    edits: EditRows
    """One row: before the wishes."""
    wishes: tuple[Wish, ...] = ()
    """Parents before their children."""
    how: How = How()


@dataclass(frozen=True, eq=False)
class Answer:
    """What it looks like. Metres, world of the take."""

    question: Question
    vertices: NDArray[np.float32]
    """(N, 3) the calibrated mesh."""
    joints: NDArray[np.float64]
    """(24, 3) the target pose."""
    edits: EditRows
    """One row: after the wishes, those of joints that follow included."""


def params_of(question: Question, out: Path, half: int) -> dict[str, Any]:
    """A question as the parameters of `METHOD`, to be answered into a half of a file."""
    return {
        "take": str(question.take),
        "person": question.person,
        "row": question.row,
        "layers": dict(question.layers),
        "edits": _edits_to_wire(question.edits),
        "drags": [_wish_to_wire(wish, question.how) for wish in question.wishes],
        "out": str(out),
        "half": half,
    }


def answer_of(question: Question, result: Mapping[str, Any], vertices: NDArray[np.float32]) -> Answer:
    """What the backend returned, with the mesh that it wrote."""
    made = EditRows(**{one.name: np.asarray(result["edits"][one.name], np.float64)[None] for one in fields(EditRows)})
    return Answer(question, vertices, np.asarray(result["joints"], np.float64), made)


def changed_joints(before: EditRows, after: EditRows) -> list[int]:
    """The joints whose edits differ between two rows."""
    differ = np.zeros(COUNT, bool)
    for one in fields(EditRows):
        off = differing(getattr(after, one.name)[0], getattr(before, one.name)[0])
        differ |= off.reshape(COUNT, -1).any(1)
    return [int(joint) for joint in np.flatnonzero(differ)]


def same_wishes(some: tuple[Wish, ...], others: tuple[Wish, ...]) -> bool:
    """Whether they do the same to the same joints."""
    if [one.joint for one in some] != [one.joint for one in others]:
        return False
    both = list(zip(some, others, strict=True))
    pairs = [(a.to, b.to) for a, b in both] + [(a.turn, b.turn) for a, b in both]
    return all(a is b or (a is not None and b is not None and np.allclose(a, b)) for a, b in pairs)


class MeshFile:
    """The file through which meshes come back; it goes with `close()`."""

    def __init__(self, vertices: int) -> None:
        """For meshes of so many vertices. Raises OSError where the system's temporary folder takes no file."""
        self.size = vertices * 3 * np.dtype(np.float32).itemsize
        descriptor, path = tempfile.mkstemp(prefix="pchmr-", suffix=".mesh")
        with os.fdopen(descriptor, "wb") as file:
            file.write(bytes(HALVES * self.size))
        self.path = Path(path)

    def read(self, half: int) -> NDArray[np.float32]:
        """The mesh in a half. Shape: (N, 3)."""
        with self.path.open("rb") as file:
            file.seek(half * self.size)
            return np.frombuffer(file.read(self.size), np.float32).reshape(-1, 3)

    def close(self) -> None:
        """Delete it."""
        self.path.unlink(missing_ok=True)


def _edits_to_wire(edits: EditRows) -> dict[str, Any]:
    """Fields that hold no edit are left out."""
    none = EditRows.none(1)
    values = {one.name: getattr(edits, one.name)[0] for one in fields(EditRows)}
    return {name: value.tolist() for name, value in values.items() if (value != getattr(none, name)[0]).any()}


def _wish_to_wire(wish: Wish, how: How) -> dict[str, Any]:
    values: dict[str, Any] = {"joint": wish.joint, "mode": how.mode, "children": how.children, "mirror": how.mirror}
    values["pins"] = [pin for pin in how.pins if pin != wish.joint]
    for name in ("to", "turn"):
        value = getattr(wish, name)
        if value is not None:
            values[name] = value.tolist()
    return values
