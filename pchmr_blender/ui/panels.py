# SPDX-License-Identifier: GPL-3.0-or-later
"""The tab in the 3D viewport's sidebar: the clip and how to reconstruct it."""

from __future__ import annotations

import bpy

from .. import installation, session
from ..constants import NAME
from ..preferences import is_set_up
from ..scene.clip_settings import SceneSettings
from ..scene.open_footage import open_footage
from .messages import draw_session, draw_text
from .preferences_panel import draw_plan


class Tab:
    """Mixin of the panels in our tab."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = NAME


class PCHMR_PT_clip(Tab, bpy.types.Panel):
    """Footage in, a body in the scene out"""

    bl_idname = "PCHMR_PT_clip"
    bl_label = NAME

    def draw(self, context: bpy.types.Context) -> None:
        layout, width = self.layout, context.region.width
        plan = installation.known().plan
        asking = plan is not None and session.current.activity is None
        if asking:
            draw_plan(layout.box(), plan, width)
            draw_session(layout, width)  # it is about the plan, and would stand below the window's edge
        elif not is_set_up() and session.current.activity is None and session.current.problem is None:
            draw_set_up(layout.box(), width)
        draw_settings(layout.column(), context)
        button = layout.column()
        button.scale_y = 1.5
        button.operator("pchmr.reconstruct_clip", icon="ARMATURE_DATA")
        if not asking:
            draw_session(layout, width)


def draw_set_up(layout: bpy.types.UILayout, width: int) -> None:
    """What to do first on a new machine."""
    draw_text(layout, "The backend, which does the work in a process of its own, is not set up yet.", width, "INFO")
    layout.operator("pchmr.plan_setup", icon="IMPORT")
    layout.operator("pchmr.show_preferences", text="Use a Python of Mine…")


def draw_settings(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The fields."""
    settings = context.scene.pchmr
    layout.enabled = session.current.activity is None
    row = layout.row(align=True)
    row.prop(settings, "clip", text="", placeholder="Movie or folder of images")
    if open_footage(context.scene):
        row.menu("PCHMR_MT_movie_clips", text="", icon="TRACKER")
    fields = layout.column()
    fields.use_property_split = True
    fields.use_property_decorate = False
    frames = fields.column(heading="Frames", align=True)
    frames.prop(settings, "use_range", text="Range")
    if settings.use_range:
        frames.prop(settings, "start")
        frames.prop(settings, "end")
    fields.prop(settings, "people")
    if settings.people == "INDEX":
        fields.prop(settings, "person")
    draw_heights(fields.column(align=True), settings)
    preset = fields.row(align=True)
    preset.prop(settings, "preset")
    preset.menu("PCHMR_MT_presets", text="", icon="DOWNARROW_HLT")
    cleanup = fields.row(align=True)
    cleanup.prop(settings, "cleanup")
    cleanup.menu("PCHMR_MT_clip_cleanup", text="", icon="DOWNARROW_HLT")
    fields.prop(settings, "device")


def draw_heights(layout: bpy.types.UILayout, settings: SceneSettings) -> None:
    """One height; of all people as many as there are."""
    several = settings.height_count if settings.people == "ALL" else 1
    if settings.people == "ALL":
        layout.prop(settings, "height_count")
    if several == 1:
        layout.prop(settings, "height")
    for number in range(several if several > 1 else 0):
        layout.prop(settings, "heights", index=number, text="0, Largest" if number == 0 else f"{number}")


class PCHMR_PT_output(Tab, bpy.types.Panel):
    """The camera; where takes go, and how they come into the scene"""

    bl_idname = "PCHMR_PT_output"
    bl_label = "Camera & Output"
    bl_parent_id = "PCHMR_PT_clip"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, context.scene.pchmr
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(settings, "focal")
        layout.prop(settings, "out")
        layout.prop(settings, "form")
        if settings.form == "COMPRESSED":
            layout.prop(settings, "tolerance_mm", text="Tolerance (mm)")
        layout.prop(settings, "footage_offset")


CLASSES = (PCHMR_PT_clip, PCHMR_PT_output)
