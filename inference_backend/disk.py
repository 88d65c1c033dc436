"""Writing so that a kill at any moment, a full disk or a read-only folder loses nothing that was finished.

Two ways to write, and a lock. A whole file goes to a temporary name beside it, is flushed, and takes its name in one
step. Rows of a large file are written in place with ordinary writes: through a memory map a full disk would end the
process (SIGBUS) instead of raising. Every OSError becomes DiskFull or OutputNotWritable. Standard library only.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import FileIO
from pathlib import Path
from typing import Final

from .errors import BackendError, DiskFull, OutputNotWritable

TEMPORARY: Final = ".tmp"
"""Suffix of files that have not taken their name yet; what a killed process leaves may be deleted."""

_AT_ONCE: Final = 8
_REPLACE_TRIES = 40 if sys.platform == "win32" else 1
_FULL = {errno.ENOSPC, errno.EDQUOT}
_FULL_WINDOWS = {39, 112}  # ERROR_HANDLE_DISK_FULL, ERROR_DISK_FULL
_NO_PERMISSION = {errno.EACCES, errno.EPERM}
_IN_THE_WAY = {errno.EEXIST, errno.ENOTDIR, errno.EISDIR}


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Name the OSErrors of a block that writes `path`. Raises DiskFull, OutputNotWritable."""
    try:
        yield
    except OSError as error:
        raise _named(path, error) from error


def _named(path: Path, error: OSError) -> BackendError:
    facts = {"path": str(path), "errno": error.errno}
    again = "run the same command again: it continues where it stopped."
    if error.errno in _FULL or getattr(error, "winerror", None) in _FULL_WINDOWS:
        return DiskFull(f"no space left to write {path}", hint=f"Free some space and {again}", **facts)
    if error.errno == errno.EFBIG:
        hint = f"Its file system or a limit of the system ends here. Raise the limit and {again} Or use another disk."
        return DiskFull(f"{path} may not grow any larger", hint=hint, **facts)
    if error.errno in _NO_PERMISSION:
        hint = "Choose another folder, change its permissions, or close the program that has the file open."
    elif error.errno == errno.EROFS:
        hint = "The disk is read-only: choose a folder on another one."
    elif error.errno in _IN_THE_WAY:
        hint = "A file or folder of that name is in the way: choose another folder, or move it."
    else:
        hint = "Check the disk, or choose another folder."
    return OutputNotWritable(f"{path} cannot be written: {error.strerror}", hint=hint, **facts)


def require_space(folder: Path, size: int) -> None:
    """Raise DiskFull now rather than in an hour where `folder` has less than `size` bytes free.

    Only the early word: a file made of holes takes its space when it is written, and others write too.
    """
    with writing(folder):
        free = shutil.disk_usage(folder).free
    if free < size:
        raise DiskFull(
            f"{folder} has {free / 1e6:,.0f} MB free; {size / 1e6:,.0f} MB are wanted",
            hint="Free some space and run the same command again: it continues where it stopped.",
            path=str(folder),
            free=free,
            wanted=size,
        )


def replace_file(path: Path, data: bytes, size: int | None = None) -> None:
    """Write a whole file in one step: it has its old content or the new one, whenever the process dies.

    Args:
        path: the file; its folder must exist.
        data: what it starts with.
        size: its length in bytes where zeros follow `data`. File systems that can keep them as a hole.
    """
    with writing(path):
        temporary = path.with_name(path.name + TEMPORARY)
        with temporary.open("wb", buffering=0) as file:
            _write_all(file, data)
            if size is not None:
                file.truncate(size)
            os.fsync(file.fileno())
        _replace(temporary, path)
        _sync_folder(path.parent)


def write_at(path: Path, offset: int, data: bytes | memoryview, *, flush: bool = True) -> None:
    """Overwrite a part of an existing file; `flush`: so that it survives a power cut."""
    with writing(path), path.open("r+b", buffering=0) as file:
        file.seek(offset)
        _write_all(file, data)
        if flush:
            os.fsync(file.fileno())


def at_once(jobs: Iterable[Callable[[], None]]) -> None:
    """Do several writes side by side: each waits for the disk, which flushes many as fast as one.

    Returns when all have ended. Raises what the first of them, in their order, has raised.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        begun = [pool.submit(job) for job in jobs]
    for job in begun:
        job.result()


def _write_all(file: FileIO, data: bytes | memoryview) -> None:
    # An unbuffered write may take only a part, as on a disk that becomes full: the next one then says why.
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _replace(source: Path, target: Path) -> None:
    # Windows refuses while another process reads the target, as Blender reads take.json: it is done in an instant.
    for _ in range(_REPLACE_TRIES - 1):
        try:
            source.replace(target)
            return
        except PermissionError:
            time.sleep(0.05)
    source.replace(target)


def _sync_folder(folder: Path) -> None:
    # A name lives in its folder, which Windows can neither open nor flush, and needs not.
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot flush a folder: they keep their names themselves.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
