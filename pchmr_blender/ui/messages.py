# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panel and the preferences both show: what is under way, what went wrong, what ended well."""

from __future__ import annotations

import textwrap
from typing import Final

import bpy

from .. import session
from ..activities import Activity
from ..problems import Problem
from .repairs import repairs_for

_POINTS_A_LETTER: Final = 6.2
"""Average width of Blender's interface font, in points; a little more than it is, since words differ."""
_MARGIN: Final = 60
_LOG_LINES: Final = 6


def draw_session(layout: bpy.types.UILayout, width: int) -> None:
    """Everything that the session has to say; nothing where it is quiet. `width`: of the region, in pixels."""
    now = session.current
    if now.activity is not None:
        draw_activity(layout.box(), now.activity, width)
    if now.problem is not None:
        draw_problem(layout.box(), now.problem, width)
    elif now.notice and now.activity is None:
        row = layout.box().row()
        draw_text(row, now.notice, width - 30, "INFO")
        row.operator("pchmr.dismiss", text="", icon="X", emboss=False)


def draw_activity(layout: bpy.types.UILayout, activity: Activity, width: int) -> None:
    """Title, stage, bar, time left, and Cancel."""
    status = activity.status()
    draw_text(layout, activity.title, width, "SORTTIME")
    stage = "Stopping" if activity.cancelling else status.stage
    if status.fraction is None:
        layout.label(text=stage)
    else:
        layout.progress(factor=status.fraction, text=f"{stage}  {status.fraction:.0%}")
    left = "" if status.seconds_left is None else f"{clock(status.seconds_left)} left"
    detail = "   ".join(filter(None, (status.detail, left)))
    if detail:
        draw_text(layout, detail, width)
    layout.operator("pchmr.cancel", icon="CANCEL")


def draw_problem(layout: bpy.types.UILayout, problem: Problem, width: int) -> None:
    """What is wrong, what to do, and the buttons that do it."""
    column = layout.column(align=True)
    draw_text(column, problem.message, width, "ERROR")
    draw_text(column, problem.hint, width)
    lines = problem.output.splitlines()[-_LOG_LINES:]
    if lines:
        said = layout.box().column(align=True)
        said.active = False
        for line in lines:
            draw_text(said, line, width - 30)
    for repair in repairs_for(problem):
        button = layout.operator(repair.operator, text=repair.text)
        for name, value in repair.properties.items():
            setattr(button, name, value)
    row = layout.row(align=True)
    row.operator("pchmr.open_log").which = "PROBLEM"
    row.operator("pchmr.copy_problem")
    row.operator("pchmr.dismiss")


def draw_text(layout: bpy.types.UILayout, text: str, width: int, icon: str = "NONE") -> None:
    """A text in lines that fit; Blender's labels do not wrap."""
    lines = layout.column(align=True)
    scale = bpy.context.preferences.system.ui_scale or 1.0  # 0 where there is no window
    letters = max(16, int((width - _MARGIN * scale) / (_POINTS_A_LETTER * scale)))
    for line in textwrap.wrap(text, letters) or [""]:
        lines.label(text=line, icon=icon, translate=False)
        icon = "NONE" if icon == "NONE" else "BLANK1"


def clock(seconds: float) -> str:
    """90 → 1:30."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes = f"{rest // 60:02d}" if hours else f"{rest // 60}"
    return f"{hours}:{minutes}:{rest % 60:02d}" if hours else f"{minutes}:{rest % 60:02d}"
