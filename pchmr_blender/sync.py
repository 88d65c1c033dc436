# SPDX-License-Identifier: GPL-3.0-or-later
"""One owner: when the .blend has become another under the take, the take's rows and what is shown of them follow.

Edits and layers live in the .blend, so an undo, a redo, another file, or another .blend that shares the take can leave
rows that were made from something else. Handlers only note that it is time to look; a moment later, when nothing is
under way and the user's hands are free, a timer looks for such rows and begins one activity that makes them again. It
pushes no undo step: what it writes is what the step that is shown should have been, and each step carries the hashes of
what its own keys and curves were made from, so that whatever step comes next is looked at for itself.

An occasion is answered once: what cannot be made again stands in the panel and waits for the next occasion.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import bpy
from bpy.app.handlers import persistent

from ..inference_backend.errors import BackendError, Cancelled, EnvironmentInvalid
from . import session
from .activities import BackendJob, Work
from .backend.client import Client
from .live import mode
from .live.one_step import replacing
from .operators.backend_jobs import launch
from .problems import in_words
from .recalibration import recalibration
from .scene.edit_state import stale
from .scene.free_hands import hands_full
from .scene.handles import Handle, handle_of
from .scene.take_paths import open_person

LOOK_AFTER: Final = 0.25
"""Seconds from an occasion to the look: who undoes goes on undoing."""

LOOK_AGAIN: Final = 0.5
"""Seconds until the next try where something is under way."""


_OF_LOOKS: Final = {"TakeNotFound", "TakeMismatch", "TakeVersion", "TakeCorrupt", "BadArgument", "SceneChanged"}
"""What is no longer wrong when a look goes well."""


@dataclass(frozen=True)
class Behind:
    """A person whose mesh is not what the .blend says."""

    handle: Handle
    rows: int
    """How many of them."""


@persistent
def after_change(*_: Any) -> None:
    """Handler of `undo_post`, `redo_post`, `load_post` and `save_post`: look soon.

    Without a window there are no timers: operators that bring takes in call `agree` there, and so does a script that
    loads a file.
    """
    if bpy.app.background or replacing():
        return
    forget()
    bpy.app.timers.register(_look, first_interval=LOOK_AFTER, persistent=True)


def forget() -> None:
    """Do not look: the extension is being disabled, or the occasion has passed."""
    if bpy.app.timers.is_registered(_look):
        bpy.app.timers.unregister(_look)


def agree() -> None:
    """Make everyone's mesh agree with the .blend, here and now, after what is under way: for scripts.

    Raises what `launch`, `recalibration` and looking raise; the others' meshes are made all the same.
    """
    forget()
    if session.current.activity is not None:
        with contextlib.suppress(BackendError):  # it has told of it
            session.current.wait()
    people = list(behind())
    if people:
        begin(people)
        session.current.wait()


def agree_without_window() -> None:
    """What an operator that has brought a take in does last, where no timer will look. Raises as `agree`."""
    if bpy.app.background:
        agree()


def begin(people: list[Behind]) -> None:
    """Begin to make their rows again. Raises EnvironmentInvalid where there is no backend."""
    names = ", ".join(one.handle.name for one in people)
    rows = sum(one.rows for one in people)
    try:
        client = session.current.client(launch())
    except EnvironmentInvalid as error:
        message = f"{_frames(rows)} of {names} are not what the edits say, and {error.message}"
        raise EnvironmentInvalid(message, hint=error.hint, **error.facts) from error
    session.current.begin(BackendJob(f"Updating {names}", client, _agreeing(people, client)))


def behind() -> Iterator[Behind]:
    """The people whose rows are not what the .blend says. Whose take cannot be read has it in `problem`."""
    for person in [one for one in bpy.data.collections if one.pchmr.uuid and one.library is None]:
        try:
            _, view = open_person(person)
            rows = stale(person, view)
        except BackendError as error:
            _note(person, error)
        else:
            if person.pchmr.problem_kind in _OF_LOOKS:
                person.pchmr.problem = person.pchmr.problem_kind = ""
            if len(rows):
                yield Behind(handle_of(person), len(rows))


def _look() -> float | None:
    """The timer."""
    if session.current.activity is not None or mode.current() is not None or hands_full():
        return LOOK_AGAIN
    try:
        people = list(behind())
        if people:
            begin(people)
    except Exception as error:  # a timer has nobody above it who could tell
        session.current.tell(error)
    return None


def _agreeing(people: list[Behind], client: Client) -> Work:
    """Make everyone's rows again; one who fails does not stop the others."""
    failed: Exception | None = None
    for one in people:
        try:
            yield from recalibration(one.handle, client)
        except Cancelled:
            raise
        except BackendError as error:
            failed = failed or error
    if failed is not None:
        raise failed
    session.current.notice = "; ".join(f"{one.handle.name}: {_frames(one.rows)} made again" for one in people)


def _frames(count: int) -> str:
    return "1 frame" if count == 1 else f"{count} frames"


def _note(person: bpy.types.Collection, error: BackendError) -> None:
    text = in_words(error)
    if person.pchmr.problem != text:
        person.pchmr.problem, person.pchmr.problem_kind = text, error.kind
