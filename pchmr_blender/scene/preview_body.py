# SPDX-License-Identifier: GPL-3.0-or-later
"""The Preview: a plain mesh that stands for a person's body while the target pose is edited.

Whatever form the body is in, a mesh without keys and modifiers is written in a fraction of a millisecond. It is not
rendered, not selectable, and not in files: it is marked as runtime data. A body that is hidden for its sake says so, so
undo and redo take both along; in a file that was recovered both are mended.

An undo may keep references to a data-block that went without a step of undo, and then end Blender. So a Preview is
removed where such a step follows, as after an operator, and elsewhere only taken out of its scene.
"""

from __future__ import annotations

from typing import Final

import bpy
import numpy as np
from numpy.typing import NDArray

from ..core.takes import PersonView
from .body import check_body
from .body_visibility import is_shown, show
from .handles import Handle, part_of

_WAS_HIDDEN: Final = "pchmr_was_hidden"
"""On a body that a Preview stands for: whether it was hidden by hand before."""


def add_preview(person: bpy.types.Collection, view: PersonView) -> bpy.types.Object:
    """Make `<name> Preview`, with the body's faces, UVs and materials, and hide the body.

    Raises:
        SceneChanged: body or targets are gone.
        BadArgument: the body's mesh was edited.
    """
    body, targets = part_of(person, "BODY"), part_of(person, "TARGETS")
    check_body(body, view)
    mesh = bpy.data.meshes.new_from_object(body)
    for name in list(mesh.keys()):
        del mesh[name]
    mesh.name = f"{person.name} Preview"
    preview = bpy.data.objects.new(mesh.name, mesh)
    preview.pchmr.part, preview.pchmr.owner = "PREVIEW", person.pchmr.uuid
    preview.hide_select = preview.hide_render = True
    preview.matrix_world = targets.matrix_world.copy()
    preview.is_runtime_data = mesh.is_runtime_data = True
    # Not in the person's collection, whose objects are what a person is made of.
    bpy.context.scene.collection.objects.link(preview)
    _hide(body)
    return preview


def previews() -> list[bpy.types.Object]:
    """All that are in the file."""
    return [item for item in bpy.data.objects if item.pchmr.part == "PREVIEW"]


def find_preview(handle: Handle) -> bpy.types.Object | None:
    """A person's, if there is one that is in a scene."""
    return next((one for one in previews() if one.pchmr.owner == handle.uuid and one.users_collection), None)


def remove_previews() -> None:
    """Take all away, and show their bodies as they were before. A step of undo must follow."""
    for one in previews():
        mesh = one.data
        bpy.data.objects.remove(one)
        if mesh.users == 0:
            bpy.data.meshes.remove(mesh)
    show_bodies()


def retire_preview(preview: bpy.types.Object) -> None:
    """Take it out of its scene, and show its body as it was before."""
    for collection in preview.users_collection:
        collection.objects.unlink(preview)
    for body in _hidden():
        if body.pchmr.owner == preview.pchmr.owner:
            _show_again(body)


def show_bodies() -> None:
    """Show bodies as they were before they were hidden for a Preview."""
    for body in _hidden():
        _show_again(body)


def show_bodies_in_file() -> None:
    """Before a save: bodies are shown, and no Preview gets into the file. `hide_bodies` is to follow."""
    show_bodies()
    for one in previews():
        one.is_runtime_data = one.data.is_runtime_data = True  # an undo may have forgotten it


def hide_bodies() -> None:
    """Hide the bodies whose Preview is in a scene."""
    shown = {one.pchmr.owner for one in previews() if one.users_collection}
    for item in bpy.data.objects:
        if item.pchmr.part == "BODY" and item.pchmr.owner in shown and _WAS_HIDDEN not in item:
            _hide(item)


def any_traces() -> bool:
    """Whether there is a Preview in a scene, or a body that is hidden for one."""
    return bool(_hidden()) or any(one.users_collection for one in previews())


def show_vertices(preview: bpy.types.Object, vertices: NDArray[np.float32]) -> None:
    """Write the mesh. Shape: (N, 3) metres, world of the take."""
    mesh = preview.data
    mesh.attributes["position"].data.foreach_set("vector", np.ascontiguousarray(vertices, np.float32).ravel())
    mesh.update()


def hide_preview(handle: Handle, hidden: bool) -> None:
    """Whether it is not shown, as there is nothing to show: outside of the take."""
    preview = find_preview(handle)
    if preview is not None and preview.hide_viewport != hidden:
        preview.hide_viewport = hidden


def _hidden() -> list[bpy.types.Object]:
    return [item for item in bpy.data.objects if _WAS_HIDDEN in item]


def _hide(body: bpy.types.Object) -> None:
    body[_WAS_HIDDEN] = not is_shown(body)
    show(body, False)


def _show_again(body: bpy.types.Object) -> None:
    show(body, not body[_WAS_HIDDEN])
    del body[_WAS_HIDDEN]
