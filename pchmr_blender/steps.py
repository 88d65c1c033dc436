# SPDX-License-Identifier: GPL-3.0-or-later
"""Long work in short steps, so that Blender can draw and its user can work in between. No bpy.

A step is what a generator does between two yields. In a window a timer takes a few steps a turn (`activities.Job`);
without one they are done in one go (`drain`).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from .backend.calls import stopped

T = TypeVar("T")


@dataclass(frozen=True)
class Status:
    """How far work is, as a person reads it."""

    stage: str
    """What is being done."""
    fraction: float | None = None
    """0 to 1; None as long as it is not known."""
    seconds_left: float | None = None
    """Of this stage; None as long as it is not known."""
    detail: str = ""
    """`120 of 300`, or what a program says of itself."""


Report: TypeAlias = Callable[[Status], None]
Tick: TypeAlias = Callable[[int, int], None]
"""Told steps done and their number; what it raises ends the work."""


@dataclass(frozen=True, eq=False)
class InThread(Generic[T]):
    """Work that touches nothing of Blender's: it runs in a thread where there is a window to be kept alive."""

    stage: str
    """What is being done."""
    work: Callable[[Report, Callable[[], bool]], T]
    """Gets where to report to, and what says whether to stop; may end then by raising Cancelled."""


Steps: TypeAlias = Generator[Status | InThread[Any] | str, Any, T]
"""Yields, after a step of a few milliseconds, how far it is; or work for a thread, and is sent what that returns; or
what it waits for, and goes on when Blender has drawn that. A cancel is raised where it stands.

Blender's user may do anything meanwhile: references into Blender's data do not outlive a yield, but in `scene.aside`.
"""


def ticking(stage: str, work: Callable[[Tick], T], share: float = 1.0) -> InThread[T]:
    """Work for a thread that tells how far it is, and stops, by a tick.

    `share`: of the bar of its stage that it fills.
    """

    def run(report: Report, cancelled: Callable[[], bool]) -> T:
        def tick(done: int, total: int) -> None:
            if cancelled():
                raise stopped()
            report(Status(stage, share * done / max(total, 1)))

        return work(tick)

    return InThread(stage, run)


def drain(steps: Steps[T], show: Report = lambda status: None) -> T:
    """Do all steps here and now; what they return.

    `show` is told of each; what it raises is raised in the work, which then leaves everything as it was.
    """
    answer, error = None, None
    while True:
        try:
            step = steps.send(answer) if error is None else steps.throw(error)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        answer, error = None, None
        try:
            if isinstance(step, InThread):
                answer = step.work(show, lambda: False)
            else:
                show(Status(step) if isinstance(step, str) else step)
        except BaseException as raised:  # handed on, whatever it is
            error = raised
