"""The calls of the server that have not ended: those that wait for the worker, and the one it does."""

from __future__ import annotations

import multiprocessing
import threading
from collections import deque
from dataclasses import dataclass, field

from .protocol import Request


@dataclass(frozen=True, eq=False)
class Work:
    """One call and its cancel token."""

    number: int
    """The call's."""
    request: Request
    cancelled: threading.Event = field(default_factory=threading.Event)


class Backlog:
    """The calls that wait for the worker, in order, and the one it does. For any thread."""

    def __init__(self) -> None:
        self._waiting: deque[Work] = deque()
        self._running: Work | None = None
        self._changed = threading.Condition()
        self._closed = False

    def put(self, work: Work) -> list[Work]:
        """Add a call. Returns those of the same slot that it drops."""
        slot = work.request.slot
        with self._changed:
            older = [one for one in self._waiting if slot is not None and one.request.slot == slot]
            self._waiting = deque(one for one in self._waiting if one not in older)
            self._waiting.append(work)
            self._changed.notify()
        return older

    def next(self) -> Work | None:
        """Wait for the next call, which is the running one from now on; None when the backlog is closed."""
        with self._changed:
            self._running = None
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if not self._closed:
                self._running = self._waiting.popleft()
            return self._running

    def cancel(self, number: object) -> Work | None:
        """Stop the call of this number if it is running. Returns it if it had not begun: it is dropped."""
        with self._changed:  # held while a job is stopped: the next one must not lose its worker processes
            if self._running is not None and self._running.number == number:
                _stop(self._running)
            found = next((one for one in self._waiting if one.number == number), None)
            if found is not None:
                self._waiting.remove(found)
        return found

    def close(self) -> None:
        """Stop the running call; no other begins any more."""
        with self._changed:
            self._closed = True
            if self._running is not None:
                _stop(self._running)
            self._changed.notify()


def _stop(work: Work) -> None:
    """Cancel a running job. Its worker processes end at once: it may be waiting for them for a second."""
    work.cancelled.set()
    for child in multiprocessing.active_children():
        child.terminate()
