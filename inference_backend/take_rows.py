"""The files of a take's arrays, as its writer makes and fills them: checked rows into their places."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .disk import at_once, replace_file, require_space, write_at, writing
from .take import array_path, read_header
from .take_format import ARRAYS, HASH_OF_STAGE, STAGES, ArraySpec, in_order
from .take_info import PersonInfo

Sizes = tuple[int, int, int]
"""Vertices, faces and UVs of the take's body."""


def checked_rows(
    info: PersonInfo, stage: str, start: int, rows: Mapping[str, ArrayLike], sizes: Sizes
) -> dict[str, NDArray[Any]]:
    """The rows as the table's types. ValueError where they are not what the stage writes next, or writes again."""
    known = {spec.name for spec in ARRAYS.values() if spec.stage == stage and spec.per_frame}
    hashes = HASH_OF_STAGE.get(stage)
    if not rows or not set(rows) <= known or (hashes and hashes not in rows):
        raise ValueError(f"stage {stage!r} writes {sorted(known)}, found {sorted(rows)}")
    count = (np.shape(next(iter(rows.values()))) or (0,))[0]
    done = info.done.get(stage, 0)
    first = 0 if hashes else done
    if not (first <= start <= done and count and start + count <= info.frames):
        wanted = f"start in {first}-{done} and 1 to {info.frames - start} rows"
        raise ValueError(f"stage {stage}: wanted {wanted}, found {count} rows from {start}")
    return {name: ARRAYS[name].converted(value, ARRAYS[name].sized(count, *sizes)) for name, value in rows.items()}


def make_files(folder: Path, info: PersonInfo, names: Sequence[str], sizes: Sizes) -> None:
    """Arrays with a row a frame, at full length and empty. Raises DiskFull where they can never fill."""
    wanted = {}
    for name in names:
        shape = ARRAYS[name].sized(info.rows, *sizes)
        header = ARRAYS[name].header(shape)
        wanted[name] = header, len(header) + ARRAYS[name].nbytes(shape)
    require_space(folder, sum(size for _, size in wanted.values()))
    at_once(
        partial(replace_file, place_of(folder, ARRAYS[name], info.index), header, size)
        for name, (header, size) in wanted.items()
    )


def write_parts(folder: Path, info: PersonInfo, start: int, rows: Mapping[str, NDArray[Any]], sizes: Sizes) -> None:
    """Rows of several arrays, flushed, in no order."""
    at_once(partial(write_part, folder, info, name, start, value, sizes) for name, value in rows.items())


def write_part(folder: Path, info: PersonInfo, name: str, start: int, value: NDArray[Any], sizes: Sizes) -> None:
    """Rows of an array, flushed."""
    path = place_of(folder, ARRAYS[name], info.index)
    offset = read_header(path, ARRAYS[name], ARRAYS[name].sized(info.rows, *sizes))
    write_at(path, offset + start * value[0].nbytes, value.reshape(-1).view(np.uint8).data)


def write_whole(folder: Path, values: Mapping[str, ArrayLike], person: int | None, sizes: Sizes) -> None:
    """Arrays that have no row a frame, of a person or of the take. ValueError before any is written."""
    files = {}
    for name, value in values.items():
        spec = ARRAYS.get(name)
        if spec is None or spec.per_frame or (spec.scope == "person") != (person is not None):
            raise ValueError(f"no whole array {name!r} of {'the take' if person is None else 'a person'}")
        shape = spec.sized(0, *sizes)
        files[name] = spec.header(shape) + spec.converted(value, shape).tobytes()
    at_once(partial(replace_file, place_of(folder, ARRAYS[name], person or 0), data) for name, data in files.items())


def with_done(info: PersonInfo, stage: str, done: int, written: Collection[str]) -> PersonInfo:
    """The person with so many finished frames of a stage, in its arrays. Stages stand in their order, not in that in
    which they were written: two jobs of the same work leave the same bytes."""
    frames = {**info.done, stage: done}
    stages: tuple[str, ...] = STAGES
    in_stages = {name: frames[name] for name in stages if name in frames}
    return replace(info, done=in_stages, arrays=in_order(info.arrays, written))


def with_finished(info: PersonInfo, stage: str) -> PersonInfo:
    """The person with a finished stage. Raises ValueError where frames of it are missing."""
    if info.done.get(stage, 0) != info.frames:
        raise ValueError(f"person {info.index}, {stage}: {info.done.get(stage, 0)} of {info.frames} frames done")
    return replace(info, finished=tuple(s for s in STAGES if s in {*info.finished, stage}))


def place_of(folder: Path, spec: ArraySpec, person: int) -> Path:
    """Where an array's file lies; its folder is there."""
    path = array_path(folder, spec, person)
    with writing(path.parent):
        path.parent.mkdir(exist_ok=True)
    return path
