# SPDX-License-Identifier: GPL-3.0-or-later
"""Formats that the selected person can be written to, with the body or the bones alone, and why not, where not."""

from __future__ import annotations

from typing import Final

import bpy

from ..core.file_formats import Content
from ..core.form_costs import Form
from ..problems import in_words
from ..scene.body_forms import form_of
from ..scene.exports import Format, refusal
from ..scene.handles import active_person, find_part
from .messages import draw_text
from .panels import Tab

_CONTENTS: Final[tuple[tuple[Content, str], ...]] = (("BODY", "Body"), ("SKELETON", "Skeleton Only"))


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
        reasons: set[str] = set()
        for content, name in _CONTENTS:
            self.layout.label(text=name)
            reasons |= draw_formats(self.layout.row(align=True), form, content)
        for reason in sorted(reasons):
            draw_text(self.layout, reason, context.region.width, "INFO")


def draw_formats(layout: bpy.types.UILayout, form: Form | None, content: Content) -> set[str]:
    """A button for each format that has this content; returns why some cannot be pressed."""
    reasons = set()
    for one in Format:
        if not (one.has_body(content) if content == "BODY" else one.has_bones()):
            continue
        why = refusal(one, form, content)
        button = layout.row(align=True)
        button.enabled = why is None
        asked = button.operator("pchmr.export_person", text=one.label)
        asked.format, asked.skeleton_only = one.value, content == "SKELETON"
        if why is not None:
            reasons.add(in_words(why))
    return reasons


CLASSES = (PCHMR_PT_export,)
