# SPDX-License-Identifier: GPL-3.0-or-later
"""The body's animation as absolute shape keys: the rest pose and a key a frame, shown by a keyed `eval_time`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import bpy

from ..core.row_keys import row_keys
from ..core.takes import PersonView
from ..core.timing import Placing
from .actions import action_of, new_action, write_curves

BASIS: Final = "Basis"

_BATCH: Final = 64
"""Rows read at a time, 10 MB: where blocks that large come and go, the system's allocator hands out each key's memory
from them instead of asking the kernel for it, which takes as long as filling it."""


def mesh_with_keys(mesh: bpy.types.Mesh, person: PersonView, tick: Callable[[int, int], None]) -> bpy.types.Mesh:
    """A copy of the mesh with a key for each of the person's rows. What `tick` raises leaves nothing behind."""
    copy = mesh.copy()
    # Keys are added through an object; one that no scene holds is not evaluated meanwhile.
    holder = bpy.data.objects.new(copy.name, copy)
    try:
        holder.shape_key_clear()
        # Keys copied with their mesh are counted as used once too often, and would stay behind.
        bpy.data.batch_remove([keys for keys in bpy.data.shape_keys if keys.user == copy])
        _add_keys(holder, person, tick)
    except BaseException:
        bpy.data.objects.remove(holder)
        bpy.data.meshes.remove(copy)
        raise
    bpy.data.objects.remove(holder)
    return copy


def key_rows(body: bpy.types.Object, skeleton: bpy.types.Object, person: PersonView, placing: Placing) -> None:
    """Key which of the body's keys is shown when."""
    keys = body.data.shape_keys
    frames = placing.frames(person.seconds)
    rows = row_keys(frames)
    new_action(keys, body.name, share_with=action_of(skeleton))
    write_curves(keys, "eval_time", frames[rows], rows + 1)


def _add_keys(holder: bpy.types.Object, person: PersonView, tick: Callable[[int, int], None]) -> None:
    holder.shape_key_add(name=BASIS, from_mix=False)
    keys = holder.data.shape_keys
    keys.use_relative = False
    count = len(person.seconds)
    for start in range(0, count, _BATCH):
        batch = person.vertices(start, min(start + _BATCH, count))
        for row, vertices in enumerate(batch, start):
            keys.eval_time = row + 1  # a new key takes its place from it
            key = holder.shape_key_add(name=f"Frame {person.frames[row]}", from_mix=False)
            key.interpolation = "KEY_LINEAR"
            key.points.foreach_set("co", vertices.ravel())
        tick(start + len(batch), count)
    keys.eval_time = 1
