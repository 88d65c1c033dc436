"""One writer per folder: a lock that the operating system takes back when its holder dies, however it dies.

Therefore there is no stale lock to detect, which the number of a process cannot do: numbers are used again. The
lock file stays when the lock is released, empty: deleting it would let two processes lock two files of that name.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import ClassVar

from .disk import writing
from .errors import OutputNotWritable

# The locked byte lies far behind the text, since on Windows nobody else can read a locked byte.
_BYTE = 1 << 20

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, _BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, _BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    # Record locks, not flock: a forked worker does not inherit them, so that it cannot outlive its parent as holder.
    def _lock(descriptor: int) -> None:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _BYTE)

    def _unlock(descriptor: int) -> None:
        fcntl.lockf(descriptor, fcntl.LOCK_UN, 1, _BYTE)


class FolderLock:
    """Held from construction to `release()`. Raises OutputNotWritable where another writer holds it."""

    # Record locks do not stop a second writer in the same process.
    _held: ClassVar[set[Path]] = set()

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()
        if self._path in self._held:
            raise self._taken(os.getpid())
        with writing(path):
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                _lock(self._descriptor)
            except (BlockingIOError, PermissionError) as error:
                holder = os.read(self._descriptor, 20).decode("ascii", "replace").strip()
                os.close(self._descriptor)
                raise self._taken(holder) from error
            except OSError:
                os.close(self._descriptor)
                raise
        self._held.add(self._path)
        self._note(f"{os.getpid()}\n")

    def release(self) -> None:
        """Let others write. Safe to call twice."""
        if self._descriptor < 0:
            return
        self._note("")
        _unlock(self._descriptor)
        os.close(self._descriptor)
        self._descriptor = -1
        self._held.discard(self._path)

    def _note(self, text: str) -> None:
        # Only told to who finds the lock taken, so a full disk may refuse it.
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            os.write(self._descriptor, text.encode("ascii"))

    def _taken(self, holder: object) -> OutputNotWritable:
        return OutputNotWritable(
            f"another job (process {holder}) is writing {self._path.parent}",
            hint="Wait until it ends or stop it, or choose another folder.",
            path=str(self._path.parent),
            process=str(holder),
        )
