# SPDX-License-Identifier: GPL-3.0-or-later
"""Long work that Blender does not wait for: a call to the backend, or a function in a thread. No bpy.

Whoever owns an activity calls `turn()` again and again until it says that it is over. An activity ends once, by its
result or by raising out of `turn()`; it calls back on that thread only.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar

from ..inference_backend.errors import Cancelled
from ..inference_backend.progress import Progress
from .backend.calls import GRACE_SECONDS, Call, stopped
from .backend.client import Client
from .steps import InThread, Report, Status

__all__ = ["Activity", "BackendJob", "Job", "Report", "Status", "ThreadJob", "Work", "status_of"]

END_SECONDS: Final = 0.5
"""How long Blender's quit waits for a thread that was asked to stop, so that it can end what it has started."""

TURN_SECONDS: Final = 0.01
"""No step is begun in a turn that has lasted so long."""

OTHERS_WORK, THREAD_WORKS, AT_ONCE = 0.1, 0.02, 0.0
"""Seconds until the next turn: reports of the backend come as often; threads may have little to do."""

T = TypeVar("T")
Work: TypeAlias = Generator["Call | InThread[Any] | Status | str", Any, Any]
"""Work in steps (`steps.Steps`) that calls the backend, too. It yields a call to wait for, and gets its result or its
error."""


class Activity(Protocol):
    """One piece of long work."""

    title: str
    """What is being done, for the panel."""

    def turn(self) -> bool:
        """Go on for a moment; whether it is over. Raises what went wrong, and Cancelled."""
        ...

    def status(self) -> Status:
        """How far it is. Only reads."""
        ...

    def cancel(self) -> None:
        """Ask it to stop; it ends with Cancelled within a second."""
        ...

    def end(self) -> None:
        """Leave it, whatever it is at: Blender quits. Waits for a fraction of a second at most."""
        ...

    @property
    def cancelling(self) -> bool:
        """Whether a stop was asked for."""
        ...

    @property
    def pause(self) -> float:
        """Seconds until it is of use to turn it again."""
        ...


class Job:
    """Work in steps: a few a turn, and turns in which it waits for the backend or a thread."""

    def __init__(self, title: str, work: Work, client: Client | None = None) -> None:
        """`work` runs in turns of this thread; see `Work`. `client`: whose calls it yields, if it yields any."""
        self.title = title
        self._work = work
        self._client = client
        self._awaited: Call | _Running[Any] | None = None
        self._step = Status("Starting")
        self._pause = AT_ONCE
        self._cancelled = False

    @property
    def cancelling(self) -> bool:
        return self._cancelled

    @property
    def pause(self) -> float:
        return self._pause

    def turn(self) -> bool:
        """Deliver what the backend said; where nothing is waited for, do some steps."""
        if self._client is not None:
            self._client.pump()
        if self._awaited is not None and not self._awaited.done:
            return False
        until = time.monotonic() + TURN_SECONDS
        while self._advance():
            if self._pause > 0 or time.monotonic() >= until:
                return False
        return True

    def status(self) -> Status:
        if isinstance(self._awaited, _Running):
            return self._awaited.status
        if self._awaited is None or self._client is None:
            return self._step
        if self._awaited.progress is None:
            return Status("Starting the backend" if self._client.hello is None else "Waiting for the backend")
        return status_of(self._awaited.progress)

    def cancel(self) -> None:
        self._cancelled = True
        if self._awaited is not None:
            self._awaited.cancel()

    def end(self) -> None:
        if isinstance(self._awaited, _Running):
            self._awaited.end()
        self._work.close()

    def _advance(self) -> bool:
        """Let the work go on to where it yields again; False at its end."""
        awaited, self._awaited = self._awaited, None
        try:
            if awaited is not None and awaited.error is not None:
                yielded = self._work.throw(awaited.error)
            elif self._cancelled:
                yielded = self._work.throw(stopped())
            else:
                yielded = self._work.send(None if awaited is None else awaited.result)
        except StopIteration:
            return False
        self._take_up(yielded)
        return True

    def _take_up(self, yielded: Call | InThread[Any] | Status | str) -> None:
        if isinstance(yielded, Call):
            self._awaited, self._pause = yielded, OTHERS_WORK
        elif isinstance(yielded, InThread):
            self._awaited, self._pause = _Running(yielded), THREAD_WORKS
        elif isinstance(yielded, Status):
            self._step, self._pause = yielded, AT_ONCE
        else:
            self._step, self._pause = Status(yielded), OTHERS_WORK


class BackendJob(Job):
    """Calls to the backend, one after the other, and what is to be done with their results."""

    def __init__(self, title: str, client: Client, work: Work) -> None:
        super().__init__(title, work, client)


class ThreadJob(Job, Generic[T]):
    """A function in a thread of its own, which must not touch Blender's data."""

    def __init__(
        self,
        title: str,
        work: Callable[[Report, Callable[[], bool]], T],
        finish: Callable[[T], None] | None = None,
    ) -> None:
        """Begin. `work` gets where to report to, and what says whether to stop; `finish` gets what it returns."""

        def steps() -> Work:
            result = yield InThread("Starting", work)
            if finish is not None:
                finish(result)

        super().__init__(title, steps())
        self._advance()


class _Running(Generic[T]):
    """Work on its way in a thread. One that does not stop in time is left to itself: nobody sees its end."""

    def __init__(self, wanted: InThread[T]) -> None:
        self.status = Status(wanted.stage)
        self.result: T | None = None
        self._wanted = wanted
        self._error: Exception | None = None
        self._stop = threading.Event()
        self._patience: float | None = None  # until when it may take to stop, by time.monotonic()
        # A daemon: Blender's quit must not wait for a download.
        self._thread = threading.Thread(target=self._run, name=wanted.stage, daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether there is a result or an error, or no patience left."""
        return not self._thread.is_alive() or (self._patience is not None and time.monotonic() >= self._patience)

    @property
    def error(self) -> Exception | None:
        """Why there is no result; a thread that was asked to stop has none, whatever it ended with."""
        if self._patience is not None:
            return self._error if isinstance(self._error, Cancelled) else stopped()
        return self._error

    def cancel(self) -> None:
        """Ask it to stop."""
        self._stop.set()
        if self._patience is None:
            self._patience = time.monotonic() + GRACE_SECONDS

    def end(self) -> None:
        """Ask it to stop, and wait for a moment."""
        self._stop.set()
        self._thread.join(END_SECONDS)

    def _run(self) -> None:
        """The thread's life."""
        try:
            self.result = self._wanted.work(self._report, self._stop.is_set)
        except Exception as error:
            self._error = error

    def _report(self, status: Status) -> None:
        self.status = status


def status_of(progress: Progress) -> Status:
    """A report as a person reads it."""
    total = progress.total
    return Status(
        STAGES.get(progress.stage, progress.stage),
        min(1.0, progress.done / total) if total > 0 else None,
        progress.seconds_left,
        f"{progress.done} of {total}" if total > 1 else "",
    )


STAGES: Final = {
    "load": "Loading the networks",
    "scan": "Looking at the clip",
    "estimate": "Finding people",
    "lift": "Lifting to 3D",
    "mesh": "Recovering the mesh",
    "target": "Fitting the target pose",
    "calibrate": "Calibrating the mesh",
    "suspects": "Looking for suspects",
    "footage": "Writing the movie",
}
"""The backend's stages, as a person reads them."""
