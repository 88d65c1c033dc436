"""Previews: the body where the take's camera sees it, over the right picture of the footage in its own colours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest

from pchmr.inference_backend.errors import Cancelled, ClipNotFound, ExportRefused
from pchmr.pchmr_blender.backend.calls import stopped
from pchmr.pchmr_blender.core.form_costs import Form
from pchmr.pchmr_blender.core.pc2 import CacheCorrupt
from pchmr.pchmr_blender.core.takes import open_view
from pchmr.pchmr_blender.core.timing import Placing
from pchmr.pchmr_blender.scene import preview_engine
from pchmr.pchmr_blender.scene.handles import part_of
from pchmr.pchmr_blender.scene.preview import PICTURE, Preview, PreviewOptions, render_preview
from pchmr.pchmr_blender.scene.preview_engine import Engine, find_engine
from pchmr.pchmr_blender.scene.retime import retime

from .clips import make_images, make_movie
from .scenes import bring, inventory, registered, vertices_at
from .takes import camera_to_world, make_take

FRAMES = 8


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    with registered():
        yield


def walk(folder: Path, size: tuple[int, int] = (640, 360), **options) -> Path:
    """A take of 8 frames, whose footage is grey: 20 times the picture's number of 255."""
    clip = make_movie(folder / "walk ü.avi", FRAMES, size)
    return make_take(folder / "walk.take", frames=FRAMES, width=size[0], height=size[1], clip=clip, **options)


def render(folder: Path, out: Path, tick=lambda done, total: None, bring_options=None, **options) -> Preview:
    people = bring(folder, **(bring_options or {"form": Form.PC2}))
    return render_preview(people, open_view(folder), out, PreviewOptions(**options), tick)


def picture(folder: Path, number: int) -> np.ndarray:
    """A rendered picture, 0 to 255. Shape: (height, width, 3), the first row on top."""
    image = bpy.data.images.load(str(folder / PICTURE.format(number)))
    pixels = np.empty(image.size[0] * image.size[1] * 4, np.float32)
    image.pixels.foreach_get(pixels)
    found = pixels.reshape(image.size[1], image.size[0], 4)[::-1, :, :3] * 255
    bpy.data.images.remove(image)
    return found


def body_mask(shown: np.ndarray) -> np.ndarray:
    """Where it is not the footage, which must be dark: some shades of the body are as bright as a light one. (H, W)"""
    assert grey(shown) < 30
    return np.abs(shown - grey(shown)).max(-1) > 16


def expected_mask(folder: Path, row: int, size: tuple[int, int] = (640, 360)) -> np.ndarray:
    """The same by the take's own camera and faces, for a picture of that width and height."""
    view = open_view(folder)
    fx, fy, cx, cy = view.intrinsics
    camera, scale = np.linalg.inv(camera_to_world()), np.array(size) / (view.width, view.height)
    mask = np.zeros(size[::-1], bool)
    down, across = np.mgrid[: size[1], : size[0]] + 0.5
    for person in view.people:
        x, y, z = (person.vertices(row, row + 1)[0] @ camera[:3, :3].T + camera[:3, 3]).T
        pixels = np.stack([fx * x / z + cx + 0.5, fy * y / z + cy + 0.5], -1) * scale
        for face in view.topology.faces:
            for corners in (face[[0, 1, 2]], face[[0, 2, 3]]):
                (ax, ay), (bx, by), (cx_, cy_) = pixels[corners]
                sides = [
                    (x1 - x0) * (down - y0) - (y1 - y0) * (across - x0)
                    for x0, y0, x1, y1 in ((ax, ay, bx, by), (bx, by, cx_, cy_), (cx_, cy_, ax, ay))
                ]
                mask |= np.all(np.array(sides) > 0, 0) | np.all(np.array(sides) < 0, 0)
    return mask


def assert_there(found: np.ndarray, wanted: np.ndarray, rim: float = 0.08) -> None:
    """Both masks show the same figure in the same place, half a pixel at most, but for a part of it: its rim."""
    assert wanted.sum() > 1000
    assert (found & wanted).sum() > (1 - rim) * (found | wanted).sum()
    middles = [np.argwhere(mask).mean(0) for mask in (found, wanted)]
    assert np.abs(middles[0] - middles[1]).max() < 0.5


def grey(shown: np.ndarray) -> float:
    """What the footage's corner looks like."""
    return float(shown[:20, :20].mean())


def edges(shown: np.ndarray) -> list[float]:
    """What the outermost pixels look like: the first and last rows and columns."""
    return [float(np.median(line)) for line in (shown[0], shown[-1], shown[:, 0], shown[:, -1])]


@pytest.mark.parametrize(
    ("size", "principal", "long_side", "shown_size"),
    [
        ((640, 360), None, 960, (640, 360)),
        ((640, 360), (200.0, 250.0), 960, (640, 360)),
        ((360, 640), (100.0, 400.0), 400, (224, 400)),
        ((884, 498), None, 480, (480, 270)),
        ((636, 357), None, 480, (636, 357)),
    ],
    ids=["landscape", "off-centre", "portrait, smaller, not in proportion", "smaller", "odd"],
)
def test_the_body_stands_where_the_camera_sees_it(tmp_path, size, principal, long_side, shown_size):
    folder = walk(tmp_path, size, principal=principal)
    made = render(folder, tmp_path / "out", long_side=long_side, opacity=1.0)
    assert (made.count, made.rate) == (FRAMES, pytest.approx(30))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [PICTURE.format(i) for i in range(FRAMES)]
    for number in range(FRAMES):
        shown = picture(tmp_path / "out", number)
        assert shown.shape[1::-1] == shown_size
        assert grey(shown) == pytest.approx(20 * number, abs=2)
        assert edges(shown) == pytest.approx([20 * number] * 4, abs=3)
        if number < 2:
            assert_there(body_mask(shown), expected_mask(folder, number, shown_size))


def test_a_little_of_the_person_shows_through(tmp_path):
    folder = walk(tmp_path)
    people, view = bring(folder, form=Form.ABSOLUTE), open_view(folder)
    for name, opacity in (("full", 1.0), ("half", 0.5)):
        render_preview(people, view, tmp_path / name, PreviewOptions(opacity=opacity, frames=(8, 8)), lambda *_: None)
    full, half = picture(tmp_path / "full", 0), picture(tmp_path / "half", 0)
    inside = np.ptp(full, axis=-1) > 60
    assert inside.sum() > 1000
    assert np.ptp(half, axis=-1)[inside].mean() < 0.8 * np.ptp(full, axis=-1)[inside].mean()


def test_footage_and_body_stay_together_at_another_rate_and_place(tmp_path):
    folder = walk(tmp_path)
    people = bring(folder, form=Form.PC2)
    retime(people[0], Placing(60.0, 101.0))  # half the speed, in a scene of 30 frames a second
    made = render_preview(people, open_view(folder), tmp_path / "out", PreviewOptions(), lambda *_: None)
    assert made.count == 2 * FRAMES - 1
    for number in (0, 2, 6, 14):
        shown = picture(tmp_path / "out", number)
        assert grey(shown) == pytest.approx(20 * number / 2, abs=2)
        if number <= 2:
            assert_there(body_mask(shown), expected_mask(folder, number // 2))


def test_images_that_are_numbered(tmp_path):
    images = make_images(tmp_path / "shots", list(range(7, 15)), (640, 360))
    folder = make_take(tmp_path / "shots.take", frames=FRAMES, clip=images)
    render(folder, tmp_path / "out", frames=(1, 1))
    assert_there(body_mask(picture(tmp_path / "out", 0)), expected_mask(folder, 0))


def test_everyone_is_in_the_picture(tmp_path):
    folder = walk(tmp_path, people=2)
    render(folder, tmp_path / "out", frames=(2, 2), opacity=1.0)
    assert_there(body_mask(picture(tmp_path / "out", 0)), expected_mask(folder, 1))


def test_the_scene_is_as_before(tmp_path):
    folder = walk(tmp_path)
    people = bring(folder, form=Form.PC2)
    body, scene = part_of(people[0], "BODY"), bpy.context.scene
    people[0].pchmr.hide_outside = False  # its keys would show it again
    body.hide_render = body.hide_viewport = True
    scene.frame_set(4)
    scene.render.engine = "BLENDER_WORKBENCH"
    before, settings = inventory(), (scene.camera, scene.frame_current, scene.render.resolution_x)
    render_preview(people, open_view(folder), tmp_path / "out", PreviewOptions(frames=(1, 2)), lambda *_: None)
    after = inventory()
    after["images"].remove("Render Result")  # Blender's own
    before.pop("all_ids", None), after.pop("all_ids", None)  # the same again, from 5.2
    assert {kind: names for kind, names in after.items() if names != before.get(kind)} == {}
    assert after.keys() == before.keys()
    assert (scene.camera, scene.frame_current, scene.render.resolution_x) == settings
    assert (body.hide_render, body.hide_viewport) == (True, True)
    assert bpy.context.window.scene == scene
    body.hide_viewport = False
    assert np.abs(vertices_at(body, 4) - open_view(folder).people[0].vertices(3, 4)[0]).max() < 1e-4


def test_it_can_be_stopped_between_two_pictures(tmp_path):
    def tick(done: int, total: int) -> None:
        if done == 2:
            raise stopped()

    folder = walk(tmp_path)
    with pytest.raises(Cancelled):
        render(folder, tmp_path / "out", tick)
    assert len(list((tmp_path / "out").iterdir())) == 2
    assert len(bpy.data.scenes) == 1


def test_without_footage_or_cache_there_is_none(tmp_path):
    folder = walk(tmp_path)
    people = bring(folder, form=Form.PC2)
    (cache,) = tmp_path.rglob("*.pc2")
    data = cache.read_bytes()
    cache.write_bytes(data[:-4])
    with pytest.raises(CacheCorrupt):
        render_preview(people, open_view(folder), tmp_path / "out", PreviewOptions(), lambda *_: None)
    cache.write_bytes(data)
    (tmp_path / "walk ü.avi").unlink()
    with pytest.raises(ClipNotFound):
        render_preview(people, open_view(folder), tmp_path / "out", PreviewOptions(), lambda *_: None)


# What draws


def test_another_blender_tells_whether_workbench_draws_here():
    engine = find_engine()
    assert engine.name in ("BLENDER_WORKBENCH", "CYCLES")
    assert bool(engine.notice) == (engine.name == "CYCLES")
    assert find_engine() is engine


@pytest.fixture
def _cannot_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview_engine, "_TRIAL", "import os; os.abort()")  # as Blender does without a driver


@pytest.mark.usefixtures("_cannot_draw")
def test_where_nothing_draws_cycles_does_and_says_so(tmp_path, monkeypatch):
    if not hasattr(bpy.types.Scene, "cycles"):
        pytest.skip("this Blender was built without Cycles")
    engine = find_engine.__wrapped__()
    assert engine.name == "CYCLES"
    assert "slow" in engine.notice
    monkeypatch.setattr("pchmr.pchmr_blender.scene.preview.find_engine", lambda: engine)
    folder = walk(tmp_path)
    made = render(folder, tmp_path / "out", opacity=1.0, frames=(1, 1), long_side=320)
    assert made.engine == engine
    shown = picture(tmp_path / "out", 0)
    assert_there(body_mask(shown), expected_mask(folder, 0, (320, 180)), rim=0.1)
    assert grey(shown) == pytest.approx(0, abs=2)
    assert not [*bpy.data.lights, *bpy.data.worlds]


@pytest.mark.usefixtures("_cannot_draw")
def test_where_there_is_no_cycles_either_it_is_refused(monkeypatch):
    class Types:
        Scene = object

    monkeypatch.setattr(preview_engine.bpy, "types", Types)
    with pytest.raises(ExportRefused, match="cannot draw here"):
        find_engine.__wrapped__()


def test_what_draws_in_software_does_not_smooth_edges(monkeypatch):
    monkeypatch.setattr(preview_engine, "_TRIAL", "print('PCHMR DRAWN BY SOFTWARE')")
    assert find_engine.__wrapped__() == Engine("BLENDER_WORKBENCH", smooth=False)
    monkeypatch.setattr(preview_engine, "_TRIAL", "print('PCHMR DRAWN BY NVIDIA')")
    assert find_engine.__wrapped__() == Engine("BLENDER_WORKBENCH", smooth=True)
