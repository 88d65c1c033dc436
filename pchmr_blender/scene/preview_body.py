# SPDX-License-Identifier: GPL-3.0-or-later
"""The Preview: a plain mesh that stands for a person's body while the target pose is edited.

Whatever form the body is in, a mesh without keys and modifiers is written in a fraction of a millisecond. It is not
rendered, not selectable, and not in files: it goes before a save and comes back after it. A body that is hidden for its
sake says so, so undo and redo take both along; in a file that was recovered both are mended.
"""

from __future__ import annotations

from typing import Final

import bpy
import numpy as np
from numpy.typing import NDArray

from ..core.takes import PersonView
from .body import check_body
from .handles import Handle, part_of

_WAS_HIDDEN: Final = "pchmr_was_hidden"
"""On a body that a Preview stands for: whether it was hidden before."""


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
    # Not in the person's collection, whose objects are what a person is made of.
    bpy.context.scene.collection.objects.link(preview)
    body[_WAS_HIDDEN], body.hide_viewport = body.hide_viewport, True
    return preview


def previews() -> list[bpy.types.Object]:
    """All that are in the file."""
    return [item for item in bpy.data.objects if item.pchmr.part == "PREVIEW"]


def find_preview(handle: Handle) -> bpy.types.Object | None:
    """A person's, if there is one that is in a scene."""
    return next((one for one in previews() if one.pchmr.owner == handle.uuid and one.users_collection), None)


def remove_preview(preview: bpy.types.Object) -> None:
    """Take it away and show its body as it was before."""
    owner, mesh = preview.pchmr.owner, preview.data
    bpy.data.objects.remove(preview)
    if mesh.users == 0:
        bpy.data.meshes.remove(mesh)
    for body in _hidden():
        if body.pchmr.owner == owner:
            _show_again(body)


def remove_previews() -> None:
    """Take all away, and show bodies as they were whose Preview somebody else has deleted."""
    for one in previews():
        remove_preview(one)
    for body in _hidden():
        _show_again(body)


def any_traces() -> bool:
    """Whether there is a Preview, or a body that is hidden for one."""
    return bool(previews() or _hidden())


def show_vertices(preview: bpy.types.Object, vertices: NDArray[np.float32]) -> None:
    """Write the mesh. Shape: (N, 3) metres, world of the take."""
    mesh = preview.data
    mesh.attributes["position"].data.foreach_set("vector", np.ascontiguousarray(vertices, np.float32).ravel())
    mesh.update()


def _hidden() -> list[bpy.types.Object]:
    return [item for item in bpy.data.objects if _WAS_HIDDEN in item]


def _show_again(body: bpy.types.Object) -> None:
    body.hide_viewport = bool(body[_WAS_HIDDEN])
    del body[_WAS_HIDDEN]
