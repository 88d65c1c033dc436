# SPDX-License-Identifier: GPL-3.0-or-later
"""Doing work in steps (`activities.Work`) and waiting for it: there is no window whose timer would turn it. No bpy."""

from __future__ import annotations

from typing import Any

from ..activities import Status, Work, status_of
from ..backend.calls import Call, stopped
from ..backend.client import Client
from ..steps import InThread
from .console import Console
from .interrupt import Interrupt

_PUMP_SECONDS = 0.1


def drive(work: Work, client: Client, console: Console, interrupt: Interrupt) -> Any:
    """Do the work to its end; what it returns. Raises what it raises; a stop is raised in it, as Cancelled."""
    answer, error = None, None
    while True:
        try:
            step = work.send(answer) if error is None else work.throw(error)
        except StopIteration as end:
            return end.value
        answer, error = None, None
        if isinstance(step, Call):
            _wait(step, client, console, interrupt)
            answer, error = step.result, step.error
        elif isinstance(step, InThread):
            try:
                answer = step.work(console.show, lambda: interrupt.asked)
            except Exception as raised:  # the work's to deal with
                error = raised
        else:
            console.show(Status(step) if isinstance(step, str) else step)
            error = stopped() if interrupt.asked else None


def _wait(call: Call, client: Client, console: Console, interrupt: Interrupt) -> None:
    shown = None
    while not call.done:
        client.pump(_PUMP_SECONDS)
        if interrupt.asked:
            call.cancel()
        if call.progress is not shown:
            shown = call.progress
            console.show(status_of(shown) if shown is not None else Status("Starting the backend"))
