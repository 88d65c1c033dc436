# SPDX-License-Identifier: GPL-3.0-or-later
"""The Body: the calibrated person's mesh in its rest pose, ready to be skinned to the skeleton."""

from __future__ import annotations

from typing import Final

import bpy
import numpy as np
from numpy.typing import NDArray

from ...inference_backend.errors import BadArgument
from ..core.skeleton import BONE_NAMES
from ..core.takes import PersonView, Topology
from .body_material import create_material

UV_NAME: Final = "UVMap"

_LEAST_WEIGHT: Final = 1e-4
"""Blender takes a vertex whose weights sum to less as one that no bone holds."""


def create_body(
    person: PersonView, topology: Topology, collection: bpy.types.Collection, name: str
) -> bpy.types.Object:
    """Make `<name> Body` at the world's origin, in the T-pose of the skeleton's rest pose.

    Quads with UVs, smooth, one material, and a vertex group for each bone. It does not move yet: `set_form`.
    """
    mesh = bpy.data.meshes.new(f"{name} Body")
    _build(mesh, person.rest_vertices, topology)
    mesh.materials.append(create_material(mesh.name, person.index))
    body = bpy.data.objects.new(mesh.name, mesh)
    collection.objects.link(body)
    _add_weights(body, topology.skin_joints, topology.skin_weights)
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


def skin_weights(body: bpy.types.Object) -> NDArray[np.float32]:
    """How the body follows the 24 bones, as Blender's Armature modifier counts it. Shape: (24, N), columns sum to 1.

    Raises BadArgument where a vertex follows none.
    """
    rows = {group.index: BONE_NAMES.index(group.name) for group in body.vertex_groups if group.name in BONE_NAMES}
    weights = np.zeros((len(BONE_NAMES), len(body.data.vertices)), np.float32)
    for vertex in body.data.vertices:
        for element in vertex.groups:
            if element.group in rows:
                weights[rows[element.group], vertex.index] = element.weight
    total = weights.sum(0)
    free = np.flatnonzero(total <= _LEAST_WEIGHT)
    if len(free):
        raise BadArgument(
            f"{len(free):,} vertices of {body.name} are in no bone's vertex group",
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


def _add_weights(body: bpy.types.Object, joints: NDArray[np.int32], weights: NDArray[np.float32]) -> None:
    for joint, name in enumerate(BONE_NAMES):
        group = body.vertex_groups.new(name=name)
        vertices, columns = np.nonzero((joints == joint) & (weights > 0))
        for vertex, weight in zip(vertices.tolist(), weights[vertices, columns].tolist(), strict=True):
            group.add((vertex,), weight, "ADD")
