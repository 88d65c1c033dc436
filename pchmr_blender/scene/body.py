# SPDX-License-Identifier: GPL-3.0-or-later
"""The Body: the calibrated person's mesh in its rest pose, ready to be skinned to the skeleton."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import bpy
import numpy as np
from numpy.typing import NDArray

from ...inference_backend.errors import BadArgument
from ..core.skeleton import BONE_NAMES
from ..core.takes import PersonView, Topology
from ..steps import Status, Steps
from .body_material import create_material
from .free_hands import free_hands

UV_NAME: Final = "UVMap"
STAGE: Final = "Making the body"

_SLICE: Final = 2000
"""Vertices whose weights are read in a step."""
_LEAST_WEIGHT: Final = 1e-4
"""Blender takes a vertex whose weights sum to less as one that no bone holds."""


def create_body(person: PersonView, topology: Topology, name: str) -> Steps[bpy.types.Object]:
    """Make `<name> Body`, to stand at the world's origin, in the T-pose of the skeleton's rest pose.

    Quads with UVs, smooth, one material, and a vertex group for each bone. It does not move yet: `body_forms`.
    """
    mesh = bpy.data.meshes.new(f"{name} Body")
    body = bpy.data.objects.new(mesh.name, mesh)
    _build(mesh, person.rest_vertices, topology)
    yield Status(STAGE)
    mesh.materials.append(create_material(mesh.name, person.index))
    for joint, bone in enumerate(BONE_NAMES):
        yield Status(STAGE)
        _add_group(body, bone, topology, joint)
    return body


def check_body(body: bpy.types.Object, person: PersonView) -> None:
    """Raise BadArgument where the mesh no longer has the take's vertices."""
    found, wanted = len(body.data.vertices), len(person.rest_vertices)
    if found != wanted:
        raise BadArgument(
            f"{body.name} has {found:,} vertices, its take {wanted:,}",
            hint="Edit a copy of the body, or use modifiers: the take's animation needs its own vertices.",
            found=found,
            expected=wanted,
        )


def keep_look(former: bpy.types.Mesh, mesh: bpy.types.Mesh) -> None:
    """Give a replacing mesh the materials of the replaced one: they may be an artist's work."""
    own = list(mesh.materials)
    if own != list(former.materials):
        mesh.materials.clear()
        for material in former.materials:
            mesh.materials.append(material)
    if len(former.polygons) == len(mesh.polygons):
        slots = np.empty(len(mesh.polygons), np.int32)
        former.polygons.foreach_get("material_index", slots)
        mesh.polygons.foreach_set("material_index", slots)
    for material in own:
        if material is not None and material.users == 0:
            bpy.data.materials.remove(material)


def skin_weights(find: Callable[[], bpy.types.Object]) -> Steps[NDArray[np.float32]]:
    """How the body follows the 24 bones, as Blender's Armature modifier counts it. Shape: (24, N), columns sum to 1.

    `find`: the body; asked again after each step.

    Raises BadArgument where a vertex follows none.
    """
    weights, start, edited = np.zeros((len(BONE_NAMES), 0), np.float32), 0, True
    while edited or start < weights.shape[1]:
        body = find()
        if edited:
            weights, start = np.zeros((len(BONE_NAMES), len(body.data.vertices)), np.float32), 0
        rows = {group.index: BONE_NAMES.index(group.name) for group in body.vertex_groups if group.name in BONE_NAMES}
        for vertex in body.data.vertices[start : start + _SLICE]:
            for element in vertex.groups:
                if element.group in rows:
                    weights[rows[element.group], vertex.index] = element.weight
        start = min(start + _SLICE, weights.shape[1])
        yield Status("Reading the body's weights", start / max(weights.shape[1], 1))
        edited = yield from free_hands()
    total = weights.sum(0)
    free = np.flatnonzero(total <= _LEAST_WEIGHT)
    if len(free):
        raise BadArgument(
            f"{len(free):,} vertices of {find().name} are in no bone's vertex group",
            hint="Import the take again, or paint weights for them.",
            vertices=free[:10].tolist(),
        )
    return np.asarray(weights / total, np.float32)


def _build(mesh: bpy.types.Mesh, vertices: NDArray[np.float32], topology: Topology) -> None:
    if topology.faces.min() < 0 or topology.faces.max() >= len(vertices):
        raise ValueError(f"faces: vertices {topology.faces.min()} to {topology.faces.max()} of {len(vertices)}")
    corners = np.ones(topology.faces.shape, bool)
    corners[:, 3] = topology.faces[:, 3] != topology.faces[:, 2]  # a triangle repeats its last vertex
    counts = corners.sum(1)
    mesh.vertices.add(len(vertices))
    mesh.vertices.foreach_set("co", np.ascontiguousarray(vertices, np.float32).ravel())
    mesh.loops.add(int(counts.sum()))
    mesh.loops.foreach_set("vertex_index", topology.faces[corners])
    mesh.polygons.add(len(counts))
    mesh.polygons.foreach_set("loop_start", np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int32))
    mesh.polygons.foreach_set("use_smooth", np.ones(len(counts), np.bool_))
    layer = mesh.uv_layers.new(name=UV_NAME)
    layer.uv.foreach_set("vector", topology.uvs[topology.face_uvs[corners]].astype(np.float32).ravel())
    mesh.update(calc_edges=True)


def _add_group(body: bpy.types.Object, name: str, topology: Topology, joint: int) -> None:
    """The vertex group of a bone."""
    group, weights = body.vertex_groups.new(name=name), topology.skin_weights
    vertices, columns = np.nonzero((topology.skin_joints == joint) & (weights > 0))
    for vertex, weight in zip(vertices.tolist(), weights[vertices, columns].tolist(), strict=True):
        group.add((vertex,), weight, "ADD")
