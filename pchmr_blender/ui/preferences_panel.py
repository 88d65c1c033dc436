# SPDX-License-Identifier: GPL-3.0-or-later
"""The preferences: the backend's set-up, what it can do, and its models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from .. import installation
from ..backend.environment import ModelFile, Plan
from .messages import draw_session, draw_text

if TYPE_CHECKING:
    from ..preferences import PCHMR_Preferences


def draw(preferences: PCHMR_Preferences, layout: bpy.types.UILayout) -> None:
    """Everything, from top to bottom."""
    width = bpy.context.region.width if bpy.context.region else 600
    known = installation.known()
    draw_backend(preferences, layout.box(), width)
    if known.plan is not None:
        draw_plan(layout.box(), known.plan, width)
    draw_session(layout, width)
    if known.check is not None:
        found = layout.box().column(align=True)
        for line in known.check.lines[: 1 + len(known.check.devices)]:
            draw_text(found, line, width, "CHECKMARK")
    draw_models(layout.box(), width)


def draw_backend(preferences: PCHMR_Preferences, layout: bpy.types.UILayout, width: int) -> None:
    """What there is, and what can be done about it."""
    environment = installation.known().environment
    if preferences.interpreter:
        draw_text(layout, "The backend runs with the interpreter that is chosen below", width, "SETTINGS")
    elif environment is None:
        draw_text(layout, "The backend is not set up yet", width, "ERROR")
    else:
        devices = ", ".join(environment.devices)
        draw_text(
            layout, f"Set up: Python {environment.python}, PyTorch {environment.torch} ({devices})", width, "CHECKMARK"
        )
        draw_text(layout, str(environment.folder), width, "BLANK1")
    fields = layout.column()
    fields.use_property_split = True
    fields.use_property_decorate = False
    fields.prop(preferences, "setup_device")
    fields.prop(preferences, "interpreter")
    buttons = layout.row(align=True)
    buttons.operator("pchmr.plan_setup", icon="IMPORT")
    buttons.operator("pchmr.check_backend", icon="VIEWZOOM")
    buttons.operator("pchmr.remove_backend", icon="TRASH")
    logs = layout.row(align=True)
    logs.operator("pchmr.open_log", text="Backend's Log").which = "BACKEND"
    logs.operator("pchmr.open_log", text="Setup's Log").which = "SETUP"


def draw_plan(layout: bpy.types.UILayout, plan: Plan, width: int) -> None:
    """What will be downloaded, how large it is and where it goes; and the question."""
    text = layout.column(align=True)
    for line in plan.lines:
        draw_text(text, line, width, "BLANK1" if line.startswith(" ") else "DOT")
    if not bpy.app.online_access:
        draw_text(layout, "Blender may not go online, by its own preferences.", width, "ERROR")
        if hasattr(bpy.types, "EXTENSIONS_OT_userpref_allow_online"):
            layout.operator("extensions.userpref_allow_online", text="Allow Online Access")
    buttons = layout.column(align=True)  # side by side, their words would not fit into a sidebar
    agree = buttons.row(align=True)
    agree.enabled = bpy.app.online_access
    agree.operator("pchmr.install_backend", icon="CHECKMARK")
    buttons.operator("pchmr.dismiss_plan")


def draw_models(layout: bpy.types.UILayout, width: int) -> None:
    """One of the user's that waits for a yes; and each model with its licence."""
    row = layout.row()
    row.label(text="Models")
    row.operator("pchmr.list_models", text="List", icon="FILE_REFRESH")
    row.operator("pchmr.inspect_model", icon="ADD")
    known = installation.known()
    if any(model.source == "installed" and model.state != "installed" for model in known.models):
        layout.operator("pchmr.install_models", icon="IMPORT")
    if known.candidate is not None:
        draw_candidate(layout.box(), *known.candidate, width)
    listed = layout.column(align=True)
    for model in known.models:
        draw_model(listed, model, width)


def draw_candidate(layout: bpy.types.UILayout, file: Path, model: ModelFile, width: int) -> None:
    """A file of the user's: what it is, its licence, and the question."""
    draw_text(layout, f"{file.name} is {model.name}: {model.purpose}", width, "QUESTION")
    draw_text(layout, f"Licence: {model.license}. Origin: {model.origin}", width, "BLANK1")
    there = model.state == "installed"
    if there:
        draw_text(layout, f"It would replace {model.path}", width, "ERROR")
    buttons = layout.row(align=True)
    text = "I Have This Licence: Replace" if there else "I Have This Licence: Add"
    buttons.operator("pchmr.add_model", text=text).replace = there
    buttons.operator("pchmr.dismiss_model")


def draw_model(layout: bpy.types.UILayout, model: ModelFile, width: int) -> None:
    """One model file."""
    yours = model.source == "user-supplied" and model.state == "missing"
    icon = {"installed": "CHECKMARK", "missing": "ADD" if yours else "ERROR"}.get(model.state, "ERROR")
    state = "you may add it" if yours else model.state
    draw_text(layout, f"{model.name}: {model.purpose} ({state}). Licence: {model.license}", width, icon)
    if yours:
        draw_text(layout, f"From {model.origin}", width, "BLANK1")
    elif model.problem and model.source != "installed":  # those have their button
        draw_text(layout, model.problem, width, "BLANK1")
