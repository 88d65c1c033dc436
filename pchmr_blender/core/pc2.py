# SPDX-License-Identifier: GPL-3.0-or-later
"""PC2 point caches: the file from which Blender's Mesh Cache modifier reads a vertex position per row and vertex.

A header of 32 bytes, then a row a frame: N × (x, y, z) as little-endian float32. Blender reads such files and has no
writer; where one is missing or cut short it shows the rest pose and only marks the modifier. So `verify` is asked
wherever a file is relied upon.
"""

from __future__ import annotations

import contextlib
import os
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...inference_backend import disk
from ...inference_backend.errors import CacheCorrupt

SUFFIX: Final = ".pc2"

_HEADER: Final = struct.Struct("<12siiffi")
_MAGIC: Final = b"POINTCACHE2\0"
_BATCH_BYTES: Final = 16 << 20

Rows = Callable[[int, int], NDArray[np.float32]]
"""Rows [start, stop) of the vertices. Shape: (stop - start, N, 3), metres, Blender's world."""


def file_size(vertices: int, rows: int) -> int:
    """Bytes of a cache of that many vertices and rows."""
    return _HEADER.size + rows * vertices * 12


def write(path: Path, vertices: int, count: int, rows: Rows, tick: Callable[[int, int], None]) -> None:
    """Write a whole cache; its name holds the old file until the new one is complete.

    Args:
        path: the file; its folder is made.
        vertices: N.
        count: rows to write.
        rows: asked for a few rows at a time, so that memory stays flat.
        tick: told the rows written and their count; what it raises ends the writing and leaves no trace.

    Raises:
        DiskFull, OutputNotWritable
    """
    temporary = path.with_name(path.name + disk.TEMPORARY)
    batch = max(1, _BATCH_BYTES // (vertices * 12))
    with disk.writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    disk.require_space(path.parent, file_size(vertices, count))
    try:
        with disk.writing(path), temporary.open("wb") as file:
            # First frame 0 and one row a frame: the modifier then takes its `eval_frame` as the number of the row.
            file.write(_HEADER.pack(_MAGIC, 1, vertices, 0.0, 1.0, count))
            for start in range(0, count, batch):
                stop = min(start + batch, count)
                file.write(_data(rows(start, stop), vertices, stop - start))
                tick(stop, count)
            file.flush()
            os.fsync(file.fileno())
        with disk.writing(path):
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def put(written: Path, path: Path) -> None:
    """Give a complete cache its name; the file that had it is replaced. Raises OutputNotWritable.

    It takes no time: to give back the space of a file that was replaced takes the system a tenth of a second and more,
    so where that waits for the last one who has the file open, a thread is it.
    """
    with contextlib.ExitStack() as stack, disk.writing(path):
        if os.name == "posix" and path.exists():
            former = path.open("rb")
            stack.callback(threading.Thread(target=former.close, daemon=True).start)
        written.replace(path)


def write_rows(path: Path, vertices: int, start: int, rows: NDArray[np.float32]) -> None:
    """Overwrite rows of a cache in place; Blender shows them when it next evaluates the body.

    Args:
        path: a complete cache.
        vertices: N.
        start: the first row.
        rows: (n, N, 3) metres, Blender's world.

    Raises:
        CacheCorrupt: no cache of N vertices with all these rows.
        DiskFull, OutputNotWritable
    """
    verify(path, vertices, start + len(rows))
    disk.write_at(path, file_size(vertices, start), memoryview(_data(rows, vertices, len(rows))))


def verify(path: Path, vertices: int, rows: int) -> None:
    """Check that the cache is there, complete, of N vertices and at least so many rows. Raises CacheCorrupt."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEADER.size)
            size = file.seek(0, os.SEEK_END)
    except OSError as error:
        raise _corrupt(path, "file", error.strerror, "a mesh cache") from error
    if len(head) < _HEADER.size or head[: len(_MAGIC)] != _MAGIC:
        raise _corrupt(path, "format", "another one", "a PC2 file")
    _, version, found, first, rate, count = _HEADER.unpack(head)
    if (version, first, rate) != (1, 0.0, 1.0):
        raise _corrupt(path, "version, first frame, rate", (version, first, rate), (1, 0.0, 1.0))
    if found != vertices:
        raise _corrupt(path, "vertices", found, vertices)
    if count < rows:
        raise _corrupt(path, "frames", count, rows)
    if size != file_size(vertices, count):
        raise _corrupt(path, "size in bytes", size, file_size(vertices, count))


def is_whole(path: Path) -> bool:
    """Whether the cache is there and as long as it says, whatever body it is for."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEADER.size)
        vertices, count = (_HEADER.unpack(head)[index] for index in (2, 5))
        verify(path, vertices, count)
    except (OSError, struct.error, CacheCorrupt):
        return False
    return True


def _data(rows: NDArray[np.float32], vertices: int, count: int) -> bytes:
    if rows.shape != (count, vertices, 3):
        raise ValueError(f"rows: found {rows.shape}, want {(count, vertices, 3)}")
    return np.ascontiguousarray(rows, "<f4").tobytes()


def _corrupt(path: Path, what: str, found: Any, expected: Any) -> CacheCorrupt:
    return CacheCorrupt(
        f"{path}: {what}: found {found}, expected {expected}",
        hint="Put the file back, or choose the body's form again: that writes it anew from the take.",
        path=str(path),
        what=what,
        found=str(found),
        expected=str(expected),
    )
