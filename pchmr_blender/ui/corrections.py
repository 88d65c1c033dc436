# SPDX-License-Identifier: GPL-3.0-or-later
"""Corrected detections: how many there are, and what can be done with them."""

from __future__ import annotations

import bpy

from ..scene.corrections import corrections_of
from ..scene.handles import active_person
from .messages import draw_text
from .panels import Tab


class PCHMR_PT_corrections(Tab, bpy.types.Panel):
    """Detections put right by hand"""

    bl_idname = "PCHMR_PT_corrections"
    bl_label = "Corrected Detections"
    bl_parent_id = "PCHMR_PT_takes"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return active_person(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout, person = self.layout, active_person(context)
        if person is None:
            return
        layout.operator("pchmr.correct_detections", icon="RESTRICT_SELECT_OFF")
        made = corrections_of(person)
        if made:
            frames = len({one.row for one in made})
            words = f"{len(made)} landmark{'s' * (len(made) != 1)} in {frames} frame{'s' * (frames != 1)}"
            draw_text(layout, words, context.region.width)
        layout.operator("pchmr.lift_again", icon="FILE_REFRESH")
        if made:
            row = layout.row(align=True)
            row.operator("pchmr.clear_corrections", text="Clear This Frame").scope = "FRAME"
            row.operator("pchmr.clear_corrections", text="Clear All").scope = "ALL"


CLASSES = (PCHMR_PT_corrections,)
