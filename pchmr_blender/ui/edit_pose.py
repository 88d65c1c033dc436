# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel of Edit Target Pose."""

from __future__ import annotations

import bpy

from ..live import mode
from ..live.editing import Editing
from ..scene.handles import active_person
from .messages import draw_text
from .panels import Tab


class PCHMR_PT_edit_pose(Tab, bpy.types.Panel):
    """Drag joints"""

    bl_idname = "PCHMR_PT_edit_pose"
    bl_label = "Target Pose"
    bl_parent_id = "PCHMR_PT_takes"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return active_person(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout, person, editing = self.layout, active_person(context), mode.current()
        if person is None:
            return
        if editing is None:
            layout.operator("pchmr.edit_pose", icon="POSE_HLT")
            return
        layout.operator("pchmr.leave_pose", icon="LOOP_BACK")
        draw_text(layout, state_of(editing), context.region.width, "INFO")
        draw_drag(layout.column(), person.pchmr_edit)
        row = layout.row(align=True)
        row.operator("pchmr.pin_controls", icon="PINNED")
        row.operator("pchmr.key_pose", icon="KEY_HLT")
        layout.operator("pchmr.look_through", icon="VIEW_CAMERA")


def draw_drag(layout: bpy.types.UILayout, own: bpy.types.PropertyGroup) -> None:
    """How a drag works."""
    layout.row().prop(own, "mode", expand=True)
    row = layout.row(align=True)
    row.prop(own, "children", toggle=True)
    row.prop(own, "mirror", toggle=True)


def state_of(editing: Editing) -> str:
    """What the mode is at, in a line."""
    if editing.row is None:
        return "This frame is outside of the take"
    if editing.waiting and not editing.dragging:
        return "Waiting for the backend"
    return "G moves, R turns the selected controls"


CLASSES = (PCHMR_PT_edit_pose,)
