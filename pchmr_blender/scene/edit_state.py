# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person's mesh should be, by the .blend alone, and which rows are something else.

The .blend owns the clean-up layers and the edits; `committed` says in which rows the edits are to be in the mesh. The
take and what Blender shows of it are made from that: each of their rows carries the hash of what it was made from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import bpy
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...inference_backend.take_info import TakeInfo, read_info
from ...inference_backend.take_info import layers_of as layers_in_take
from ...inference_backend.targets.parameters import Layers, read_layers
from ..core import row_ranges
from ..core.edit_rows import EditRows
from ..core.takes import PersonView
from .curve_stamp import stamp_of
from .edits import row_frames, sample
from .handles import find_part, part_of
from .shown_rows import differing
from .take_paths import take_folder


@dataclass(frozen=True, eq=False)
class Wanted:
    """What the F rows of a person's take are to be made from."""

    rows: NDArray[np.int64]
    """(n,) the committed rows, increasing; the others have no edit."""
    edits: EditRows
    """Of those n rows."""
    hashes: NDArray[np.uint64]
    """(F,) what the take's `target_hash` must be."""


_MOST_KNOWN: Final = 8
"""People whose wanted rows are remembered."""
_KNOWN: Final[dict[str, tuple[object, Wanted]]] = {}
"""What a person's .blend asked for last, by uuid, and what decided it. Nobody changes its arrays."""


def layers_of(person: bpy.types.Collection) -> dict[str, Any]:
    """The target stack's parameters, nested, as `targets.parameters.Layers.values` gives them.

    Raises what `take_paths.take_folder` raises, where the .blend is from before it kept them and the take is gone.
    """
    return dict(json.loads(_layers_text(person)))


def set_layers(person: bpy.types.Collection, values: Mapping[str, Any]) -> None:
    """Keep other parameters; the rows are stale until they are recalibrated. Raises BadArgument."""
    person.pchmr_edit.layers = read_layers(values).canonical()


def layers_of_take(folder: Path, info: TakeInfo, person: int) -> str:
    """The parameters that a person's rows were made with, as canonical JSON. Raises BadArgument, TakeCorrupt."""
    return read_layers(layers_in_take(folder, info, person) or Layers.off().values()).canonical()


def committed(person: bpy.types.Collection) -> NDArray[np.int64]:
    """The rows whose edits are to be in the mesh. Shape: (n,), increasing."""
    return row_ranges.read(person.pchmr_edit.committed)


def commit(person: bpy.types.Collection, rows: ArrayLike) -> None:
    """Let the edits of these rows be in the mesh, too; it follows with the next recalibration."""
    person.pchmr_edit.committed = row_ranges.written(np.union1d(committed(person), np.asarray(rows, np.int64)))


def uncommit(person: bpy.types.Collection, rows: ArrayLike) -> None:
    """Let no edit of these rows be in the mesh."""
    person.pchmr_edit.committed = row_ranges.written(np.setdiff1d(committed(person), np.asarray(rows, np.int64)))


def wanted(person: bpy.types.Collection, frames: int) -> Wanted:
    """What a take's `frames` rows should be made from.

    Raises:
        BadArgument, SceneChanged: as `edits.sample`.
        TakeNotFound, TakeMismatch, TakeVersion: as `layers_of`.
    """
    layers, own = _layers_text(person), person.pchmr_edit
    rows = committed(person)
    rows = rows[rows < frames]
    if not len(rows):
        return Wanted(rows, EditRows.none(0), _unedited(layers, frames))
    # After every undo somebody asks, and mostly nothing of this has changed.
    times = hashlib.blake2b(row_frames(person).tobytes(), digest_size=16).digest()
    asked = layers, own.committed, frames, times, stamp_of(part_of(person, "TARGETS"))
    known = _KNOWN.pop(person.pchmr.uuid, None)
    if known is None or known[0] != asked:
        edits, hashes = sample(person, rows), _unedited(layers, frames)
        hashes[rows] = edits.hashes(layers)
        known = asked, Wanted(rows, edits, hashes)
    _KNOWN[person.pchmr.uuid] = known
    while len(_KNOWN) > _MOST_KNOWN:
        _KNOWN.pop(next(iter(_KNOWN)))
    return known[1]


def _unedited(layers: str, frames: int) -> NDArray[np.uint64]:
    return np.repeat(EditRows.none(1).hashes(layers), frames)


def stale(person: bpy.types.Collection, view: PersonView) -> NDArray[np.int64]:
    """The rows of which the take, or what Blender shows of it, is not what the .blend wants. Shape: (n,), increasing.

    None of a person whose targets were baked: without controls the .blend says nothing about the mesh.

    Raises as `wanted`.
    """
    if find_part(person, "TARGETS") is None:
        return np.zeros(0, np.int64)
    want = wanted(person, view.frame_count).hashes
    differ = view.row_hashes != want
    body = find_part(person, "BODY")
    if body is not None:
        differ |= differing(body, want)
    return np.flatnonzero(differ)


def _layers_text(person: bpy.types.Collection) -> str:
    if person.pchmr_edit.layers:
        return str(person.pchmr_edit.layers)
    folder = take_folder(person)
    return layers_of_take(folder, read_info(folder), person.pchmr.person)
