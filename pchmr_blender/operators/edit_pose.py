# SPDX-License-Identifier: GPL-3.0-or-later
"""Edit Target Pose: begin, end, and what is done to controls meanwhile."""

from __future__ import annotations

import bpy

from ...inference_backend.errors import SceneChanged
from ..live import mode
from ..live.editing import Editing
from ..scene.handles import active_person, part_of, resolve
from ..scene.live_controls import pin_selected
from .reporting import Reporting, idle
from .takes import OfPerson, person_here


class PCHMR_OT_edit_pose(OfPerson, bpy.types.Operator):
    """Drag the joints of the target pose, and the body follows: G moves, R turns the selected controls"""

    bl_idname = "pchmr.edit_pose"
    bl_label = "Edit Target Pose"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if active_person(context) is None:
            cls.poll_message_set("Select a part of a take")
            return False
        return mode.current() is None and idle(cls, context)

    def run(self, context: bpy.types.Context) -> set[str]:
        mode.enter(context, person_here(context))
        return {"FINISHED"}


class WhileEditing(Reporting):
    """Mixin of what is done in the mode."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if mode.current() is None:
            cls.poll_message_set("Press Edit Target Pose first")  # type: ignore[attr-defined]
        return mode.current() is not None


def editing() -> Editing:
    """Who is being edited; the polls see to it that there is somebody."""
    now = mode.current()
    if now is None:
        raise SceneChanged("no target pose is being edited", hint="Press Edit Target Pose.")
    return now


class PCHMR_OT_leave_pose(WhileEditing, bpy.types.Operator):
    """Show the body again, in object mode; keys stay. Recalibrate puts them into the body"""

    bl_idname = "pchmr.leave_pose"
    bl_label = "Leave Edit Target Pose"
    bl_options = {"UNDO"}

    def run(self, context: bpy.types.Context) -> set[str]:
        mode.leave()
        if context.mode == "POSE":
            bpy.ops.object.mode_set(mode="OBJECT")
        return {"FINISHED"}


class PCHMR_OT_pin_controls(WhileEditing, bpy.types.Operator):
    """Let the selected joints stay where they are while others are dragged; again: let them go"""

    bl_idname = "pchmr.pin_controls"
    bl_label = "Pin"
    bl_options = {"UNDO"}

    def run(self, context: bpy.types.Context) -> set[str]:
        pinned = pin_selected(part_of(resolve(editing().handle), "TARGETS"))
        self.report({"INFO"}, "1 joint is pinned" if pinned == 1 else f"{pinned} joints are pinned")
        return {"FINISHED"}


class PCHMR_OT_key_pose(WhileEditing, bpy.types.Operator):
    """Key what the controls hold at this frame, with falloff: for values that were typed in or cleared. Drags are keyed
    by themselves"""

    bl_idname = "pchmr.key_pose"
    bl_label = "Key Controls"
    bl_options = {"UNDO"}

    def run(self, context: bpy.types.Context) -> set[str]:
        editing().key_held()
        return {"FINISHED"}


class PCHMR_OT_look_through(OfPerson, bpy.types.Operator):
    """Look at the person through the footage's camera, or from where you were before"""

    bl_idname = "pchmr.look_through"
    bl_label = "Look Through Camera"

    def run(self, context: bpy.types.Context) -> set[str]:
        context.scene.camera = part_of(person_here(context), "CAMERA")
        bpy.ops.view3d.view_camera()
        return {"FINISHED"}


CLASSES = (
    PCHMR_OT_edit_pose,
    PCHMR_OT_leave_pose,
    PCHMR_OT_pin_controls,
    PCHMR_OT_key_pose,
    PCHMR_OT_look_through,
)
