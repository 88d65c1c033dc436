# SPDX-License-Identifier: GPL-3.0-or-later
"""What the artist does to the selected controls, as the backend is asked for it."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from ..core.edit_rows import EditAxes, EditRows
from ..scene.edit_checks import require_sane
from ..scene.edit_state import layers_of
from ..scene.live_controls import Held, LiveControls
from .request import How, Question, Wish


def wishes_of(controls: LiveControls, held: Held, rest: Held, axes: EditAxes) -> tuple[Wish, ...]:
    """The selected controls that hold something else than at rest; parents come before their children in `JOINTS`."""
    moved, turned = held.moved(rest), held.turned(rest)
    row = held.edits(axes) if turned.any() else None
    return tuple(
        Wish(
            int(joint),
            controls.place(joint, held, rest) if moved[joint] else None,
            row.turn[0, joint] if row is not None and turned[joint] else None,
        )
        for joint in np.flatnonzero(controls.selected() & (moved | turned))
    )


def question_of(
    person: bpy.types.Collection,
    take: Path,
    row: int,
    before: EditRows,
    wishes: tuple[Wish, ...],
    controls: LiveControls,
) -> Question:
    """What to ask the backend at the scene's frame, a row of the take.

    Raises BadArgument, with bone and frame, where no pose is what the controls held before.
    """
    require_sane(before, np.array([bpy.context.scene.frame_current_final]))
    own = person.pchmr_edit
    how = How(own.mode.lower(), own.children, own.mirror, controls.pinned())
    return Question(take, person.pchmr.person, row, layers_of(person), before, wishes, how)
