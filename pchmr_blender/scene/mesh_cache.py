# SPDX-License-Identifier: GPL-3.0-or-later
"""The body's animation as a PC2 file that Blender's Mesh Cache modifier reads: nothing of the clip in the .blend."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import bpy
import numpy as np

from ..core import pc2
from ..core.row_keys import row_keys
from ..core.takes import PersonView
from ..core.timing import Placing
from .actions import action_of, new_action, write_curves

MODIFIER: Final = "Mesh Cache"

_UNSAFE: Final = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
_LONGEST_NAME: Final = 60


def cache_path(folder: Path, body_name: str, person: PersonView) -> Path:
    """Where the cache of a body lies in a folder: the same file whenever it is written again for the same person.

    Other people's and other takes' bodies have other files there, also those of the same name.
    """
    key = hashlib.blake2b(digest_size=4)
    for array in (person.frames, person.seconds, person.rest_vertices):
        key.update(np.ascontiguousarray(array).tobytes())
    name = _UNSAFE.sub("_", body_name)[:_LONGEST_NAME].rstrip(" .")
    return folder / f"{name} {key.hexdigest()}{pc2.SUFFIX}"


def write_cache(path: Path, person: PersonView, tick: Callable[[int, int], None]) -> None:
    """Write a person's meshes, in Blender's world. Raises DiskFull, OutputNotWritable; and see `pc2.write`."""
    pc2.write(path, len(person.rest_vertices), len(person.seconds), person.vertices, tick)


def add_cache(
    body: bpy.types.Object, skeleton: bpy.types.Object, path: Path, person: PersonView, placing: Placing
) -> None:
    """Let the body show a cache. Raises CacheCorrupt where the file is not what it needs."""
    pc2.verify(path, len(person.rest_vertices), len(person.seconds))
    modifier = body.modifiers.new(MODIFIER, "MESH_CACHE")
    modifier.cache_format = "PC2"
    modifier.filepath = _relative(path)
    modifier.forward_axis, modifier.up_axis = "POS_Y", "POS_Z"
    # The row to show is a keyed number, so that retiming moves it like any other curve.
    modifier.play_mode, modifier.time_mode, modifier.interpolation = "CUSTOM", "FRAME", "LINEAR"
    frames = placing.frames(person.seconds)
    rows = row_keys(frames)
    new_action(body, body.name, share_with=action_of(skeleton))
    write_curves(body, f'modifiers["{modifier.name}"].eval_frame', frames[rows], rows, MODIFIER)


def mend_cache(body: bpy.types.Object, folder: Path, person: PersonView) -> None:
    """See that the body has its cache: where it points, or under that name in the folder, if the take was moved.

    Raises CacheCorrupt where both are missing or cut short: Blender would show the rest pose without a word.
    """
    modifier = next((item for item in body.modifiers if item.type == "MESH_CACHE"), None)
    if modifier is None:
        return
    rows, vertices = len(person.seconds), len(person.rest_vertices)
    path = Path(bpy.path.abspath(modifier.filepath))
    moved = folder / path.name
    if not path.exists() and moved.exists():
        path = moved
        modifier.filepath = _relative(path)
    pc2.verify(path, vertices, rows)


def _relative(path: Path) -> str:
    """From the .blend (`//`) where it is saved on the same drive."""
    if not bpy.data.filepath or Path(bpy.data.filepath).anchor != path.absolute().anchor:
        return str(path.absolute())
    return bpy.path.relpath(str(path.absolute()))
