# SPDX-License-Identifier: GPL-3.0-or-later
"""The body's animation in one of three forms, and the change from one to another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import bpy

from ..core.form_costs import Form, FormCost, default_form, form_cost
from ..core.takes import PersonView
from ..core.timing import Placing
from . import versions
from .actions import curves_of, remove_action
from .body import check_body
from .correctives import add_correctives, compressed
from .mesh_cache import add_cache, cache_path, write_cache
from .shape_keys import key_rows, mesh_with_keys

__all__ = ["Form", "FormCost", "costs", "default_form", "form_of", "set_form"]


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
    tick: Callable[[int, int], None],
) -> None:
    """Animate the body in a form; the former one is removed when all that takes long has succeeded.

    In each form the evaluated body is the take's mesh in the world, the compressed one within the tolerance. A former
    mesh cache's file stays: undo and saved .blends refer to it.

    Args:
        body: of `create_body`, in object mode.
        skeleton: of `create_skeleton`, with the same person's motion.
        person: whose meshes.
        placing: where the take stands on the timeline.
        form: may be the one it has: it is then made anew.
        tolerance_mm: the compressed form's maximum error; without meaning for the others.
        cache_folder: where a mesh cache's file goes; made where it is missing.
        tick: told steps done and their number. It must not edit the scene; what it raises leaves the body as it was.

    Raises:
        BadArgument: a mesh that was edited, or a tolerance that cannot be kept.
        DiskFull, OutputNotWritable: the mesh cache cannot be written.
    """
    check_body(body, person)
    if form is Form.PC2:
        path = cache_path(cache_folder, body.name, person)
        write_cache(path, person, tick)
        remove_form(body, skeleton)
        add_cache(body, skeleton, path, person, placing)
    elif form is Form.COMPRESSED:
        correctives = compressed(body, person, tolerance_mm, tick)
        remove_form(body, skeleton)
        add_correctives(body, skeleton, correctives, person, placing)
    else:
        mesh = mesh_with_keys(body.data, person, tick)
        remove_form(body, skeleton)
        _replace_mesh(body, mesh)
        key_rows(body, skeleton, person, placing)


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


def _replace_mesh(body: bpy.types.Object, mesh: bpy.types.Mesh) -> None:
    """Give the body, and linked copies of it, another mesh under the same name."""
    former, name = body.data, body.data.name
    former.user_remap(mesh)
    bpy.data.meshes.remove(former)
    mesh.name = name
