# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of a take's rows as a .blend keeps them: `12-40,55`."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray


def spans(rows: ArrayLike) -> list[tuple[int, int]]:
    """Row numbers, in any order, as runs [start, stop) in order."""
    wanted = np.unique(np.asarray(rows, np.int64))
    if not len(wanted):
        return []
    return [(int(run[0]), int(run[-1]) + 1) for run in np.split(wanted, np.flatnonzero(np.diff(wanted) > 1) + 1)]


def rows_of(runs: Iterable[tuple[int, int]]) -> NDArray[np.int64]:
    """The row numbers of runs [start, stop), in order."""
    parts = [np.arange(start, stop) for start, stop in runs]
    return np.unique(np.concatenate(parts)) if parts else np.zeros(0, np.int64)


def written(rows: ArrayLike) -> str:
    """As text."""
    return ",".join(str(start) if stop == start + 1 else f"{start}-{stop - 1}" for start, stop in spans(rows))


def read(text: str) -> NDArray[np.int64]:
    """From text. Raises ValueError for anything else."""
    return rows_of(read_runs(text))


def read_runs(text: str) -> list[tuple[int, int]]:
    """The runs [start, stop) of a text, as it names them. Raises ValueError for anything else."""
    runs = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        first, _, last = part.partition("-")
        start, stop = int(first), int(last or first) + 1
        if start < 0 or stop <= start:
            raise ValueError(f"{part!r} is no range of rows")
        runs.append((start, stop))
    return runs
