"""Progress on stderr: one line that changes on a terminal, plain lines anywhere else."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

from ..progress import Progress

_BAR = 24
_LINE_SECONDS = 2.0
"""Between plain lines: a log file is read later."""


class ProgressBar:
    """Shows reports; a context manager, which leaves the cursor on a new line. ASCII, for any terminal."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """`stream` is stderr unless given, `clock` tells seconds."""
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._live = self._stream.isatty()
        self._stage = ""
        self._written = -_LINE_SECONDS
        self._open = False

    def __call__(self, progress: Progress) -> None:
        """Show one report."""
        finished = progress.done >= progress.total
        if self._live:
            if progress.stage != self._stage:
                self._end_line()
            width = shutil.get_terminal_size().columns - 1
            self._stream.write("\r" + line(progress)[:width].ljust(width))
            self._open = True
            if finished:
                self._end_line()
        elif progress.stage != self._stage or finished or self._clock() - self._written >= _LINE_SECONDS:
            self._stream.write(line(progress) + "\n")
            self._written = self._clock()
        self._stage = progress.stage
        self._stream.flush()

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_line()

    def _end_line(self) -> None:
        if self._open:
            self._stream.write("\n")
            self._open = False


def line(progress: Progress) -> str:
    """A report as text: stage, bar, done/total, speed, time left."""
    p = progress
    filled = _BAR * min(p.done, p.total) // max(p.total, 1)
    text = f"{p.stage:<10} [{'#' * filled}{'-' * (_BAR - filled)}] {p.done:>6}/{p.total}"
    if p.per_second is not None:
        text += f"  {p.per_second:.1f}/s"
    if p.seconds_left is not None and p.done < p.total:
        text += f"  {duration(p.seconds_left)} left"
    return text


def duration(seconds: float) -> str:
    """Seconds as a person says them: 8 s, 2:05 min, 1:02:05 h."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}:{rest:02} min"
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02} h"
