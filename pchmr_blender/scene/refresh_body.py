# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of the take shown again in the body, in whichever form it is; the others stay bit by bit.

Absolute keys: those rows' keys get other vertices. Mesh cache: its rows are overwritten in the file. Compressed: the
correctives get other values in those rows, and where these are not enough, keys that are at 0 in all others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import bpy
import numpy as np
from numpy.typing import NDArray

from ...inference_backend.errors import BadArgument
from ..core import cache_hashes, pc2
from ..core.form_costs import Form
from ..core.prepare import prepare_form
from ..core.prepare_rows import PreparedRows, recompress_rows
from ..core.recompress import Recompressed
from ..core.row_ranges import spans
from ..core.takes import PersonView
from ..steps import InThread, Status, Steps, Tick, ticking
from . import versions
from .actions import action_of
from .body import skin_weights
from .body_forms import Subject
from .control_curves import evaluated
from .correctives import PREFIX, add_corrective, value_path, write_values
from .mesh_cache import cache_files
from .shape_keys import key_name
from .shown_rows import note_pair

STAGE: Final = "Showing the frames"

_BATCH: Final = 64
"""Rows of meshes held at a time."""

Find = Callable[[], Subject]
"""Whose body it is; asked again after each step."""


def refresh_row_keys(find: Find, person: PersonView, rows: NDArray[np.int64]) -> Steps[None]:
    """Absolute keys. Raises BadArgument where a row's key is gone."""
    done = 0
    for start, stop in _batches(rows):
        batch = yield InThread(STAGE, lambda report, cancelled, rows=(start, stop): person.vertices(*rows))
        blocks = find().body.data.shape_keys.key_blocks
        for row, vertices in zip(range(start, stop), batch, strict=True):
            _row_key(blocks, person, row).points.foreach_set("co", vertices.ravel())
        done += stop - start
        yield Status(STAGE, done / len(rows), detail=f"{done} of {len(rows)}")
    find().body.data.shape_keys.update_tag()


def refresh_cache(find: Find, person: PersonView, prepared: PreparedRows) -> Steps[None]:
    """Rows of the mesh cache, in place. Raises CacheCorrupt, OutputNotWritable, DiskFull."""
    for file in cache_files(find().body):
        yield ticking(STAGE, partial(_write_cache, file, person, prepared))


def refresh_correctives(
    find: Find, person: PersonView, prepared: PreparedRows, frames: NDArray[np.float64], tolerance_mm: float
) -> Steps[None]:
    """Values of the correctives, and more of them. Raises BadArgument where a row cannot be held within the tolerance.

    `frames`: (F,) the scene frame of each row.
    """
    weights = yield from skin_weights(lambda: find().body)
    for first in range(0, len(prepared.rows), _BATCH):
        part = prepared.part(first, first + _BATCH)
        names, keys, values = _read_keys(find().body, person, frames)
        steady = np.where((values == values[:1]).all(0), values[0], np.nan).astype(np.float32)
        made = yield ticking(STAGE, partial(recompress_rows, person, part, weights, keys, steady, tolerance_mm))
        _show_correctives(find(), person, part.rows, made, names, values, frames)
        yield Status(STAGE, (first + len(part.rows)) / len(prepared.rows))


def replace_correctives(
    find: Find, person: PersonView, frames: NDArray[np.float64], tolerance_mm: float
) -> Steps[None]:
    """All correctives anew, the fewest for the whole clip, in the data-block that held the former ones.

    `frames`: (F,) the scene frame of each row.
    """
    weights = yield from skin_weights(lambda: find().body)
    prepared = yield ticking(
        STAGE,
        lambda tick: prepare_form(person, Form.COMPRESSED, weights, tolerance_mm=tolerance_mm, cache=Path(), tick=tick),
    )
    made = prepared.correctives
    former = [block.name for block in _require_keys(find().body).key_blocks if block.name.startswith(PREFIX)]
    for name in former:
        _remove_key(find().body, name)
    note_pair(find().body)
    for number, (offsets, values) in enumerate(zip(made.offsets, made.values.T, strict=True), 1):
        add_corrective(find().body, number, person.rest_vertices + offsets, frames, values)
        note_pair(find().body)
        yield Status(STAGE, number / len(made.offsets), detail=f"{number} of {len(made.offsets)}")


def _row_key(blocks: bpy.types.bpy_prop_collection, person: PersonView, row: int) -> bpy.types.ShapeKey:
    """The absolute key of a row: behind the rest pose, unless somebody has moved it."""
    name = key_name(person, row)
    if row + 1 < len(blocks) and blocks[row + 1].name == name:
        return blocks[row + 1]
    if name not in blocks:
        raise BadArgument(
            f"the body has no shape key {name} any more",
            hint="Undo its deletion, or choose the body's form again: that makes all keys anew.",
            key=name,
        )
    return blocks[name]


def _write_cache(file: Path, person: PersonView, prepared: PreparedRows, tick: Tick) -> None:
    """While rows are written nothing is known of them, whatever happens."""
    rows, count = prepared.rows, person.frame_count
    hashes, done = cache_hashes.read(file, count), 0
    hashes[rows] = 0
    cache_hashes.write(file, hashes)
    for start, stop in _batches(rows):
        tick(done, len(rows))
        pc2.write_rows(file, person.vertex_count, start, person.vertices(start, stop))
        done += stop - start
    hashes[rows] = prepared.hashes[rows]
    cache_hashes.write(file, hashes)


def _read_keys(
    body: bpy.types.Object, person: PersonView, frames: NDArray[np.float64]
) -> tuple[list[str], NDArray[np.float32], NDArray[np.float32]]:
    """Names of the K correctives; (K, 3N) what each adds, x of all vertices first; (F, K) its value in each row."""
    keys = body.data.shape_keys
    blocks = [block for block in (keys.key_blocks if keys else ()) if block.name.startswith(PREFIX)]
    points = np.empty((len(blocks), person.vertex_count, 3), np.float32)
    values = np.empty((len(frames), len(blocks)), np.float32)
    bag = versions.channels(keys) if keys else None
    for index, block in enumerate(blocks):
        block.points.foreach_get("co", points[index].ravel())
        curve = bag.fcurves.find(value_path(block.name)) if bag else None
        values[:, index] = block.value if curve is None else evaluated(curve, frames)
    offsets = (points - person.rest_vertices).transpose(0, 2, 1)
    return [block.name for block in blocks], np.ascontiguousarray(offsets.reshape(-1, 3 * person.vertex_count)), values


def _show_correctives(
    subject: Subject,
    person: PersonView,
    rows: NDArray[np.int64],
    made: Recompressed,
    names: list[str],
    former: NDArray[np.float32],
    frames: NDArray[np.float64],
) -> None:
    """Write the values that changed, add keys, and remove those that are at 0 by now in every row."""
    body, values = subject.body, former.copy()
    values[rows] = made.values
    keys = _require_keys(body)
    for index in np.flatnonzero((values != former).any(0)):
        write_values(keys, names[index], frames, values[:, index])
    numbers = [int(name.removeprefix(PREFIX)) for name in names if name.removeprefix(PREFIX).isdigit()]
    first = max(numbers, default=0) + 1
    for number, (offsets, added) in enumerate(zip(made.added.offsets, made.added.values.T, strict=True), first):
        whole = np.zeros(len(frames), np.float32)
        whole[rows] = added
        add_corrective(body, number, person.rest_vertices + offsets, frames, whole)
    for index in np.flatnonzero(former.any(0) & ~values.any(0)):
        _remove_key(body, names[index])
    if len(made.added.offsets) or (former.any(0) & ~values.any(0)).any():
        note_pair(body)


def _require_keys(body: bpy.types.Object) -> bpy.types.Key:
    """What holds the correctives. It is not made here: no data-block may come without a step of undo."""
    keys = body.data.shape_keys
    if keys is None or action_of(keys) is None:
        raise BadArgument(
            f"{body.name} has lost its shape keys, or their action",
            hint="Undo their deletion, or choose the body's form again: that makes all keys anew.",
            body=body.name,
        )
    return keys


def _remove_key(body: bpy.types.Object, name: str) -> None:
    keys = body.data.shape_keys
    bag = versions.channels(keys)
    curve = bag.fcurves.find(value_path(name)) if bag else None
    if curve is not None:
        bag.fcurves.remove(curve)
    body.shape_key_remove(keys.key_blocks[name])


def _batches(rows: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Runs [start, stop) of rows that follow each other, of a few at most."""
    for first, last in spans(rows):
        for start in range(first, last, _BATCH):
            yield start, min(start + _BATCH, last)
