# SPDX-License-Identifier: GPL-3.0-or-later
"""The edits of a file (`core.edit_list`), keyed on the controls of the people they are about.

Everything is looked at before anything is changed: `planned` refuses what cannot be applied, `key_edits` keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from ..core.axes import y_up_to_blender
from ..core.edit_fields import FARTHEST
from ..core.edit_list import ListedEdit
from ..core.takes import PersonView
from .control_curves import LOCATION, ROTATION, STRENGTH, STRETCH
from .edit_state import commit
from .edits import key_rows, row_frames, sample
from .handles import part_of

_CHANNELS = {"offset": LOCATION, "to": LOCATION, "turn": ROTATION, "stretch": STRETCH, "strength": STRENGTH}
"""What of a control an edit's key sets. The other channels keep their curves as they are."""


@dataclass(frozen=True, eq=False)
class PlannedEdit:
    """An edit, and where it goes."""

    edit: ListedEdit
    person: int
    """Index in the take."""
    rows: NDArray[np.int64]
    """(n,) of the take, rising."""


def planned(
    edits: Iterable[ListedEdit], people: Mapping[int, bpy.types.Collection], views: Mapping[int, PersonView]
) -> list[PlannedEdit]:
    """Where the edits of a clip go.

    Args:
        edits: of the clip.
        people: those whom the .blend shows, by their index in the take. views: the same people in the take.

    Raises:
        BadArgument: no such person, frames that the person does not have, a place that is too far away.
        SceneChanged: a person has no targets any more.
    """
    found = []
    for edit in edits:
        index = _person(edit, people)
        part_of(people[index], "TARGETS")
        rows = edit.rows(views[index].frames)
        _offsets(edit, rows, views[index], np.zeros(3))
        found.append(PlannedEdit(edit, index, rows))
    return found


def key_edits(person: bpy.types.Collection, view: PersonView, edits: Iterable[PlannedEdit]) -> None:
    """Key the edits of a person, and let them be in the mesh from the next recalibration on. Later ones win.

    `view`: whose base rows were made with the person's layers, or places would be missed.

    Raises as `planned`, and what `edits.key_rows` raises.
    """
    for one in edits:
        edit, values = one.edit, sample(person, one.rows)
        offsets = _offsets(edit, one.rows, view, values.offset[:, 0])
        if offsets is not None:
            values.offset[:, edit.joint] = offsets
        for name in ("turn", "stretch", "strength"):
            if getattr(edit, name) is not None:
                getattr(values, name)[:, edit.joint] = getattr(edit, name)
        channels = {channel: None for name, channel in _CHANNELS.items() if getattr(edit, name) is not None}
        with _falloff(person, edit.falloff) as (before, after):
            key_rows(person, one.rows, values, [edit.joint], tuple(channels))
        frames = row_frames(person)
        first, last = frames[one.rows[0]] - before, frames[one.rows[-1]] + after
        commit(person, np.flatnonzero((frames >= first) & (frames <= last)))


def _person(edit: ListedEdit, people: Mapping[int, bpy.types.Collection]) -> int:
    there = f"People there: {', '.join(map(str, sorted(people))) or 'none'}. Nothing was changed."
    if edit.person is None and len(people) != 1:
        raise edit.refused("person", f"missing, and the .blend shows {len(people)} people", there)
    index = next(iter(people)) if edit.person is None else edit.person
    if index not in people:
        raise edit.refused("person", f"the .blend shows no person {index}", there)
    return index


def _offsets(
    edit: ListedEdit, rows: NDArray[np.int64], view: PersonView, whole_body: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """What the joint is moved by in each row, as `EditRows.offset`; None where it is not moved.

    `whole_body`: (n, 3) the pelvis' offsets, or (3,) of all rows. Shape: (n, 3).
    """
    if edit.to is None:
        return None if edit.offset is None else np.tile(edit.offset, (len(rows), 1))
    away = np.asarray(edit.to) - view.joints_base[rows, edit.joint]
    if np.abs(away).max() > FARTHEST:
        raise edit.refused("to", f"{np.abs(away).max():.0f} m away from the joint, and {FARTHEST:g} m are the most")
    if edit.joint == 0:
        return away
    away = away - whole_body
    # The view's rotations turn the rest pose as Blender has it; the axes of an edit are y up.
    axes = view.rotations_base[rows, edit.joint] @ y_up_to_blender(np.eye(3)).T
    return np.asarray((axes.swapaxes(-1, -2) @ away[..., None])[..., 0])


@contextmanager
def _falloff(person: bpy.types.Collection, wanted: tuple[float, float] | None) -> Iterator[tuple[float, float]]:
    """The person's falloff, or another one until it ends."""
    own = person.pchmr_edit
    former = own.before, own.after
    own.before, own.after = former if wanted is None else wanted
    try:
        yield own.before, own.after
    finally:
        own.before, own.after = former
