# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls to the backend process, for one thread that never waits.

    client = Client.start(launch)
    call = client.call("reconstruct", {...}, on_progress=..., on_done=...)
    client.pump()                     # from a timer of Blender's, ten times a second
    take = client.wait(call)["take"]  # without a window: timers do not run there

The process is started by `start()`, and again by a call after it has died; never by itself, and not at once where it
was of no use: a backend that cannot live is not started over and over.
"""

from __future__ import annotations

import atexit
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from ...inference_backend import protocol
from ...inference_backend.errors import BackendError
from ...inference_backend.progress import Progress
from ...inference_backend.protocol import Hello, Request
from .calls import Call, stopped
from .conversation import Conversation
from .process import Launch

RETRY_SECONDS: Final = 5.0
"""How long a process that died before it was of any use is not started again."""

QUIT_SECONDS: Final = 0.2
"""How long Blender's quit waits for a process to end by itself."""


class Client:
    """One backend at a time. Belongs to one thread: what arrives is delivered there, by `pump()`."""

    def __init__(self, launch: Launch) -> None:
        """A client without a process: the first call starts it."""
        self.launch = launch
        self._conversation: Conversation | None = None
        self._ended: list[tuple[Call, BackendError]] = []  # calls whose end is to be told
        self._number = 0
        self._useless_until = 0.0
        self._closed = False

    @classmethod
    def start(cls, launch: Launch) -> Client:
        """A client with a process, which has yet to greet. Raises BackendDied, OutputNotWritable (the log)."""
        client = cls(launch)
        client._begin()
        return client

    @property
    def alive(self) -> bool:
        """Whether there is a process, as far as `pump()` has seen."""
        return self._conversation is not None and self._conversation.over is None

    @property
    def hello(self) -> Hello | None:
        """What the process said of itself; None before."""
        return self._conversation.hello if self._conversation is not None and self.alive else None

    @property
    def error(self) -> BackendError | None:
        """Why the last process is no more; None while there is one."""
        return None if self._conversation is None else self._conversation.over

    @property
    def pid(self) -> int | None:
        """Number of the process, if there is one."""
        return self._conversation.pid if self._conversation is not None and self.alive else None

    def call(
        self,
        method: str,
        params: Mapping[str, Any],
        *,
        slot: str | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        on_done: Callable[[Call], None] | None = None,
    ) -> Call:
        """Begin a call; starts the process if there is none. Whatever goes wrong there becomes the call's error.

        Args:
            method: one of `inference_backend.jobs.METHODS`.
            params: plain values; paths absolute, as text.
            slot: newest wins: a call that has not begun is dropped (Cancelled) when one of the same slot follows.
            on_progress: gets the reports.
            on_done: gets the call when it has ended, in whatever way.

        Raises TypeError or ValueError where `params` are not plain.
        """
        if self._closed:
            raise RuntimeError("the client is closed")
        self._number += 1
        request = Request(self._number, method, params, slot)
        protocol.encode(request)  # what is no plain value is the caller's fault, and is told to the caller
        call = Call(request, self._cancel, on_progress, on_done)
        try:
            if not self.alive:
                self._begin()
        except BackendError as error:
            self._ended.append((call, error))
        else:
            assert self._conversation is not None
            self._conversation.begin(call)
        return call

    def pump(self, seconds: float = 0.0) -> None:
        """Deliver what has arrived; wait up to `seconds` for something. What a callback raises comes out here."""
        if self._ended:
            seconds = 0.0
        conversation = self._conversation
        if conversation is not None and conversation.over is None:
            while conversation.receive(seconds):
                seconds = 0.0
            conversation.lose_patience()
            if conversation.over is not None and not conversation.useful:
                self._useless_until = time.monotonic() + RETRY_SECONDS
        while self._ended:
            call, error = self._ended.pop(0)
            call.end(error=error)

    def wait(self, call: Call, timeout: float | None = None) -> Any:
        """Pump until a call has ended; its result. Raises its error, and TimeoutError after `timeout` seconds."""
        until = None if timeout is None else time.monotonic() + timeout
        while not call.done:
            if until is not None and time.monotonic() >= until:
                raise TimeoutError(f"{call.request.method} takes longer than {timeout} s")
            self.pump(0.1)
        if call.error is not None:
            raise call.error
        return call.result

    def close(self, grace: float = 2.0) -> None:
        """End the process: its stdin is closed, after `grace` seconds it is killed. Calls end as Cancelled, untold."""
        self._closed = True
        atexit.unregister(self._quit)
        if self._conversation is not None and self._conversation.over is None:
            self._conversation.stop(grace)
        for call, _ in self._ended:
            call.end(error=stopped(), tell=False)
        self._conversation, self._ended = None, []

    def _begin(self) -> None:
        """Start a process. Raises BackendDied, OutputNotWritable; the last one's error where it is too soon."""
        if self.error is not None and time.monotonic() < self._useless_until:
            raise self.error
        self._conversation = Conversation(self.launch, self._ended)
        atexit.unregister(self._quit)
        atexit.register(self._quit)

    def _cancel(self, call: Call) -> None:
        if self._conversation is not None:
            self._conversation.cancel(call)

    def _quit(self) -> None:
        self.close(QUIT_SECONDS)
