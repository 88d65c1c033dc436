# SPDX-License-Identifier: GPL-3.0-or-later
"""The mode Edit Target Pose: how it begins, goes on over undo, frames and saves, and ends.

It is pose mode of a person's Targets, with a Preview in the body's place. The Preview is in the .blend's memory, so
undo and redo enter and leave the mode as they take the Preview away and bring it back: handlers only note that, and the
timer follows. What goes wrong ends the mode, with the body as it was.
"""

from __future__ import annotations

from typing import Any

import bpy
from bpy.app.handlers import persistent

from ...inference_backend.errors import SceneChanged
from .. import session
from ..operators import backend_jobs
from ..scene.handles import Handle, find_part, handle_of, part_of, resolve
from ..scene.preview_body import (
    add_preview,
    any_traces,
    find_preview,
    hide_bodies,
    previews,
    remove_previews,
    retire_preview,
    show_bodies,
    show_bodies_in_file,
)
from ..scene.take_paths import open_person
from .editing import Editing
from .one_step import replacing

OFTEN, SELDOM = 0.01, 0.1
"""Seconds between turns of the timer, where something is awaited and where nothing is."""

_current: Editing | None = None
_ended = 0  # the session's activities that had ended when the timer last looked


def current() -> Editing | None:
    """Who is being edited, if the mode is on."""
    return _current


def enter(context: bpy.types.Context, person: bpy.types.Collection) -> None:
    """Begin the mode; a former one ends.

    Raises:
        EnvironmentInvalid: no backend is set up.
        SceneChanged: a part of the person is gone, or the targets cannot be seen or edited.
        BadArgument: the body's mesh was edited.
        TakeNotFound, TakeMismatch, TakeVersion, TakeCorrupt
    """
    how, targets = backend_jobs.launch(), part_of(person, "TARGETS")
    _, view = open_person(person)
    _retire()
    _pose(context, targets)
    preview = add_preview(person, view)
    try:
        _begin(Editing(person, how))
    except Exception:
        retire_preview(preview)
        raise


def leave() -> None:
    """End the mode, if it is on: the body is shown again. A step of undo must follow."""
    _stop()
    remove_previews()


def stop() -> None:
    """The extension is being disabled."""
    _retire()
    if bpy.app.timers.is_registered(turn):
        bpy.app.timers.unregister(turn)


def turn() -> float | None:
    """The timer: as long as the mode is on, or may have to be."""
    global _ended
    try:
        _settle()
        editing = _current
        if editing is None:
            return None
        if session.current.ended != _ended:
            _ended = session.current.ended
            editing.reopen()
            editing.look()
        editing.tick()
    except Exception as error:  # a timer has nobody above it who could tell
        _fail(error)
        return None
    return OFTEN if editing.waiting or editing.dragging else SELDOM


@persistent
def after_update(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    """Handler of `depsgraph_update_post`: what is written here is evaluated in the same update."""
    if _current is None or replacing() or not depsgraph.id_type_updated("OBJECT"):
        return
    if bpy.app.is_job_running("RENDER"):
        return
    try:
        _current.follow()
    except Exception as error:  # the timer finds out whether the mode can go on
        session.current.tell(error)


@persistent
def after_frame_change(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    """Handler of `frame_change_post`. A render's thread may not write into the file."""
    if _current is None or bpy.app.is_job_running("RENDER"):
        return
    try:
        _current.look()
    except Exception as error:
        session.current.tell(error)


@persistent
def after_undo(*_: Any) -> None:
    """Handler of `undo_post` and `redo_post`: the mode may have begun or ended with it."""
    if not replacing() and (_current is not None or any_traces()):
        _wake()


@persistent
def before_save(*_: Any) -> None:
    """Handler of `save_pre`: a file has a body and no Preview."""
    show_bodies_in_file()


@persistent
def after_save(*_: Any) -> None:
    """Handler of `save_post` and `save_post_fail`: bodies go behind their Previews again."""
    hide_bodies()


@persistent
def after_load(*_: Any) -> None:
    """Handler of `load_post`: the mode is not in files, but one that Blender saved by itself may hold its traces."""
    _stop()
    remove_previews()


def _begin(editing: Editing) -> None:
    global _current, _ended
    editing.look()
    editing.warm_up()
    _current, _ended = editing, session.current.ended
    _wake()


def _wake() -> None:
    if bpy.app.background:
        return
    if bpy.app.timers.is_registered(turn):
        bpy.app.timers.unregister(turn)
    bpy.app.timers.register(turn, first_interval=0.0, persistent=True)


def _stop() -> None:
    global _current
    editing, _current = _current, None
    if editing is not None:
        editing.close()
        session.redraw()


def _settle() -> None:
    """Let the mode be on where there is a Preview whose Targets are in pose mode, and off elsewhere."""
    if _current is not None and find_preview(_current.handle) is not None and _posed(_current.handle):
        return
    _stop()
    for preview in previews():
        person = next((one for one in bpy.data.collections if one.pchmr.uuid == preview.pchmr.owner), None)
        if _current is None and person is not None and preview.users_collection and _posed(handle_of(person)):
            _begin(Editing(person, backend_jobs.launch()))
        elif preview.users_collection:
            retire_preview(preview)
    if _current is None:
        show_bodies()


def _posed(handle: Handle) -> bool:
    """Whether the person's body is there, and the Targets, in pose mode."""
    try:
        person = resolve(handle)
    except SceneChanged:
        return False
    targets = find_part(person, "TARGETS")
    return targets is not None and targets.mode == "POSE" and find_part(person, "BODY") is not None


def _fail(error: Exception) -> None:
    """Tell, and end the mode."""
    session.current.tell(error)
    _retire()


def _retire() -> None:
    """End the mode where no step of undo may follow."""
    _stop()
    for preview in previews():
        retire_preview(preview)
    show_bodies()


def _pose(context: bpy.types.Context, targets: bpy.types.Object) -> None:
    """Pose mode of the targets, and of nothing else. Raises SceneChanged where Blender does not let us."""
    if targets.library is not None or targets.data.library is not None:
        hint = "Import the take into this file."
        raise SceneChanged(f"{targets.name} belongs to another file, which cannot be changed from here", hint=hint)
    if targets.name not in context.view_layer.objects or not targets.visible_get():
        hint = "Show it, and its collection, in the outliner."
        raise SceneChanged(f"{targets.name} is hidden", hint=hint)
    if context.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    for item in context.selected_objects:
        item.select_set(False)
    targets.select_set(True)
    context.view_layer.objects.active = targets
    bpy.ops.object.mode_set(mode="POSE")
