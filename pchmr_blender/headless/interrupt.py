# SPDX-License-Identifier: GPL-3.0-or-later
"""Ctrl-C, and the end that a render farm asks for: the first one stops in good order, the second one kills. No bpy.

The backend does not get the terminal's Ctrl-C: it is in a session of its own, and ends when its pipe does.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Final

from ..backend.calls import stopped

_NOTE: Final = b"\nstopping; once more kills\n"


class Interrupt:
    """Whether to stop."""

    def __init__(self) -> None:
        self.asked = False

    def check(self) -> None:
        """Raise Cancelled where a stop was asked for."""
        if self.asked:
            raise stopped()


@contextlib.contextmanager
def interruptible() -> Iterator[Interrupt]:
    """Within it signals ask for a stop. For the main thread, in which Python handles signals."""
    interrupt = Interrupt()

    def ask(number: int, frame: FrameType | None) -> None:
        interrupt.asked = True
        signal.signal(number, signal.SIG_DFL)
        # Not print(): the signal may come while the same stream is being written.
        with contextlib.suppress(OSError, ValueError):
            os.write(sys.stderr.fileno(), _NOTE)

    former = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupt
    finally:
        for number, handler in former.items():
            # Blender's own handler is none of Python's and cannot be put back: it would only end the process, too.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
