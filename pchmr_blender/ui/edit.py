# SPDX-License-Identifier: GPL-3.0-or-later
"""The artist's edits: into the body, out of it, how strongly, and what the result is compared with."""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray

from ...inference_backend.errors import SceneChanged
from ..core.row_ranges import spans
from ..core.skeleton import BONE_NAMES
from ..problems import in_words
from ..scene.edit_scope import edited_rows
from ..scene.edit_settings import SHOWN
from ..scene.edit_state import committed
from ..scene.edits import row_frames
from ..scene.handles import active_person, find_part
from .messages import draw_text
from .panels import Tab

_MOST = 4
"""Runs of frames that are named."""
_SHOWN = {name: label for name, label, _ in SHOWN}


class PCHMR_PT_edit(Tab, bpy.types.Panel):
    """What an artist changes"""

    bl_idname = "PCHMR_PT_edit"
    bl_label = "Edit"
    bl_parent_id = "PCHMR_PT_takes"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return active_person(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout, person = self.layout, active_person(context)
        if person is None:
            return
        if person.pchmr.baked:
            draw_text(layout, "The targets were baked: import the take again to edit it.", context.region.width, "INFO")
            return
        draw_edited(layout.column(align=True), person, context.region.width)
        draw_recalibrate(layout.column(), person.pchmr_edit)
        draw_revert(layout.column(align=True))
        draw_strength(layout.column(), context, person)
        draw_compare(layout.column(), person.pchmr_edit, context.region.width)


def draw_edited(layout: bpy.types.UILayout, person: bpy.types.Collection, width: int) -> None:
    """Which frames are edited, and which of them the body does not show yet."""
    try:
        frames, rows = row_frames(person), edited_rows(person)
    except SceneChanged as error:
        draw_text(layout, in_words(error), width, "ERROR")
        return
    draw_text(layout, f"Edited: {frames_in_words(frames, rows) or 'nothing yet'}", width)
    waiting = np.setdiff1d(rows, committed(person))
    if len(waiting):
        draw_text(layout, f"Not in the body yet: {frames_in_words(frames, waiting)}", width, "INFO")


def frames_in_words(frames: NDArray[np.float64], rows: NDArray[np.int64]) -> str:
    """The scene frames of rows, the first few runs of them: 15–31, 60."""
    runs = [(round(frames[start]), round(frames[stop - 1])) for start, stop in spans(rows)]
    words = [str(first) if first == last else f"{first}–{last}" for first, last in runs[:_MOST]]
    return ", ".join(words) + (f" and {len(runs) - _MOST} more" if len(runs) > _MOST else "")


def draw_recalibrate(layout: bpy.types.UILayout, own: bpy.types.PropertyGroup) -> None:
    """Which frames, and how an edit comes in and goes out."""
    fields = layout.column()
    fields.use_property_split = True
    fields.use_property_decorate = False
    fields.prop(own, "scope")
    falloff = fields.column(align=True)
    falloff.prop(own, "before", text="Falloff Before")
    falloff.prop(own, "after")
    button = layout.column()
    button.scale_y = 1.3
    button.operator("pchmr.recalibrate", icon="MOD_ARMATURE").scope = "PANEL"


def draw_revert(layout: bpy.types.UILayout) -> None:
    """Of all joints, or of the selected ones."""
    for joints, text in (("ALL", "Revert"), ("SELECTED", "Selected")):
        row = layout.row(align=True)
        row.label(text=text)
        for frames, name in (("FRAME", "Frame"), ("PREVIEW", "Range"), ("ALL", "All")):
            button = row.operator("pchmr.revert_edits", text=name)
            button.frames, button.joints = frames, joints


def draw_strength(layout: bpy.types.UILayout, context: bpy.types.Context, person: bpy.types.Collection) -> None:
    """The presets; of the active control, the numbers themselves, to be keyed as any others."""
    layout.operator("pchmr.set_strength", icon="FORCE_MAGNETIC")
    targets = find_part(person, "TARGETS")
    active = targets.data.bones.active if targets is not None and targets == context.active_object else None
    if active is None or active.name not in BONE_NAMES:
        return
    bone = targets.pose.bones[active.name]
    fields = layout.column(align=True)
    fields.label(text=bone.name, translate=False)
    fields.use_property_split = True
    fields.prop(bone.pchmr, "strength", slider=True)
    fields.prop(bone.pchmr, "stretch", slider=True)


def draw_compare(layout: bpy.types.UILayout, own: bpy.types.PropertyGroup, width: int) -> None:
    """What is drawn over the body, and that it is drawn only."""
    layout.prop(own, "shown")
    if own.shown != "CALIBRATED":
        text = f"{_SHOWN[own.shown]} is drawn over the views. Renders, files and exports have the result only."
        draw_text(layout, text, width, "INFO")


CLASSES = (PCHMR_PT_edit,)
