# SPDX-License-Identifier: GPL-3.0-or-later
"""Exceptions as the people read them who sit before the panel. No bpy."""

from __future__ import annotations

import os
import tempfile
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..inference_backend.errors import BackendError, EnvironmentInvalid, Internal
from .constants import NAME
from .core.panel_words import in_panel_words

_AGAIN: Final = "Then press Reconstruct Clip again: it goes on where it stopped."
_REPLACE: Final = "reconstruct the clip again, replacing the take."

HINTS: Final[Mapping[str, str]] = {
    "TakeMismatch": "Replace the take, or choose another output folder.",
    "TakeCorrupt": f"Restore the take from a copy, or {_REPLACE}",
    "TakeVersion": f"Open it with the version that wrote it, or {_REPLACE}",
    "WeightsMissing": "Press Get the Models.",
    "WeightsCorrupt": "Press Get the Models, or install the extension again.",
    "OutOfMemory": f"Close other programs, or use the CPU. {_AGAIN}",
    "OutputNotWritable": f"Choose another output folder, or change its permissions. {_AGAIN}",
    "DiskFull": f"Free some space, or choose another output folder. {_AGAIN}",
    "Cancelled": "What is finished is kept: started again, it goes on from there.",
}
"""What to do, by kind, where the backend's own hint is meant for its command line."""

_OF_THE_COMMAND_LINE: Final = ("--", " command", "python -m")


@dataclass(frozen=True)
class Problem:
    """What went wrong last; it stands in the panel until something is begun, or it is dismissed."""

    kind: str
    """Name of the error's class."""
    message: str
    """What is wrong."""
    hint: str
    """What to do."""
    output: str = ""
    """The last lines that a program printed before it failed."""
    log: str = ""
    """The file that says all of it."""
    take: str = ""
    """The take it is about, where the one that is finished could not be imported."""
    reason: str = ""
    """Which of the things it is that end in this kind, as `proxy` or `online_access` of NoNetwork."""
    path: str = ""
    """The file or folder that it is about."""


def problem_of(error: Exception) -> Problem:
    """An exception as a person reads it. What was not foreseen is written to a log."""
    if isinstance(error, Internal) and error.message.startswith(("ModuleNotFoundError", "ImportError")):
        # It comes from the backend, by the wire: an interpreter was chosen that has not all it needs.
        hint = "Press Check in the preferences, or set the backend up again."
        error = EnvironmentInvalid(f"the backend's Python lacks a package: {error.message}", hint=hint, reason="broken")
    elif not isinstance(error, BackendError):
        trace = "".join(traceback.format_exception(error))
        error = Internal(f"{type(error).__name__}: {error}", hint="", traceback=trace)
    texts = {name: str(error.facts.get(name, "")) for name in ("output", "log", "take", "traceback", "reason", "path")}
    hint = hint_of(error)
    if isinstance(error, Internal):
        texts["log"] = _logged("\n".join(filter(None, (str(error), texts["traceback"], texts["output"]))))
        hint = f"This is a fault of {NAME}: report it with the log."
    del texts["traceback"]  # it is in the log
    return Problem(error.kind, in_panel_words(error.message), hint, **texts)


def hint_of(error: BackendError) -> str:
    """What to do, in the panel's words."""
    hint = error.hint
    if any(words in hint for words in _OF_THE_COMMAND_LINE):
        hint = HINTS.get(error.kind, hint)
    return in_panel_words(hint)


def in_words(error: BackendError) -> str:
    """What is wrong and what to do, as two sentences."""
    return f"{in_panel_words(error.message).removesuffix('.')}. {hint_of(error)}"


def _logged(text: str) -> str:
    """Write a log; its path."""
    descriptor, path = tempfile.mkstemp(prefix="pchmr-", suffix=".log")
    os.close(descriptor)
    Path(path).write_text(text, "utf-8", errors="backslashreplace")
    return path
