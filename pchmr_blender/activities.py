# SPDX-License-Identifier: GPL-3.0-or-later
"""Long work that Blender does not wait for: a call to the backend, or a function in a thread. No bpy.

Whoever owns an activity calls `turn()` again and again until it says that it is over. An activity ends once, by its
result or by raising out of `turn()`; it calls back on that thread only.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar

from ..inference_backend.errors import Cancelled
from ..inference_backend.progress import Progress
from .backend.calls import GRACE_SECONDS, Call, stopped
from .backend.client import Client

END_SECONDS: Final = 0.5
"""How long Blender's quit waits for a thread that was asked to stop, so that it can end what it has started."""

T = TypeVar("T")
Report: TypeAlias = Callable[["Status"], None]
Work: TypeAlias = Generator["Call | str", Any, None]
"""Work in steps. It yields a call to wait for, and gets its result or its error; or what it is about to do, or waits
for, and goes on after Blender has drawn that. A cancel is raised where it stands."""


@dataclass(frozen=True)
class Status:
    """How far an activity is, as a person reads it."""

    stage: str
    """What is being done."""
    fraction: float | None = None
    """0 to 1; None as long as it is not known."""
    seconds_left: float | None = None
    """Of this stage; None as long as it is not known."""
    detail: str = ""
    """`120 of 300`, or what a program says of itself."""


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


class BackendJob:
    """Calls to the backend, one after the other, and what is to be done with their results."""

    def __init__(self, title: str, client: Client, work: Work) -> None:
        """`work` runs in turns of this client's thread; see `Work`."""
        self.title = title
        self._client = client
        self._work = work
        self._call: Call | None = None
        self._step = ""
        self._cancelled = False

    @property
    def cancelling(self) -> bool:
        return self._cancelled

    def turn(self) -> bool:
        """Deliver what the backend said; where no call is under way, do a step."""
        self._client.pump()
        return (self._call is None or self._call.done) and not self._advance()

    def status(self) -> Status:
        if self._call is None:
            return Status(self._step)
        if self._call.progress is None:
            return Status("Starting the backend" if self._client.hello is None else "Waiting for the backend")
        return status_of(self._call.progress)

    def cancel(self) -> None:
        self._cancelled = True
        if self._call is not None:
            self._call.cancel()

    def end(self) -> None:
        self._work.close()

    def _advance(self) -> bool:
        """Let the work go on to where it yields again; False at its end."""
        call, self._call = self._call, None
        try:
            if call is not None and call.error is not None:
                yielded = self._work.throw(call.error)
            elif self._cancelled:
                yielded = self._work.throw(stopped())
            else:
                yielded = self._work.send(None if call is None else call.result)
        except StopIteration:
            return False
        if isinstance(yielded, Call):
            self._call = yielded
        else:
            self._step = yielded
        return True


class ThreadJob(Generic[T]):
    """A function in a thread of its own, which must not touch Blender's data."""

    def __init__(
        self,
        title: str,
        work: Callable[[Report, Callable[[], bool]], T],
        finish: Callable[[T], None] | None = None,
    ) -> None:
        """Begin. `work` gets where to report to, and what says whether to stop; `finish` gets what it returns."""
        self.title = title
        self._work = work
        self._finish = finish
        self._status = Status("Starting")
        self._patience: float | None = None  # until when it may take to stop, by time.monotonic()
        self._stop = threading.Event()
        self._result: list[T] = []
        self._error: Exception | None = None
        # A daemon: Blender's quit must not wait for a download.
        self._thread = threading.Thread(target=self._run, name=title, daemon=True)
        self._thread.start()

    @property
    def cancelling(self) -> bool:
        return self._stop.is_set()

    def turn(self) -> bool:
        """See whether the thread has ended. One that does not stop in time is left to itself: nobody sees its end."""
        if self._patience is not None and (not self._thread.is_alive() or time.monotonic() >= self._patience):
            raise self._error if isinstance(self._error, Cancelled) else stopped()
        if self._thread.is_alive():
            return False
        if self._error is not None:
            raise self._error
        if self._finish is not None:
            self._finish(self._result[0])
        return True

    def status(self) -> Status:
        return self._status

    def cancel(self) -> None:
        self._stop.set()
        self._patience = time.monotonic() + GRACE_SECONDS

    def end(self) -> None:
        self._stop.set()
        self._thread.join(END_SECONDS)

    def _run(self) -> None:
        """The thread's life; what it raises is raised again by `turn`."""
        try:
            self._result.append(self._work(self._report, self._stop.is_set))
        except Exception as error:
            self._error = error

    def _report(self, status: Status) -> None:
        self._status = status


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
