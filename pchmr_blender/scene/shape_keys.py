# SPDX-License-Identifier: GPL-3.0-or-later
"""The body's animation as absolute shape keys: the rest pose and a key a frame, shown by a keyed `eval_time`."""

from __future__ import annotations

from typing import Final

import bpy

from ..core.row_keys import row_keys
from ..core.takes import PersonView
from ..core.timing import Placing
from ..steps import InThread, Status, Steps
from .actions import action_of, new_action, write_curves

BASIS: Final = "Basis"
STAGE: Final = "Adding shape keys"

_BATCH: Final = 128
"""Rows read at a time, 20 MB: where blocks that large come and go, the system's allocator hands out each key's memory
from them instead of asking the kernel for it, which takes as long as filling it."""
_SLICE: Final = 16
"""Keys made in a step."""


def add_row_keys(holder: bpy.types.Object, person: PersonView) -> Steps[None]:
    """Give an object's mesh, which has none, a key for each of the person's rows.

    Keys are added through an object; one that no scene holds is not evaluated meanwhile.
    """
    holder.shape_key_add(name=BASIS, from_mix=False)
    holder.data.shape_keys.use_relative = False
    count = len(person.seconds)
    for start in range(0, count, _BATCH):
        stop = min(start + _BATCH, count)
        # From the disk, maybe from a slow one.
        batch = yield InThread(STAGE, lambda report, cancelled, rows=(start, stop): person.vertices(*rows))
        for first in range(0, len(batch), _SLICE):
            keys = holder.data.shape_keys
            for row, vertices in enumerate(batch[first : first + _SLICE], start + first):
                keys.eval_time = row + 1  # a new key takes its place from it
                key = holder.shape_key_add(name=key_name(person, row), from_mix=False)
                key.interpolation = "KEY_LINEAR"
                key.points.foreach_set("co", vertices.ravel())
            yield Status(STAGE, (row + 1) / count, detail=f"{row + 1} of {count}")
    holder.data.shape_keys.eval_time = 1


def key_name(person: PersonView, row: int) -> str:
    """What the key of a row is called."""
    return f"Frame {person.frames[row]}"


def key_rows(body: bpy.types.Object, skeleton: bpy.types.Object, person: PersonView, placing: Placing) -> None:
    """Key which of the body's keys is shown when."""
    keys = body.data.shape_keys
    frames = placing.frames(person.seconds)
    rows = row_keys(frames)
    new_action(keys, body.name, share_with=action_of(skeleton))
    write_curves(keys, "eval_time", frames[rows], rows + 1)
