# SPDX-License-Identifier: GPL-3.0-or-later
"""The conversation with one backend process: greeting, calls, and how it ends.

Calls are held back until both sides have found that they speak the same protocol. When the process dies, does not
answer, sends what is no message or does not stop a cancelled job, it is killed and all its calls end.
"""

from __future__ import annotations

import queue
import signal
import sys
import time
from typing import Final

from ...inference_backend import protocol
from ...inference_backend.errors import BackendDied, BackendError, ProtocolMismatch
from ...inference_backend.protocol import Failure, Hello, Malformed, Reply, Request
from .calls import Call, stopped
from .process import BackendProcess, Ended, Item, Launch

HELLO_SECONDS: Final = 60.0
"""How long a started process may take to greet: Python's first start may wait for a slow disk and a virus scanner."""

_GREETING: Final = 0
"""Number of the greeting; those of calls are above it."""

_SET_UP: Final = "Check the backend in the add-on's preferences, or set it up again."


class Conversation:
    """One process and the calls made to it. For one thread."""

    def __init__(self, launch: Launch, ended: list[tuple[Call, BackendError]]) -> None:
        """Start the process and greet it. Raises BackendDied where the system cannot, OutputNotWritable (log).

        Args:
            launch: how.
            ended: gets the calls that end without an answer, for the client to tell.
        """
        self.hello: Hello | None = None
        """What the process said of itself; None before."""
        self.over: BackendError | None = None
        """Why there is no process any more."""
        self.useful = False
        """Whether it has done anything for anybody."""
        self._ended = ended
        self._calls: dict[int, Call] = {}  # those without an end
        self._held: list[Call] = []  # those of them that wait for the greeting
        self._noise: list[str] = []
        self._process = BackendProcess(launch)
        self._greeted_until = time.monotonic() + HELLO_SECONDS
        self._process.send(Request(_GREETING, "hello", {"protocol": protocol.PROTOCOL_VERSION}))

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def begin(self, call: Call) -> None:
        """Send a call, now or after the greeting."""
        self._calls[call.id] = call
        self._held.append(call)
        self._send_held()

    def cancel(self, call: Call) -> None:
        """Ask that a call be stopped."""
        if call in self._held:
            self._held.remove(call)
            del self._calls[call.id]
            self._ended.append((call, stopped()))
        elif call.id in self._calls:
            self._process.send(Request(None, "cancel", {"id": call.id}))

    def receive(self, seconds: float) -> bool:
        """Take the next item, for which it waits up to `seconds`; whether there was one."""
        deadline = self._deadline()
        if deadline is not None:
            seconds = min(seconds, deadline - time.monotonic())
        try:
            inbox = self._process.inbox
            item = inbox.get(timeout=seconds) if seconds > 0 else inbox.get_nowait()
        except queue.Empty:
            return False
        self._take(item)
        return self.over is None

    def lose_patience(self) -> None:
        """End the process where it neither greets nor stops a job in time."""
        deadline = self._deadline()
        if deadline is None or time.monotonic() < deadline:
            return
        if self.hello is None:
            self._give_up(self._died(f"the backend does not answer within {HELLO_SECONDS:.0f} s"))
        else:
            self.useful = True  # nothing is wrong with it: it may be started again at once
            hint = "Start it again: a reconstruction goes on where it stopped."
            self._give_up(self._died("the backend was ended, since a cancelled job did not stop", hint))

    def stop(self, grace: float) -> None:
        """End the process in good order, and all calls as Cancelled without telling."""
        self._process.stop(grace)
        for call in self._calls.values():
            call.end(error=stopped(), tell=False)
        self._calls, self._held = {}, []

    def _deadline(self) -> float | None:
        """When patience ends, by time.monotonic()."""
        if self.over is not None:
            return None
        deadlines = [call.deadline for call in self._calls.values() if call.deadline is not None]
        return min(deadlines, default=None) if self.hello is not None else self._greeted_until

    def _send_held(self) -> None:
        if self.hello is not None:
            held, self._held = self._held, []
            for call in held:
                self._process.send(call.request)

    def _take(self, item: Item) -> None:
        match item:
            case Reply(id=number) if number == _GREETING:
                try:
                    self.hello = Hello.read(item.result)
                except ProtocolMismatch as error:
                    self._give_up(error)
                self._send_held()
            case Failure(id=number) if number == _GREETING:
                self._give_up(item.error)
            case Reply(id=number) if number in self._calls:
                self.useful = True
                self._calls.pop(number).end(item.result)
            case Failure(id=int(number)) if number in self._calls:
                self.useful = True
                self._calls.pop(number).end(error=item.error)
            case Request(id=None, method="progress"):
                self._progress(item)
            case Ended(code=code):
                self._death(code)
            case Malformed() if self.hello is None:
                self._noise.append(str(item))  # Python's start files may print before the backend has the pipe
            case _:
                self._give_up(self._died(f"the backend sent what nobody asked for: {item}"))

    def _progress(self, notification: Request) -> None:
        try:
            number, progress = protocol.progress_from_wire(notification.params)
        except Malformed as error:
            self._give_up(self._died(f"the backend sent what is no progress: {error}"))
            return
        if number in self._calls:
            self._calls[number].report(progress)

    def _death(self, code: int) -> None:
        """The process has ended by itself."""
        hint = "Try again. If it happens again, report it with the log."
        if self.hello is None:
            hint = _SET_UP
        elif sys.platform != "win32" and code == -signal.SIGKILL:
            hint = "The system may have run out of memory: close other programs, or use fewer workers."
        self._give_up(self._died(f"the backend has ended with exit code {code}", hint))

    def _died(self, message: str, hint: str = _SET_UP) -> BackendDied:
        error = self._process.died(message, hint)
        error.facts.update({"noise": self._noise[-5:]} if self._noise else {})
        return error

    def _give_up(self, error: BackendError) -> None:
        """The process is of no use any more: it is killed if it lives, and all its calls end with this error."""
        self.over = error
        self._process.kill()
        self._ended += [(call, error) for call in self._calls.values()]
        self._calls, self._held = {}, []
