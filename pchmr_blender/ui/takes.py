# SPDX-License-Identifier: GPL-3.0-or-later
"""The takes in the scene, and what can be done with the one that is selected."""

from __future__ import annotations

from typing import Final

import bpy

from ..core.form_costs import FORMS
from ..scene.body_visibility import frames_shown
from ..scene.handles import Part, active_person, find_part, people_in
from .messages import draw_text
from .panels import Tab
from .repairs import repairs_of_person

_FORM_NAMES: Final = {value: name for value, name, _ in FORMS}
_PARTS: Final[tuple[tuple[Part, str], ...]] = (
    ("BODY", "Body"),
    ("SKELETON", "Skeleton"),
    ("TARGETS", "Targets"),
    ("CAMERA", "Camera"),
)


class PCHMR_PT_takes(Tab, bpy.types.Panel):
    """Who is in the scene"""

    bl_idname = "PCHMR_PT_takes"
    bl_label = "Takes"

    def draw(self, context: bpy.types.Context) -> None:
        layout, active = self.layout, active_person(context)
        people = people_in(context.scene)
        listed = layout.column(align=True)
        for person in people:
            draw_row(listed.row(align=True), person, person == active)
        if not people:
            layout.label(text="None yet")
        layout.operator("pchmr.import_take", icon="IMPORT")


class PCHMR_PT_person(Tab, bpy.types.Panel):
    """The person that is selected"""

    bl_idname = "PCHMR_PT_person"
    bl_label = ""  # the person's name stands there
    bl_parent_id = "PCHMR_PT_takes"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return active_person(context) is not None

    def draw_header(self, context: bpy.types.Context) -> None:
        person = active_person(context)
        if person is not None:
            self.layout.label(text=person.name, translate=False)

    def draw(self, context: bpy.types.Context) -> None:
        person = active_person(context)
        if person is None:
            return
        if person.pchmr.problem:
            draw_lost(self.layout.box(), person, context.region.width)
        draw_parts(self.layout, person)
        draw_body(self.layout.column(), person)
        draw_time(self.layout.column(), person)


def draw_row(row: bpy.types.UILayout, person: bpy.types.Collection, active: bool) -> None:
    """One person of the list."""
    icon = "ERROR" if person.pchmr.problem else "RADIOBUT_ON" if active else "RADIOBUT_OFF"
    name = listed_name(person.name)
    button = row.operator("pchmr.select_person", text=name, icon=icon, depress=active, translate=False)
    button.collection = person.name
    row.label(text=_FORM_NAMES.get(person.pchmr.form, ""))
    row.prop(person, "hide_viewport", text="", emboss=False)


def listed_name(name: str) -> str:
    """A name as the narrow list has it, which cuts off the end: "street 3" of several people is "3  street"."""
    take, _, number = name.rpartition(" ")
    return f"{number}  {take}" if take and number.isdecimal() else name


def draw_lost(layout: bpy.types.UILayout, person: bpy.types.Collection, width: int) -> None:
    """What is wrong with the take or its footage, and what mends it."""
    draw_text(layout, person.pchmr.problem, width, "ERROR")
    for repair in repairs_of_person(person.pchmr.problem_kind):
        layout.operator(repair.operator, text=repair.text)


def draw_parts(layout: bpy.types.UILayout, person: bpy.types.Collection) -> None:
    """A switch for each of the streams."""
    switches = layout.grid_flow(columns=2, even_columns=True, row_major=True, align=True)
    for part, name in _PARTS:
        item = find_part(person, part)
        if item is not None and part == "BODY":
            icon = "RESTRICT_VIEW_OFF" if person.pchmr.show_body else "RESTRICT_VIEW_ON"  # as the others have it
            switches.prop(person.pchmr, "show_body", text=name, toggle=True, icon=icon)
        elif item is not None:
            switches.prop(item, "hide_viewport", text=name, toggle=True, invert_checkbox=True)
    camera = find_part(person, "CAMERA")
    if camera is not None and camera.data.background_images:
        row = layout.row(align=True)
        row.prop(camera.data, "show_background_images", text="Footage", toggle=True)
        row.prop(camera.data.background_images[0], "alpha", text="Opacity", slider=True)


def draw_body(layout: bpy.types.UILayout, person: bpy.types.Collection) -> None:
    """How the body is kept."""
    form = _FORM_NAMES.get(person.pchmr.form, "")
    error = f", at most {person.pchmr.tolerance_mm:.2g} mm off" if person.pchmr.form == "COMPRESSED" else ""
    layout.label(text=f"Body: {form}{error}")
    layout.operator("pchmr.set_form", icon="SHAPEKEY_DATA", text="Change Form…")
    body = find_part(person, "BODY")
    if body is not None:
        layout.prop(person.pchmr, "hide_outside")
        frames = frames_shown(body)
        if frames is not None and body.hide_render:
            layout.label(text=f"In the picture from {frames[0]} to {frames[1]} only", icon="INFO")


def draw_time(layout: bpy.types.UILayout, person: bpy.types.Collection) -> None:
    """When it happens, and the end of the work."""
    layout.prop(person.pchmr, "footage_offset")
    layout.operator("pchmr.retime_take", icon="TIME", text="Retime…")
    if not person.pchmr.baked:
        layout.operator("pchmr.bake_take", icon="ACTION")


CLASSES = (PCHMR_PT_takes, PCHMR_PT_person)
