# SPDX-License-Identifier: GPL-3.0-or-later
"""Beginning long work from an operator, and what it may do to the scene when it ends."""

from __future__ import annotations

from collections.abc import Callable

import bpy

from ...inference_backend.errors import EnvironmentInvalid, NoNetwork
from .. import installation, session
from ..activities import Activity, BackendJob, Work
from ..backend.client import Client
from ..backend.process import Launch
from ..constants import ROOT
from ..preferences import find_interpreter


def begin(activity: Activity) -> set[str]:
    """Begin it. With a window it goes on by itself when the operator has returned, and what goes wrong stands in the
    panel; without one, as for `blender -b`, this waits for its end, and raises what it ends with.
    """
    session.current.begin(activity)
    if bpy.app.background:
        session.current.wait()
    return {"FINISHED"}


def begin_job(title: str, work: Callable[[Client], Work]) -> set[str]:
    """Begin work that calls the backend. Raises EnvironmentInvalid where there is none."""
    client = session.current.client(launch())
    return begin(BackendJob(title, client, work(client)))


def launch() -> Launch:
    """How the backend is started here. Raises EnvironmentInvalid where it was never set up."""
    installation.look()
    interpreter = find_interpreter()
    if interpreter is None:
        hint = "Press Set Up Backend, or choose a Python in the preferences."
        raise EnvironmentInvalid("the backend is not set up", hint=hint, reason="none")
    installation.remove_old_logs()
    return Launch(interpreter, ROOT, installation.log_path())


def require_online() -> None:
    """Raise NoNetwork where the user wants Blender to stay offline."""
    if not bpy.app.online_access:
        hint = "Switch on Preferences › System › Network › Allow Online Access, then press the button again."
        raise NoNetwork("Blender may not go online, by its own preferences", hint=hint, reason="online_access")


def push_undo(message: str) -> None:
    """One step back for what a background job has made; operators have theirs by Blender."""
    if not bpy.app.background:
        bpy.ops.ed.undo_push(message=message)
