"""Exports: each file is read back by another program's rules and compared with the take, and the scene is as before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest

from pchmr.inference_backend.errors import BadArgument, OutputNotWritable, SceneChanged
from pchmr.pchmr_blender.core.bvh import BvhUnit
from pchmr.pchmr_blender.core.form_costs import Form
from pchmr.pchmr_blender.core.pc2 import CacheCorrupt
from pchmr.pchmr_blender.core.skeleton import BONE_NAMES
from pchmr.pchmr_blender.core.takes import PersonView, open_view
from pchmr.pchmr_blender.core.timing import Placing
from pchmr.pchmr_blender.scene import export_formats
from pchmr.pchmr_blender.scene.actions import curves_of
from pchmr.pchmr_blender.scene.exports import ExportOptions, ExportRefused, Format, available, export, refusal
from pchmr.pchmr_blender.scene.handles import find_part, part_of
from pchmr.pchmr_blender.scene.retime import retime

from ..bvh_reader import Bvh, y_up
from .gltf_reader import Glb
from .scenes import bring, inventory, registered, vertices_at
from .takes import make_take

F, FPS = 8, 30 / 1.001
TOLERANCE = 6e-4
"""Metres: the forms' 0.1 mm, half a millimetre that Blender's own skeleton may be off, and single precision."""


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    with registered():
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A take whose body also swells as no skinning does, at 29.97 frames per second."""
    folder = make_take(tmp_path / "Läufe 1" / "walk.take", frames=F, fps=FPS)
    vertices = np.load(folder / "person_0" / "vertices.npy", mmap_mode="r+")
    swing = np.sin(np.arange(F))[:, None, None]
    vertices += 0.03 * swing * np.sin(7 * np.arange(vertices.shape[1]))[:, None] * (1.0, 0.3, 0.5)
    vertices.flush()
    return folder


def person_of(folder: Path) -> PersonView:
    return open_view(folder).people[0]


def require(file_format: Format) -> None:
    """Skip where this Blender cannot write the format."""
    reason = available(file_format)
    if reason is not None:
        pytest.skip(reason)


def written(folder: Path, file_format: Format, form: Form = Form.COMPRESSED, **options) -> Path:
    (collection,) = bring(folder, form=form, tolerance_mm=0.1)
    path = folder.parent / "Ausgabe ü" / f"walk.{file_format.value}"
    export(collection, path, file_format, ExportOptions(**options))
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    return path


def largest_distance(points: np.ndarray, others: np.ndarray) -> float:
    """How far any point of one set is from the nearest of the other, both ways."""
    between = np.linalg.norm(points[:, None] - others[None], axis=-1)
    return float(max(between.min(0).max(), between.min(1).max()))


def heads(skeleton: bpy.types.Object, frame: int) -> np.ndarray:
    """(24, 3) the bones' heads in the world."""
    bpy.context.scene.frame_set(frame)
    evaluated = skeleton.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array([evaluated.matrix_world @ evaluated.pose.bones[name].head for name in BONE_NAMES])


def imported(kind: str) -> bpy.types.Object:
    """The one object of a kind in the scene."""
    (found,) = [item for item in bpy.context.scene.objects if item.type == kind]
    return found


def empty_scene() -> bpy.types.Scene:
    """Everything goes but our registered classes; the take's rate."""
    bpy.data.batch_remove([*bpy.data.objects, *bpy.data.collections, *bpy.data.actions, *bpy.data.meshes])
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = 30, 1.001
    return scene


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


def test_glb_without_a_body(folder):
    require(Format.GLB)
    glb, person = Glb(written(folder, Format.GLB, Form.PC2, content="SKELETON")), person_of(folder)
    assert "meshes" not in glb.json
    for row, second in enumerate(person.seconds):
        assert np.abs(glb.joints(second, BONE_NAMES) - person.joints[row]).max() < 1e-3


def read_fbx(path: Path) -> None:
    """Import a file by Blender's newer importer, which shares nothing with the exporter, where there is one."""
    try:
        bpy.ops.wm.fbx_import.get_rna_type()
    except KeyError:
        bpy.ops.import_scene.fbx(filepath=str(path), anim_offset=0.0)
    else:
        bpy.ops.wm.fbx_import(filepath=str(path), anim_offset=0.0)


def test_fbx_gives_joints_and_vertices(folder):
    require(Format.FBX)
    path, person = written(folder, Format.FBX), person_of(folder)
    empty_scene()
    read_fbx(path)
    body, skeleton = imported("MESH"), imported("ARMATURE")
    keys = body.data.shape_keys.key_blocks[1:]
    assert keys
    for key in keys:
        key.slider_min = -1.0  # the importer leaves it at 0, which cuts what the file holds
    for row in range(F):
        assert np.abs(heads(skeleton, row + 1) - person.joints[row]).max() < 1e-3
        assert np.abs(vertices_at(body, row + 1) - person.vertices(row, row + 1)[0]).max() < TOLERANCE


def test_fbx_without_a_body(folder):
    require(Format.FBX)
    path, person = written(folder, Format.FBX, Form.ABSOLUTE, content="SKELETON"), person_of(folder)
    empty_scene()
    read_fbx(path)
    assert not [item for item in bpy.context.scene.objects if item.type == "MESH"]
    assert np.abs(heads(imported("ARMATURE"), 5) - person.joints[4]).max() < 1e-3


@pytest.mark.parametrize("form", list(Form))
def test_alembic_gives_vertices_of_every_form(folder, form):
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


def test_only_this_person_and_nothing_else_is_in_the_file(tmp_path):
    require(Format.GLB)
    folder = make_take(tmp_path / "two.take", people=2)
    second = bring(folder, form=Form.COMPRESSED)[1]
    bpy.ops.mesh.primitive_cube_add()
    export(second, tmp_path / "x.glb", Format.GLB, ExportOptions())
    glb, person = Glb(tmp_path / "x.glb"), open_view(folder).people[1]
    assert len(glb.json["meshes"]) == 1
    assert np.abs(glb.joints(0.0, BONE_NAMES) - person.joints[0]).max() < 1e-3


# What is refused, and what goes wrong


@pytest.mark.parametrize("form", [Form.ABSOLUTE, Form.PC2])
@pytest.mark.parametrize("file_format", [Format.FBX, Format.GLB])
def test_a_form_that_the_format_cannot_carry_is_refused_with_the_one_that_can(folder, file_format, form):
    require(file_format)
    (collection,) = bring(folder, form=form)
    with pytest.raises(ExportRefused, match=f"{file_format.label} cannot carry") as refused:
        export(collection, folder.parent / "new" / "x.fbx", file_format, ExportOptions())
    assert refused.value.facts["form"] == Form.COMPRESSED.value
    assert "Compressed" in refused.value.hint
    assert refusal(file_format, Form.COMPRESSED) is None
    assert not (folder.parent / "new").exists()


def test_what_this_blender_cannot_write_is_said(folder, monkeypatch):
    class Bare:
        usd = alembic = False

    monkeypatch.setattr(export_formats.bpy, "app", type("app", (), {"build_options": Bare}))
    assert "built without USD" in (available(Format.USD) or "")
    assert "built without Alembic" in (available(Format.ABC) or "")
    assert available(Format.BVH) is None
    assert isinstance(refusal(Format.ABC, Form.PC2), ExportRefused)


def test_an_exporter_that_is_switched_off_is_named():
    import addon_utils

    addon_utils.disable("io_scene_fbx")
    try:
        assert "FBX format" in (available(Format.FBX) or "")
    finally:
        addon_utils.enable("io_scene_fbx")
    assert available(Format.FBX) is None


def test_bones_alone_are_refused_where_there_are_none():
    for file_format in (Format.USD, Format.ABC):
        if available(file_format) is None:
            assert "no bones" in refusal(file_format, Form.PC2, "SKELETON").message


def test_what_is_gone_is_said(folder):
    (collection,) = bring(folder, form=Form.ABSOLUTE)
    bones = part_of(collection, "SKELETON").data.bones
    bones["neck"].name = "Hals"
    with pytest.raises(SceneChanged, match="neck"):
        export(collection, folder.parent / "x.bvh", Format.BVH, ExportOptions())
    bones["Hals"].name = "neck"
    bpy.data.objects.remove(find_part(collection, "BODY"))
    export(collection, folder.parent / "x.bvh", Format.BVH, ExportOptions())
    bpy.data.objects.remove(find_part(collection, "SKELETON"))
    with pytest.raises(SceneChanged):
        export(collection, folder.parent / "x.bvh", Format.BVH, ExportOptions())


def test_a_mesh_cache_that_is_cut_short_is_no_export_of_the_rest_pose(folder):
    require(Format.ABC)
    (collection,) = bring(folder, form=Form.PC2)
    (cache,) = Path(folder.parent).rglob("*.pc2")
    cache.write_bytes(cache.read_bytes()[:-100])
    with pytest.raises(CacheCorrupt):
        export(collection, folder.parent / "x.abc", Format.ABC, ExportOptions())
    assert not (folder.parent / "x.abc").exists()


def test_frames_the_wrong_way_round(folder):
    (collection,) = bring(folder, form=Form.PC2)
    with pytest.raises(BadArgument):
        export(collection, folder.parent / "x.bvh", Format.BVH, ExportOptions(frames=(5, 4)))


def test_a_folder_that_is_a_file(folder):
    (collection,) = bring(folder, form=Form.PC2)
    (folder.parent / "busy").write_bytes(b"")
    with pytest.raises(OutputNotWritable):
        export(collection, folder.parent / "busy" / "x.bvh", Format.BVH, ExportOptions())


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


def test_a_skeleton_without_keys_is_exported_over_the_scene_s_frames(folder):
    (collection,) = bring(folder, form=Form.PC2)
    skeleton = part_of(collection, "SKELETON")
    skeleton.animation_data_clear()
    assert not list(curves_of(skeleton))
    bpy.context.scene.frame_start, bpy.context.scene.frame_end = 5, 7
    export(collection, folder.parent / "x.bvh", Format.BVH, ExportOptions())
    assert len(Bvh(folder.parent / "x.bvh").rows) == 3
