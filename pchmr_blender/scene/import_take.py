# SPDX-License-Identifier: GPL-3.0-or-later
"""A take becomes a collection per person: body, skeleton, targets, and the camera with the footage behind it.

All or nothing: where something fails, the scene and the file are as they were. A take that is already in the scene is
replaced, in its place and time, or imported a second time.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path

import bpy

from ...inference_backend.errors import BadArgument, ClipNotFound, UnsupportedVideo
from ..core.form_costs import default_form
from ..core.prepare import PreparedPerson, cache_path, discard, prepare_person
from ..core.relocate import cache_folder
from ..core.takes import PersonView, TakeView, open_view
from ..core.timing import Placing, whole_frames
from ..steps import InThread, Report, Steps, drain, ticking
from .actions import action_of
from .aside import aside
from .body import create_body
from .body_forms import STAGES, Subject, add_form
from .body_visibility import key_visibility
from .camera import create_camera
from .footage import attach_footage, find_source
from .handles import Part, scene_of
from .import_options import ImportOptions
from .import_settle import Made, people_there, planned_placing, settle, title_of
from .skeleton import create_skeleton
from .take_paths import blend_folder
from .targets import create_targets

__all__ = ["ImportOptions", "import_take", "importing"]


def import_take(
    folder: Path, options: ImportOptions, scene: bpy.types.Scene, show: Report = lambda status: None
) -> list[bpy.types.Collection]:
    """Do all of `importing` here and now."""
    return drain(importing(folder, options, scene.session_uid), show)


def importing(folder: Path, options: ImportOptions, scene_uid: int) -> Steps[list[bpy.types.Collection]]:
    """Bring a take's people into the scene of that `session_uid`; returns their collections.

    A scene in which nothing moves gets the footage's rate and length, one without a take its output size and camera;
    in others the take is placed by seconds. Where the footage is gone or Blender cannot show it, the take is imported
    all the same and `Collection.pchmr.problem` says why.

    Raises:
        TakeCorrupt, TakeVersion: the folder holds no finished take of this version.
        BadArgument: the take has no such person.
        OutputNotWritable, DiskFull: the mesh cache cannot be written.
        SceneChanged: the scene is gone.
    """
    view = yield InThread(f"Importing {folder.name}", lambda report, cancelled: open_view(folder))
    people = _chosen(view, options)
    caches = _caches(view, people, options, scene_of(scene_uid))
    try:
        prepared: list[PreparedPerson] = []
        for person, cache in zip(people, caches, strict=True):
            prepared.append((yield _preparing(view, person, options, cache)))
        return (
            yield from aside(
                lambda: _build(view, prepared, options, planned_placing(view, options, scene_of(scene_uid))),
                lambda built: settle(view, *built, options, scene_of(scene_uid)),
            )
        )
    finally:
        discard(caches)


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


def _caches(view: TakeView, people: Sequence[PersonView], options: ImportOptions, scene: bpy.types.Scene) -> list[Path]:
    """Where the mesh cache of each person goes, if there is one."""
    there = people_there(view, options, scene)
    names = [there[one.index].name if one.index in there else title_of(view, one) for one in people]
    folder = cache_folder(view.folder)
    return [cache_path(folder, f"{name} Body", person) for name, person in zip(names, people, strict=True)]


def _preparing(view: TakeView, person: PersonView, options: ImportOptions, cache: Path) -> InThread[PreparedPerson]:
    """What can be made of a person without Blender."""
    form = default_form(person.frame_count) if options.form is None else options.form
    return ticking(
        STAGES[form],
        lambda tick: prepare_person(
            person,
            view.topology,
            form,
            targets=options.targets,
            tolerance_mm=options.tolerance_mm,
            cache=cache,
            tick=tick,
        ),
    )


def _build(
    view: TakeView, prepared: Sequence[PreparedPerson], options: ImportOptions, placing: Placing
) -> Steps[tuple[list[Made], str]]:
    """Everyone's objects, and what is wrong with the footage, in words, or nothing."""
    made, problem = [], ""
    for one in prepared:
        name = uuid.uuid4().hex[:12]
        made.append(Made(one, (yield from _build_person(view, one, placing, name)), placing, name))
    if options.camera:
        camera = made[0].parts["CAMERA"] = create_camera(view, None, made[0].name)
        yield "Looking at the footage"  # in a turn of its own: Blender opens the movie in one go
        problem = _show_footage(view, camera, options)
    yield "Putting it into the scene"
    return made, problem


def _show_footage(view: TakeView, camera: bpy.types.Object, options: ImportOptions) -> str:
    """Put the footage behind the camera; returns what is wrong with it, in words, or nothing."""
    if options.footage:
        try:
            attach_footage(camera, find_source(view, blend_folder()), blend_folder(), options.opacity)
        except (ClipNotFound, UnsupportedVideo) as error:
            return f"{error.message} {error.hint}"
    return ""


def _build_person(
    view: TakeView, prepared: PreparedPerson, placing: Placing, name: str
) -> Steps[dict[Part, bpy.types.Object]]:
    person, rest, frames = prepared.person, prepared.rest, placing.frames(prepared.person.seconds)
    parts: dict[Part, bpy.types.Object] = {}
    parts["SKELETON"] = yield from create_skeleton(rest, prepared.bones, frames, name)
    if prepared.base is not None:
        action = action_of(parts["SKELETON"])
        parts["TARGETS"] = yield from create_targets(rest, prepared.base, person.height, frames, name, action)
    parts["BODY"] = yield from create_body(person, view.topology, name)
    yield from add_form(Subject(parts["BODY"], parts["SKELETON"], placing), prepared.body, person)
    key_visibility(parts["BODY"], whole_frames(frames[0], frames[-1]), action_of(parts["SKELETON"]))
    return parts
