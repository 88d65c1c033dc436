# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding our things in a scene: people by uuid and name, their parts by what they are.

References into Blender's data die with an undo, a load or a deletion. What must live longer is kept as a `Handle`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

import bpy

from ...inference_backend.errors import SceneChanged
from ..core.timing import Placing

Part = Literal["BODY", "SKELETON", "TARGETS", "CAMERA"]


@dataclass(frozen=True)
class Handle:
    """A person's collection, to be kept over undo, load and frame changes."""

    uuid: str
    name: str
    """When it was taken; tells a collection from its copy, which has the same uuid."""


def handle_of(collection: bpy.types.Collection) -> Handle:
    """What to keep of a person's collection."""
    return Handle(collection.pchmr.uuid, collection.name)


def resolve(handle: Handle) -> bpy.types.Collection:
    """The collection now. Raises SceneChanged where it is gone."""
    found = [collection for collection in bpy.data.collections if collection.pchmr.uuid == handle.uuid]
    if not found:
        raise SceneChanged(
            f"{handle.name} is no longer in this file",
            hint="Undo its deletion, or import the take again.",
            uuid=handle.uuid,
        )
    return next((collection for collection in found if collection.name == handle.name), found[0])


def scene_of(session_uid: int) -> bpy.types.Scene:
    """The scene of that `session_uid`. Raises SceneChanged where it is gone: another file was loaded, say."""
    scene = next((one for one in bpy.data.scenes if one.session_uid == session_uid), None)
    if scene is None:
        raise SceneChanged("the scene is no longer in this file", hint="Import the take into another one.")
    return scene


def people_in(scene: bpy.types.Scene) -> list[bpy.types.Collection]:
    """The people of all takes in the scene, in the outliner's order."""
    # A collection may be linked in several places.
    return [one for one in dict.fromkeys(scene.collection.children_recursive) if one.pchmr.uuid]


def group_of(collection: bpy.types.Collection) -> list[bpy.types.Collection]:
    """The people that were imported together with this one, itself included."""
    group = collection.pchmr.group
    return [other for other in bpy.data.collections if group and other.pchmr.group == group]


def find_part(collection: bpy.types.Collection, part: Part) -> bpy.types.Object | None:
    """A part of a person, or None where it was never made, or deleted."""
    owner = collection.pchmr.group if part == "CAMERA" else collection.pchmr.uuid
    found = [item for item in collection.objects if item.pchmr.part == part and item.pchmr.owner == owner]
    return min(found, key=lambda item: item.name, default=None)  # an artist's copy is called .001


def part_of(collection: bpy.types.Collection, part: Part) -> bpy.types.Object:
    """A part of a person. Raises SceneChanged where it is gone."""
    found = find_part(collection, part)
    if found is None:
        raise SceneChanged(
            f"{collection.name} has no {part.lower()} any more",
            hint="Undo its deletion, or import the take again.",
            collection=collection.name,
            part=part,
        )
    return found


def mark(item: bpy.types.Object, part: Part, collection: bpy.types.Collection) -> None:
    """Say what an object is to its person."""
    item.pchmr.part = part
    item.pchmr.owner = collection.pchmr.group if part == "CAMERA" else collection.pchmr.uuid


def person_of(item: bpy.types.Object | None) -> bpy.types.Collection | None:
    """The person that an object is a part of, or lies in the collection of."""
    collections = item.users_collection if item else ()
    return next((collection for collection in collections if collection.pchmr.uuid), None)


def active_person(context: bpy.types.Context) -> bpy.types.Collection | None:
    """Whom the panel is about: of the active object, else of the active collection, else the scene's only one."""
    # To a 3D view an object that is hidden is not active, as a body that is out of the picture.
    found = person_of(context.active_object or context.view_layer.objects.active)
    if found is None and context.collection is not None and context.collection.pchmr.uuid:
        found = context.collection
    if found is None:
        people = people_in(context.scene)
        found = people[0] if len(people) == 1 else None
    return found


def placing_of(collection: bpy.types.Collection) -> Placing:
    """Where the person stands in time."""
    return Placing(**json.loads(collection.pchmr.placing))


def set_placing(collection: bpy.types.Collection, placing: Placing) -> None:
    """Note where the person stands in time; `retime.retime` moves the keys too."""
    collection.pchmr.placing = json.dumps(asdict(placing))
