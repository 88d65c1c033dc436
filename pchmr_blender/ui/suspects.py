# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of joints that are likely wrong, the way through it, and how they are shown."""

from __future__ import annotations

import bpy

from ..core.suspect_list import CAUSES_IN_WORDS
from ..scene.handles import active_person
from ..scene.suspect_marks import frame_at
from .messages import draw_text
from .panels import Tab


class PCHMR_UL_suspects(bpy.types.UIList):
    """A joint, its score, its frames"""

    bl_idname = "PCHMR_UL_suspects"

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
        row = layout.row(align=True)
        row.prop(item, "chosen", text="")
        button = row.operator("pchmr.show_suspect", text="", icon="VIEWZOOM", emboss=False)
        button.index = index
        words = row.split(factor=0.4)
        words.label(text=item.name, translate=False)
        # In a column of its own each of them would be cut.
        words.label(text=f"{item.score:.0%} {frames_in_words(data.id_data, item)}", translate=False)


class PCHMR_PT_suspects(Tab, bpy.types.Panel):
    """What to look at first"""

    bl_idname = "PCHMR_PT_suspects"
    bl_label = "Suspects"
    bl_parent_id = "PCHMR_PT_takes"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return active_person(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout, person = self.layout, active_person(context)
        if person is None:
            return
        own = person.pchmr_suspects
        layout.operator("pchmr.list_suspects", icon="VIEWZOOM")
        if own.problem:
            draw_text(layout, own.problem, context.region.width, "ERROR")
        if own.listed:
            draw_list(layout, own, context.region.width)
        layout.prop(own, "threshold", slider=True)
        shown = layout.row(align=True)
        for name in ("markers", "colours", "detections"):
            shown.prop(own, name, toggle=True)


def frames_in_words(person: bpy.types.Collection, span: bpy.types.PropertyGroup) -> str:
    """The scene frames of one of the list: 15, or 15–31."""
    first, last = (frame_at(person, second) for second in (span.first_second, span.last_second))
    return f"{first}–{last}" if last > first else str(first)


def draw_list(layout: bpy.types.UILayout, own: bpy.types.PropertyGroup, width: int) -> None:
    """The list, why the selected one is in it, and the way through it."""
    if not own.spans:
        layout.label(text="None at this threshold")
        return
    layout.template_list("PCHMR_UL_suspects", "", own, "spans", own, "active", rows=5)
    if own.active < len(own.spans):
        span = own.spans[own.active]
        draw_text(layout, f"{span.name}: {CAUSES_IN_WORDS.get(span.cause, span.cause)}", width)
    steps = layout.row(align=True)
    steps.operator("pchmr.step_suspect", text="Previous", icon="TRIA_LEFT").step = "PREVIOUS"
    steps.operator("pchmr.show_suspect", text="Show").index = -1
    steps.operator("pchmr.step_suspect", text="Next", icon="TRIA_RIGHT").step = "NEXT"


CLASSES = (PCHMR_UL_suspects, PCHMR_PT_suspects)
