# SPDX-License-Identifier: GPL-3.0-or-later
"""Moving a take in time: skeleton, targets with the artist's edits, body, footage and markers together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import bpy
import numpy as np

from ..core.timing import Placing
from .actions import action_of, curves_of
from .export_stage import key_range
from .footage import place_footage
from .handles import Part, find_part, group_of, people_in, placing_of, set_placing
from .suspect_marks import show_markers

_PARTS: Final[tuple[Part, ...]] = ("SKELETON", "TARGETS", "BODY")
_TIMES: Final = ("co", "handle_left", "handle_right")


def retime(collection: bpy.types.Collection, placing: Placing) -> None:
    """Give the people that were imported with this one another start or speed.

    Every key of theirs moves, whoever made it, with its handles; no key is lost, whatever the speed. So do the markers
    of their actions, and those of the timeline that stand on the take, where the scene holds no other take. Markers
    stand on whole frames: there they are rounded.
    """
    people = [person for person in group_of(collection) if placing_of(person) != placing]
    if people:
        before = placing_of(people[0])
        scale = placing.fps / before.fps
        for marker in [*_timeline_markers(people), *_pose_markers(people)]:
            marker.frame = round(marker.frame * scale + placing.start - before.start * scale)
    for person in people:
        before = placing_of(person)
        scale = placing.fps / before.fps
        for curve in _curves(person):
            move_keys(curve, scale, placing.start - before.start * scale)
        set_placing(person, placing)
        show_markers(person)
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


def _timeline_markers(people: Sequence[bpy.types.Collection]) -> Iterator[bpy.types.TimelineMarker]:
    """The markers that stand on these people's keys, in scenes with nobody else."""
    group = set(group_of(people[0]))
    for scene in bpy.data.scenes:
        inside = [person for person in people_in(scene) if person in group]
        if not inside or len(inside) < len(people_in(scene)):
            continue
        skeletons = [skeleton for person in inside if (skeleton := find_part(person, "SKELETON"))]
        ranges = [key_range(skeleton, scene) for skeleton in skeletons]
        yield from (marker for marker in scene.timeline_markers if any(a <= marker.frame <= b for a, b in ranges))


def _pose_markers(people: Sequence[bpy.types.Collection]) -> Iterator[bpy.types.TimelineMarker]:
    """The markers of these people's actions, of which several owners may have one."""
    actions = {
        action
        for person in people
        for part in _PARTS
        if (item := find_part(person, part))
        for owner in _owners(item)
        if (action := action_of(owner))
    }
    for action in actions:
        yield from action.pose_markers


def _curves(person: bpy.types.Collection) -> Iterator[bpy.types.FCurve]:
    """Every F-curve of a person's parts, once."""
    seen: set[int] = set()
    for part in _PARTS:
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


def move_keys(curve: bpy.types.FCurve, scale: float, shift: float) -> None:
    """Each key and handle from frame t to scale * t + shift."""
    points = curve.keyframe_points
    places = np.empty((len(points), 2), np.float32)
    for name in _TIMES:
        points.foreach_get(name, places.ravel())
        # In double precision, so that a take that is moved to and fro comes back.
        places[:, 0] = places[:, 0].astype(np.float64) * scale + shift
        points.foreach_set(name, places.ravel())
    curve.update()
