# SPDX-License-Identifier: GPL-3.0-or-later
"""One life of the backend process: started, written to, read from, ended.

Nothing here waits but `stop()`: a reader thread queues what arrives in `inbox`, a writer thread sends what is in line.
Both are daemons, since Blender's quit must not wait for them. The process ends by itself when its stdin closes, which
the system does when Blender dies, however it dies.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from ...inference_backend import protocol
from ...inference_backend.disk import writing
from ...inference_backend.errors import BackendDied
from ...inference_backend.protocol import Malformed, Message
from .programs import clean_environment

LOG_BYTES: Final = 4 * 1024 * 1024
"""A log that is longer begins anew with the next process."""

LOG_LINES: Final = 20
"""Last lines of the log that an error report holds."""

REAP_SECONDS: Final = 2.0
"""How long a process that has closed its pipe may take to end."""

# Ctrl-C in Blender's terminal is Blender's, and no console window opens. A session of its own lets the workers be
# ended with their parent; on Windows they end when it has gone, by their pipes.
if sys.platform == "win32":
    _FLAGS = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
else:
    _FLAGS = 0


@dataclass(frozen=True)
class Launch:
    """How the backend is started."""

    interpreter: Path
    """Python of the backend's environment."""
    root: Path
    """Folder that holds the package inference_backend."""
    log: Path
    """File for everything the backend prints, of this Blender only; its folder is made."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables that differ from Blender's."""
    arguments: tuple[str, ...] = ("-m", "inference_backend", "serve")
    """After the interpreter."""


@dataclass(frozen=True)
class Ended:
    """The last thing in the inbox: the process has ended, its workers too."""

    code: int
    """Exit code; on POSIX the negative number of the signal that ended it."""


Item: TypeAlias = Message | Malformed | Ended


class BackendProcess:
    """A running backend. `inbox` may be read by one thread; the methods are for that thread, too."""

    def __init__(self, launch: Launch) -> None:
        """Start it. Raises BackendDied where the system cannot, OutputNotWritable for the log."""
        self._log = launch.log
        self._child, self._log_start = _spawn(launch)
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._ended = threading.Event()
        self.inbox: queue.SimpleQueue[Item] = queue.SimpleQueue()
        for work in (self._read, self._write):
            threading.Thread(target=work, name=f"backend {self._child.pid} {work.__name__}", daemon=True).start()

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._child.pid

    def send(self, message: Message) -> None:
        """Put a message in line. One to a process that has died is lost: `Ended` is in the inbox, or soon will be."""
        self._outbox.put(protocol.encode(message))

    def stop(self, grace: float) -> None:
        """End it in good order: its stdin is closed, and it has `grace` seconds; then it is ended, at last killed."""
        self._outbox.put(None)
        if not self._ended.wait(grace):
            self._child.terminate()
            if not self._ended.wait(min(grace, 0.5)):
                self.kill()
                self._ended.wait(REAP_SECONDS)

    def kill(self) -> None:
        """End it and its workers at once; does not wait."""
        if self._child.poll() is None:
            self._kill_group()

    def died(self, message: str, hint: str) -> BackendDied:
        """The error that tells of its end, with the log's last lines as `output`."""
        return BackendDied(message, hint=hint, output=self.log_tail(), log=str(self._log), exit_code=self._child.poll())

    def log_tail(self) -> str:
        """The last lines that it printed."""
        try:
            with self._log.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(self._log_start, size - 200 * LOG_LINES))
                lines = file.read().decode("utf-8", "replace").splitlines()
        except OSError as error:
            return f"(the log {self._log} cannot be read: {error.strerror})"
        return "\n".join(lines[-LOG_LINES:])

    def _read(self) -> None:
        """The reader thread's life."""
        assert self._child.stdout is not None
        with contextlib.suppress(OSError), self._child.stdout as pipe:
            for message in protocol.read(pipe):
                self.inbox.put(message)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(REAP_SECONDS)
        self._kill_group()  # workers may have outlived it
        code = self._child.wait()
        self._outbox.put(None)
        self._ended.set()
        self.inbox.put(Ended(code))

    def _write(self) -> None:
        """The writer thread's life. It may wait for a process that does not read; Blender must not."""
        assert self._child.stdin is not None
        with contextlib.suppress(OSError), self._child.stdin as pipe:
            while (line := self._outbox.get()) is not None:
                pipe.write(line)
                pipe.flush()

    def _kill_group(self) -> None:
        if sys.platform == "win32":
            self._child.kill()
        else:
            # Nobody is left; on macOS: nobody but a zombie.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._child.pid, signal.SIGKILL)


def _spawn(launch: Launch) -> tuple[subprocess.Popen[bytes], int]:
    """The process, and where its part of the log begins."""
    command = [str(launch.interpreter), *launch.arguments]
    with writing(launch.log):
        launch.log.parent.mkdir(parents=True, exist_ok=True)
        long = launch.log.exists() and launch.log.stat().st_size > LOG_BYTES
        log = launch.log.open("wb" if long else "ab")
    with log:
        with writing(launch.log):
            start = log.seek(0, os.SEEK_END)
            log.write(f"\n{time.strftime('%Y-%m-%d %H:%M:%S')} {command}\n".encode(errors="backslashreplace"))
            log.flush()
        try:
            # Not in the package's folder: Windows could not update the extension then.
            child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=launch.log.parent,
                env=clean_environment(PYTHONPATH=str(launch.root), **launch.environment),
                creationflags=_FLAGS,
                start_new_session=sys.platform != "win32",
            )
        except OSError as error:
            raise BackendDied(
                f"{launch.interpreter} cannot be started: {error.strerror}",
                hint="Set the backend up in the add-on's preferences, or choose another interpreter there.",
                interpreter=str(launch.interpreter),
            ) from error
    return child, start
