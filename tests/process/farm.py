"""What tests of batches share: a folder with clips, a Blender, and a backend that is a stub.

The stub (`tests/blender/stub_backend.py`) stands behind a program that looks like a Python.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import blender_env
import pytest

from ..blender.clips import make_movie
from ..blender.takes import make_take

ROOT = Path(__file__).resolve().parents[2]
STUB = ROOT / "tests" / "blender" / "stub_backend.py"
SERIES = sorted(blender_env.locks())
LIMIT = 300.0
POSIX = pytest.mark.skipif(os.name == "nt", reason="the stub is started by a shell script")
needs_blender = pytest.mark.skipif(not SERIES, reason="requirements/ locks no Blender")


def python_of(series: str) -> Path:
    """The Python with that Blender as a module; a test is skipped where it was not made."""
    lock = blender_env.locks()[series].read_text("utf-8")
    version = next(line.partition("==")[2].split()[0] for line in lock.splitlines() if line.startswith("bpy=="))
    home = blender_env.FOLDER / version
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (home / "bpy.stamp").is_file():
        pytest.skip(f"there is no bpy {version}: python tools/blender_env.py {series} makes it")
    return python


@dataclass(frozen=True)
class Farm:
    """A folder with clips, and a way to run batches over them."""

    folder: Path
    interpreter: Path
    series: str = SERIES[-1] if SERIES else ""
    program: Path = ROOT / "pchmr_blender" / "batch.py"
    before: Sequence[str] = ()
    """Words before the command, of a program that starts it."""

    @property
    def out(self) -> Path:
        return self.folder / "Aus gabe ü"

    def clip(self, name: str, frames: int = 0) -> Path:
        """A clip; with a finished take of so many frames where the batch will look for it, for the stub to find."""
        clip = make_movie(self.folder / "clips" / f"{name}.avi", max(frames, 2))
        if frames:
            make_take(self.out / f"{name}.take", frames=frames, clip=clip)
        return clip

    def start(self, *words: Any) -> subprocess.Popen[str]:
        """A running batch."""
        given = ["--out", self.out, "--interpreter", self.interpreter, "--json", self.folder / "report.json"]
        command = [*self.before, str(python_of(self.series)), str(self.program), "--", *map(str, [*words, *given])]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
        environment = {**os.environ, "BLENDER_USER_RESOURCES": str(self.folder / "user")}
        return subprocess.Popen(command, text=True, encoding="utf-8", env=environment, **pipes)  # type: ignore[call-overload,no-any-return]

    def run(self, *words: Any) -> tuple[int, str]:
        """Exit code and stderr of a batch."""
        batch = self.start(*words)
        _, told = batch.communicate(timeout=LIMIT)
        return batch.returncode, told

    def report(self) -> list[dict[str, Any]]:
        """What the report says of the clips."""
        clips: list[dict[str, Any]] = json.loads((self.folder / "report.json").read_text("utf-8"))["clips"]
        return clips

    def made(self) -> set[str]:
        """Files in the output folder."""
        return {path.name for path in self.out.iterdir() if path.is_file()} - {"backend.log"}


@pytest.fixture
def farm(tmp_path: Path) -> Farm:
    """Clips for the stub."""
    interpreter = tmp_path / "python like"
    interpreter.write_text(
        f'#!/bin/sh\n[ "$1" = -m ] && exec "{sys.executable}" "{STUB}"\nexec "{sys.executable}" "$@"\n', "utf-8"
    )
    interpreter.chmod(0o755)
    return Farm(tmp_path, interpreter)
