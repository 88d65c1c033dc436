# SPDX-License-Identifier: GPL-3.0-or-later
"""Beginning long work from an operator, and what it may do to the scene when it ends."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import bpy

from ...inference_backend.errors import EnvironmentInvalid, NoNetwork, SceneChanged
from .. import installation, session
from ..activities import Activity, BackendJob, Work
from ..backend.client import Client
from ..backend.process import Launch
from ..constants import ROOT
from ..preferences import find_interpreter


def begin(activity: Activity) -> set[str]:
    """Begin it. With a window it goes on by itself; without one this waits, and raises what it ends with."""
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
        hint = "Allow online access in Preferences → System, then try again."
        raise NoNetwork("Blender may not go online, by its own preferences", hint=hint, reason="online_access")


def free_hands() -> Generator[str, Any, None]:
    """Wait until the scene can be changed: not in a render or a drag, nor in a mode that has an undo of its own."""
    while _busy():
        yield "Ready, and waiting for you to finish, in object mode"


@contextmanager
def scene_of(session_uid: int) -> Iterator[bpy.types.Scene]:
    """The scene of that `session_uid`, which `bpy.context` is about meanwhile. Raises SceneChanged where it is gone."""
    scene = next((one for one in bpy.data.scenes if one.session_uid == session_uid), None)
    if scene is None:
        raise SceneChanged("the scene is no longer in this file", hint="Import the take into another one.")
    windows = bpy.context.window_manager.windows
    window = next((one for one in windows if one.scene == scene), next(iter(windows), None))
    with bpy.context.temp_override(window=window, scene=scene) if window else bpy.context.temp_override(scene=scene):
        yield scene


def push_undo(message: str) -> None:
    """One step back for what a background job has made; operators have theirs by Blender."""
    if not bpy.app.background:
        bpy.ops.ed.undo_push(message=message)


@contextmanager
def progress_cursor() -> Iterator[Callable[[str, int, int], None]]:
    """A number at the mouse while Blender is busy: for `import_take`'s tick."""
    manager = bpy.context.window_manager
    manager.progress_begin(0, 100)
    try:
        yield lambda what, done, total: manager.progress_update(int(100 * done / max(total, 1)))
    finally:
        manager.progress_end()


def _busy() -> bool:
    if bpy.app.background:
        return False
    if any(bpy.app.is_job_running(job) for job in ("RENDER", "OBJECT_BAKE")):
        return True  # it reads the scene in a thread of its own
    windows = bpy.context.window_manager.windows
    running = [operator.bl_idname for window in windows for operator in window.modal_operators]
    if any(name.startswith("TRANSFORM_OT_") for name in running):
        return True
    with bpy.context.temp_override(window=windows[0]):
        return bpy.context.mode not in {"OBJECT", "POSE"}
