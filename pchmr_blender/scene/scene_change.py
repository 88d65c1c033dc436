# SPDX-License-Identifier: GPL-3.0-or-later
"""Changing a scene all or nothing, and taking objects out of a file with everything that was theirs alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import bpy

from . import versions
from .actions import remove_action

_SCENE: Final = ("frame_start", "frame_end", "frame_current", "camera")
_RENDER: Final = ("fps", "fps_base", "resolution_x", "resolution_y", "pixel_aspect_x", "pixel_aspect_y")
_ASIDE: Final = "~"
"""Before names of what is being replaced: of two parts of a kind `find_part` then takes the new one."""


@contextmanager
def all_or_nothing(scene: bpy.types.Scene, replaced: Iterable[bpy.types.Object]) -> Iterator[None]:
    """Where the block fails, remove every data-block it made and put the scene's settings back; then raise on.

    Where it ends well, the objects of `replaced` are removed with what is theirs alone. Until then they are there,
    under other names, so that the block can give theirs to what it makes.
    """
    replaced = tuple(replaced)
    renamed = _set_aside(replaced)
    before = {item.session_uid for item in _all_data()}
    settings = [(owner, name, getattr(owner, name)) for owner, name in _settings(scene)]
    try:
        yield
    except BaseException:
        bpy.data.batch_remove([item for item in _all_data() if item.session_uid not in before])
        for owner, name, value in settings:
            setattr(owner, name, value)
        for item, name in renamed:
            item.name = name
        raise
    remove_objects(replaced)


def remove_objects(objects: Iterable[bpy.types.Object]) -> None:
    """Remove objects, and their curves, data and pictures where nobody else uses them."""
    for item in objects:
        for one in _owned(item):
            remove_action(one)
        data = item.data
        images = [background.image for background in getattr(data, "background_images", ()) if background.image]
        bpy.data.batch_remove([item])
        # Data before its pictures; shape keys go with their mesh.
        for one in filter(None, (data, *images)):
            if one.users == 0:
                bpy.data.batch_remove([one])


def rename(item: bpy.types.Object, old: str, new: str) -> None:
    """Let the names of what an object owns begin with `new` where they begin with `old`."""
    for one in (*_owned(item), *_actions([item]), *(slot.material for slot in item.material_slots)):
        if one is not None and one.name.startswith(old):
            one.name = new + one.name.removeprefix(old)
    for action in _actions([item]):
        for slot in versions.slots_of(action):
            if slot.name_display.startswith(old):
                slot.name_display = new + slot.name_display.removeprefix(old)


def _set_aside(objects: Iterable[bpy.types.Object]) -> list[tuple[bpy.types.ID, str]]:
    """Rename what the objects own; returns everything with the name it had."""
    owned = [one for item in objects for one in _owned(item)]
    renamed = {one.session_uid: (one, one.name) for one in (*owned, *_actions(objects))}
    for one, name in renamed.values():
        one.name = _ASIDE + name
    return list(renamed.values())


def _owned(item: bpy.types.Object) -> list[bpy.types.ID]:
    """An object, its data and its shape keys."""
    keys = getattr(item.data, "shape_keys", None)
    return [one for one in (item, item.data, keys) if one is not None]


def _actions(objects: Iterable[bpy.types.Object]) -> list[bpy.types.Action]:
    """What animates objects and what they own."""
    owners = [one for item in objects for one in _owned(item) if one.animation_data]
    return [one.animation_data.action for one in owners if one.animation_data.action]


def _settings(scene: bpy.types.Scene) -> list[tuple[Any, str]]:
    return [*((scene, name) for name in _SCENE), *((scene.render, name) for name in _RENDER)]


def _all_data() -> Iterator[bpy.types.ID]:
    """Every data-block of the file."""
    for entry in bpy.data.bl_rna.properties:
        if entry.type == "COLLECTION":
            yield from getattr(bpy.data, entry.identifier)
