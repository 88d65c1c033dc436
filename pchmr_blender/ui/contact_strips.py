# SPDX-License-Identifier: GPL-3.0-or-later
"""When feet stand: the list of strips, and what changes them."""

from __future__ import annotations

import bpy

from ..core.contact_strips import frames_of, label
from ..scene.cleanup import measured_of, strip_of_row, strips_in
from ..scene.handles import active_person, placing_of
from .cleanup import OfCleanup
from .messages import draw_text

_FEET = (("left", "heel", "L Heel"), ("left", "toe", "L Toe"), ("right", "heel", "R Heel"), ("right", "toe", "R Toe"))


class PCHMR_UL_strips(bpy.types.UIList):
    """What stands, and in which frames"""

    bl_idname = "PCHMR_UL_strips"

    def draw_item(
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        data: bpy.types.PropertyGroup,
        item: bpy.types.PropertyGroup,
        icon: int,
        active_data: bpy.types.PropertyGroup,
        active_property: str,
        index: int,
    ) -> None:
        person = data.id_data
        strip = strip_of_row(person, item.index)
        if strip is None:
            layout.label(text="–")
            return
        first, last = frames_of(strip, placing_of(person))
        here = first <= context.scene.frame_current <= last
        row = layout.row(align=True)
        dot = "RADIOBUT_ON" if here else "RADIOBUT_OFF"
        row.operator("pchmr.show_strip", text="", icon=dot, emboss=False).index = index
        parts = row.split(factor=0.36)
        parts.label(text=label(strip), translate=False)
        frames = parts.row(align=True)
        frames.prop(item, "first", text="", emboss=False)
        frames.prop(item, "last", text="", emboss=False)
        row.prop(item, "locked", text="", icon="LOCKED" if strip.locked else "UNLOCKED", emboss=False)


class PCHMR_PT_strips(OfCleanup, bpy.types.Panel):
    """When heels and toes stand"""

    bl_idname = "PCHMR_PT_strips"
    bl_label = "Contact Strips"
    bl_parent_id = "PCHMR_PT_cleanup_foot_contact"

    def draw(self, context: bpy.types.Context) -> None:
        layout, person = self.layout, active_person(context)
        if person is None:
            return
        own, strips = person.pchmr_cleanup, strips_in(person)
        layout.prop(own, "shown")
        if strips is None:
            measured = measured_of(person)
            known = "" if measured is None else f": {len(measured.strips)}, when last measured"
            draw_text(layout, f"They are detected{known}.", context.region.width, "INFO")
            layout.operator("pchmr.edit_strips", icon="GREASEPENCIL")
        elif len(strips) != len(own.strips):
            layout.operator("pchmr.list_strips", icon="FILE_REFRESH")
        else:
            draw_list(layout, own)
        layout.label(text="Stands from this frame on:", icon="ADD")
        feet = layout.row(align=True)
        for side, part, text in _FEET:
            button = feet.operator("pchmr.add_strip", text=text)
            button.side, button.part = side, part


def draw_list(layout: bpy.types.UILayout, own: bpy.types.PropertyGroup) -> None:
    """The artist's strips."""
    layout.template_list("PCHMR_UL_strips", "", own, "strips", own, "strip", rows=6)
    edges = layout.row(align=True)
    edges.operator("pchmr.set_strip_edge", text="First Here", icon="TRIA_RIGHT").edge = "FIRST"
    edges.operator("pchmr.set_strip_edge", text="Last Here", icon="TRIA_LEFT").edge = "LAST"
    edges.operator("pchmr.remove_strip", text="", icon="REMOVE")
    layout.operator("pchmr.detect_strips", icon="LOOP_BACK")


CLASSES = (PCHMR_UL_strips, PCHMR_PT_strips)
