# SPDX-License-Identifier: GPL-3.0-or-later
"""One person whose target pose is being edited: what is shown at a frame, and how the body follows a drag.

Blender's own transform moves the selected controls. At every update `follow()` reads them, asks the backend and shows
what it answers: the mesh, and the other controls that come along. When the transform has ended, `tick()` either puts
everything back, where it was cancelled, or keys what the drag has changed. Blender has pushed an undo step for the bare
transform by then; it is taken back, and one step that holds the whole drag takes its place.

Nothing here outlives a call but names, arrays and numbers. All of it is the main thread's.
"""

from __future__ import annotations

import time
from typing import Final

import bpy
import numpy as np
from numpy.typing import NDArray

from ...inference_backend.errors import BackendError, BadArgument, SceneChanged
from .. import session
from ..backend.process import Launch
from ..core.edit_rows import EditRows
from ..core.skeleton import BONE_NAMES
from ..scene import edits
from ..scene.handles import Handle, handle_of, part_of, resolve
from ..scene.live_controls import Held, LiveControls, axes_of, follows_curves
from ..scene.preview_body import find_preview, hide_preview, show_vertices
from ..scene.take_paths import open_person
from .asking import Asking
from .calibrated import is_calibrated
from .one_step import one_step, transforming
from .request import Answer, MeshFile, Wish, changed_joints, same_wishes
from .telling import Telling
from .wishes import question_of, wishes_of

WAIT: Final = 0.03
"""Seconds that an update waits for the backend's answer, which comes after 5 where nothing else wants the cores; what
comes later is shown by the timer."""

LET_GO: Final = 0.5
"""Seconds that the end of a drag waits for the answer to it."""

STEP: Final = "Edit Target Pose"
"""The undo step of a drag."""


class Editing:
    """Lives as long as the mode."""

    def __init__(self, person: bpy.types.Collection, launch: Launch) -> None:
        """For a person who has a Preview. Raises what opening the take raises, SceneChanged, OSError."""
        self.handle: Handle = handle_of(person)
        self.row: int | None = None
        """The take's row that is shown; None outside of the take."""
        self.answer: Answer | None = None
        """What the shown row looks like, where the backend was asked for it."""
        self._axes = axes_of(part_of(person, "TARGETS"))
        self.reopen()
        self._file = MeshFile(self._view.vertex_count)
        self._asking = Asking(lambda: session.current.client(launch), self._file)
        self._telling = Telling()
        self._rest: Held | None = None  # what the controls hold when none is dragged
        self._still: NDArray[np.float32] | None = None  # the mesh of that, as soon as it is known
        self._dragging = False
        self._asked: tuple[Wish, ...] | None = None  # the wishes of the last question

    @property
    def waiting(self) -> bool:
        """Whether the backend has yet to answer."""
        return self._asking.pending

    @property
    def dragging(self) -> bool:
        """Whether a transform moves controls, or has moved them and is not keyed yet."""
        return self._dragging

    def reopen(self) -> None:
        """Read the take anew: rows may have been made again. Raises as `open_person`."""
        take, self._view = open_person(resolve(self.handle))
        self._folder = take.folder

    def close(self) -> None:
        """The mode has ended."""
        self._asking.forget()
        self._file.close()

    def look(self) -> None:
        """Show the frame that the scene is at, with what the controls hold. Raises SceneChanged."""
        person = resolve(self.handle)
        controls = LiveControls(part_of(person, "TARGETS"))
        self._rest, self._dragging, self.answer, self._asked = controls.read(), False, None, None
        self._still = None
        self._asking.forgive()
        try:
            self.row = edits.row_near(person, bpy.context.scene.frame_current_final)
        except BadArgument:
            self.row = None
        hide_preview(self.handle, self.row is None)
        if self.row is None:
            return
        held = self._rest.edits(self._axes)
        if is_calibrated(person, self._view, self.row, held):
            self._asking.forget()
            self._show(self._view.vertices(self.row, self.row + 1)[0])
            self._telling.mended(by_backend=False)
        else:
            self._ask(person, held, (), controls)

    def warm_up(self) -> None:
        """Let the backend load what it needs, before the first drag."""
        if self.row is not None and not self._asking.pending:
            person = resolve(self.handle)
            self._ask(person, EditRows.none(1), (), LiveControls(part_of(person, "TARGETS")))
            self._asking.forget()

    def follow(self, wait: float = WAIT) -> None:
        """At an update: show what the controls hold now, where that has changed. Raises SceneChanged."""
        if self.row is None or self._rest is None:
            return
        person = resolve(self.handle)
        controls = LiveControls(part_of(person, "TARGETS"))
        held = controls.read()
        if not transforming():
            if not self._dragging and held.changed(self._rest):
                self.look()  # typed in, cleared, undone: it is shown, and keyed where its owner keys it
            return
        wishes = wishes_of(controls, held, self._rest, self._axes)
        if not self._dragging and not wishes:
            return
        if not self._dragging:
            if follows_curves(part_of(person, "TARGETS"), controls.selected(), held, bpy.context.scene):
                self.look()  # keys are being moved, in the graph editor perhaps
                return
            self._dragging, self._asked, self.answer = True, None, None
            self._asking.forgive()
        if self._asked is None or not same_wishes(self._asked, wishes):  # else it is an update by what was shown last
            self._ask(person, self._rest.edits(self._axes), wishes, controls)
            self._asking.pump(wait)
            self._receive()

    def tick(self) -> None:
        """From the timer: late answers, and the end of a drag. Raises SceneChanged."""
        self._asking.pump()
        self._receive()
        if self._dragging and not transforming():
            self._let_go()

    def key_held(self) -> None:
        """Key what the controls hold at this frame, with falloff. Raises as `edits.key_row`."""
        person = resolve(self.handle)
        if self.row is None:
            raise BadArgument("this frame is outside of the take", hint="Go to one of its frames.")
        before, after = edits.sample(person, [self.row]), edits.held(person)
        edits.key_row(person, self.row, after, changed_joints(before, after))
        self.look()

    def _let_go(self) -> None:
        """The transform has ended: key what it has changed, or put everything back."""
        assert self._rest is not None
        self._dragging = False
        person = resolve(self.handle)
        controls = LiveControls(part_of(person, "TARGETS"))
        wishes, before = wishes_of(controls, controls.read(), self._rest, self._axes), self._rest.edits(self._axes)
        if not wishes:
            controls.hold(self._axes, before, range(len(BONE_NAMES)))
            self._put_back()
            return
        self._asking.forgive()  # should it have died meanwhile: what was dragged is to be seen
        made = self._final(person, before, wishes, controls)
        try:
            with one_step(STEP):
                self._write(before, made)
        except BadArgument as error:  # of a control that turns by Euler angles, say
            session.current.tell(error)
            self.look()

    def _put_back(self) -> None:
        """Show the mesh from before the drag."""
        if self._still is None:
            self.look()
            return
        self._asking.forget()
        self._asked = None
        self._show(self._still)

    def _write(self, before: EditRows, made: EditRows) -> None:
        """Key a drag and show it, in the state that was before it. Raises as `edits.key_row`."""
        assert self.row is not None
        person, joints = resolve(self.handle), changed_joints(before, made)
        edits.key_row(person, self.row, made, joints)
        controls = LiveControls(part_of(person, "TARGETS"))
        controls.hold(self._axes, made, range(len(BONE_NAMES)))
        self._rest = controls.read()
        if self.answer is not None and not changed_joints(self.answer.edits, made):
            self._show(self.answer.vertices)
        else:
            self._ask(person, made, (), controls)

    def _final(
        self, person: bpy.types.Collection, before: EditRows, wishes: tuple[Wish, ...], controls: LiveControls
    ) -> EditRows:
        """The edits that a drag ends with: without an answer, what the dragged controls themselves hold; those from
        before, where the backend refuses what nobody can mean."""
        if self.answer is not None and same_wishes(self.answer.question.wishes, wishes):
            return self.answer.edits
        self._ask(person, before, wishes, controls)
        until = time.perf_counter() + LET_GO
        while self._asking.pending and time.perf_counter() < until:
            self._asking.pump(until - time.perf_counter())
        refused = isinstance(self._receive(), BadArgument)
        answer = self.answer
        if answer is not None and same_wishes(answer.question.wishes, wishes):
            return answer.edits
        return before if refused else controls.read().edits(self._axes)

    def _ask(
        self, person: bpy.types.Collection, before: EditRows, wishes: tuple[Wish, ...], controls: LiveControls
    ) -> None:
        assert self.row is not None
        self._asked = wishes
        try:
            self._asking.ask(question_of(person, self._folder, self.row, before, wishes, controls))
        except BadArgument as error:
            self._telling.tell(error)
            self._asking.forget()

    def _receive(self) -> BackendError | None:
        """Show the newest answer, tell of an error; the error."""
        answer, error = self._asking.take_answer(), self._asking.take_error()
        if error is not None:
            self._telling.tell(error)
        if answer is not None and answer.question.row == self.row:
            self.answer = answer
            self._show(answer.vertices)
            self._telling.mended(by_backend=True)
            if self._dragging:
                self._take_along(answer)
        return error

    def _take_along(self, answer: Answer) -> None:
        """The controls that follow; those that Blender transforms are Blender's."""
        controls = LiveControls(part_of(resolve(self.handle), "TARGETS"))
        others = np.flatnonzero(~controls.selected())
        controls.hold(self._axes, answer.edits, others)

    def _show(self, vertices: NDArray[np.float32]) -> None:
        preview = find_preview(self.handle)
        if preview is None:
            raise SceneChanged("the preview is gone", hint="Press Edit Target Pose again.")
        show_vertices(preview, vertices)
        if not self._dragging:
            self._still = vertices
