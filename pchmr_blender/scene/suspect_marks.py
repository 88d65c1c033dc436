# SPDX-License-Identifier: GPL-3.0-or-later
"""The doubtful joints in the file: the list, markers on the timeline, and the way to one of them."""

from __future__ import annotations

import json
from typing import Final

import bpy

from ..core.skeleton import BONE_NAMES
from ..core.suspect_list import find_suspects
from .evidence import read_evidence
from .handles import find_part, people_in, placing_of
from .versions import select_bone

PREFIX: Final = "PC-HMR "
"""What the names of our markers begin with."""


def list_suspects(collection: bpy.types.Collection) -> int:
    """Make the list again, and the markers where they are shown; how many there are. What was ticked stays so.

    Raises what `take_paths.open_person` raises; the list stays as it was.
    """
    own, seen = collection.pchmr_suspects, read_evidence(collection)
    ticked = [(span.joint, span.first, span.last) for span in own.spans if span.chosen]
    own.spans.clear()
    for found in find_suspects(seen.suspect, seen.causes, seen.seconds, own.threshold):
        span = own.spans.add()
        span.name, span.joint, span.score, span.cause = BONE_NAMES[found.joint], found.joint, found.score, found.cause
        span.first, span.last = found.first, found.last
        span.first_second, span.last_second = seen.seconds[found.first], seen.seconds[found.last]
        span.worst_second = seen.seconds[found.worst]
        span.chosen = any(
            joint == found.joint and first <= found.last and found.first <= last for joint, first, last in ticked
        )
    own.active, own.listed, own.problem = 0, True, ""
    show_markers(collection)
    return len(own.spans)


def frame_at(collection: bpy.types.Collection, second: float) -> int:
    """The whole scene frame that is nearest to a moment of the footage."""
    return round(float(placing_of(collection).frames(second)))


def show_markers(collection: bpy.types.Collection) -> None:
    """Put a marker at the worst frame of each in the list, or none where they are switched off.

    Only those that were made here before are removed.
    """
    own = collection.pchmr_suspects
    ours = set(json.loads(own.marker_names or "[]"))
    names: list[str] = []
    for scene in [scene for scene in bpy.data.scenes if collection in people_in(scene)]:
        markers = scene.timeline_markers
        for marker in [marker for marker in markers if marker.name in ours]:
            markers.remove(marker)
        taken = {marker.name for marker in markers}
        for span in own.spans if own.markers else ():
            name = _unused(f"{PREFIX}{span.name} {span.score:.0%}", taken)
            markers.new(name, frame=frame_at(collection, span.worst_second))
            taken.add(name)
            names.append(name)
    own.marker_names = json.dumps(sorted(set(names)))


def go_to(context: bpy.types.Context, collection: bpy.types.Collection, index: int) -> None:
    """Show one of the list: its worst frame, and its control alone selected, in pose mode.

    Where the controls are hidden, or gone, only the frame changes.
    """
    own = collection.pchmr_suspects
    own.active, span = index, own.spans[index]
    context.scene.frame_set(frame_at(collection, span.worst_second))
    targets = find_part(collection, "TARGETS")
    if targets is None or not targets.visible_get(view_layer=context.view_layer):
        return
    layer = context.view_layer
    if layer.objects.active != targets:
        if context.mode != "OBJECT":
            bpy.ops.object.mode_set(mode="OBJECT")
        for item in [item for item in layer.objects if item.select_get()]:
            item.select_set(False)
        targets.select_set(True)
        layer.objects.active = targets
    if targets.mode != "POSE":
        bpy.ops.object.mode_set(mode="POSE")
    for bone in targets.pose.bones:
        select_bone(bone, bone.name == span.name)
    targets.data.bones.active = targets.data.bones[span.name]


def _unused(name: str, taken: set[str]) -> str:
    """A name of an artist's marker is not taken a second time."""
    free, number = name, 1
    while free in taken:
        free, number = f"{name} ({number + 1})", number + 1
    return free
