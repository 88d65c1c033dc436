# SPDX-License-Identifier: GPL-3.0-or-later
"""Foot contact strips: the detected ones taken over, and changed where the artist knows better."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty, IntProperty

from ...inference_backend.errors import SceneChanged
from ..cleanup_jobs import detecting
from ..core.contact_strips import frames_of, inserted, removed, replaced
from ..scene.cleanup import chosen_strip, clock_of, required_layers, show_strips, strips_in, write_strips
from ..scene.handles import active_person, handle_of, placing_of
from ..scene.strip_rows import PART_ITEMS, SIDE_ITEMS
from .backend_jobs import begin_job
from .takes import OfPerson, person_here


class OfStrips(OfPerson):
    """Mixin of what needs strips of the artist's."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        person = active_person(context)
        if person is not None and not strips_in(person):
            cls.poll_message_set("There are no strips of yours: press Edit Strips, or add one")  # type: ignore[attr-defined]
            return False
        return super().poll(context)


class PCHMR_OT_edit_strips(OfPerson, bpy.types.Operator):
    """Take over the strips that are detected, to change them: until you do, the result stays as it is"""

    bl_idname = "pchmr.edit_strips"
    bl_label = "Edit Strips"

    def run(self, context: bpy.types.Context) -> set[str]:
        person = person_here(context)
        required_layers(person)
        handle = handle_of(person)
        return begin_job(f"Detecting when {person.name} stands", lambda client: detecting(handle, client))


class PCHMR_OT_detect_strips(OfPerson, bpy.types.Operator):
    """Forget your strips: when feet stand is detected again"""

    bl_idname = "pchmr.detect_strips"
    bl_label = "Back to Detected"
    bl_options = {"UNDO"}

    def run(self, context: bpy.types.Context) -> set[str]:
        write_strips(person_here(context), None)
        return {"FINISHED"}


class PCHMR_OT_list_strips(OfPerson, bpy.types.Operator):
    """List the strips again, which a script or an import has changed"""

    bl_idname = "pchmr.list_strips"
    bl_label = "List Strips"
    bl_options = {"UNDO"}

    def run(self, context: bpy.types.Context) -> set[str]:
        show_strips(person_here(context))
        return {"FINISHED"}


class PCHMR_OT_add_strip(OfPerson, bpy.types.Operator):
    """Say that this part of the foot stands from the current frame on"""

    bl_idname = "pchmr.add_strip"
    bl_label = "Add Strip"
    bl_options = {"UNDO", "REGISTER"}

    side: EnumProperty(name="Side", items=SIDE_ITEMS)  # type: ignore[valid-type]
    part: EnumProperty(name="Part", items=PART_ITEMS)  # type: ignore[valid-type]

    def run(self, context: bpy.types.Context) -> set[str]:
        person = person_here(context)
        strip = clock_of(person).new(self.side, self.part, context.scene.frame_current)
        strips, place = inserted(strips_in(person) or (), strip)
        write_strips(person, strips)
        person.pchmr_cleanup.strip = place
        return {"FINISHED"}


class PCHMR_OT_remove_strip(OfStrips, bpy.types.Operator):
    """The foot does not stand there"""

    bl_idname = "pchmr.remove_strip"
    bl_label = "Remove Strip"
    bl_options = {"UNDO"}

    def run(self, context: bpy.types.Context) -> set[str]:
        person = person_here(context)
        write_strips(person, removed(*chosen_strip(person)))
        return {"FINISHED"}


class PCHMR_OT_set_strip_edge(OfStrips, bpy.types.Operator):
    """The chosen strip begins, or ends, at the current frame"""

    bl_idname = "pchmr.set_strip_edge"
    bl_label = "Set Strip to Frame"
    bl_options = {"UNDO"}

    edge: EnumProperty(  # type: ignore[valid-type]
        name="Edge", items=(("FIRST", "First", "It begins here"), ("LAST", "Last", "It ends here"))
    )

    def run(self, context: bpy.types.Context) -> set[str]:
        person, frame = person_here(context), context.scene.frame_current
        clock, (strips, index) = clock_of(person), chosen_strip(person)
        change = clock.with_first if self.edge == "FIRST" else clock.with_last
        write_strips(person, replaced(strips, index, change(strips[index], frame)))
        return {"FINISHED"}


class PCHMR_OT_show_strip(OfStrips, bpy.types.Operator):
    """Go to where this strip begins"""

    bl_idname = "pchmr.show_strip"
    bl_label = "Show Strip"
    bl_options = {"UNDO"}

    index: IntProperty(name="Strip", description="Place in the list", min=0)  # type: ignore[valid-type]

    def run(self, context: bpy.types.Context) -> set[str]:
        person = person_here(context)
        strips = strips_in(person) or ()
        if self.index >= len(strips):
            raise SceneChanged("this strip is no longer in the list", hint="Choose another.")
        person.pchmr_cleanup.strip = self.index
        context.scene.frame_set(frames_of(strips[self.index], placing_of(person))[0])
        return {"FINISHED"}


CLASSES = (
    PCHMR_OT_edit_strips,
    PCHMR_OT_detect_strips,
    PCHMR_OT_list_strips,
    PCHMR_OT_add_strip,
    PCHMR_OT_remove_strip,
    PCHMR_OT_set_strip_edge,
    PCHMR_OT_show_strip,
)
