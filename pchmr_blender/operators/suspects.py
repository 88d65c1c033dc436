# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of doubtful joints: make it, and go from one to the next."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty, IntProperty

from ...inference_backend.errors import SceneChanged
from ..scene.handles import active_person
from ..scene.suspect_marks import go_to, list_suspects
from .reporting import Reporting
from .takes import OfPerson, person_here


class PCHMR_OT_list_suspects(OfPerson, bpy.types.Operator):
    """List the joints that are likely wrong, what costs most first"""

    bl_idname = "pchmr.list_suspects"
    bl_label = "List Suspects"
    bl_options = {"UNDO"}

    def run(self, context: bpy.types.Context) -> set[str]:
        count = list_suspects(person_here(context))
        self.report({"INFO"}, f"{count} suspects")
        return {"FINISHED"}


class OfList(Reporting):
    """Mixin of what needs a list that is not empty."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        person = active_person(context)
        listed = person is not None and len(person.pchmr_suspects.spans) > 0
        if not listed:
            cls.poll_message_set("No suspects are listed")  # type: ignore[attr-defined]
        return listed


class PCHMR_OT_show_suspect(OfList, bpy.types.Operator):
    """Go to the worst frame of this suspect and select its control"""

    bl_idname = "pchmr.show_suspect"
    bl_label = "Show Suspect"
    bl_options = {"UNDO"}

    index: IntProperty(name="Suspect", description="Place in the list; -1: the selected one", default=-1, min=-1)  # type: ignore[valid-type]

    def run(self, context: bpy.types.Context) -> set[str]:
        person = person_here(context)
        own = person.pchmr_suspects
        index = own.active if self.index < 0 else self.index
        if index >= len(own.spans):
            raise SceneChanged("this suspect is no longer in the list", hint="List the suspects again.")
        go_to(context, person, index)
        return {"FINISHED"}


class PCHMR_OT_step_suspect(OfList, bpy.types.Operator):
    """Go on in the list, from the last to the first"""

    bl_idname = "pchmr.step_suspect"
    bl_label = "Next Suspect"
    bl_options = {"UNDO"}

    step: EnumProperty(  # type: ignore[valid-type]
        name="Step", items=(("NEXT", "Next", "Costs less"), ("PREVIOUS", "Previous", "Costs more"))
    )

    def run(self, context: bpy.types.Context) -> set[str]:
        person = person_here(context)
        own = person.pchmr_suspects
        go_to(context, person, (own.active + (1 if self.step == "NEXT" else -1)) % len(own.spans))
        return {"FINISHED"}


CLASSES = (PCHMR_OT_list_suspects, PCHMR_OT_show_suspect, PCHMR_OT_step_suspect)
