# SPDX-License-Identifier: GPL-3.0-or-later
"""Formats that the selected person can be written to, and why not, where not."""

from __future__ import annotations

import bpy

from ..scene.body_forms import form_of
from ..scene.exports import Format, refusal
from ..scene.handles import active_person, find_part
from .messages import draw_text
from .panels import Tab


class PCHMR_PT_export(Tab, bpy.types.Panel):
    """Out of Blender"""

    bl_idname = "PCHMR_PT_export"
    bl_label = "Export"
    bl_parent_id = "PCHMR_PT_takes"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return active_person(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        person = active_person(context)
        if person is None:
            return
        body = find_part(person, "BODY")
        form = None if body is None else form_of(body)
        refused = {one: refusal(one, form) for one in Format}
        buttons = self.layout.grid_flow(columns=3, even_columns=True, row_major=True, align=True)
        for one, why in refused.items():
            button = buttons.row(align=True)
            button.enabled = why is None
            button.operator("pchmr.export_person", text=one.label).format = one.value
        reasons = {f"{why.message} {why.hint}" for why in refused.values() if why is not None}
        for reason in sorted(reasons):
            draw_text(self.layout, reason, context.region.width, "INFO")


CLASSES = (PCHMR_PT_export,)
