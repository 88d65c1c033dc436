# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of the clips of a batch: for people, for programs, and as an exit code. No bpy."""

from __future__ import annotations

import json
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from ...inference_backend import disk
from ...inference_backend.errors import BackendError, Cancelled, Internal


@dataclass(frozen=True)
class Trouble:
    """Why a clip failed."""

    kind: str
    """One of the error kinds."""
    exit_code: int
    message: str
    hint: str
    output: str = ""
    """The last lines that a program printed before it failed."""
    log: str = ""
    """The file that says all of it."""


@dataclass(frozen=True)
class ClipResult:
    """One clip."""

    clip: str
    name: str
    """What everything made of it is called."""
    status: Literal["done", "skipped", "failed", "cancelled", "not begun"]
    """skipped: it was finished before."""
    seconds: float = 0.0
    """That it took."""
    take: str = ""
    """Folder."""
    files: tuple[str, ...] = ()
    """What was made, .blend first."""
    notes: tuple[str, ...] = ()
    """What a person should know."""
    trouble: Trouble | None = None

    def line(self) -> str:
        """As people read it."""
        text = f"{self.status:<9} {self.name}"
        if self.status == "done":
            text += f"  {self.seconds:.1f} s  {'  '.join(self.files)}"
        if self.trouble is not None:
            text += f"  {self.trouble.kind}: {self.trouble.message}\n  {self.trouble.hint}"
            text += "".join(f"\n  | {line}" for line in self.trouble.output.splitlines())
            text += f"\n  log: {self.trouble.log}" if self.trouble.log else ""
        return text + "".join(f"\n  note: {note}" for note in self.notes)


def trouble_of(error: Exception) -> Trouble:
    """An exception as the report has it; of what was not foreseen, all that Python says."""
    if not isinstance(error, BackendError):
        error = Internal(
            f"{type(error).__name__}: {error}",
            hint="This is a fault of the program: report it with what follows.",
            output="".join(traceback.format_exception(error)),
        )
    texts = {name: str(error.facts.get(name, "")) for name in ("output", "log")}
    return Trouble(error.kind, error.exit_code, error.message, error.hint, **texts)


def exit_code(results: Sequence[ClipResult]) -> int:
    """0 where all is done; Cancelled's where the batch was stopped; else that of the first clip that failed."""
    if any(result.status == "cancelled" for result in results):
        return Cancelled.exit_code
    return next((result.trouble.exit_code for result in results if result.trouble is not None), 0)


def write_report(path: Path, results: Sequence[ClipResult], blender: str) -> None:
    """Write the report in one step. `blender`: its version. Raises OutputNotWritable, DiskFull."""
    record = {"blender": blender, "exit_code": exit_code(results), "clips": [asdict(result) for result in results]}
    with disk.writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    disk.replace_file(path, (json.dumps(record, indent=1) + "\n").encode("ascii"))
