"""Exports leave the scene as it was: selection, mode, frame, what is hidden, the undo history; whatever goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest

from pchmr.inference_backend.errors import SceneChanged
from pchmr.pchmr_blender.core.form_costs import Form
from pchmr.pchmr_blender.scene.exports import ExportOptions, Format, export
from pchmr.pchmr_blender.scene.handles import find_part, part_of, people_in

from .exported import TOLERANCE, empty_scene, heads, imported, person_of, require, swelling_take
from .scenes import bring, inventory, registered, vertices_at


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    with registered():
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return swelling_take(tmp_path)


# What is left as it was


@pytest.mark.parametrize("file_format", list(Format))
def test_nothing_in_the_scene_changes(folder, file_format):
    require(file_format)
    (collection,) = bring(folder, form=Form.COMPRESSED, tolerance_mm=0.1)
    bpy.ops.mesh.primitive_cube_add()
    cube, body, skeleton = bpy.context.object, part_of(collection, "BODY"), part_of(collection, "SKELETON")
    body.hide_set(True)
    skeleton.hide_viewport = skeleton.hide_select = body.hide_render = True
    scene, window = bpy.context.scene, bpy.context.window
    layer = scene.view_layers.new("another")
    window.view_layer = layer
    layer.objects.active = cube
    cube.select_set(True)
    for region in viewports():
        region.view_perspective = "CAMERA"
    scene.frame_set(3, subframe=0.25)
    before = inventory(), scene_state(), vertices_at(body, 3)
    scene.frame_set(3, subframe=0.25)
    export(collection, folder.parent / f"x.{file_format.value}", file_format, ExportOptions())
    assert (scene, layer) == (window.scene, window.view_layer)
    assert (inventory(), scene_state()) == before[:2]
    np.testing.assert_array_equal(vertices_at(body, 3), before[2])


def viewports() -> list[bpy.types.RegionView3D]:
    """What the window's 3D viewports show."""
    areas = bpy.context.window.screen.areas
    return [area.spaces.active.region_3d for area in areas if area.type == "VIEW_3D"]


def scene_state() -> list[object]:
    """Selection, active object, frame, viewports, what is hidden, and what animation has set."""
    scene, layer = bpy.context.scene, bpy.context.view_layer
    hidden = [
        (item.name, item.hide_get(), item.hide_viewport, item.hide_render, item.hide_select) for item in scene.objects
    ]
    selected = sorted(item.name for item in layer.objects if item.select_get())
    posed = [
        tuple(round(value, 5) for row in bone.matrix_basis for value in row)
        for item in scene.objects
        if item.type == "ARMATURE"
        for bone in item.pose.bones
    ]
    frame = scene.frame_current, scene.frame_subframe, scene.frame_start, scene.frame_end
    views = [region.view_perspective for region in viewports()]
    return [hidden, selected, layer.objects.active.name, frame, posed, views, len(bpy.data.scenes)]


def test_a_hidden_collection_is_exported_all_the_same(folder):
    require(Format.ABC)
    (collection,) = bring(folder, form=Form.PC2)
    collection.hide_viewport = collection.hide_render = True
    bpy.context.view_layer.layer_collection.children[collection.name].exclude = True
    export(collection, folder.parent / "x.abc", Format.ABC, ExportOptions())
    empty_scene()
    bpy.ops.wm.alembic_import(filepath=str(folder.parent / "x.abc"), as_background_job=False)
    assert np.abs(vertices_at(imported("MESH"), 4) - person_of(folder).vertices(3, 4)[0]).max() < TOLERANCE


@pytest.mark.parametrize("part", ["SKELETON", "TARGETS"])
@pytest.mark.parametrize("file_format", list(Format))
def test_pose_mode_stays(folder, file_format, part):
    require(file_format)
    (collection,) = bring(folder, form=Form.COMPRESSED, tolerance_mm=0.1)
    posed = enter(part_of(collection, part), "POSE")
    export(collection, folder.parent / "x", file_format, ExportOptions())
    assert (bpy.context.mode, posed.mode, bpy.context.object) == ("POSE", "POSE", posed)
    bpy.ops.object.mode_set(mode="OBJECT")


@pytest.mark.parametrize(
    ("part", "file_format"), [("BODY", Format.FBX), ("BODY", Format.GLB), ("SKELETON", Format.BVH)]
)
def test_what_is_being_edited_is_not_exported_half_done(folder, part, file_format):
    require(file_format)
    (collection,) = bring(folder, form=Form.COMPRESSED, tolerance_mm=0.1)
    edited = enter(part_of(collection, part), "EDIT")
    with pytest.raises(SceneChanged, match="Edit Mode"):
        export(collection, folder.parent / "new" / "x", file_format, ExportOptions())
    assert edited.mode == "EDIT"
    assert not (folder.parent / "new").exists()
    bpy.ops.object.mode_set(mode="OBJECT")
    export(collection, folder.parent / "x", file_format, ExportOptions())


def test_another_object_may_be_edited_meanwhile(folder):
    require(Format.GLB)
    (collection,) = bring(folder, form=Form.COMPRESSED, tolerance_mm=0.1)
    bpy.ops.mesh.primitive_cube_add()
    cube = enter(bpy.context.object, "EDIT")
    export(collection, folder.parent / "x", Format.GLB, ExportOptions())
    assert (cube.mode, bpy.context.mode) == ("EDIT", "EDIT_MESH")
    bpy.ops.object.mode_set(mode="OBJECT")


def enter(item: bpy.types.Object, mode: str) -> bpy.types.Object:
    for other in bpy.context.selected_objects:
        other.select_set(False)
    bpy.context.view_layer.objects.active = item
    item.select_set(True)
    bpy.ops.object.mode_set(mode=mode)
    return item


@pytest.mark.parametrize("file_format", list(Format))
def test_the_undo_history_is_as_before(folder, file_format):
    require(file_format)
    bpy.context.preferences.edit.use_global_undo = True
    bpy.ops.ed.undo_push(message="before")
    (collection,) = bring(folder, form=Form.COMPRESSED, tolerance_mm=0.1)
    bpy.ops.ed.undo_push(message="import")
    part_of(collection, "SKELETON").location.x = 5
    bpy.ops.ed.undo_push(message="move")
    export(collection, folder.parent / "x", file_format, ExportOptions())
    person = person_of(folder)
    bpy.ops.ed.undo()
    (collection,) = people_in(bpy.context.scene)
    skeleton = part_of(collection, "SKELETON")
    assert skeleton.location.x == 0
    assert np.abs(heads(skeleton, 4) - person.joints[3]).max() < 1e-3
    bpy.ops.ed.redo()
    assert find_part(people_in(bpy.context.scene)[0], "SKELETON").location.x == 5
    bpy.ops.ed.undo()
    bpy.ops.ed.undo()
    assert people_in(bpy.context.scene) == []
    assert len(bpy.data.scenes) == 1


def test_a_failure_leaves_the_old_file_and_the_window_as_they_were(folder, monkeypatch):
    from pchmr.pchmr_blender.scene import exports

    def fail(*_: object) -> None:
        raise RuntimeError("Error: disk on fire")

    (collection,) = bring(folder, form=Form.COMPRESSED)
    path = folder.parent / "x.fbx"
    path.write_bytes(b"old")
    monkeypatch.setattr(exports, "write_fbx", fail)
    scene = bpy.context.scene
    with pytest.raises(Exception, match="disk on fire"):
        export(collection, path, Format.FBX, ExportOptions())
    assert path.read_bytes() == b"old"
    assert (bpy.context.window.scene, len(bpy.data.scenes)) == (scene, 1)
    assert not list(folder.parent.glob(".pchmr-*"))
