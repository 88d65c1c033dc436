"""Takes among others and at the end of the work: in scenes of another size, beside others, a person gone, baked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector

from pchmr.pchmr_blender.core.form_costs import Form
from pchmr.pchmr_blender.core.takes import open_view
from pchmr.pchmr_blender.core.timing import Placing
from pchmr.pchmr_blender.scene.bake import bake
from pchmr.pchmr_blender.scene.exports import ExportOptions, Format, export
from pchmr.pchmr_blender.scene.handles import find_part, part_of, people_in, placing_of
from pchmr.pchmr_blender.scene.retime import retime

from ..bvh_reader import Bvh
from .clips import make_movie
from .scenes import bring, registered, shown, vertices_at
from .takes import make_take

SHAPES = {
    "landscape": {"width": 640, "height": 360},
    "portrait": {"width": 360, "height": 640},
    "off-centre": {"width": 640, "height": 360, "principal": (420.0, 95.5)},
}
PIXEL = 0.5
"""Of the 1 px that is wanted; the compressed form's 0.1 mm are a hundredth."""


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    with registered():
        yield


def scene() -> bpy.types.Scene:
    return bpy.context.scene


def in_the_footage(camera: bpy.types.Object, points: np.ndarray, width: int, height: int) -> np.ndarray:
    """World points in pixels of footage that is shown as large as it goes in the middle of the scene's frame."""
    render = scene().render
    seen = np.array([world_to_camera_view(scene(), camera, Vector(point)) for point in points])
    frame = np.array([render.resolution_x, render.resolution_y])
    scale = (frame / (width, height)).min()
    return (seen[:, :2] * (1, -1) + (-0.5, 0.5)) * frame / scale + np.array([width, height]) / 2 - 0.5


@pytest.mark.parametrize("size", [None, (1920, 1080), (600, 1000)], ids=["own size", "wide", "tall"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("form", list(Form))
def test_body_and_picture_coincide_also_after_a_retime(tmp_path, form, shape, size):
    folder = make_take(tmp_path / "walk.take", frames=4, **SHAPES[shape])
    if size is not None:  # a scene of somebody else's
        bring(make_take(tmp_path / "other.take"), people=(0,))
        scene().render.resolution_x, scene().render.resolution_y = size
    (collection,) = bring(folder, form=form, tolerance_mm=0.1)
    view, camera, body = open_view(folder), part_of(collection, "CAMERA"), part_of(collection, "BODY")
    fx, fy, cx, cy = view.intrinsics
    for placing in (placing_of(collection), Placing(2 * view.fps, 31.0)):
        retime(collection, placing)
        for row, second in enumerate(view.people[0].seconds):
            world = view.people[0].vertices(row, row + 1)[0]
            cam = (world - view.camera_to_world[:3, 3]) @ view.camera_to_world[:3, :3]
            wanted = np.stack([fx * cam[:, 0] / cam[:, 2] + cx, fy * cam[:, 1] / cam[:, 2] + cy], -1)
            found = vertices_at(body, float(placing.frames(second)))
            pixels = in_the_footage(camera, found, view.width, view.height)
            np.testing.assert_allclose(pixels, wanted, atol=PIXEL)


def check_picture(collection: bpy.types.Collection, folder: Path) -> None:
    """The first row's body lies where the take projects it, and the footage is shown without being stretched."""
    view, camera = open_view(folder), part_of(collection, "CAMERA")
    fx, fy, cx, cy = view.intrinsics
    world = view.people[0].vertices(0, 1)[0]
    cam = (world - view.camera_to_world[:3, 3]) @ view.camera_to_world[:3, :3]
    wanted = np.stack([fx * cam[:, 0] / cam[:, 2] + cx, fy * cam[:, 1] / cam[:, 2] + cy], -1)
    np.testing.assert_allclose(in_the_footage(camera, world, view.width, view.height), wanted, atol=PIXEL)
    own_size = (scene().render.resolution_x, scene().render.resolution_y) == (view.width, view.height)
    assert camera.data.background_images[0].frame_method == ("STRETCH" if own_size else "FIT")


@pytest.mark.parametrize("shape", SHAPES)
def test_the_camera_follows_when_the_output_size_changes(tmp_path, shape):
    size = SHAPES[shape]["width"], SHAPES[shape]["height"]
    folder = make_take(tmp_path / "walk.take", **SHAPES[shape], clip=make_movie(tmp_path / "walk.avi", size=size))
    (collection,) = bring(folder)
    check_picture(collection, folder)
    for width, height in ((1920, 1080), (500, 900), size):
        scene().render.resolution_x, scene().render.resolution_y = width, height
        bpy.context.view_layer.update()
        check_picture(collection, folder)
    scene().render.resolution_x = 2000
    bpy.context.view_layer.update()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "x.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "x.blend"))
    check_picture(people_in(scene())[0], folder)


def test_the_camera_follows_undo_and_redo(tmp_path):
    bpy.context.preferences.edit.use_global_undo = True
    folder = make_take(tmp_path / "walk.take", clip=make_movie(tmp_path / "walk.avi"))
    bring(folder)
    bpy.ops.ed.undo_push(message="import")
    scene().render.resolution_x = 2000
    bpy.ops.ed.undo_push(message="size")  # as in the window: before the camera has followed
    bpy.context.view_layer.update()
    for step in (bpy.ops.ed.undo, bpy.ops.ed.redo):
        step()
        bpy.context.view_layer.update()
        check_picture(people_in(scene())[0], folder)


@pytest.mark.parametrize("form", list(Form))
def test_takes_of_other_rates_meet_by_seconds(tmp_path, form):
    first = make_take(tmp_path / "a.take", frames=10, fps=25, clip=make_movie(tmp_path / "a.avi", 10, fps=25))
    second = make_take(tmp_path / "b.take", frames=7, fps=10, clip=make_movie(tmp_path / "b.avi", 7, fps=10))
    people = [bring(folder, form=form, tolerance_mm=0.1)[0] for folder in (first, second)]
    assert (scene().render.fps, scene().frame_end) == (25, 10)
    for collection, folder in zip(people, (first, second), strict=True):
        person = open_view(folder).people[0]
        for row in range(0, person.frame_count, 2):
            frame = 1 + float(person.seconds[row]) * 25
            body = vertices_at(part_of(collection, "BODY"), frame)
            np.testing.assert_allclose(body, person.vertices(row, row + 1)[0], atol=2e-4)
            if frame.is_integer():
                assert shown(part_of(collection, "CAMERA"), int(frame)) == row + 1


def test_a_second_person_can_be_removed(tmp_path):
    folder = make_take(tmp_path / "pair.take", people=2, clip=make_movie(tmp_path / "pair.avi"))
    first, second = bring(folder, form=Form.PC2)
    assert find_part(second, "CAMERA") in list(first.objects)
    for item in [part_of(second, part) for part in ("BODY", "SKELETON", "TARGETS")]:
        bpy.data.objects.remove(item)
    bpy.data.collections.remove(second)
    wanted = open_view(folder).people[0]
    retime(first, Placing(60.0, 11.0))
    export(first, tmp_path / "x.bvh", Format.BVH, ExportOptions())
    assert len(Bvh(tmp_path / "x.bvh").rows) == 15
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "x.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "x.blend"))
    (first,) = people_in(scene())
    assert first.pchmr.problem == ""
    np.testing.assert_allclose(vertices_at(part_of(first, "BODY"), 11), wanted.vertices(0, 1)[0], atol=1e-5)
    assert scene().camera == part_of(first, "CAMERA")
    again = bring(folder, form=Form.PC2)  # who was removed comes back, in the first one's time
    assert [person.pchmr.person for person in again] == [0, 1]
    assert again[0] == first
    assert {placing_of(person) for person in again} == {Placing(60.0, 11.0)}


@pytest.mark.parametrize("form", list(Form))
def test_a_baked_take_is_saved_and_can_be_imported_again(tmp_path, form):
    folder = make_take(tmp_path / "walk.take", clip=make_movie(tmp_path / "walk.avi"))
    (collection,) = bring(folder, form=form, tolerance_mm=0.1)
    person = open_view(folder).people[0]
    bake(collection)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "x.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "x.blend"))
    (collection,) = people_in(scene())
    assert (collection.pchmr.baked, collection.pchmr.problem) == (True, "")
    assert find_part(collection, "TARGETS") is None
    assert not [data.name for data in (*bpy.data.objects, *bpy.data.armatures) if "Targets" in data.name]
    for row in (0, 5):
        body = vertices_at(part_of(collection, "BODY"), row + 1)
        np.testing.assert_allclose(body, person.vertices(row, row + 1)[0], atol=2e-4)
    retime(collection, Placing(60.0, 11.0))
    (again,) = bring(folder, form=form, tolerance_mm=0.1)
    assert again == collection
    assert not again.pchmr.baked
    assert find_part(again, "TARGETS") is not None
    assert placing_of(again) == Placing(60.0, 11.0)
    body = vertices_at(part_of(again, "BODY"), 21)
    np.testing.assert_allclose(body, person.vertices(5, 6)[0], atol=2e-4)
