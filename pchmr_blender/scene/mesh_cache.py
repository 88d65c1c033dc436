# SPDX-License-Identifier: GPL-3.0-or-later
"""The body's animation as a PC2 file that Blender's Mesh Cache modifier reads: nothing of the clip in the .blend."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import bpy

from ..core import pc2
from ..core.form_costs import Form
from ..core.prepare import prepare_form
from ..core.row_keys import row_keys
from ..core.takes import PersonView
from ..core.timing import Placing
from .actions import action_of, new_action, write_curves

MODIFIER: Final = "Mesh Cache"


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
    if action_of(body) is None:
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


def restore_caches(body: bpy.types.Object, person: PersonView) -> bool:
    """Write the body's mesh caches anew, where they were, that are missing or cut short; whether there was any.

    Raises DiskFull, OutputNotWritable.
    """
    broken = [path for path in cache_files(body) if not pc2.is_whole(path)]
    for path in broken:
        path.parent.mkdir(parents=True, exist_ok=True)
        prepare_form(person, Form.PC2, None, tolerance_mm=0.0, cache=path, tick=lambda done, total: None).put_cache()
    return bool(broken)


def cache_files(body: bpy.types.Object) -> list[Path]:
    """The files of the body's mesh caches, there or not."""
    modifiers = (item for item in body.modifiers if item.type == "MESH_CACHE")
    return [Path(bpy.path.abspath(modifier.filepath)) for modifier in modifiers]


def _relative(path: Path) -> str:
    """From the .blend (`//`) where it is saved on the same drive."""
    if not bpy.data.filepath or Path(bpy.data.filepath).anchor != path.absolute().anchor:
        return str(path.absolute())
    return bpy.path.relpath(str(path.absolute()))
