# SPDX-License-Identifier: GPL-3.0-or-later
"""What an import has made takes its place in the scene, in one step: all or nothing.

A take that is already in the scene is replaced, in its place and time, or imported a second time.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Final

import bpy

from ..core.prepare import PreparedPerson
from ..core.relocate import clip_title, resolved_path, same_place
from ..core.takes import PersonView, TakeView
from ..core.timing import Placing
from .body import keep_look
from .body_forms import Subject, finish_form
from .body_visibility import has_keys, hide_outside, hides_outside
from .camera import set_frame
from .footage import fit_to_scene
from .handles import Part, find_part, group_of, mark, people_in, placing_of, set_placing
from .import_options import ImportOptions
from .keep_edits import keep_edits
from .retime import retime
from .scene_change import all_or_nothing, rename
from .shown_rows import note_shown
from .suspect_marks import list_suspects
from .take_paths import blend_folder, remember_take
from .timeline import give_time, is_still, placing_in

_NAME_BYTES: Final = 40
"""Blender 4 cuts names at 63 bytes, and the names of a person's parts begin with the person's."""


@dataclass(frozen=True)
class Made:
    """One person's new objects, in no collection yet. Lives within `aside` only."""

    prepared: PreparedPerson
    parts: dict[Part, bpy.types.Object]
    placing: Placing
    name: str
    """What the names of its data-blocks begin with, before they get the collection's."""


def settle(
    view: TakeView, made: list[Made], problem: str, options: ImportOptions, scene: bpy.types.Scene
) -> list[bpy.types.Collection]:
    """Put what was made into the scene, in the place of what was there of this take.

    `problem`: what is wrong with the footage, in words, or nothing.
    """
    there = people_there(view, options, scene)
    indices = {one.prepared.person.index for one in made}
    gone = [there.pop(index) for index in list(there) if index not in indices and options.people is None]
    kept = {index: collection for index, collection in there.items() if index in indices}
    former = [item for one in (*kept.values(), *gone) for item in one.objects if item.pchmr.part != "NONE"]
    with all_or_nothing(scene, dict.fromkeys(former)):
        first, still = not people_in(scene), is_still(scene)
        placing = planned_placing(view, options, scene)
        if still and not there:
            give_time(scene, view, placing)
        if first:
            set_frame(scene, view)
        collections = [_put(view, one, kept.get(one.prepared.person.index), scene) for one in made]
        camera = made[0].parts.get("CAMERA")
        if camera is not None:
            fit_to_scene(camera, view, scene)
            if first or scene.camera is None or scene.camera in former:
                scene.camera = camera
        group = next((one.pchmr.group for one in there.values()), uuid.uuid4().hex)
        for one, collection in zip(made, collections, strict=True):
            _note(one, collection, view, options, group, problem)
        for other in group_of(collections[0]):
            _share_camera(other, camera)
        retime(collections[0], placing)
        # Last: a failure gives the former parts their names back.
        for one, collection in zip(made, collections, strict=True):
            for item in one.parts.values():
                rename(item, one.name, collection.name)
            list_suspects(collection)
    _forget(gone)
    return collections


def people_there(view: TakeView, options: ImportOptions, scene: bpy.types.Scene) -> dict[int, bpy.types.Collection]:
    """The people of one earlier import of this folder, whatever the take held then, by index; if they are replaced."""
    if options.existing == "COPY":
        return {}
    found: dict[int, bpy.types.Collection] = {}
    for collection in people_in(scene):
        own = collection.pchmr
        places = (resolved_path(own.take, blend_folder()), resolved_path(own.take_absolute, None))
        same_import = not found or own.group == next(iter(found.values())).pchmr.group
        if same_import and any(place is not None and same_place(place, view.folder) for place in places):
            found.setdefault(own.person, collection)
    return found


def planned_placing(view: TakeView, options: ImportOptions, scene: bpy.types.Scene) -> Placing:
    """Where the take goes in time: where it stands, or as the scene says."""
    former = next(iter(people_there(view, options, scene).values()), None)
    if former is None:
        return placing_in(scene, view, 1.0 if options.start is None else options.start)
    before = placing_of(former)
    return before if options.start is None else Placing(before.fps, options.start)


def title_of(view: TakeView, person: PersonView) -> str:
    """What a person's collection is called, as long as no other is."""
    title = clip_title(view.info.clip.path, view.folder)
    title = title.encode("utf-8", "replace")[:_NAME_BYTES].decode("utf-8", "ignore")
    return f"{title} {person.index}" if len(view.people) > 1 else title


def _put(
    view: TakeView, made: Made, collection: bpy.types.Collection | None, scene: bpy.types.Scene
) -> bpy.types.Collection:
    """Link a person's objects to the collection that the person had, or to a new one."""
    if collection is None:
        collection = bpy.data.collections.new(title_of(view, made.prepared.person))
        scene.collection.children.link(collection)
    former, body = find_part(collection, "BODY"), made.parts["BODY"]
    if former is not None:
        keep_look(former.data, body.data)
        hide_outside(body, hides_outside(former) or not has_keys(former))
    for item in made.parts.values():
        collection.objects.link(item)
    finish_form(Subject(body, made.parts["SKELETON"], made.placing), made.prepared.body, made.prepared.person)
    return collection


def _note(
    made: Made,
    collection: bpy.types.Collection,
    view: TakeView,
    options: ImportOptions,
    group: str,
    problem: str,
) -> None:
    """Write down in the .blend what was made."""
    own = collection.pchmr
    keep_edits(collection, made.parts.get("TARGETS"), view, made.prepared.person.index, made.placing)
    own.uuid, own.group = own.uuid or uuid.uuid4().hex, group
    own.person, own.form = made.prepared.person.index, made.prepared.body.form.value
    own.tolerance_mm = options.tolerance_mm
    own.footage, own.problem, own.baked = options.camera and options.footage, problem, not options.targets
    remember_take(collection, view.folder, view.info)
    set_placing(collection, made.placing)
    for part, item in made.parts.items():
        mark(item, part, collection)
    note_shown(made.parts["BODY"], made.prepared.person.row_hashes)
    if options.footage_offset is not None:
        own.footage_offset = options.footage_offset


def _share_camera(collection: bpy.types.Collection, camera: bpy.types.Object | None) -> None:
    """Show the take's camera with each of its people, who may be hidden or removed one by one."""
    if camera is not None and camera.name not in collection.objects:
        collection.objects.link(camera)


def _forget(gone: list[bpy.types.Collection]) -> None:
    """Remove the collections of people who are no longer in the take; with other things in them they stay, as such."""
    for collection in gone:
        if collection.objects or collection.children:
            collection.pchmr.uuid = collection.pchmr.group = ""
        else:
            bpy.data.collections.remove(collection)
