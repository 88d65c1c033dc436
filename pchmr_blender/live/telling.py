# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong while a target pose is edited stands in the panel until the body follows again."""

from __future__ import annotations

from ...inference_backend.errors import BackendError
from .. import session
from ..problems import Problem

RESTARTED = "The backend had ended and was started again. Nothing is lost."


class Telling:
    """Of one mode."""

    def __init__(self) -> None:
        self._told: Problem | None = None

    def tell(self, error: BackendError) -> None:
        """Something went wrong."""
        self._told = session.current.tell(error)

    def mended(self, by_backend: bool) -> None:
        """What is shown is right again; `by_backend`: it has answered, so it is alive."""
        told = self._told
        if told is None or (told.kind == "BackendDied" and not by_backend):
            return
        self._told = None
        if session.current.withdraw(told) and told.kind == "BackendDied":
            session.current.notice = RESTARTED
