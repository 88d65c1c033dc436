# SPDX-License-Identifier: GPL-3.0-or-later
"""Moving a take in time: skeleton, targets with the artist's edits, body and footage together."""

from __future__ import annotations

from collections.abc import Iterator

import bpy
import numpy as np

from ..core.timing import Placing
from .actions import curves_of
from .footage import place_footage
from .handles import find_part, group_of, placing_of, set_placing

_TIMES = ("co", "handle_left", "handle_right")


def retime(collection: bpy.types.Collection, placing: Placing) -> None:
    """Give the people that were imported with this one another start or speed.

    Every key of theirs moves, whoever made it, with its handles; no key is lost, whatever the speed.
    """
    for person in group_of(collection):
        before = placing_of(person)
        if before == placing:
            continue
        scale = placing.fps / before.fps
        for curve in _curves(person):
            _move(curve, scale, placing.start - before.start * scale)
        set_placing(person, placing)
    show_footage(collection)


def show_footage(collection: bpy.types.Collection) -> None:
    """Place the footage anew, after the placing or the footage's offset has changed."""
    offset = collection.pchmr.footage_offset
    for other in group_of(collection):
        if other.pchmr.footage_offset != offset:
            other.pchmr.footage_offset = offset
    camera = find_part(collection, "CAMERA")
    if camera is not None:
        place_footage(camera, placing_of(collection), offset)


def _curves(person: bpy.types.Collection) -> Iterator[bpy.types.FCurve]:
    """Every F-curve of a person's parts, once."""
    seen: set[int] = set()
    for part in ("SKELETON", "TARGETS", "BODY"):
        item = find_part(person, part)
        for owner in _owners(item) if item else ():
            for curve in curves_of(owner):
                # Without slots two owners may have one action.
                if curve.as_pointer() not in seen:
                    seen.add(curve.as_pointer())
                    yield curve


def _owners(item: bpy.types.Object) -> Iterator[bpy.types.ID]:
    """An object and what of its data can have curves of its own."""
    yield item
    yield item.data
    keys = getattr(item.data, "shape_keys", None)
    if keys is not None:
        yield keys


def _move(curve: bpy.types.FCurve, scale: float, shift: float) -> None:
    """Each key and handle from frame t to scale * t + shift."""
    points = curve.keyframe_points
    places = np.empty((len(points), 2), np.float32)
    for name in _TIMES:
        points.foreach_get(name, places.ravel())
        # In double precision, so that a take that is moved to and fro comes back.
        places[:, 0] = places[:, 0].astype(np.float64) * scale + shift
        points.foreach_set(name, places.ravel())
    curve.update()
