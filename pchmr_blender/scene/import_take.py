# SPDX-License-Identifier: GPL-3.0-or-later
"""A take becomes a collection per person: body, skeleton, targets, and the camera with the footage behind it.

All or nothing: where something fails, the scene and the file are as they were. A take that is already in the scene is
replaced, in its place and time, or imported a second time.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import bpy
import numpy as np

from ...inference_backend.errors import BadArgument, ClipNotFound, UnsupportedVideo
from ..core.form_costs import Form, default_form
from ..core.relocate import cache_folder, clip_title, resolved_path, same_place
from ..core.takes import PersonView, TakeView, open_view
from ..core.timing import Placing
from .actions import action_of
from .body import create_body
from .body_forms import set_form
from .camera import create_camera, set_frame
from .footage import attach_footage, find_source, fit_to_scene
from .handles import Part, find_part, group_of, mark, people_in, placing_of, set_placing
from .retime import retime
from .scene_change import all_or_nothing
from .skeleton import create_skeleton
from .take_paths import blend_folder, remember_take
from .targets import create_targets
from .timeline import place_in

_NAME_BYTES: Final = 40
"""Blender 4 cuts names at 63 bytes, and the names of a person's parts begin with the person's."""

Tick = Callable[[str, int, int], None]
"""Told what is being made, and how much of how much is done."""


@dataclass(frozen=True)
class ImportOptions:
    """What is made of a take, and where it stands in time."""

    people: tuple[int, ...] | None = None
    """Indices of the people; None: everyone, and who is no longer in the take goes."""
    form: Form | None = None
    """How the body's animation is kept; None: by its length."""
    tolerance_mm: float = 1.0
    """Largest error of the compressed form."""
    targets: bool = True
    """Make the controls."""
    camera: bool = True
    """Make the camera."""
    footage: bool = True
    """Show the footage behind it."""
    opacity: float | None = None
    """Of the footage, 0 to 1; None: full."""
    footage_offset: float | None = None
    """Scene frames that the footage is shown later than the take says; None: as before, else 0."""
    start: float | None = None
    """Scene frame of the footage's second 0; None: as before, else frame 1."""
    existing: Literal["REPLACE", "COPY"] = "REPLACE"
    """What happens where the scene holds this take: it is replaced, or there are two."""


@dataclass(frozen=True)
class _Made:
    """One person's new objects. Lives within `import_take` only."""

    person: PersonView
    collection: bpy.types.Collection
    parts: dict[Part, bpy.types.Object]
    form: Form


def import_take(
    folder: Path,
    options: ImportOptions,
    scene: bpy.types.Scene,
    tick: Tick = lambda what, done, total: None,
) -> list[bpy.types.Collection]:
    """Bring a take's people into the scene; returns their collections.

    A scene in which nothing moves gets the footage's rate and length, one without a take its output size and camera;
    in others the take is placed by seconds. Where the footage is gone or Blender cannot show it, the take is imported
    all the same and `Collection.pchmr.problem` says why.

    Raises:
        TakeCorrupt, TakeVersion: the folder holds no finished take of this version.
        BadArgument: the take has no such person.
        OutputNotWritable, DiskFull: the mesh cache cannot be written.
    """
    view = open_view(folder)
    people = _chosen(view, options)
    there = _people_there(view, scene) if options.existing == "REPLACE" else {}
    indices = {person.index for person in people}
    gone = [there.pop(index) for index in list(there) if index not in indices and options.people is None]
    kept = {index: collection for index, collection in there.items() if index in indices}
    former = [item for one in (*kept.values(), *gone) for item in one.objects if item.pchmr.part != "NONE"]
    with all_or_nothing(scene, dict.fromkeys(former)):
        first = not people_in(scene)
        placing = _placing(view, options, scene, next(iter(there.values()), None))
        if first:
            set_frame(scene, view)
        made = [_make_person(view, person, placing, options, kept.get(person.index), scene, tick) for person in people]
        group = next((one.pchmr.group for one in there.values()), uuid.uuid4().hex)
        problem = _make_camera(view, made, options, scene) if options.camera else ""
        if options.camera and (first or scene.camera is None or scene.camera in former):
            scene.camera = made[0].parts["CAMERA"]
        for one in made:
            _settle(one, view, options, group, placing, problem)
        for other in group_of(made[0].collection):
            _share_camera(other, made[0].parts.get("CAMERA"))
        retime(made[0].collection, placing)
    _forget(gone)
    return [one.collection for one in made]


def _chosen(view: TakeView, options: ImportOptions) -> list[PersonView]:
    wanted: Sequence[int] = range(len(view.people)) if options.people is None else options.people
    missing = [index for index in wanted if not 0 <= index < len(view.people)]
    if missing or not wanted:
        raise BadArgument(
            f"{view.folder.name} has no person {missing[0] if missing else '(none was named)'}",
            hint=f"It holds {len(view.people)}, counted from 0.",
            people=list(wanted),
        )
    return [view.people[index] for index in wanted]


def _people_there(view: TakeView, scene: bpy.types.Scene) -> dict[int, bpy.types.Collection]:
    """The people of one earlier import of this folder, by index; whatever the take held then."""
    found: dict[int, bpy.types.Collection] = {}
    for collection in people_in(scene):
        own = collection.pchmr
        places = (resolved_path(own.take, blend_folder()), resolved_path(own.take_absolute, None))
        same_import = not found or own.group == next(iter(found.values())).pchmr.group
        if same_import and any(place is not None and same_place(place, view.folder) for place in places):
            found.setdefault(own.person, collection)
    return found


def _placing(
    view: TakeView, options: ImportOptions, scene: bpy.types.Scene, former: bpy.types.Collection | None
) -> Placing:
    if former is None:
        return place_in(scene, view, 1.0 if options.start is None else options.start)
    before = placing_of(former)
    return before if options.start is None else Placing(before.fps, options.start)


def _make_person(
    view: TakeView,
    person: PersonView,
    placing: Placing,
    options: ImportOptions,
    collection: bpy.types.Collection | None,
    scene: bpy.types.Scene,
    tick: Tick,
) -> _Made:
    """A person's objects, in the collection that the person had or in a new one."""
    if collection is None:
        title = clip_title(view.info.clip.path, view.folder)
        title = title.encode("utf-8", "replace")[:_NAME_BYTES].decode("utf-8", "ignore")
        collection = bpy.data.collections.new(f"{title} {person.index}" if len(view.people) > 1 else title)
        scene.collection.children.link(collection)
    name, former = collection.name, find_part(collection, "BODY")
    parts: dict[Part, bpy.types.Object] = {}
    parts["SKELETON"] = create_skeleton(person, placing, collection, name)
    if options.targets:
        parts["TARGETS"] = create_targets(person, placing, collection, name, action_of(parts["SKELETON"]))
    parts["BODY"] = create_body(person, view.topology, collection, name)
    if former is not None:
        _keep_look(former.data, parts["BODY"].data)
    form = default_form(person.frame_count) if options.form is None else options.form
    set_form(
        parts["BODY"],
        parts["SKELETON"],
        person,
        placing,
        form,
        tolerance_mm=options.tolerance_mm,
        cache_folder=cache_folder(view.folder),
        tick=lambda done, total: tick(name, done, total),
    )
    return _Made(person, collection, parts, form)


def _keep_look(former: bpy.types.Mesh, mesh: bpy.types.Mesh) -> None:
    """Give a replacing body the materials of the replaced one: they may be an artist's work."""
    own = list(mesh.materials)
    mesh.materials.clear()
    for material in former.materials:
        mesh.materials.append(material)
    if len(former.polygons) == len(mesh.polygons):
        slots = np.empty(len(mesh.polygons), np.int32)
        former.polygons.foreach_get("material_index", slots)
        mesh.polygons.foreach_set("material_index", slots)
    bpy.data.batch_remove([material for material in own if material.users == 0])


def _make_camera(view: TakeView, made: list[_Made], options: ImportOptions, scene: bpy.types.Scene) -> str:
    """One camera for all; returns what is wrong with its footage, in words, or nothing."""
    first, problem = made[0], ""
    camera = create_camera(view, first.collection, first.collection.name)
    first.parts["CAMERA"] = camera
    if options.footage:
        try:
            attach_footage(camera, find_source(view, blend_folder()), blend_folder(), options.opacity)
        except (ClipNotFound, UnsupportedVideo) as error:
            problem = f"{error.message} {error.hint}"
    fit_to_scene(camera, view, scene)
    return problem


def _settle(made: _Made, view: TakeView, options: ImportOptions, group: str, placing: Placing, problem: str) -> None:
    """Write down in the .blend what was made."""
    own = made.collection.pchmr
    own.uuid, own.group = own.uuid or uuid.uuid4().hex, group
    own.person, own.form, own.tolerance_mm = made.person.index, made.form.value, options.tolerance_mm
    own.footage, own.problem, own.baked = options.camera and options.footage, problem, not options.targets
    remember_take(made.collection, view.folder, view.info)
    set_placing(made.collection, placing)
    for part, item in made.parts.items():
        mark(item, part, made.collection)
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
