# SPDX-License-Identifier: GPL-3.0-or-later
"""2D landmarks that an artist has corrected: kept in the .blend, and shown beside what was detected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import bpy
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...inference_backend.corrections import Corrected, Correction, spread
from ..core import row_ranges
from ..core.edit_rows import EditRows
from ..core.picture_overlay import row_at
from .edit_changes import revert
from .edit_state import commit
from .edits import key_rows, row_frames
from .evidence import Evidence, evidence_of
from .handles import placing_of


@dataclass(frozen=True, eq=False)
class Shown:
    """A person's landmarks in the picture that is shown. Pixels of the upright picture."""

    row: int
    """Of the take."""
    detected: NDArray[np.float32]
    """(33, 3) x, y, confidence as the detector has them."""
    places: NDArray[np.float64]
    """(33, 2) with the corrections of this row and of those around it."""
    corrected: Mapping[int, tuple[float, float]]
    """Where the landmarks are that are corrected in this very row."""


def shown_at(person: bpy.types.Collection, frame: float) -> Shown | None:
    """What is shown at a scene frame; None where the take has no picture there, or cannot be read."""
    seen = evidence_of(person)
    second = float(placing_of(person).seconds(frame - person.pchmr.footage_offset))
    row = None if seen is None else row_at(seen.seconds, second)
    if seen is None or row is None:
        return None
    places = _spread(person, seen).keypoints[row, :, :2]
    return Shown(row, seen.keypoints_2d[row], places, corrections_in(person, row))


def corrections_of(person: bpy.types.Collection) -> tuple[Correction, ...]:
    """All of a person's, in order."""
    found = [Correction(one.row, one.landmark, one.x, one.y) for one in person.pchmr_corrections.landmarks]
    return tuple(sorted(found, key=lambda one: (one.row, one.landmark)))


def corrections_in(person: bpy.types.Collection, row: int) -> dict[int, tuple[float, float]]:
    """Where the landmarks are that are corrected in a row."""
    return {one.landmark: (one.x, one.y) for one in person.pchmr_corrections.landmarks if one.row == row}


def correct(person: bpy.types.Collection, row: int, places: Mapping[int, ArrayLike]) -> None:
    """Say where landmarks are in a row. Shape: (2,) pixels of the upright picture each."""
    items = person.pchmr_corrections.landmarks
    known = {(one.row, one.landmark): index for index, one in enumerate(items)}
    for landmark, (x, y) in places.items():
        # By index: an item that is added may move the others in memory.
        index = known.get((row, landmark))
        kept = items.add() if index is None else items[index]
        kept.row, kept.landmark, kept.x, kept.y = row, landmark, float(x), float(y)


def forget_corrections(person: bpy.types.Collection, row: int | None) -> int:
    """Take the corrections of a row away, or all; how many there were."""
    items = person.pchmr_corrections.landmarks
    gone = [index for index, one in enumerate(items) if row is None or one.row == row]
    for index in reversed(gone):
        items.remove(index)
    return len(gone)


def key_lifted(
    person: bpy.types.Collection,
    rows: NDArray[np.int64],
    edits: EditRows,
    joints: Iterable[int],
    keyed: NDArray[np.bool_] | None = None,
) -> None:
    """Key what was lifted again in place of what was keyed the last time, and let it be in the mesh.

    Shape: rows (n,) increasing, n edits; keyed (n,) the rows that get keys, None for all. Raises as `edits.key_rows`.
    """
    own, joints = person.pchmr_corrections, sorted(joints)
    frames = row_frames(person)
    before, chosen = row_ranges.read(own.lifted_rows), row_ranges.read(own.lifted_joints).tolist()
    if len(before):
        revert(person, before[before < len(frames)], chosen)
    chosen_rows = rows if keyed is None else rows[keyed]
    for start, stop in row_ranges.spans(rows):
        # A row without an edit on either side: the edits end in themselves, and need no falloff.
        ends = [row for row in (start - 1, stop) if 0 <= row < len(frames)]
        inner = chosen_rows[(chosen_rows >= start) & (chosen_rows < stop)]
        around = np.union1d(inner, ends).astype(np.int64)
        made, inside = EditRows.none(len(around)), np.isin(around, inner)
        taken = np.isin(rows, inner)
        for name in ("offset", "turn", "stretch", "strength"):
            getattr(made, name)[inside] = getattr(edits, name)[taken]
        key_rows(person, around, made, joints)
    commit(person, rows)
    own.lifted_rows, own.lifted_joints = row_ranges.written(rows), row_ranges.written(joints)


_known: Final[dict[tuple[str, tuple[Correction, ...]], tuple[Evidence, Corrected]]] = {}
"""What was spread last, and from what: drawing asks for it all the time."""


def _spread(person: bpy.types.Collection, seen: Evidence) -> Corrected:
    """The detections with the corrections, as the backend takes them."""
    made = tuple(one for one in corrections_of(person) if one.row < len(seen.seconds))
    key = person.pchmr.uuid, made
    if key not in _known or _known[key][0] is not seen:
        while len(_known) >= 4:
            _known.pop(next(iter(_known)))
        _known[key] = seen, spread(seen.keypoints_2d, seen.seconds, made)
    return _known[key][1]
