"""How far a job is: what every long task reports, at most ten times a second, and where it notices a cancel."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from .errors import Cancelled

MAX_RATE: Final = 10.0
"""Reports a second, at most: more is not seen, and would slow down the pipe to Blender."""

_STEADY_SECONDS = 0.3
"""How long steps must have been made before their speed is told."""


@dataclass(frozen=True)
class Progress:
    """One report."""

    stage: str
    """What is being done, e.g. one of `take_format.STAGES`."""
    done: int
    """Finished frames or steps of the stage, those of an earlier job included."""
    total: int
    """Frames or steps of the stage."""
    per_second: float | None = None
    """Frames or steps a second in this stage; None as long as it is not known."""
    seconds_left: float | None = None
    """Seconds until the stage is finished, at this speed; None as long as it is not known."""


class Meter:
    """Turns the steps of a job into reports with speed and time left, and ends the job when it is cancelled.

    A stage that begins, and one that is finished, is always reported; steps in between are held to `MAX_RATE`.
    """

    def __init__(
        self,
        report: Callable[[Progress], None],
        cancelled: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`report` gets the reports, `cancelled` is asked at every step, `clock` tells seconds."""
        self._report = report
        self._cancelled = cancelled
        self._clock = clock
        self._stage = ""
        self._since: float | None = None  # from when and
        self._from = 0  # from which step on the speed is measured
        self._last = 0
        self._reported = 0.0

    def stage(self, name: str, done: int, total: int) -> None:
        """Say that `done` of `total` steps of the stage are finished. Raises Cancelled where that is asked for."""
        if self._cancelled():
            raise Cancelled(
                "stopped on request",
                hint="Run the same command again: a reconstruction goes on where it stopped.",
                stage=name,
            )
        now = self._clock()
        # Fewer steps than before: the same stage again, for the next person.
        begins = name != self._stage or done < self._last
        if begins:
            self._stage, self._since, self._from = name, None, done
        elif self._since is None and done > self._from:
            # The first steps load networks and compile: the speed is that of the steps after them.
            self._since, self._from = now, done
        self._last = done
        if begins or done >= total or now - self._reported >= 1 / MAX_RATE:
            self._reported = now
            per_second = self._speed(done, now)
            left = None if per_second is None else max(total - done, 0) / per_second
            self._report(Progress(name, done, total, per_second, left))

    def _speed(self, done: int, now: float) -> float | None:
        if self._since is None or done <= self._from or now - self._since < _STEADY_SECONDS:
            return None
        return (done - self._from) / (now - self._since)
