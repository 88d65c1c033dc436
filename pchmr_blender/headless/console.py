# SPDX-License-Identifier: GPL-3.0-or-later
"""What a batch says while it works, on stderr: one line that changes on a terminal, plain lines elsewhere. No bpy."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from typing import TextIO

from ..activities import Status

_LINE_SECONDS = 2.0
"""Between plain lines: a log file is read later."""


class Console:
    """Says where the batch is. Knows of no clip before `begin`."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """`stream` is stderr unless given, `clock` tells seconds."""
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._live = self._stream.isatty()
        self._clip = self._stage = ""
        self._written = -_LINE_SECONDS
        self._open = False

    def begin(self, clip: str) -> None:
        """From now on it is about this clip, as "2/5 dance"."""
        self._clip, self._stage = clip, ""

    def show(self, status: Status) -> None:
        """Say how far the clip is."""
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            self._stream.write("\r" + self._line(status)[:width].ljust(width))
            self._open = True
        elif status.stage != self._stage or self._clock() - self._written >= _LINE_SECONDS:
            self._stream.write(self._line(status) + "\n")
            self._written = self._clock()
        self._stage = status.stage
        self._stream.flush()

    def say(self, text: str) -> None:
        """Say something that stays."""
        if self._open:
            self._stream.write("\n")
            self._open = False
        self._stream.write(text + "\n")
        self._stream.flush()

    def _line(self, status: Status) -> str:
        words = [f"[{self._clip}]", status.stage, status.detail]
        if status.fraction is not None and status.fraction < 1:
            words.append(f"{status.fraction:.0%}")
        if status.seconds_left is not None:
            minutes, seconds = divmod(round(status.seconds_left), 60)
            words.append(f"{minutes}:{seconds:02} left")
        return "  ".join(word for word in words if word)
