from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest

from pchmr.inference_backend.errors import BadArgument
from pchmr.pchmr_blender.core.skeleton import BONE_NAMES
from pchmr.pchmr_blender.core.takes import TakeView, open_view
from pchmr.pchmr_blender.scene import body as module
from pchmr.pchmr_blender.scene.body import check_body
from pchmr.pchmr_blender.steps import drain

from .bodies import shipped
from .parts import create_body
from .takes import make_take


@pytest.fixture
def collection() -> bpy.types.Collection:
    made = bpy.data.collections.new("Clip")
    bpy.context.scene.collection.children.link(made)
    return made


@pytest.fixture
def view(tmp_path: Path) -> TakeView:
    return open_view(make_take(tmp_path / "two.take", people=2, frames=3))


def skin_weights(body: bpy.types.Object) -> np.ndarray:
    return drain(module.skin_weights(lambda: body))


def coordinates(mesh: bpy.types.Mesh) -> np.ndarray:
    co = np.empty((len(mesh.vertices), 3), np.float32)
    mesh.vertices.foreach_get("co", co.ravel())
    return co


def test_the_body_is_the_take_s_rest_pose(collection: bpy.types.Collection, view: TakeView) -> None:
    person, topology = view.people[0], view.topology
    body = create_body(person, topology, collection, "Clip")
    assert (body.name, body.users_collection) == ("Clip Body", (collection,))
    assert body.matrix_world.is_identity
    assert np.array_equal(coordinates(body.data), person.rest_vertices)
    quads = [[*dict.fromkeys(face)] for face in topology.faces.tolist()]
    assert [list(polygon.vertices) for polygon in body.data.polygons] == quads
    assert {len(polygon.vertices) for polygon in body.data.polygons} == {3, 4}
    assert all(polygon.use_smooth for polygon in body.data.polygons)
    assert not body.data.validate()


def test_faces_look_outwards(collection: bpy.types.Collection, view: TakeView) -> None:
    mesh = create_body(view.people[0], view.topology, collection, "Clip").data
    mesh.calc_loop_triangles()
    corners = np.array([[mesh.vertices[v].co for v in triangle.vertices] for triangle in mesh.loop_triangles])
    assert np.einsum("na,na->n", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() > 0


def test_each_corner_has_its_place_in_the_picture(collection: bpy.types.Collection, view: TakeView) -> None:
    mesh, topology = create_body(view.people[0], view.topology, collection, "Clip").data, view.topology
    layer = mesh.uv_layers.active
    for polygon, face, places in zip(mesh.polygons, topology.faces, topology.face_uvs, strict=True):
        for corner in range(polygon.loop_total):
            assert mesh.loops[polygon.loop_start + corner].vertex_index == face[corner]
            assert np.allclose(layer.uv[polygon.loop_start + corner].vector, topology.uvs[places[corner]])


def test_vertex_groups_are_the_skeleton_s_bones(collection: bpy.types.Collection, view: TakeView) -> None:
    body, topology = create_body(view.people[0], view.topology, collection, "Clip"), view.topology
    assert [group.name for group in body.vertex_groups] == list(BONE_NAMES)
    assert all(1 <= len(vertex.groups) <= 4 for vertex in body.data.vertices)
    wanted = np.zeros((24, len(body.data.vertices)))
    np.add.at(wanted, (topology.skin_joints, np.arange(wanted.shape[1])[:, None]), topology.skin_weights)
    assert np.allclose(skin_weights(body), wanted, atol=1e-6)


def test_weights_count_as_blender_counts_them(collection: bpy.types.Collection, view: TakeView) -> None:
    body = create_body(view.people[0], view.topology, collection, "Clip")
    body.vertex_groups.new(name="an artist's").add([0], 1.0, "REPLACE")
    body.vertex_groups["head"].add([0], 3.0, "REPLACE")  # Blender clamps it to 1; with the others the sum is above 1
    assert np.allclose(skin_weights(body).sum(0), 1, atol=1e-6)


def test_a_vertex_without_a_bone_is_named(collection: bpy.types.Collection, view: TakeView) -> None:
    body = create_body(view.people[0], view.topology, collection, "Clip")
    for group in body.vertex_groups:
        group.remove([5, 6])
    with pytest.raises(BadArgument, match="2 vertices"):
        skin_weights(body)


def test_people_have_materials_of_their_own(collection: bpy.types.Collection, view: TakeView) -> None:
    bodies = [create_body(person, view.topology, collection, f"Clip {person.index}") for person in view.people]
    materials = [body.data.materials[0] for body in bodies]
    assert [material.name for material in materials] == ["Clip 0 Body", "Clip 1 Body"]
    colours = {
        tuple(node.inputs["Base Color"].default_value)
        for material in materials
        for node in material.node_tree.nodes
        if node.type == "BSDF_PRINCIPLED"
    }
    assert len(colours) == 2


def test_an_edited_mesh_is_named(collection: bpy.types.Collection, view: TakeView) -> None:
    body = create_body(view.people[0], view.topology, collection, "Clip")
    check_body(body, view.people[0])
    body.data.vertices.add(1)
    with pytest.raises(BadArgument, match="85 vertices"):
        check_body(body, view.people[0])


def test_faces_of_vertices_that_are_not_there_are_refused(collection: bpy.types.Collection, view: TakeView) -> None:
    wrong = view.topology.faces.copy()
    wrong[3, 1] = 84
    with pytest.raises(ValueError, match="faces"):
        create_body(view.people[0], replace(view.topology, faces=wrong), collection, "Clip")


def test_the_shipped_body_is_whole(collection: bpy.types.Collection, tmp_path: Path) -> None:
    view = open_view(make_take(tmp_path / "x.take", body=shipped(), frames=1))
    mesh = create_body(view.people[0], view.topology, collection, "Clip").data
    assert len(mesh.vertices) == 13_718
    assert not mesh.validate()
    assert len({tuple(edge.vertices) for edge in mesh.edges}) == len(mesh.edges)
