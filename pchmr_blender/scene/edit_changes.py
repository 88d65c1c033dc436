# SPDX-License-Identifier: GPL-3.0-or-later
"""What the buttons do to a person's edits, in one step each: what follows in the mesh is the recalibration's."""

from __future__ import annotations

from collections.abc import Iterable

import bpy
import numpy as np
from numpy.typing import NDArray

from ..core.row_ranges import spans
from ..core.skeleton import BONE_NAMES
from . import edit_state, edits
from .control_curves import STRENGTH, ControlCurves
from .handles import part_of


def commit(person: bpy.types.Collection, rows: NDArray[np.int64]) -> None:
    """Let the edits of rows be in the mesh from the next recalibration on.

    Raises what `edits.sample` raises, before anything is changed.
    """
    edits.sample(person, np.union1d(rows, _within(person, edit_state.committed(person))))
    edit_state.commit(person, rows)


def revert(person: bpy.types.Collection, rows: NDArray[np.int64], joints: Iterable[int] | None) -> None:
    """Let there be no edit in rows, nor, where these are all rows, before the first and after the last.

    Rows of the mesh without any edit left are no longer committed; those around keep their edits, as these end now.

    `joints`: of `JOINTS`; None for all. Raises SceneChanged where the targets are gone.
    """
    frames = edits.row_frames(person)
    if len(rows) == len(frames):
        edits.clear(person, -np.inf, np.inf, joints)
    else:
        for start, stop in spans(rows):
            edits.clear(person, frames[start], frames[stop - 1], joints)
    committed = _within(person, edit_state.committed(person))
    if len(committed):
        edit_state.uncommit(person, committed[~edits.sample(person, committed).edited()])


def set_strength(
    person: bpy.types.Collection, rows: NDArray[np.int64], strengths: NDArray[np.float64], joints: Iterable[int]
) -> None:
    """Key joints' strength, the same from the first of the rows to the last, with falloff around.

    Args:
        person: whose controls.
        rows: (n,) of the take.
        strengths: (24,) 0 to 1.
        joints: of `JOINTS`, which get theirs; the others keep what they have.

    Raises SceneChanged where the targets are gone.
    """
    own, frames = person.pchmr_edit, edits.row_frames(person)
    ends = np.unique(frames[[rows[0], rows[-1]]])
    curves = ControlCurves(part_of(person, "TARGETS"))
    for joint in joints:
        bone = BONE_NAMES[joint]
        curves.clear(bone, STRENGTH, ends[0], ends[-1])
        values = np.full((len(ends), 1), strengths[joint])
        curves.key(bone, STRENGTH, ends, values, own.before, own.after)


def _within(person: bpy.types.Collection, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Those of the rows that the take has."""
    return rows[rows < len(edits.row_frames(person))]
