# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panel and the preferences both show: what is under way, what went wrong, what ended well."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import lru_cache
from typing import Final

import bpy

# isort: split
import blf  # there as soon as bpy is

from .. import session
from ..activities import Activity
from ..operators.request import asked_takes
from ..problems import Problem
from .repairs import repairs_for

_MARGIN: Final = 66.0
"""Of a region's width, what a box leaves no room for: its own edges, the panel's, the tabs'. In points, as the next."""
_ICON: Final = 24.0
_NARROWEST: Final = 60.0
_LOG_LINES: Final = 6
_ROWS_A_LINE: Final = 3
"""Of the log in the panel. *Copy* and *Open Log* have all of it."""


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
    for repair in repairs_for(problem, asked_takes(bpy.context.scene.pchmr)):
        button = layout.operator(repair.operator, text=repair.text)
        for name, value in repair.properties.items():
            setattr(button, name, value)
    row = layout.row(align=True)
    row.operator("pchmr.open_log").which = "PROBLEM"
    row.operator("pchmr.copy_problem")
    row.operator("pchmr.dismiss")
    lines = [line for line in problem.output.splitlines() if line.strip()][-_LOG_LINES:]
    if lines:  # below the buttons: they may be long
        said = layout.box().column(align=True)
        said.active = False
        for line in lines:
            draw_text(said, line, width - 30, rows=_ROWS_A_LINE)


def draw_text(layout: bpy.types.UILayout, text: str, width: int, icon: str = "NONE", rows: int | None = None) -> None:
    """A text in lines that fit; Blender's labels do not wrap. `rows`: no more than so many."""
    lines = layout.column(align=True)
    scale = bpy.context.preferences.system.ui_scale or 1.0  # 0 where there is no window
    room = max(_NARROWEST, width / scale - _MARGIN - (0.0 if icon == "NONE" else _ICON))
    for line in wrapped(text, room, bpy.context.preferences.ui_styles[0].widget.points)[:rows]:
        lines.label(text=line, icon=icon, translate=False)
        icon = "NONE" if icon == "NONE" else "BLANK1"


@lru_cache(maxsize=256)  # panels are drawn with every move of the mouse
def wrapped(text: str, room: float, points: float) -> tuple[str, ...]:
    """A text as lines of up to `room` points, measured in Blender's interface font. Later lines are indented as the
    first; a word that is too long for a line, as a path, goes on in the next. Gaps of several spaces stay."""
    blf.size(0, points)
    text = re.sub(r"\s", " ", text.rstrip())
    indent = text[: len(text) - len(text.lstrip())]
    lines, line = [], indent
    for gap, word in re.findall(r"( *)(\S+)", text[len(indent) :]):
        longer = line + gap + word
        if blf.dimensions(0, longer)[0] <= room:
            line = longer
            continue
        if line.strip():
            lines.append(line)
        line = indent + word
        while (fits := _fitting(line, room)) < len(line):
            lines.append(line[:fits])
            line = indent + line[fits:]
    return (*lines, line)


def _fitting(line: str, room: float) -> int:
    """How many letters fit; one more than the indent at least."""
    least = len(line) - len(line.lstrip()) + 1
    more = range(least + 1, len(line) + 1)
    return least + bisect_right(more, room, key=lambda count: blf.dimensions(0, line[:count])[0])


def clock(seconds: float) -> str:
    """90 → 1:30."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes = f"{rest // 60:02d}" if hours else f"{rest // 60}"
    return f"{hours}:{minutes}:{rest % 60:02d}" if hours else f"{minutes}:{rest % 60:02d}"
