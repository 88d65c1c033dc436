"""Mesh and picture coincide: the take's vertices through Blender's camera lie where the take projects them; and the
right picture of the footage stands behind them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector

from pchmr.inference_backend.errors import ClipNotFound, UnsupportedVideo
from pchmr.pchmr_blender.core.footage_timing import Footage
from pchmr.pchmr_blender.core.lens import Frame, fitted, to_lens
from pchmr.pchmr_blender.core.takes import TakeView, open_view
from pchmr.pchmr_blender.core.timing import Placing
from pchmr.pchmr_blender.scene import footage
from pchmr.pchmr_blender.scene.camera import create_camera, frame_of, pinhole_of, set_frame
from pchmr.pchmr_blender.scene.footage import (
    attach_footage,
    find_source,
    fit_to_scene,
    footage_file,
    place_footage,
    proxy_path,
)

from .clips import make_images, make_movie
from .scenes import registered, shown
from .takes import make_take

SHAPES = {
    "landscape": {"width": 640, "height": 360},
    "portrait": {"width": 360, "height": 640},
    "square": {"width": 500, "height": 500},
    "off-centre": {"width": 640, "height": 360, "principal": (420.0, 95.5)},
    "portrait, off-centre, odd": {"width": 361, "height": 641, "principal": (100.25, 400.0)},
    "long lens": {"width": 640, "height": 360, "focal": 4000.0},
}
PIXEL = 1e-2
"""Of the 1 px that is wanted."""


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    with registered():
        yield


def camera_of(view: TakeView) -> bpy.types.Object:
    camera = create_camera(view, bpy.context.scene.collection, "walk")
    bpy.context.view_layer.update()
    return camera


def through_blender(camera: bpy.types.Object, points: np.ndarray) -> np.ndarray:
    """World points (n, 3) in pixels of the scene's frame, pixel centres at integers. Shape: (n, 2)."""
    scene, frame = bpy.context.scene, frame_of(bpy.context.scene)
    seen = np.array([world_to_camera_view(scene, camera, Vector(point)) for point in points])
    return np.stack([seen[:, 0] * frame.width, (1 - seen[:, 1]) * frame.height], -1) - 0.5


def vertices_and_pixels(view: TakeView) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated vertices in the world, and where the take's own numbers project them."""
    fx, fy, cx, cy = view.intrinsics
    world = view.people[0].vertices(0, 3).reshape(-1, 3).astype(np.float64)
    cam = (world - view.camera_to_world[:3, 3]) @ view.camera_to_world[:3, :3]
    return world, np.stack([fx * cam[:, 0] / cam[:, 2] + cx, fy * cam[:, 1] / cam[:, 2] + cy], -1)


@pytest.mark.parametrize("shape", SHAPES)
def test_vertices_lie_where_the_take_projects_them(tmp_path, shape):
    view = open_view(make_take(tmp_path / "walk.take", **SHAPES[shape]))
    set_frame(bpy.context.scene, view)
    world, pixels = vertices_and_pixels(view)
    np.testing.assert_allclose(through_blender(camera_of(view), world), pixels, atol=PIXEL)
    assert (bpy.context.scene.render.resolution_x, bpy.context.scene.render.resolution_y) == (view.width, view.height)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("frame", [(1920, 1080, 1, 1), (600, 1000, 1, 1), (720, 576, 1, 1.1)])
def test_in_a_scene_of_another_size_the_picture_stands_in_the_middle(tmp_path, shape, frame):
    view, render = open_view(make_take(tmp_path / "walk.take", **SHAPES[shape])), bpy.context.scene.render
    camera = camera_of(view)
    render.resolution_x, render.resolution_y, render.pixel_aspect_x, render.pixel_aspect_y = frame
    fit_to_scene(camera, view, bpy.context.scene)
    world, pixels = vertices_and_pixels(view)
    inside = fitted(pinhole_of(view), Frame(*frame))
    pinhole = pinhole_of(view)
    wanted = (pixels - [pinhole.cx, pinhole.cy]) * [inside.fx / pinhole.fx, inside.fy / pinhole.fy]
    wanted += [inside.cx, inside.cy]
    np.testing.assert_allclose(through_blender(camera, world), wanted, atol=PIXEL)


@pytest.mark.parametrize("fit", ["AUTO", "HORIZONTAL", "VERTICAL"])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_fit_is_the_same_camera(tmp_path, shape, fit):
    view = open_view(make_take(tmp_path / "walk.take", **SHAPES[shape]))
    set_frame(bpy.context.scene, view)
    camera, lens = camera_of(view), to_lens(pinhole_of(view), fit)
    for field in dataclasses.fields(lens):
        setattr(camera.data, field.name, getattr(lens, field.name))
    world, pixels = vertices_and_pixels(view)
    np.testing.assert_allclose(through_blender(camera, world), pixels, atol=PIXEL)


def test_oblong_pixels(tmp_path):
    folder = make_take(tmp_path / "walk.take")
    np.save(folder / "camera.npy", np.array([700, 640, 300.5, 200.25], np.float32))
    view = open_view(folder)
    set_frame(bpy.context.scene, view)
    world, pixels = vertices_and_pixels(view)
    np.testing.assert_allclose(through_blender(camera_of(view), world), pixels, atol=PIXEL)
    assert bpy.context.scene.render.pixel_aspect_y == pytest.approx(700 / 640)


def test_the_camera_sees_far_enough_and_stays(tmp_path):
    view = open_view(make_take(tmp_path / "walk.take"))
    camera = camera_of(view)
    farthest = np.linalg.norm(view.people[0].joints - view.camera_to_world[:3, 3], axis=-1).max()
    assert camera.data.clip_end > 2 * farthest
    assert all((*camera.lock_location, *camera.lock_rotation, *camera.lock_scale))


def with_footage(view: TakeView, placing: Placing, offset: float = 0.0) -> bpy.types.Object:
    camera = camera_of(view)
    attach_footage(camera, find_source(view, None), None, 0.5)
    place_footage(camera, placing, offset)
    return camera


def test_the_footage_stands_behind_the_camera(tmp_path):
    clip = make_movie(tmp_path / "Aufnahme ü 1.avi")
    view = open_view(make_take(tmp_path / "walk.take", clip=clip))
    camera = with_footage(view, Placing(30, 1))
    background = camera.data.background_images[0]
    assert camera.data.show_background_images
    assert (background.display_depth, background.alpha, background.image.source) == ("BACK", 0.5, "MOVIE")
    assert footage_file(camera).samefile(clip)
    assert [shown(camera, frame) for frame in (1, 2, 8)] == [1, 2, 8]
    assert camera.data.animation_data is None or camera.data.animation_data.action is None


def test_the_footage_follows_placing_and_offset(tmp_path):
    view = open_view(make_take(tmp_path / "walk.take", frames=12, clip=make_movie(tmp_path / "a.avi", 12)))
    camera = with_footage(view, Placing(30, 101), offset=3)
    assert [shown(camera, frame) for frame in (104, 105, 110)] == [1, 2, 7]
    place_footage(camera, Placing(15, 101), 0)  # two pictures a frame
    assert [shown(camera, frame) for frame in (101, 102, 105)] == [1, 3, 9]
    place_footage(camera, Placing(60, 101), 0)  # two frames a picture
    numbers = [shown(camera, frame) for frame in range(101, 122)]
    assert numbers[0] == 1
    assert numbers[-1] == 11
    assert set(np.diff(numbers)) <= {0, 1}
    place_footage(camera, Placing(30, 1), 0)
    assert [shown(camera, frame) for frame in (1, 5)] == [1, 5]
    assert camera.data.animation_data.action is None


def test_a_movie_is_opened_again_only_where_it_has_changed(tmp_path):
    movie = make_movie(tmp_path / "a.avi", 8)
    view = open_view(make_take(tmp_path / "walk.take", clip=movie, rotation=90))
    proxy = make_movie(proxy_path(view.folder, view.info), 8, fps=30)
    opened = footage._as_blender_counts.cache_info().misses
    assert [find_source(view, None).footage.count for _ in range(3)] == [8, 8, 8]
    assert footage._as_blender_counts.cache_info().misses == opened + 1
    make_movie(proxy, 5, fps=15)
    assert find_source(view, None).footage == Footage(15.0, 5)
    proxy.write_bytes(b"no movie")
    with pytest.raises(UnsupportedVideo, match="cannot read"):
        find_source(view, None)


def test_numbered_images(tmp_path):
    clip = make_images(tmp_path / "shots", [7, 8, 9, 10], (64, 36))
    view = open_view(make_take(tmp_path / "walk.take", frames=4, width=64, height=36, clip=clip))
    camera = with_footage(view, Placing(30, 1))
    assert camera.data.background_images[0].image.source == "SEQUENCE"
    assert [shown(camera, frame) for frame in (1, 2, 4)] == [7, 8, 10]


def test_what_blender_cannot_show_is_said(tmp_path):
    def reason(name, **how):
        view = open_view(make_take(tmp_path / name / "walk.take", **how))
        with pytest.raises(UnsupportedVideo) as caught:
            find_source(view, None)
        assert "stand-in" in caught.value.hint
        return caught.value.facts["reason"]

    movie = make_movie(tmp_path / "a.avi")
    assert reason("turned", clip=movie, rotation=90) == "its picture is stored turned by 90°"
    assert reason("uneven", clip=movie, seconds=[0, 0.03, 0.07, 0.1, 0.3, 0.33, 0.37, 0.4]) == "its frame rate varies"
    assert reason("size", clip=movie, width=320, height=180) == "Blender sees 640×360 pixels, the take 320×180"
    assert "cannot read it" in reason("junk")
    images = make_images(tmp_path / "gap", [1, 2, 4])
    assert "numbered" in reason("images", clip=images, width=64, height=36, frames=3)
    assert not bpy.data.images
    assert not bpy.data.movieclips


def test_a_stand_in_is_shown_instead(tmp_path):
    view = open_view(make_take(tmp_path / "walk.take", clip=make_movie(tmp_path / "a.avi"), rotation=90))
    proxy = make_movie(proxy_path(view.folder, view.info), 4, fps=15)  # it may have another rate
    camera = with_footage(view, Placing(30, 1))
    assert footage_file(camera) == proxy
    assert [shown(camera, frame) for frame in (1, 3, 7)] == [1, 2, 4]


def test_gone_footage_is_named(tmp_path):
    view = open_view(make_take(tmp_path / "walk.take", clip=make_movie(tmp_path / "a.avi")))
    (tmp_path / "a.avi").unlink()
    with pytest.raises(ClipNotFound, match=r"a\.avi"):
        find_source(view, Path(tmp_path))
