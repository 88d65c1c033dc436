# SPDX-License-Identifier: GPL-3.0-or-later
"""What each row that Blender shows was made from, so that rows which fell behind the take are found.

Keys and curves are undone with the .blend. Blender does that one data-block at a time, and leaves alone those that are
equal in both steps, changes since then included: the shape keys may go back where the mesh or an action does not. So
every data-block that shows rows carries their hashes itself, and a row is what is wanted when all of them say so. And
correctives and their values, which mean nothing without each other, carry a mark that is new with each change of the
correctives. A mesh cache is a file that no undo changes: its hashes lie in a file beside it.
"""

from __future__ import annotations

import uuid
from typing import Final

import bpy
import numpy as np
from numpy.typing import NDArray

from ..core import cache_hashes
from .actions import action_of
from .handles import find_part, person_of
from .mesh_cache import cache_files

KEY: Final = "pchmr_rows"
"""Name of the data-blocks' property, F hashes as 16 hexadecimal digits each; 0: nothing is known of the row.

Not bytes: Blender cuts those off at a zero when a property is written again.
"""

PAIR: Final = "pchmr_pair"
"""Name of the property that shape keys share with the action of their values."""


def note_shown(body: bpy.types.Object, hashes: NDArray[np.uint64], rows: NDArray[np.int64] | None = None) -> None:
    """Write down what the keys and curves of rows were made from; a cache's file has its own.

    Args:
        body: a person's.
        hashes: (F,) the take's `target_hash`.
        rows: which of them are shown now; None for all.
    """
    if rows is None or len(rows) == len(hashes):
        note_pair(body)
    carriers = _carriers(body)
    noted = [shown for one in carriers if (shown := _noted(one, len(hashes))) is not None]
    for carrier in carriers:
        shown = _noted(carrier, len(hashes))
        if rows is None:
            shown = hashes
        else:
            if shown is None:  # made with these rows: the others are in it as they were
                shown = noted[0].copy() if noted else np.zeros(len(hashes), np.uint64)
            shown[rows] = hashes[rows]
        carrier[KEY] = _text(shown)


def note_form(body: bpy.types.Object, hashes: NDArray[np.uint64]) -> None:
    """Write down what the body's own keys, which are new, were made from. Shape: (F,)."""
    keys = body.data.shape_keys
    if keys is not None:
        keys[KEY] = _text(hashes)
        note_pair(body)


def note_pair(body: bpy.types.Object) -> None:
    """Write down that the body's shape keys and the curves of their values are each other's."""
    mark = uuid.uuid4().hex
    for half in _pair(body):
        half[PAIR] = mark


def differing(body: bpy.types.Object, wanted: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which rows were made from something else than is wanted. Shape: (F,) → (F,)."""
    differ = np.full(len(wanted), len({half.get(PAIR) for half in _pair(body)}) > 1)
    for carrier in _carriers(body):
        shown = _noted(carrier, len(wanted))
        differ |= True if shown is None else shown != wanted
    for file in cache_files(body):
        differ |= cache_hashes.read(file, len(wanted)) != wanted
    return differ


def _carriers(body: bpy.types.Object) -> list[bpy.types.ID]:
    """The data-blocks that show rows: shape keys, and the actions of skeleton, targets and shape keys."""
    person, keys = person_of(body), body.data.shape_keys
    parts = [find_part(person, part) for part in ("SKELETON", "TARGETS")] if person is not None else []
    actions = [action_of(owner) for owner in (*parts, keys) if owner is not None]
    return list({one.session_uid: one for one in (keys, *actions) if one is not None}.values())


def _pair(body: bpy.types.Object) -> list[bpy.types.ID]:
    keys = body.data.shape_keys
    return [] if keys is None else [one for one in (keys, action_of(keys)) if one is not None]


def _noted(carrier: bpy.types.ID, count: int) -> NDArray[np.uint64] | None:
    """What a data-block says of its rows; None where it says nothing of so many. Shape: (count,)."""
    text = carrier.get(KEY, "")
    if not isinstance(text, str) or len(text) != 16 * count:
        return None
    return np.frombuffer(bytes.fromhex(text), ">u8").astype(np.uint64)


def _text(hashes: NDArray[np.uint64]) -> str:
    return hashes.astype(">u8").tobytes().hex()
