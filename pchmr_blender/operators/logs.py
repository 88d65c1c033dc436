# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading what went wrong: logs, a report to send, and putting it away."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import EnumProperty

from ...inference_backend.errors import BadArgument
from .. import installation, session
from ..backend.environment import cache_folder
from ..constants import NAME, VERSION
from .reporting import Reporting


class PCHMR_OT_open_log(Reporting, bpy.types.Operator):
    """Open the log in this system's text editor"""

    bl_idname = "pchmr.open_log"
    bl_label = "Open Log"

    which: EnumProperty(  # type: ignore[valid-type]
        name="Log",
        items=(
            ("PROBLEM", "Problem", "Of what went wrong last"),
            ("BACKEND", "Backend", "Everything that this Blender's backend has printed"),
            ("SETUP", "Setup", "Of the last time the backend was set up"),
        ),
        options={"SKIP_SAVE"},
    )

    def run(self, context: bpy.types.Context) -> set[str]:
        path = log_file(self.which)
        if not path.is_file():
            raise BadArgument(f"there is no log {path}", hint="It is written when the backend starts.")
        if not bpy.app.background:
            bpy.ops.wm.path_open(filepath=str(path))
        self.report({"INFO"}, str(path))  # type: ignore[attr-defined]
        return {"FINISHED"}


class PCHMR_OT_copy_problem(bpy.types.Operator):
    """Copy what went wrong, with versions and the log's last lines: what to send with a report"""

    bl_idname = "pchmr.copy_problem"
    bl_label = "Copy"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return session.current.problem is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        problem = session.current.problem
        assert problem is not None
        version = f"{NAME} {VERSION}, Blender {bpy.app.version_string}"
        lines = (version, f"{problem.kind}: {problem.message}", problem.hint, problem.output, problem.log)
        context.window_manager.clipboard = "\n".join(filter(None, lines))
        return {"FINISHED"}


class PCHMR_OT_dismiss(bpy.types.Operator):
    """Put this message away"""

    bl_idname = "pchmr.dismiss"
    bl_label = "Dismiss"

    def execute(self, context: bpy.types.Context) -> set[str]:
        session.current.dismiss()
        return {"FINISHED"}


def log_file(which: str) -> Path:
    """Where the log of that item is."""
    problem = session.current.problem
    if which == "PROBLEM" and problem is not None and problem.log:
        return Path(problem.log)
    return cache_folder() / "setup.log" if which == "SETUP" else installation.log_path()


CLASSES = (PCHMR_OT_open_log, PCHMR_OT_copy_problem, PCHMR_OT_dismiss)
