# SPDX-License-Identifier: GPL-3.0-or-later
"""What this Blender does with the backend: the running client, the one activity under way, the last problem.

The process is started by the first activity that needs it, never by registration, poll or draw. A timer turns the
activity while there is one; without a window, where timers do not run, `wait()` does. All of it is the main thread's.
No reference into Blender's data is kept.
"""

from __future__ import annotations

import time
from typing import Final

import bpy

from ..inference_backend.errors import Cancelled
from .activities import Activity, Status
from .backend.client import Client
from .backend.process import Launch
from .problems import Problem, problem_of

REDRAW_EVERY: Final = 0.1
"""Seconds between drawings of how far the work is."""

QUIT_SECONDS: Final = 0.2
"""How long Blender's quit, and disabling the extension, wait for the backend to end by itself."""


class Session:
    """The one of this Blender is `current`."""

    def __init__(self) -> None:
        self.activity: Activity | None = None
        """What is under way."""
        self.problem: Problem | None = None
        """What went wrong last."""
        self.notice = ""
        """What ended well last, in a sentence."""
        self.ended = 0
        """How many activities have ended."""
        self._client: Client | None = None
        self._shown: Status | None = None
        self._drawn = 0.0  # when the panel was last told, by time.monotonic()
        self._ended: Exception | None = None  # of the last activity, for `wait`

    def client(self, launch: Launch) -> Client:
        """The client, whose process is started by the first call. Another launch ends the former process."""
        if self._client is not None and self._client.launch != launch:
            self._client.close(QUIT_SECONDS)
            self._client = None
        if self._client is None:
            self._client = Client(launch)
        return self._client

    def begin(self, activity: Activity) -> None:
        """Let an activity run. There is one at a time: operators' polls see to it."""
        if self.activity is not None:
            raise RuntimeError(f"{activity.title}: {self.activity.title} is under way")
        self.activity, self.problem, self.notice, self._ended = activity, None, "", None
        if not bpy.app.background and not bpy.app.timers.is_registered(_turn):
            bpy.app.timers.register(_turn, first_interval=0.0, persistent=True)
        redraw()

    def turn(self) -> float | None:
        """Let the activity go on for a moment; seconds until the next turn, None where there is none to come."""
        activity = self.activity
        if activity is None:
            return None
        try:
            over = activity.turn()
        except Exception as error:
            self._end(error)
            return None
        if over:
            self._end(None)
            return None
        status, now = activity.status(), time.monotonic()
        if status != self._shown and now - self._drawn >= REDRAW_EVERY:
            self._shown, self._drawn = status, now
            redraw()
        return activity.pause

    def wait(self) -> None:
        """Without a window: turn until the activity has ended. Raises what it ended with."""
        while self.activity is not None:
            time.sleep(self.turn() or 0.0)
        if self._ended is not None:
            raise self._ended

    def tell(self, error: Exception) -> Problem:
        """Keep what went wrong for the panel; what was not foreseen is logged."""
        self.problem = problem_of(error)
        redraw()
        return self.problem

    def withdraw(self, problem: Problem) -> bool:
        """Forget a problem that is none any more; whether it still stood in the panel."""
        if self.problem is not problem:
            return False
        self.problem = None
        redraw()
        return True

    def dismiss(self) -> None:
        """Forget what was told."""
        self.problem, self.notice = None, ""

    def stop_backend(self) -> None:
        """End the process; the next activity that needs one starts another."""
        if self._client is not None:
            self._client.close(QUIT_SECONDS)
            self._client = None

    def close(self) -> None:
        """End everything: the extension is being disabled, or Blender quits."""
        if bpy.app.timers.is_registered(_turn):
            bpy.app.timers.unregister(_turn)
        if self.activity is not None:
            self.activity.end()
            self.activity = None
        self.stop_backend()

    @property
    def backend_pid(self) -> int | None:
        """Number of the backend's process, if there is one."""
        return None if self._client is None else self._client.pid

    def _end(self, error: Exception | None) -> None:
        """The activity is over."""
        assert self.activity is not None
        title, self.activity, self._shown, self._ended = self.activity.title, None, None, error
        self.ended += 1
        if isinstance(error, Cancelled):
            self.notice = f"{title}: cancelled. {problem_of(error).hint}"
        elif error is not None:
            self.tell(error)
        redraw()


current: Final = Session()
"""The session of this Blender."""


def redraw() -> None:
    """Let the places be drawn again that show the session."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()
            elif area.type == "PREFERENCES":
                area.tag_redraw()


def _turn() -> float | None:
    """The timer."""
    return current.turn()
