# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator raises becomes a report, and stands in the panel: nothing leaks into Blender."""

from __future__ import annotations

from collections.abc import Callable

import bpy

from .. import session


class Reporting:
    """Mixin of operators: they define `run(context)`, and raise what goes wrong."""

    def run(self, context: bpy.types.Context) -> set[str]:
        """Do the work; Blender's set of what became of it."""
        raise NotImplementedError

    def execute(self, context: bpy.types.Context) -> set[str]:
        """For Blender."""
        return told(self, lambda: self.run(context))


class Asking(Reporting):
    """Mixin of operators that ask before they run: they define `ask(context, event)`, too."""

    def ask(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Open a dialog; Blender's set of what became of it."""
        raise NotImplementedError

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """For Blender."""
        return told(self, lambda: self.ask(context, event))


def told(operator: Reporting, work: Callable[[], set[str]]) -> set[str]:
    """Do the work; what it raises is reported and kept for the panel."""
    try:
        return work()
    except Exception as error:
        problem = session.current.tell(error)
        # To a script this report is an exception: it must say where to look.
        log = f"\nLog: {problem.log}" if problem.log else ""
        operator.report({"ERROR"}, f"{problem.message}\n{problem.hint}{log}")  # type: ignore[attr-defined]
        return {"CANCELLED"}


def idle(cls: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """For polls: whether nothing is under way; else the reason stands in the button's tooltip."""
    activity = session.current.activity
    if activity is not None:
        cls.poll_message_set(f"Wait until this has ended, or cancel it: {activity.title}")
    return activity is None
