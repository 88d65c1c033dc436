# SPDX-License-Identifier: GPL-3.0-or-later
"""The body's animation in one of three forms, and the change from one to another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import bpy

from ..core.form_costs import Form, FormCost, default_form, form_cost
from ..core.prepare import PreparedForm, cache_path, discard, prepare_form
from ..core.takes import PersonView
from ..core.timing import Placing
from ..steps import Report, Steps, drain, ticking
from . import versions
from .actions import action_of, curves_of, remove_action, share_action
from .aside import aside
from .body import check_body, keep_look, skin_weights
from .correctives import add_correctives, skin
from .free_hands import free_hands
from .mesh_cache import add_cache
from .shape_keys import add_row_keys, key_rows
from .shown_rows import note_form

__all__ = ["Form", "FormCost", "Subject", "change_form", "costs", "default_form", "form_of", "set_form"]

STAGES = {
    Form.ABSOLUTE: "Reading the take",
    Form.COMPRESSED: "Compressing the body",
    Form.PC2: "Writing the mesh cache",
}
"""What is prepared for a form."""


@dataclass(frozen=True)
class Subject:
    """Whose form is changed. Lives within a step."""

    body: bpy.types.Object
    """Of `create_body`, in object mode."""
    skeleton: bpy.types.Object
    """Of `create_skeleton`, with the same person's motion."""
    placing: Placing
    """Where the take stands on the timeline."""


def costs(person: PersonView, form: Form, tolerance_mm: float = 1.0) -> FormCost:
    """What a form of this person's animation takes, before it is chosen."""
    return form_cost(form, len(person.seconds), len(person.rest_vertices), tolerance_mm)


def form_of(body: bpy.types.Object) -> Form | None:
    """The form that the body is in; None at rest."""
    kinds = {modifier.type for modifier in body.modifiers}
    if "MESH_CACHE" in kinds:
        return Form.PC2
    keys = body.data.shape_keys
    if keys is not None and not keys.use_relative:
        return Form.ABSOLUTE
    return Form.COMPRESSED if "ARMATURE" in kinds else None


def set_form(
    body: bpy.types.Object,
    skeleton: bpy.types.Object,
    person: PersonView,
    placing: Placing,
    form: Form,
    *,
    tolerance_mm: float = 1.0,
    cache_folder: Path,
    show: Report = lambda status: None,
) -> None:
    """Do all of `change_form` here and now. `show` must not edit the scene; what it raises leaves it as it was."""
    subject = Subject(body, skeleton, placing)
    drain(change_form(lambda: subject, person, form, tolerance_mm=tolerance_mm, cache_folder=cache_folder), show)


def change_form(
    find: Callable[[], Subject], person: PersonView, form: Form, *, tolerance_mm: float = 1.0, cache_folder: Path
) -> Steps[None]:
    """Animate a body in a form; the former one is removed when all that takes long has succeeded.

    In each form the evaluated body is the take's mesh in the world, the compressed one within the tolerance. A former
    mesh cache's file stays: undo and saved .blends refer to it.

    Args:
        find: who it is; asked again after each step. Raises SceneChanged.
        person: whose meshes.
        form: may be the one it has: it is then made anew.
        tolerance_mm: the compressed form's maximum error; without meaning for the others.
        cache_folder: where a mesh cache's file goes; made where it is missing.

    Raises:
        BadArgument: a mesh that was edited, or a tolerance that cannot be kept.
        DiskFull, OutputNotWritable: the mesh cache cannot be written.
    """
    yield from free_hands()
    body = find().body
    check_body(body, person)
    cache = cache_path(cache_folder, body.name, person)
    weights = (yield from skin_weights(lambda: find().body)) if form is Form.COMPRESSED else None
    try:
        prepared = yield ticking(
            STAGES[form],
            lambda tick: prepare_form(person, form, weights, tolerance_mm=tolerance_mm, cache=cache, tick=tick),
        )
        yield from aside(
            lambda: _new_mesh(find, prepared, person), lambda holder: _exchange(find(), holder, prepared, person)
        )
    finally:
        discard([cache])


def add_form(subject: Subject, prepared: PreparedForm, person: PersonView) -> Steps[None]:
    """Give a body that is made aside its form; `finish_form` does the rest."""
    if prepared.form is Form.ABSOLUTE:
        yield from add_row_keys(subject.body, person)
        key_rows(subject.body, subject.skeleton, person, subject.placing)
    elif prepared.correctives is not None:
        frames = subject.placing.frames(person.seconds)
        action = action_of(subject.skeleton)
        yield from add_correctives(subject.body, prepared.correctives, person.rest_vertices, frames, action)


def finish_form(subject: Subject, prepared: PreparedForm, person: PersonView) -> None:
    """What lets a body show its form, in the last step. Raises CacheCorrupt, OutputNotWritable."""
    if prepared.cache is not None:
        prepared.put_cache()
        add_cache(subject.body, subject.skeleton, prepared.cache, person, subject.placing)
    elif prepared.form is Form.COMPRESSED:
        skin(subject.body, subject.skeleton)


def _new_mesh(
    find: Callable[[], Subject], prepared: PreparedForm, person: PersonView
) -> Steps[bpy.types.Object | None]:
    """An object that holds the body's mesh with the keys of a form; None where the form needs none."""
    if prepared.cache is not None:
        return None
    mesh, frames = _without_keys(find().body), find().placing.frames(person.seconds)
    holder = bpy.data.objects.new(mesh.name, mesh)
    if prepared.correctives is None:
        yield from add_row_keys(holder, person)
    else:
        yield from add_correctives(holder, prepared.correctives, person.rest_vertices, frames)
    return holder


def _exchange(subject: Subject, holder: bpy.types.Object | None, prepared: PreparedForm, person: PersonView) -> None:
    """Take the former form away and show the new one."""
    body, skeleton = subject.body, subject.skeleton
    check_body(body, person)
    remove_form(body, skeleton)
    if holder is not None:
        mesh = holder.data
        bpy.data.objects.remove(holder)
        keep_look(body.data, mesh)
        _replace_mesh(body, mesh)
    if prepared.form is Form.ABSOLUTE:
        key_rows(body, skeleton, person, subject.placing)
    elif holder is not None:
        keys = body.data.shape_keys
        share_action(keys, action_of(skeleton))
        if not versions.has_slots():
            action_of(keys).name = body.name
    finish_form(subject, prepared, person)
    note_form(body, person.row_hashes)


def remove_form(body: bpy.types.Object, skeleton: bpy.types.Object) -> None:
    """Bring the body back to its rest pose: keys, curves, modifiers and parent of its form go."""
    for modifier in list(body.modifiers):
        if modifier.type == "MESH_CACHE" or (modifier.type == "ARMATURE" and modifier.object == skeleton):
            _remove_curves(body, modifier.path_from_id())
            body.modifiers.remove(modifier)
    if body.parent == skeleton:
        body.parent = None
    if body.data.shape_keys is not None:
        remove_action(body.data.shape_keys)
        body.shape_key_clear()


def _remove_curves(body: bpy.types.Object, path: str) -> None:
    """Remove the curves of a modifier; those that an artist gave the object stay."""
    for curve in [curve for curve in curves_of(body) if curve.data_path.startswith(path)]:
        versions.channels(body).fcurves.remove(curve)
    if not any(True for _ in curves_of(body)):
        remove_action(body)


def _without_keys(body: bpy.types.Object) -> bpy.types.Mesh:
    """A copy of the body's mesh without its shape keys."""
    mesh = body.data
    if mesh.shape_keys is None:
        return mesh.copy()
    # To copy a thousand keys with the mesh, only to remove them, would take a tenth of a second.
    copy = bpy.data.meshes.new_from_object(body)
    for name, value in mesh.items():
        copy[name] = value
    return copy


def _replace_mesh(body: bpy.types.Object, mesh: bpy.types.Mesh) -> None:
    """Give the body, and linked copies of it, another mesh under the same name."""
    former, name = body.data, body.data.name
    former.user_remap(mesh)
    bpy.data.meshes.remove(former)
    mesh.name = name
