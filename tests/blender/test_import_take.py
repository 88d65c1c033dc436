"""A take in the scene: what is made, where it stands in time, and that a failure leaves nothing behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from inspect import isgenerator
from pathlib import Path

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector

from pchmr.inference_backend.errors import BadArgument, OutputNotWritable, SceneChanged, TakeCorrupt, TakeVersion
from pchmr.pchmr_blender.core.form_costs import Form
from pchmr.pchmr_blender.core.takes import open_view
from pchmr.pchmr_blender.core.timing import Placing
from pchmr.pchmr_blender.scene import import_settle, import_take
from pchmr.pchmr_blender.scene.bake import bake
from pchmr.pchmr_blender.scene.footage import footage_file, proxy_path
from pchmr.pchmr_blender.scene.handles import (
    active_person,
    find_part,
    group_of,
    handle_of,
    part_of,
    people_in,
    person_of,
    placing_of,
    resolve,
)
from pchmr.pchmr_blender.scene.retime import retime
from pchmr.pchmr_blender.scene.take_paths import mend_paths, open_person
from pchmr.pchmr_blender.steps import drain

from .clips import make_movie
from .scenes import bring, inventory, key_frames, registered, vertices_at
from .takes import make_take

PARTS = ("BODY", "SKELETON", "TARGETS", "CAMERA")


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    with registered():
        yield


@pytest.fixture
def walk(tmp_path: Path) -> Path:
    """A take of 8 frames with footage, at 25 frames per second."""
    return make_take(tmp_path / "walk.take", fps=25, clip=make_movie(tmp_path / "walk ü.avi", fps=25))


def scene() -> bpy.types.Scene:
    return bpy.context.scene


def animate_a_cube() -> None:
    bpy.ops.mesh.primitive_cube_add()
    bpy.context.object.keyframe_insert("location", frame=1)


def test_an_empty_scene_becomes_the_footages(walk):
    (collection,) = bring(walk)
    render = scene().render
    assert collection.name == "walk ü"
    assert [find_part(collection, part).name for part in PARTS] == [
        "walk ü Body", "walk ü Skeleton", "walk ü Targets", "walk ü Camera",
    ]  # fmt: skip
    assert render.fps / render.fps_base == 25
    assert (render.resolution_x, render.resolution_y) == (640, 360)
    assert (scene().frame_start, scene().frame_end, scene().frame_current) == (1, 8, 1)
    assert scene().camera == find_part(collection, "CAMERA")
    assert placing_of(collection) == Placing(25, 1)
    assert (collection.pchmr.problem, collection.pchmr.form) == ("", "ABSOLUTE")
    assert footage_file(scene().camera).name == "walk ü.avi"
    for frames in key_frames(find_part(collection, "SKELETON")):
        np.testing.assert_array_equal(frames, np.arange(1, 9))


@pytest.mark.parametrize("form", list(Form))
@pytest.mark.parametrize(
    "shape",
    [{}, {"width": 360, "height": 640}, {"principal": (420.0, 95.5)}],
    ids=["landscape", "portrait", "off-centre"],
)
def test_the_body_lies_on_the_picture(tmp_path, form, shape):
    folder = make_take(tmp_path / "walk.take", frames=4, **shape)
    (collection,) = bring(folder, form=form, tolerance_mm=0.1)
    view = open_view(folder)
    fx, fy, cx, cy = view.intrinsics
    for row in (0, 3):
        world = vertices_at(find_part(collection, "BODY"), 1 + row)
        seen = np.array([world_to_camera_view(scene(), scene().camera, Vector(point)) for point in world])
        pixels = np.stack([seen[:, 0] * view.width, (1 - seen[:, 1]) * view.height], -1) - 0.5
        cam = (view.people[0].vertices(row, row + 1)[0] - view.camera_to_world[:3, 3]) @ view.camera_to_world[:3, :3]
        wanted = np.stack([fx * cam[:, 0] / cam[:, 2] + cx, fy * cam[:, 1] / cam[:, 2] + cy], -1)
        np.testing.assert_allclose(pixels, wanted, atol=0.1 if form is Form.COMPRESSED else 0.02)


def test_people_share_a_camera_and_a_placing(tmp_path):
    folder = make_take(tmp_path / "pair.take", people=2)
    first, second = bring(folder)
    assert [first.name, second.name] == ["pair 0", "pair 1"]
    assert find_part(first, "CAMERA") == find_part(second, "CAMERA") == scene().camera
    assert find_part(first, "BODY") != find_part(second, "BODY")
    assert group_of(first) == [first, second] == people_in(scene())
    retime(second, Placing(60, 11))
    assert placing_of(first) == placing_of(second) == Placing(60, 11)


def test_one_person_of_several(tmp_path):
    folder = make_take(tmp_path / "three.take", people=3)
    (collection,) = bring(folder, people=(1,))
    assert (collection.name, collection.pchmr.person) == ("three 1", 1)
    wanted = open_view(folder).people[1].vertices(0, 1)[0]
    np.testing.assert_allclose(vertices_at(find_part(collection, "BODY"), 1), wanted, atol=1e-4)
    with pytest.raises(BadArgument, match="no person 3"):
        bring(folder, people=(0, 3))


def test_a_second_take_is_placed_by_seconds(tmp_path, walk):
    bring(walk)
    other = make_take(tmp_path / "slow.take", fps=10, frames=5, width=360, height=640, first_frame=3)
    (collection,) = bring(other)
    assert scene().render.fps == 25
    assert scene().render.resolution_x == 640
    assert scene().camera.name == "walk ü Camera"
    np.testing.assert_allclose(key_frames(find_part(collection, "SKELETON"))[0], 1 + (3 + np.arange(5)) * 2.5)
    assert scene().frame_end == 8


def test_a_scene_that_moves_keeps_its_time(walk):
    animate_a_cube()
    scene().frame_end = 77
    (collection,) = bring(walk, start=101)
    assert (scene().render.fps, scene().frame_end) == (24, 77)
    np.testing.assert_allclose(
        key_frames(find_part(collection, "SKELETON"))[0], 101 + np.arange(8) / 25 * 24, rtol=1e-6
    )


@pytest.mark.parametrize(("fps", "whole", "base"), [(30000 / 1001, 30, 1.001), (23.976, 24, 24 / 23.976), (0.5, 1, 2)])
def test_odd_rates(tmp_path, fps, whole, base):
    (collection,) = bring(make_take(tmp_path / "a.take", fps=fps, frames=40))
    assert scene().render.fps == whole
    assert scene().render.fps_base == pytest.approx(base)
    np.testing.assert_allclose(key_frames(find_part(collection, "SKELETON"))[0], np.arange(1, 41), atol=1e-5)


def test_a_varying_rate_gives_the_scene_the_one_it_was_meant_to_have(tmp_path):
    seconds = np.delete(np.arange(12) / 30, [4, 5])
    (collection,) = bring(make_take(tmp_path / "a.take", fps=24.5, frames=10, seconds=seconds))
    assert scene().render.fps == 30
    assert scene().frame_end == 12
    np.testing.assert_allclose(key_frames(find_part(collection, "SKELETON"))[0], 1 + seconds * 30, atol=1e-5)
    assert "frame rate varies" in collection.pchmr.problem


def test_importing_again_changes_nothing(walk):
    (collection,) = bring(walk)
    uuid, before = collection.pchmr.uuid, inventory()
    bpy.ops.mesh.primitive_cube_add()
    prop = bpy.context.object
    collection.objects.link(prop)
    for _ in range(2):
        (again,) = bring(walk)
        assert again == collection
        assert again.pchmr.uuid == uuid
    assert prop.name in again.objects  # the artist's own things stay
    scene().collection.objects.unlink(prop)
    bpy.data.batch_remove([prop.data, prop])
    bpy.data.orphans_purge()
    assert inventory() == before
    assert scene().camera == find_part(collection, "CAMERA")


def test_importing_again_keeps_the_artists_materials(walk):
    (collection,) = bring(walk, form=Form.PC2)
    mesh = find_part(collection, "BODY").data
    shirt = bpy.data.materials.new("Shirt")
    mesh.materials.append(shirt)
    mesh.polygons[3].material_index = 1
    bring(walk, form=Form.ABSOLUTE)
    mesh = find_part(collection, "BODY").data
    assert [material.name for material in mesh.materials] == ["walk ü Body", "Shirt"]
    assert [face.index for face in mesh.polygons if face.material_index == 1] == [3]
    assert len(bpy.data.materials) == 2


def test_importing_again_keeps_the_place_in_time(walk):
    (collection,) = bring(walk, footage_offset=2)
    retime(collection, Placing(50, 30))
    (again,) = bring(walk, form=Form.COMPRESSED, targets=False, camera=False)
    assert placing_of(again) == Placing(50, 30)
    assert (again.pchmr.form, again.pchmr.footage_offset) == ("COMPRESSED", 2)
    assert [find_part(again, part) is None for part in PARTS] == [False, False, True, True]
    np.testing.assert_allclose(key_frames(find_part(again, "SKELETON"))[0], 30 + 2 * np.arange(8))


def test_a_second_copy(walk):
    (first,) = bring(walk)
    (second,) = bring(walk, existing="COPY", start=51)
    assert first.pchmr.uuid != second.pchmr.uuid
    assert group_of(first) == [first]
    assert find_part(second, "BODY").name == "walk ü.001 Body"
    assert find_part(first, "BODY") in list(first.objects)
    assert placing_of(first).start == 1
    assert placing_of(second).start == 51


def test_people_who_are_no_longer_in_the_take_go(tmp_path):
    folder = make_take(tmp_path / "a.take", people=2)
    bring(folder)
    record = json.loads((folder / "take.json").read_text())
    record["people"] = record["people"][:1]
    (folder / "take.json").write_text(json.dumps(record))
    (left,) = bring(folder)
    assert people_in(scene()) == [left]
    assert [body.name for body in bpy.data.objects if body.pchmr.part == "BODY"] == ["a 0 Body"]


@pytest.mark.parametrize(
    "step", ["create_skeleton", "create_targets", "create_body", "add_form", "create_camera", "finish_form", "_note"]
)
def test_a_failure_leaves_nothing_behind(walk, monkeypatch, step):
    animate_a_cube()
    scene().camera = None
    before = inventory()
    settings = [getattr(scene().render, name) for name in ("fps", "fps_base", "resolution_x", "resolution_y")]

    def fails(*args, **kwargs):
        made = original(*args, **kwargs)
        if isgenerator(made):
            drain(made)
        raise OutputNotWritable("no", hint="")

    module = import_take if hasattr(import_take, step) else import_settle
    original = getattr(module, step)
    monkeypatch.setattr(module, step, fails)
    with pytest.raises(OutputNotWritable):
        bring(walk)
    assert inventory() == before
    assert [getattr(scene().render, name) for name in ("fps", "fps_base", "resolution_x", "resolution_y")] == settings
    assert scene().camera is None


@pytest.mark.parametrize("step", ["create_targets", "add_form", "create_camera", "finish_form", "_note"])
@pytest.mark.parametrize("form", list(Form))
def test_a_failed_replacement_leaves_the_old_take(walk, monkeypatch, step, form):
    (collection,) = bring(walk, form=form, tolerance_mm=0.1)
    before, body = inventory(), vertices_at(find_part(collection, "BODY"), 5)

    def fails(*args, **kwargs):
        raise OutputNotWritable("no", hint="")

    monkeypatch.setattr(import_take if hasattr(import_take, step) else import_settle, step, fails)
    with pytest.raises(OutputNotWritable):
        bring(walk, form=form)
    assert inventory() == before
    assert people_in(scene()) == [collection]
    np.testing.assert_array_equal(vertices_at(find_part(collection, "BODY"), 5), body)


def test_takes_that_cannot_be_imported(tmp_path, walk):
    before = inventory()
    with pytest.raises(TakeCorrupt, match="has not finished"):
        bring(make_take(tmp_path / "half.take", finished=False))
    with pytest.raises(TakeCorrupt):
        bring(tmp_path / "none.take")
    record = json.loads((walk / "take.json").read_text())
    (walk / "take.json").write_text(json.dumps({**record, "version": 99}))
    with pytest.raises(TakeVersion):
        bring(walk)
    assert inventory() == before


def test_footage_that_is_gone_is_said_and_mended(tmp_path, walk):
    clip = tmp_path / "walk ü.avi"
    clip.rename(tmp_path / "away.avi")
    (collection,) = bring(walk)
    assert "walk ü.avi" in collection.pchmr.problem
    assert footage_file(scene().camera) is None
    (tmp_path / "away.avi").rename(clip)
    mend_paths(collection)
    assert collection.pchmr.problem == ""
    assert footage_file(scene().camera).samefile(clip)


def test_turned_footage_waits_for_its_stand_in(tmp_path):
    folder = make_take(tmp_path / "phone.take", rotation=90, clip=make_movie(tmp_path / "phone.avi"))
    (collection,) = bring(folder)
    assert "turned by 90°" in collection.pchmr.problem
    view, _ = open_person(collection)
    make_movie(proxy_path(folder, view.info))
    mend_paths(collection)
    assert collection.pchmr.problem == ""
    assert footage_file(scene().camera) == proxy_path(folder, view.info)


def test_without_footage(walk):
    (collection,) = bring(walk, footage=False)
    mend_paths(collection)
    assert footage_file(scene().camera) is None
    assert collection.pchmr.problem == ""


def test_long_names_and_paths(tmp_path):
    folder = tmp_path / ("Ordner mit Leerzeichen " + "ä" * 60) / ("動" * 30 + ".take")
    clip = make_movie(folder.parent / ("clip " + "é" * 90 + ".avi"))
    (collection,) = bring(make_take(folder, clip=clip))
    assert len(collection.name.encode()) <= 40
    names = [find_part(collection, part).name for part in PARTS]
    assert names == [f"{collection.name} {part}" for part in ("Body", "Skeleton", "Targets", "Camera")]
    assert footage_file(scene().camera).samefile(clip)


def test_parts_are_found_whatever_they_are_called(walk):
    (collection,) = bring(walk)
    handle = handle_of(collection)
    body = find_part(collection, "BODY")
    body.name, collection.name = "Hero", "Stage"
    assert part_of(collection, "BODY") == body
    assert resolve(handle) == collection
    assert person_of(body) == collection == active_person(bpy.context)
    bpy.data.objects.remove(body)
    with pytest.raises(SceneChanged, match="no body"):
        part_of(collection, "BODY")
    bpy.data.collections.remove(collection)
    with pytest.raises(SceneChanged, match="walk ü"):
        resolve(handle)


def test_baking_removes_the_controls_only(walk):
    (collection,) = bring(walk)
    skeleton, body = find_part(collection, "SKELETON"), find_part(collection, "BODY")
    before, keys = vertices_at(body, 5), len(key_frames(skeleton))
    bake(collection)
    assert find_part(collection, "TARGETS") is None
    assert not [armature.name for armature in bpy.data.armatures if "Targets" in armature.name]
    assert collection.pchmr.baked
    assert len(key_frames(skeleton)) == keys > 24
    np.testing.assert_array_equal(vertices_at(body, 5), before)
    bake(collection)  # a second time does nothing


@pytest.mark.parametrize("form", list(Form))
def test_retiming_moves_everything(walk, form):
    (collection,) = bring(walk, form=form, tolerance_mm=0.1, footage_offset=1)
    skeleton, body, targets, camera = (
        find_part(collection, part) for part in ("SKELETON", "BODY", "TARGETS", "CAMERA")
    )
    control = targets.pose.bones["elbow.L"]
    control.location.x = 0.1
    control.keyframe_insert("location", frame=4)
    before = [vertices_at(body, frame) for frame in (1, 4, 8)]
    retime(collection, Placing(50, 101))
    for frames in key_frames(skeleton):
        np.testing.assert_allclose(frames, 101 + 2 * np.arange(8))
    assert any(list(frames) == [107] for frames in key_frames(targets))
    for frame, wanted in zip((101, 107, 115), before, strict=True):
        np.testing.assert_allclose(vertices_at(body, frame), wanted, atol=1e-5)
    assert camera.data.background_images[0].image_user.frame_start == 102
    assert placing_of(collection) == Placing(50, 101)
    retime(collection, Placing(25, 1))
    np.testing.assert_allclose(vertices_at(body, 4), before[1], atol=1e-5)


def test_the_footage_offset_is_live(walk):
    (collection,) = bring(walk)
    user = scene().camera.data.background_images[0].image_user
    collection.pchmr.footage_offset = 7
    assert user.frame_start == 8
    collection.pchmr.footage_offset = 0
    assert user.frame_start == 1
