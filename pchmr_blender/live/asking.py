# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions to the backend while a joint is dragged: the newest wins, and whoever asks waits a moment at most. No bpy.

One question is under way at a time and one waits: a newer one takes the waiting one's place. So the mesh of an answer
is read before the half of the file that holds it is written again.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from ...inference_backend.errors import BackendDied, BackendError, Cancelled
from ..backend.calls import Call
from ..backend.client import Client
from .request import HALVES, METHOD, Answer, MeshFile, Question, answer_of, params_of


class Asking:
    """Belongs to one thread, its client's."""

    def __init__(self, client: Callable[[], Client], file: MeshFile) -> None:
        """`client`: whom to ask, looked up for each question, since others may have ended it. Nothing is asked yet."""
        self._client = client
        self._file = file
        self._asked: tuple[Call, Question, int] | None = None
        self._next: Question | None = None
        self._half = 0
        self._unwanted = False  # what is under way
        self._answer: Answer | None = None
        self._error: BackendError | None = None
        self.down = False
        """Whether the backend has died: it is started again by `forgive()` and a question, not by the next one."""

    @property
    def pending(self) -> bool:
        """Whether an answer is to come."""
        return self._asked is not None or self._next is not None

    def forgive(self) -> None:
        """Ask again, though the backend has died: the user has begun something new."""
        self.down = False

    def ask(self, question: Question) -> None:
        """Ask; an earlier question that has not been sent is forgotten."""
        if not self.down:
            self._next = question
            self.pump()

    def pump(self, seconds: float = 0.0) -> None:
        """Deliver what has arrived, wait up to `seconds` until nothing is under way, send what waits."""
        until = time.perf_counter() + seconds
        while True:
            left = max(0.0, until - time.perf_counter())
            if self._asked is not None:
                self._client().pump(left)
                if not self._received():
                    return
            if self._next is None:
                return
            self._send()
            if left <= 0:
                return

    def take_answer(self) -> Answer | None:
        """The newest answer, once."""
        answer, self._answer = self._answer, None
        return answer

    def take_error(self) -> BackendError | None:
        """What went wrong, once."""
        error, self._error = self._error, None
        return error

    def forget(self) -> None:
        """No answer is wanted any more."""
        # What is under way is not cancelled: a backend that still loads would be killed for not stopping.
        self._next = self._answer = None
        self._unwanted = self._asked is not None

    def _send(self) -> None:
        assert self._next is not None
        question, self._next = self._next, None
        params = params_of(question, self._file.path, self._half)
        self._asked = self._client().call(METHOD, params, slot=METHOD), question, self._half
        self._half = (self._half + 1) % HALVES

    def _received(self) -> bool:
        """Whether what was asked is answered, or never will be."""
        assert self._asked is not None
        call, question, half = self._asked
        if not call.done:
            return False
        self._asked, unwanted, self._unwanted = None, self._unwanted, False
        if unwanted or isinstance(call.error, Cancelled):
            return True
        if call.error is not None:
            self._error = call.error
            if isinstance(call.error, BackendDied):
                self.down, self._next = True, None
        else:
            self._answer = answer_of(question, call.result, self._file.read(half))
        return True
