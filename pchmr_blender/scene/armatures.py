# SPDX-License-Identifier: GPL-3.0-or-later
"""Making an armature from a table of bones, and leaving selection, active object and mode as they were."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import bpy
from mathutils import Vector
from numpy.typing import ArrayLike

_PALETTES: Final = {".L": "THEME04", ".R": "THEME01", "": "THEME09"}


@dataclass(frozen=True)
class BoneRow:
    """A bone to make. Metres, in the armature's frame."""

    name: str
    head: ArrayLike
    """(3,)"""
    tail: ArrayLike
    """(3,)"""
    z_axis: ArrayLike
    """(3,) where the bone's z axis points; it is turned square to the bone."""
    parent: str = ""
    """Name of an earlier row; none where empty."""
    collection: str = ""
    """Bone collection, made where the armature has none of that name."""
    selectable: bool = True


def create_armature(name: str, rows: Iterable[BoneRow]) -> bpy.types.Object:
    """An armature object, to stand at the world's origin, its bones coloured by their side (`.L`, `.R`, middle).

    It is in no collection yet.
    """
    rows = tuple(rows)
    armature = bpy.data.armatures.new(name)
    created = bpy.data.objects.new(name, armature)
    with _edit_mode(created):
        for row in rows:
            bone = armature.edit_bones.new(row.name)
            bone.head, bone.tail = Vector(row.head), Vector(row.tail)
            bone.align_roll(Vector(row.z_axis))
            bone.parent = armature.edit_bones[row.parent] if row.parent else None
    for row in rows:
        bone = armature.bones[row.name]
        bone.color.palette = _PALETTES[row.name[-2:] if row.name[-2:] in _PALETTES else ""]
        bone.hide_select = not row.selectable
        if row.collection:
            held_by = armature.collections.get(row.collection) or armature.collections.new(row.collection)
            held_by.assign(bone)
    return created


@contextmanager
def _edit_mode(armature: bpy.types.Object) -> Iterator[None]:
    """Edit mode of one armature: only there can bones be made, and only through an operator.

    The operator wants a window (a timer may have none), the object in the view layer, where it is meanwhile, and
    nothing else selected, because selected armatures would enter edit mode too.
    """
    manager = bpy.context.window_manager
    window = bpy.context.window or next(iter(manager.windows), None)
    with bpy.context.temp_override(window=window) if window else bpy.context.temp_override():
        layer, root = bpy.context.view_layer, bpy.context.scene.collection
        before, selected = layer.objects.active, [item for item in layer.objects if item.select_get()]
        mode = before.mode if before else "OBJECT"
        if mode != "OBJECT":
            bpy.ops.object.mode_set(mode="OBJECT")
        for item in selected:
            item.select_set(False)
        root.objects.link(armature)
        layer.objects.active = armature
        bpy.ops.object.mode_set(mode="EDIT")
        try:
            yield
        finally:
            bpy.ops.object.mode_set(mode="OBJECT")
            root.objects.unlink(armature)
            for item in selected:
                item.select_set(True)
            layer.objects.active = before
            if mode != "OBJECT":
                bpy.ops.object.mode_set(mode=mode)
