# SPDX-License-Identifier: GPL-3.0-or-later
"""The artist's edits into the mesh, out of it, and how strongly the mesh follows the target pose."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty, FloatProperty

from ..core.strength_presets import PRESETS
from ..recalibration import start_recalibration
from ..scene.edit_changes import commit, revert, set_strength
from ..scene.edit_scope import person_to_edit, rows_in_scope, selected_joints
from ..scene.edit_settings import SCOPES
from .reporting import Asking
from .takes import OfPerson

_SPANS = tuple(item for item in SCOPES if item[0] in ("FRAME", "PREVIEW", "ALL"))
_WHOSE = (
    ("ALL", "All Joints", "Of all joints"),
    ("SELECTED", "Selected Joints", "Of the joints whose controls are selected"),
)


class PCHMR_OT_recalibrate(OfPerson, bpy.types.Operator):
    """Let the body take the edits of these frames: they are calibrated again, and no others"""

    bl_idname = "pchmr.recalibrate"
    bl_label = "Recalibrate"
    bl_options = {"UNDO"}

    scope: EnumProperty(  # type: ignore[valid-type]
        name="Frames", items=(("PANEL", "As in the Panel", "What the panel says"), *SCOPES), options={"SKIP_SAVE"}
    )

    def run(self, context: bpy.types.Context) -> set[str]:
        person = person_to_edit(context)
        scope = person.pchmr_edit.scope if self.scope == "PANEL" else self.scope
        commit(person, rows_in_scope(context, person, scope))
        start_recalibration(person)
        return {"FINISHED"}


class PCHMR_OT_revert_edits(OfPerson, bpy.types.Operator):
    """Take edits away, from the controls and from the body"""

    bl_idname = "pchmr.revert_edits"
    bl_label = "Revert"
    bl_options = {"UNDO"}

    frames: EnumProperty(name="Frames", items=_SPANS)  # type: ignore[valid-type]
    joints: EnumProperty(name="Joints", items=_WHOSE)  # type: ignore[valid-type]

    def run(self, context: bpy.types.Context) -> set[str]:
        person = person_to_edit(context)
        joints = selected_joints(person) if self.joints == "SELECTED" else None
        revert(person, rows_in_scope(context, person, self.frames), joints)
        start_recalibration(person, f"Reverting {person.name}")
        return {"FINISHED"}


class PCHMR_OT_set_strength(Asking, OfPerson, bpy.types.Operator):
    """Key how strongly joints follow the target pose; Recalibrate brings it into the body"""

    bl_idname = "pchmr.set_strength"
    bl_label = "Set Strength…"
    bl_options = {"UNDO"}

    preset: EnumProperty(  # type: ignore[valid-type]
        name="Joints",
        items=(
            *((name, preset.label, preset.text) for name, preset in PRESETS.items()),
            ("SELECTED", "Selected Joints", "Those whose controls are selected; the others keep what they have"),
        ),
    )
    frames: EnumProperty(name="Frames", items=_SPANS, default="PREVIEW")  # type: ignore[valid-type]
    value: FloatProperty(  # type: ignore[valid-type]
        name="Strength",
        description="0 keeps the mesh stream's rotations, 1 takes the target pose's",
        default=1.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )

    def ask(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return set(context.window_manager.invoke_props_dialog(self))

    def run(self, context: bpy.types.Context) -> set[str]:
        person = person_to_edit(context)
        chosen = self.preset == "SELECTED"
        joints = selected_joints(person) if chosen else range(24)
        strengths = PRESETS["ALL" if chosen else self.preset].strengths(self.value)
        set_strength(person, rows_in_scope(context, person, self.frames), strengths, joints)
        return {"FINISHED"}


CLASSES = (PCHMR_OT_recalibrate, PCHMR_OT_revert_edits, PCHMR_OT_set_strength)
