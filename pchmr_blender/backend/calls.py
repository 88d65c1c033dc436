# SPDX-License-Identifier: GPL-3.0-or-later
"""One call to the backend, from its beginning to its result or error."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from ...inference_backend.errors import BackendError, Cancelled
from ...inference_backend.progress import Progress
from ...inference_backend.protocol import Request

GRACE_SECONDS: Final = 0.8
"""How long a cancelled job may take to stop before the process is killed: a Cancel shall end within a second."""


class Call:
    """A call that `Client.call` made. It changes in `Client.pump` only, and so does everything it calls back."""

    def __init__(
        self,
        request: Request,
        cancel: Callable[[Call], None],
        on_progress: Callable[[Progress], None] | None = None,
        on_done: Callable[[Call], None] | None = None,
    ) -> None:
        """A numbered request, and what asks the backend to stop it."""
        assert request.id is not None
        self.id = request.id
        self.request = request
        self.done = False
        self.result: Any = None
        """What the method returns, as soon as the call is done and has no error."""
        self.error: BackendError | None = None
        """Why there is no result."""
        self.progress: Progress | None = None
        """The latest report."""
        self.deadline: float | None = None
        """When to lose patience, by time.monotonic(); None: never."""
        self.cancelled = False
        """Whether a cancel was asked for."""
        self._cancel = cancel
        self._on_progress = on_progress
        self._on_done = on_done

    def cancel(self, grace: float = GRACE_SECONDS) -> None:
        """Ask it to stop. It ends with Cancelled within `grace` seconds, or with its result if that is under way.

        A job that does not stop in time is ended with its process; so are calls that wait behind it.
        """
        if not self.done and not self.cancelled:
            self.cancelled = True
            self.deadline = time.monotonic() + grace
            self._cancel(self)

    def report(self, progress: Progress) -> None:
        """For the client: a report has arrived."""
        self.progress = progress
        if self._on_progress is not None and not self.cancelled:
            self._on_progress(progress)

    def end(self, result: Any = None, error: BackendError | None = None, *, tell: bool = True) -> None:
        """For the client: it has ended. `tell`: whether to call back."""
        if self.cancelled and error is not None and not isinstance(error, Cancelled):
            error = stopped()
        self.done, self.result, self.error = True, result, error
        if tell and self._on_done is not None:
            self._on_done(self)


def stopped() -> Cancelled:
    """The error of a call that was cancelled."""
    return Cancelled("stopped on request", hint="Start it again: a reconstruction goes on where it stopped.")
