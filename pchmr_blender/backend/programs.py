# SPDX-License-Identifier: GPL-3.0-or-later
"""Running other programs from a worker thread: without a window, to be stopped within a tenth of a second.

Their output goes to a file, never to a pipe: a pipe that nobody reads stops the writer, and one that a grandchild has
inherited stays open after the child is gone. No bpy.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from ...inference_backend.errors import Cancelled

_LIFELINE: Final = Path(__file__).with_name("lifeline.py")
_POLL_SECONDS: Final = 0.05
_TICK_SECONDS: Final = 0.25
_MISLEADING: Final = re.compile(r"PYTHON.*|__PYVENV_LAUNCHER__|VIRTUAL_ENV(_PROMPT)?|CONDA_(PREFIX(_\d+)?|DEFAULT_ENV)")
"""Meant for another Python, Blender's or a person's own. Every name of Python's, not a list of them: each of
PYTHONHOME, PYTHONPATH, PYTHONSAFEPATH, PYTHONPLATLIBDIR, PYTHONWARNINGS=error or PYTHONIOENCODING breaks the backend's,
and each version of Python brings others."""


@dataclass(frozen=True)
class Finished:
    """A program that has ended by itself."""

    code: int
    """Its exit code; negative: the signal that ended it."""
    stdout: str
    """What it printed; empty where that went to a log."""
    stderr: str
    """What it complained of; empty where that went to a log."""


class TimedOut(Exception):
    """A program did not end in its time and was ended."""


def clean_environment(**changes: str) -> dict[str, str]:
    """This process's environment without what leads another Python astray, with `changes`. Text is UTF-8."""
    kept = {name: value for name, value in os.environ.items() if not _MISLEADING.fullmatch(name.upper())}
    return {**kept, "PYTHONUTF8": "1", "PYTHONNOUSERSITE": "1", "PYTHONUNBUFFERED": "1", **changes}


def ask(
    command: Sequence[str | Path],
    *,
    timeout: float,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    long: bool = False,
) -> Finished:
    """Run a program for what it prints.

    Args:
        command: program and arguments.
        timeout: seconds after which it is ended.
        folder: its working directory; None: this process's.
        environment: its variables; None: `clean_environment()`.
        cancelled: asked every 50 ms.
        long: it may take minutes, and shall end when this process is killed.

    Raises:
        OSError: it cannot be started.
        TimedOut: it took too long.
        Cancelled: on request.
    """
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        process = _start(command, folder, environment, stdout, stderr, long)
        code = _wait(process, cancelled, None, time.monotonic() + timeout)
        return Finished(code, _text(stdout), _text(stderr))


def run_logged(
    command: Sequence[str | Path],
    log: IO[bytes],
    *,
    folder: Path,
    environment: Mapping[str, str],
    cancelled: Callable[[], bool],
    tick: Callable[[], None],
) -> int:
    """Run a program with its output appended to an open log; its exit code. It ends when this process is killed.

    `tick` is called four times a second, `cancelled` is asked every 50 ms. Raises OSError and Cancelled as `ask`.
    """
    log.flush()
    return _wait(_start(command, folder, environment, log, subprocess.STDOUT, True), cancelled, tick, None)


def _start(
    command: Sequence[str | Path],
    folder: Path | None,
    environment: Mapping[str, str] | None,
    stdout: IO[bytes],
    stderr: IO[bytes] | int,
    long: bool,
) -> subprocess.Popen[bytes]:
    # Without a Python of Blender's own, as some distributions have none, a long program ends by itself only.
    held = [sys.executable, "-I", "-S", str(_LIFELINE)] if long and Path(sys.executable or "").is_file() else []
    options: dict[str, Any] = {"start_new_session": True}  # a group of its own, to be ended as one
    if sys.platform == "win32":
        options = {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
    return subprocess.Popen(
        [*held, *map(str, command)],
        cwd=folder,
        env=clean_environment() if environment is None else dict(environment),
        stdin=subprocess.PIPE if held else subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        **options,
    )


def _wait(
    process: subprocess.Popen[bytes],
    cancelled: Callable[[], bool],
    tick: Callable[[], None] | None,
    deadline: float | None,
) -> int:
    """Until it ends. Whatever is raised meanwhile ends it; a stop that is asked for while it ends counts, too."""
    next_tick = 0.0
    try:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_POLL_SECONDS)
            if cancelled():
                raise Cancelled("stopped on request", hint="Start it again when you like.")
            if process.returncode is not None:
                return process.returncode
            now = time.monotonic()
            if deadline is not None and now > deadline:
                raise TimedOut
            if tick is not None and now >= next_tick:
                next_tick = now + _TICK_SECONDS
                tick()
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the program and all it has started, unless it has ended."""
    if process.stdin is not None:
        process.stdin.close()
    if process.poll() is not None:
        return
    if sys.platform == "win32":
        command = ["taskkill", "/F", "/T", "/PID", str(process.pid)]
        subprocess.run(command, capture_output=True, check=False, creationflags=subprocess.CREATE_NO_WINDOW)
        process.kill()  # should taskkill be missing
    else:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # it has just ended; macOS says so by the latter
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")
