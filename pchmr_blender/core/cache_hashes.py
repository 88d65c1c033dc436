# SPDX-License-Identifier: GPL-3.0-or-later
"""What the rows of a mesh cache were made from: F hashes in a file beside it. Without that file nothing is known."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...inference_backend import disk

SUFFIX: Final = ".rows"


def path_of(cache: Path) -> Path:
    """The file of a cache."""
    return cache.with_name(cache.name + SUFFIX)


def read(cache: Path, count: int) -> NDArray[np.uint64]:
    """The hash of each row, 0 where none is known. Shape: (count,)."""
    try:
        data = path_of(cache).read_bytes()
    except OSError:
        return np.zeros(count, np.uint64)
    return np.frombuffer(data, "<u8").astype(np.uint64) if len(data) == 8 * count else np.zeros(count, np.uint64)


def write(cache: Path, hashes: NDArray[np.uint64]) -> None:
    """Say what all rows were made from. Raises OutputNotWritable, DiskFull."""
    disk.replace_file(path_of(cache), hashes.astype("<u8").tobytes())


def forget(cache: Path) -> None:
    """Say that nothing is known: the cache is about to be another. Raises OutputNotWritable."""
    with disk.writing(path_of(cache)):
        path_of(cache).unlink(missing_ok=True)
