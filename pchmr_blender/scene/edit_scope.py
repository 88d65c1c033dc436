# SPDX-License-Identifier: GPL-3.0-or-later
"""Which rows, and which joints, a button is about."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np
from numpy.typing import NDArray

from ...inference_backend.errors import BadArgument
from ..core.row_ranges import rows_of
from ..core.skeleton import BONE_NAMES
from .control_curves import ControlCurves
from .edits import row_frames, row_near
from .handles import active_person, part_of, person_of
from .versions import bone_selected

NOBODY = "nothing of a take is selected"


def person_to_edit(context: bpy.types.Context) -> bpy.types.Collection:
    """The one person that the selection is about.

    Raises:
        BadArgument: nobody, several, or an armature that is none of ours.
    """
    active, person = context.active_object, active_person(context)
    if active is not None and active.type == "ARMATURE" and person_of(active) is None:
        raise BadArgument(
            f"{active.name} is no armature of a take", hint="Select the person's Targets, or any part of that person."
        )
    if person is None:
        raise BadArgument(NOBODY, hint="Select a part of the person.")
    chosen = {one.pchmr.uuid: one.name for item in context.selected_objects if (one := person_of(item)) is not None}
    if len({*chosen, person.pchmr.uuid}) > 1:
        raise BadArgument(
            f"{len({*chosen, person.pchmr.uuid})} people are selected: {', '.join(sorted(chosen.values()))}",
            hint="Select parts of one person only: each has edits of its own.",
        )
    return person


def rows_in_scope(context: bpy.types.Context, person: bpy.types.Collection, scope: str) -> NDArray[np.int64]:
    """The take's rows that one of `edit_settings.SCOPES` means. Shape: (n,), increasing, n ≥ 1.

    Raises:
        BadArgument: there are none; says why.
        SceneChanged: the targets are gone.
    """
    frames = row_frames(person)
    if scope == "FRAME":
        return np.array([row_near(person, context.scene.frame_current_final)])
    if scope == "KEYS":
        found = [_between(frames, ControlCurves(part_of(person, "TARGETS")).reach())]
        return _some(found, "no key of a control is selected", "Select keys in the dope sheet, or choose other frames.")
    if scope == "PREVIEW":
        first, last = frame_range(context.scene)
        inside = np.flatnonzero((frames >= first) & (frames <= last))
        text = f"the take has no frame from {first} to {last}"
        return _some([inside], text, f"It is shown from frame {frames[0]:g} to {frames[-1]:g}.")
    if scope == "SUSPECTS":
        chosen = [(span.first, span.last + 1) for span in person.pchmr_suspects.spans if span.chosen]
        return _some([rows_of(chosen)], "no suspect is chosen", "Tick some in the list.")
    return np.arange(len(frames))


def edited_rows(person: bpy.types.Collection) -> NDArray[np.int64]:
    """The take's rows in which a control is away from rest, by its keys. Shape: (n,), increasing.

    Raises SceneChanged where the targets or their base keys are gone.
    """
    frames = row_frames(person)
    return _between(frames, ControlCurves(part_of(person, "TARGETS")).away())


def frame_range(scene: bpy.types.Scene) -> tuple[int, int]:
    """The preview range, or the scene's: first and last scene frame."""
    if scene.use_preview_range:
        return scene.frame_preview_start, scene.frame_preview_end
    return scene.frame_start, scene.frame_end


def selected_joints(person: bpy.types.Collection) -> list[int]:
    """The joints whose controls are selected, of `JOINTS`. Raises BadArgument where none is, SceneChanged."""
    bones = part_of(person, "TARGETS").pose.bones
    found = [joint for joint, name in enumerate(BONE_NAMES) if name in bones and bone_selected(bones[name])]
    if not found:
        raise BadArgument("no control is selected", hint="Select controls of the Targets in pose mode.")
    return found


def _between(frames: NDArray[np.float64], spans: Sequence[tuple[float, float]]) -> NDArray[np.int64]:
    """The rows that lie within any of some spans of frames, their ends left out. Shape: (F,) rising → (n,)."""
    if not len(spans):
        return np.zeros(0, np.int64)
    low, high = np.array(spans, np.float64).T
    first = np.searchsorted(frames, low, "right")
    after = np.maximum(np.searchsorted(frames, high, "left"), first)
    # A panel asks with every move of the mouse, of hours of frames and thousands of keys.
    steps = np.zeros(len(frames) + 1, np.int64)
    np.add.at(steps, first, 1)
    np.add.at(steps, after, -1)
    return np.flatnonzero(np.cumsum(steps)[:-1]).astype(np.int64)


def _some(found: list[NDArray[np.intp]] | list[NDArray[np.int64]], problem: str, hint: str) -> NDArray[np.int64]:
    rows = np.unique(np.concatenate(found)).astype(np.int64) if found else np.zeros(0, np.int64)
    if not len(rows):
        raise BadArgument(problem, hint=hint)
    return rows
