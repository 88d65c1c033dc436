"""Ctrl-C while a job runs: the first one asks it to stop in good order, the second one kills it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType

_NOTE = b"\nstopping; Ctrl-C again kills\n"


@contextlib.contextmanager
def cancel_on_interrupt() -> Iterator[Callable[[], bool]]:
    """Yields what tells whether to stop. For the main thread, in which Python handles signals."""
    asked = False

    def first(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        # Not print(): the signal may come while the same stream is being written.
        with contextlib.suppress(OSError, ValueError):
            os.write(sys.stderr.fileno(), _NOTE)

    before = signal.signal(signal.SIGINT, first)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)
