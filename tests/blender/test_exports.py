"""Exports: each file is read back by another program's rules and compared with the take."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest

from pchmr.pchmr_blender.core.bvh import BvhUnit
from pchmr.pchmr_blender.core.form_costs import Form
from pchmr.pchmr_blender.core.skeleton import BONE_NAMES
from pchmr.pchmr_blender.core.takes import open_view
from pchmr.pchmr_blender.core.timing import Placing
from pchmr.pchmr_blender.scene.exports import ExportOptions, Format, export
from pchmr.pchmr_blender.scene.handles import part_of
from pchmr.pchmr_blender.scene.retime import retime

from ..bvh_reader import Bvh, y_up
from .alembic_reader import Alembic
from .exported import (
    FPS,
    TOLERANCE,
    F,
    empty_scene,
    heads,
    imported,
    largest_distance,
    person_of,
    require,
    swelling_take,
    written,
)
from .fbx_reader import Fbx
from .gltf_reader import Glb
from .scenes import bring, registered, vertices_at
from .takes import make_take


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    with registered():
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return swelling_take(tmp_path)


# What each format carries


def test_glb_gives_joints_and_vertices_by_a_viewer_s_rules(folder):
    require(Format.GLB)
    glb, person = Glb(written(folder, Format.GLB)), person_of(folder)
    np.testing.assert_allclose(glb.seconds, person.seconds, atol=1e-6)
    for row, second in enumerate(person.seconds):
        assert np.abs(glb.joints(second, BONE_NAMES) - person.joints[row]).max() < 1e-3
        assert largest_distance(glb.vertices(second), person.vertices(row, row + 1)[0]) < TOLERANCE


def test_glb_has_one_animation_of_skeleton_and_keys_only(folder):
    require(Format.GLB)
    (collection,) = bring(folder, form=Form.COMPRESSED, tolerance_mm=0.1)
    targets = part_of(collection, "TARGETS")
    targets.pose.bones["elbow.L"].location = 0.1, 0, 0
    targets.pose.bones["elbow.L"].keyframe_insert("location", frame=50)
    export(collection, folder.parent / "x.glb", Format.GLB, ExportOptions())
    glb = Glb(folder.parent / "x.glb")
    assert [animation["name"] for animation in glb.json["animations"]] == [collection.name]
    assert len(glb.json["skins"]) == len(glb.json["meshes"]) == 1
    assert glb.seconds[-1] == pytest.approx((F - 1) / FPS)  # the artist's key lies far beyond
    names = {node["name"] for node in glb.json["nodes"]}
    assert names == {*BONE_NAMES, part_of(collection, "SKELETON").name, part_of(collection, "BODY").name}
    paths = {channel["target"]["path"] for channel in glb.json["animations"][0]["channels"]}
    assert paths == {"rotation", "translation", "weights"}


@pytest.mark.parametrize("form", list(Form))
def test_glb_without_a_body(folder, form):
    require(Format.GLB)
    glb, person = Glb(written(folder, Format.GLB, form, content="SKELETON")), person_of(folder)
    assert "meshes" not in glb.json
    for row, second in enumerate(person.seconds):
        assert np.abs(glb.joints(second, BONE_NAMES) - person.joints[row]).max() < 1e-3


def test_fbx_gives_joints_and_vertices_by_an_engine_s_rules(folder):
    require(Format.FBX)
    fbx, person = Fbx(written(folder, Format.FBX)), person_of(folder)
    assert len(fbx.of_kind("AnimationStack")) == len(fbx.of_kind("Geometry", "Mesh")) == 1
    np.testing.assert_allclose(fbx.times, person.seconds + 1 / FPS, atol=1e-6)  # frame 1 is not second 0
    for row, second in enumerate(fbx.times):
        assert np.abs(fbx.joints(second, BONE_NAMES) - person.joints[row]).max() < 1e-3
        assert np.abs(fbx.vertices(second) - person.vertices(row, row + 1)[0]).max() < TOLERANCE


@pytest.mark.parametrize("file_format", [Format.FBX, Format.GLB])
def test_shape_keys_are_within_what_engines_do_not_cut_off(folder, file_format):
    """Unity cuts blend shapes off below 0 and above 100 percent, and Blender's own importer below 0."""
    require(file_format)
    path = written(folder, file_format)
    if file_format is Format.GLB:
        values = Glb(path).morph_weights()
    else:
        fbx = Fbx(path)
        values = np.array([list(fbx.blend_values(second).values()) for second in fbx.times]) / 100
    assert len(values) == F
    assert np.ptp(values, axis=0).max() > 0.5
    assert values.min() >= 0
    assert values.max() <= 1


def read_fbx(path: Path) -> None:
    """Import a file by Blender's newer importer, which shares nothing with the exporter, where there is one."""
    try:
        bpy.ops.wm.fbx_import.get_rna_type()
    except KeyError:
        bpy.ops.import_scene.fbx(filepath=str(path), anim_offset=0.0)
    else:
        bpy.ops.wm.fbx_import(filepath=str(path), anim_offset=0.0)


def test_blender_reads_the_fbx(folder):
    require(Format.FBX)
    path, person = written(folder, Format.FBX), person_of(folder)
    empty_scene()
    read_fbx(path)
    body, skeleton = imported("MESH"), imported("ARMATURE")
    assert len(body.data.shape_keys.key_blocks) > 1
    for row in range(F):
        assert np.abs(heads(skeleton, row + 1) - person.joints[row]).max() < 1e-3
        assert np.abs(vertices_at(body, row + 1) - person.vertices(row, row + 1)[0]).max() < TOLERANCE


@pytest.mark.parametrize("form", list(Form))
def test_fbx_without_a_body(folder, form):
    require(Format.FBX)
    fbx, person = Fbx(written(folder, Format.FBX, form, content="SKELETON")), person_of(folder)
    assert not fbx.of_kind("Geometry")
    for row, second in enumerate(fbx.times):
        assert np.abs(fbx.joints(second, BONE_NAMES) - person.joints[row]).max() < 1e-3


@pytest.mark.parametrize("form", list(Form))
def test_alembic_gives_vertices_of_every_form(folder, form):
    require(Format.ABC)
    archive, person = Alembic(written(folder, Format.ABC, form)), person_of(folder)
    np.testing.assert_allclose(archive.seconds, person.seconds + 1 / FPS, atol=1e-6)  # frame 1 is not second 0
    counts, corners = archive.faces
    assert counts.sum() == len(corners)
    assert set(corners) == set(range(person.vertex_count))
    for row in range(F):
        assert np.abs(archive.vertices(row) - person.vertices(row, row + 1)[0]).max() < TOLERANCE


def test_alembic_of_a_body_that_was_moved_turned_and_scaled(folder):
    require(Format.ABC)
    (collection,) = bring(folder, form=Form.PC2)
    body = part_of(collection, "BODY")
    body.location, body.rotation_euler, body.scale = (1, 2, 3), (0.3, -0.2, 1), (2, 2, 2)
    bpy.context.view_layer.update()
    export(collection, folder.parent / "x.abc", Format.ABC, ExportOptions())
    archive = Alembic(folder.parent / "x.abc")
    for row in range(F):
        assert np.abs(archive.vertices(row) - vertices_at(body, row + 1)).max() < TOLERANCE


@pytest.mark.parametrize("form", list(Form))
def test_blender_reads_the_alembic(folder, form):
    require(Format.ABC)
    path, person = written(folder, Format.ABC, form), person_of(folder)
    empty_scene()
    bpy.ops.wm.alembic_import(filepath=str(path), as_background_job=False)
    body = imported("MESH")
    assert body.modifiers[0].type == "MESH_SEQUENCE_CACHE"
    for row in range(F):
        assert np.abs(vertices_at(body, row + 1) - person.vertices(row, row + 1)[0]).max() < TOLERANCE


def usd_points(path: Path) -> list[np.ndarray]:
    """The one mesh's points in the world in frames 1 to F, by Pixar's library, or by Blender's importer."""
    try:
        bpy.utils.expose_bundled_modules()
        from pxr import Usd, UsdGeom
    except (AttributeError, ImportError):
        empty_scene()
        bpy.ops.wm.usd_import(filepath=str(path))
        return [vertices_at(imported("MESH"), frame) for frame in range(1, F + 1)]
    usd = Usd.Stage.Open(str(path))
    assert UsdGeom.GetStageUpAxis(usd) == "Z"
    assert UsdGeom.GetStageMetersPerUnit(usd) == 1.0
    assert usd.GetTimeCodesPerSecond() == pytest.approx(FPS)
    (mesh,) = [UsdGeom.Mesh(prim) for prim in usd.Traverse() if prim.IsA(UsdGeom.Mesh)]
    found = []
    for frame in range(1, F + 1):
        world = np.array(mesh.ComputeLocalToWorldTransform(frame))  # row vectors
        points = np.array(mesh.GetPointsAttr().Get(frame), float)
        found.append(points @ world[:3, :3] + world[3, :3])
    return found


@pytest.mark.parametrize("form", list(Form))
def test_usd_gives_vertices_of_every_form(folder, form):
    require(Format.USD)
    path, person = written(folder, Format.USD, form), person_of(folder)
    for row, points in enumerate(usd_points(path)):
        assert np.abs(points - person.vertices(row, row + 1)[0]).max() < TOLERANCE


@pytest.mark.parametrize("unit", list(BvhUnit))
def test_bvh_gives_joints(folder, unit):
    bvh, person = Bvh(written(folder, Format.BVH, Form.PC2, bvh_unit=unit)), person_of(folder)
    places, _ = bvh.pose()
    order = [BONE_NAMES.index(name) for name in bvh.names]
    assert np.abs(places / unit.value - y_up(person.joints[:, order])).max() < 1e-3
    assert bvh.frame_time == pytest.approx(1 / FPS)


def test_blender_reads_the_bvh(folder):
    path, person = written(folder, Format.BVH, Form.PC2), person_of(folder)
    scene = empty_scene()
    bpy.ops.import_anim.bvh(filepath=str(path), global_scale=0.01, frame_start=1, use_fps_scale=False)
    for row in range(F):
        assert np.abs(heads(imported("ARMATURE"), row + 1) - person.joints[row]).max() < 1e-3
    assert scene.frame_current == F


def test_bvh_of_a_skeleton_that_was_moved_turned_and_scaled(folder):
    (collection,) = bring(folder, form=Form.PC2)
    skeleton = part_of(collection, "SKELETON")
    skeleton.location, skeleton.rotation_euler, skeleton.scale = (1, 2, 3), (0.3, -0.2, 1), (2, 2, 2)
    bpy.context.view_layer.update()
    export(collection, folder.parent / "x.bvh", Format.BVH, ExportOptions(bvh_unit=BvhUnit.METRES))
    bvh = Bvh(folder.parent / "x.bvh")
    order = [BONE_NAMES.index(name) for name in bvh.names]
    assert sum(len(channels) for channels in bvh.channels) == 6 + 23 * 3
    for row in range(F):
        assert np.abs(bvh.pose()[0][row] - y_up(heads(skeleton, row + 1)[order])).max() < 2e-3


# Which frames


def test_a_take_that_starts_elsewhere_is_exported_where_it_is(folder):
    require(Format.ABC)
    (collection,) = bring(folder, form=Form.PC2, start=101)
    bpy.context.scene.frame_start, bpy.context.scene.frame_end = 1, 20
    export(collection, folder.parent / "x.bvh", Format.BVH, ExportOptions())
    assert len(Bvh(folder.parent / "x.bvh").rows) == F
    export(collection, folder.parent / "x.abc", Format.ABC, ExportOptions())
    person = person_of(folder)
    empty_scene()
    bpy.ops.wm.alembic_import(filepath=str(folder.parent / "x.abc"), as_background_job=False)
    assert np.abs(vertices_at(imported("MESH"), 104) - person.vertices(3, 4)[0]).max() < TOLERANCE


def test_half_the_speed_gives_twice_the_frames(folder):
    (collection,) = bring(folder, form=Form.PC2)
    retime(collection, Placing(2 * FPS, 1.0))
    export(collection, folder.parent / "x.bvh", Format.BVH, ExportOptions(bvh_unit=BvhUnit.METRES))
    bvh = Bvh(folder.parent / "x.bvh")
    assert len(bvh.rows) == 2 * F - 1
    order = [BONE_NAMES.index(name) for name in bvh.names]
    assert np.abs(bvh.pose()[0][::2] - y_up(person_of(folder).joints[:, order])).max() < 1e-3


def test_some_frames(folder):
    path = written(folder, Format.BVH, frames=(3, 5))
    bvh = Bvh(path)
    order = [BONE_NAMES.index(name) for name in bvh.names]
    assert np.abs(bvh.pose()[0] / 100 - y_up(person_of(folder).joints[2:5, order])).max() < 1e-3


def test_a_skeleton_without_keys_is_exported_over_the_scene_s_frames(folder):
    (collection,) = bring(folder, form=Form.PC2)
    skeleton = part_of(collection, "SKELETON")
    skeleton.animation_data_clear()
    bpy.context.scene.frame_start, bpy.context.scene.frame_end = 5, 7
    export(collection, folder.parent / "x.bvh", Format.BVH, ExportOptions())
    assert len(Bvh(folder.parent / "x.bvh").rows) == 3


def test_only_this_person_and_nothing_else_is_in_the_file(tmp_path):
    require(Format.GLB)
    folder = make_take(tmp_path / "two.take", people=2)
    second = bring(folder, form=Form.COMPRESSED)[1]
    bpy.ops.mesh.primitive_cube_add()
    export(second, tmp_path / "x.glb", Format.GLB, ExportOptions())
    glb, person = Glb(tmp_path / "x.glb"), open_view(folder).people[1]
    assert len(glb.json["meshes"]) == 1
    assert np.abs(glb.joints(0.0, BONE_NAMES) - person.joints[0]).max() < 1e-3
