"""Renders: the right people at the right place, an honest floor, and a movie that is whole or not there."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from inference_backend import render, render_views
from inference_backend.body import load_default_body
from inference_backend.errors import BadArgument, BodyInvalid, Cancelled, ClipNotFound
from inference_backend.progress import Progress
from inference_backend.render import VIEWS, render_take
from inference_backend.render_views import Figure, WorldCamera, draw_in_world, draw_over_footage, frame_world, moved
from inference_backend.take import Take, open_take
from inference_backend.take_format import ARRAYS, STAGES
from inference_backend.take_info import BodyInfo, PersonInfo, identify
from inference_backend.take_writer import TakeWriter
from inference_backend.video import Frame, VideoSource, probe, read
from inference_backend.video_writer import Mp4Writer

W, H, F = 160, 120, 6
LENS = (150.0, 150.0, (W - 1) / 2, (H - 1) / 2)
BLUE = (20, 40, 200)
# The footage's camera is level, 1.2 m above the floor, and looks along the world's y.
WORLD = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 1.2], [0, 0, 0, 1]], float)


@pytest.fixture(scope="module")
def standing() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices and joints of the default body facing the camera with its soles on the floor at the world's origin, and
    its triangles. Camera frame."""
    body = load_default_body()
    turn = torch.zeros(1, 24, 3)
    turn[0, 0, 0] = np.pi  # y up, facing +z → y down, facing the camera
    out = body.pose(turn, torch.zeros(1, 10))
    shift = torch.tensor([0.0, 1.2 - float(out.vertices[0, :, 1].max()), 0.0])
    return (out.vertices[0] + shift).numpy(), (out.joints[0] + shift).numpy(), body.triangles.numpy().astype(np.int32)


def at(standing: tuple, x: float = 0.0, z: float = 4.0, up: float = 0.0, colour=(240, 150, 60)) -> Figure:
    offset = np.array([x, -up, z], np.float32)
    return Figure(standing[0] + offset, standing[1] + offset, np.zeros(24, bool), colour)


def write_clip(path: Path, times: tuple[float, ...] | None = None) -> Path:
    with Mp4Writer(path, 20, (W, H)) as writer:
        for row in range(10):
            writer.write(np.full((H, W, 3), BLUE, np.uint8), None if times is None else times[row])
    return path


def write_take(folder: Path, clip: Path, standing: tuple, people: int = 1, done: int = F, first: int = 2) -> Take:
    """People side by side who stand still in frames `first` to `first + F - 1`; `done` of them are calibrated."""
    info = probe(clip)
    vertex_count = len(standing[0])
    with TakeWriter.create_or_resume(
        folder,
        clip=identify(clip, fps=info.fps, width=W, height=H, rotation=0),
        settings={},
        body=BodyInfo("default", "0" * 64, vertex_count),
        weights={},
        created_by="test",
    ) as writer:
        writer.set_people([PersonInfo(k, (0, 0, 9, 9), first, first + F - 1, 1.7, F) for k in range(people)])
        for k in range(people):
            figure = at(standing, x=1.2 * k - 0.3)
            for stage in STAGES:
                count = F if STAGES.index(stage) < STAGES.index("calibrate") else done
                if count == 0:
                    break
                specs = (spec for spec in ARRAYS.values() if spec.stage == stage and spec.scope == "person")
                rows = {s.name: np.zeros(s.sized(count, vertex_count), s.dtype) for s in specs if s.per_frame}
                if stage == "estimate":
                    rows["frames"][:] = first + np.arange(F)
                if stage == "target":
                    rows["joints_target"][:] = figure.joints
                if stage == "calibrate":
                    rows["vertices"][:] = figure.vertices
                writer.write_rows(k, stage, 0, rows)
        writer.write_array("camera", np.array(LENS, np.float32))
        writer.write_array("world", WORLD.astype(np.float32))
    return open_take(folder)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "footage.mp4")


@pytest.fixture
def take(tmp_path: Path, clip: Path, standing: tuple) -> Take:
    return write_take(tmp_path / "a ü.take", clip, standing)


def frames_of(path: Path) -> list[np.ndarray]:
    return [frame.image for frame in read(VideoSource(path))]


def is_near(pixel: np.ndarray, colour: tuple[int, int, int], tolerance: int = 12) -> bool:
    return bool((np.abs(pixel.astype(int) - colour) <= tolerance).all())


# the movie


def test_movie_has_all_views_and_the_frames_of_the_take(take: Take, tmp_path: Path) -> None:
    seen: list[Progress] = []
    out = render_take(take, tmp_path / "new" / "movie.mp4", report=seen.append)
    assert out == tmp_path / "new" / "movie.mp4"
    info = probe(out)
    assert (info.width, info.height) == (640 + 360 + 360, 480)
    assert (info.frame_count, info.warnings) == (F, ())
    assert (seen[0].done, seen[-1].done, seen[-1].total) == (0, F, F)
    assert [file.name for file in out.parent.iterdir()] == ["movie.mp4"]


@pytest.mark.parametrize(("views", "width"), [(("camera",), 640), (("side", "front"), 720), (("front",), 360)])
def test_chosen_views(take: Take, tmp_path: Path, views: tuple[str, ...], width: int) -> None:
    assert probe(render_take(take, tmp_path / "movie.mp4", views)).width == width


def test_footage_lies_under_the_mesh(take: Take, tmp_path: Path) -> None:
    image = frames_of(render_take(take, tmp_path / "movie.mp4", ["camera"]))[2]
    assert is_near(image[460, 20], BLUE)
    # The chest, beside the spine's line: x = -0.25 m, 1.3 m above the floor, at a scale of four.
    x, y = 4 * (LENS[2] + 0.5 + 150 * -0.23 / 4), 4 * (LENS[3] + 0.5 + 150 * -0.1 / 4)
    pixel = image[round(y), round(x)].astype(int)
    assert pixel[0] > pixel[2]
    assert not is_near(image[round(y), round(x)], BLUE, 40)


def test_world_views_show_the_mesh_without_the_footage(take: Take, tmp_path: Path) -> None:
    for image in frames_of(render_take(take, tmp_path / "movie.mp4", ["front", "side"])):
        for view in (image[:, :360], image[:, 360:]):
            orange = (view[..., 0].astype(int) - view[..., 2]) > 60
            assert 0.03 < orange.mean() < 0.5
            assert not ((view[..., 2].astype(int) - view[..., 0]) > 60).any()


def test_everybody_has_a_colour(tmp_path: Path, clip: Path, standing: tuple) -> None:
    take = write_take(tmp_path / "two.take", clip, standing, people=2)
    image = frames_of(render_take(take, tmp_path / "movie.mp4", ["front"]))[0].astype(int)
    assert (image[..., 0] - image[..., 2] > 60).sum() > 1000
    assert (image[..., 2] - image[..., 0] > 60).sum() > 1000


def test_unfinished_take_shows_what_is_finished(tmp_path: Path, clip: Path, standing: tuple) -> None:
    take = write_take(tmp_path / "half.take", clip, standing, done=2)
    assert probe(render_take(take, tmp_path / "movie.mp4", ["front"])).frame_count == 2


def test_times_are_the_footages(tmp_path: Path, standing: tuple) -> None:
    times = (0.0, 0.1, 0.15, 0.4, 0.45, 0.7, 0.71, 0.8, 0.9, 1.0)
    take = write_take(tmp_path / "t.take", write_clip(tmp_path / "vfr.mp4", times), standing)
    made = probe(render_take(take, tmp_path / "movie.mp4", ["front"])).times
    np.testing.assert_allclose(made, np.array(times[2:8]) - times[2], atol=1e-3)


def test_frame_that_does_not_decode_is_grey(take: Take, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(source: VideoSource, *, threads: int) -> list[Frame]:
        return [Frame(f.index, f.seconds, None if f.index == 4 else f.image) for f in read(source)]

    monkeypatch.setattr(render, "read", damaged)
    images = frames_of(render_take(take, tmp_path / "movie.mp4", ["camera"]))
    assert [is_near(image[460, 20], (128, 128, 128)) for image in images] == [False, False, True, False, False, False]
    note = images[2][46:66, 10:400].astype(int), images[1][46:66, 10:400].astype(int)
    assert (note[0].max() > 230, note[1].max() > 230) == (True, False)


def test_moved_footage(take: Take, clip: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.mp4"
    clip.rename(elsewhere)
    with pytest.raises(ClipNotFound):
        render_take(take, tmp_path / "movie.mp4")
    assert render_take(take, tmp_path / "movie.mp4", ["front"], clip=elsewhere).exists()


@pytest.mark.parametrize("views", [["top"], [], ["camera", ""]])
def test_unknown_views(take: Take, tmp_path: Path, views: list[str]) -> None:
    with pytest.raises(BadArgument, match="view"):
        render_take(take, tmp_path / "movie.mp4", views)


def test_footage_is_never_replaced(take: Take, clip: Path) -> None:
    before = clip.read_bytes()
    with pytest.raises(BadArgument, match="footage"):
        render_take(take, clip)
    assert clip.read_bytes() == before


def test_nothing_calibrated(tmp_path: Path, clip: Path, standing: tuple) -> None:
    with pytest.raises(BadArgument, match="calibrated"):
        render_take(write_take(tmp_path / "none.take", clip, standing, done=0), tmp_path / "movie.mp4")


def test_other_body(tmp_path: Path, clip: Path, standing: tuple) -> None:
    take = write_take(tmp_path / "other.take", clip, (standing[0][:100], standing[1], standing[2]))
    with pytest.raises(BodyInvalid):
        render_take(take, tmp_path / "movie.mp4")


def test_cancel_leaves_nothing(take: Take, tmp_path: Path) -> None:
    asked = iter([False, False, True])
    folder = tmp_path / "out"
    with pytest.raises(Cancelled):
        render_take(take, folder / "movie.mp4", ["front"], cancelled=lambda: next(asked))
    assert list(folder.iterdir()) == []


def test_cancel_keeps_the_movie_that_was_there(take: Take, clip: Path, tmp_path: Path) -> None:
    shutil.copy(clip, tmp_path / "movie.mp4")
    asked = iter([False, False, True])
    with pytest.raises(Cancelled):
        render_take(take, tmp_path / "movie.mp4", ["front"], cancelled=lambda: next(asked))
    assert (tmp_path / "movie.mp4").read_bytes() == clip.read_bytes()


# the views


def projected(camera: WorldCamera, row: int, points: np.ndarray) -> np.ndarray:
    """World → pixels, in float64. Shape: (..., 3) → (..., 2)."""
    fx, fy, cx, cy = camera.intrinsics
    seen = np.asarray(points, float) @ camera.from_world(row)[:3, :3].T + camera.from_world(row)[:3, 3]
    return np.stack([seen[..., 0] / seen[..., 2] * fx + cx, seen[..., 1] / seen[..., 2] * fy + cy], -1)


def walk(metres: tuple[float, float], frames: int = 120) -> np.ndarray:
    """Joints of someone 1.7 m tall who goes that far. World; (F, 24, 3)."""
    rng = np.random.default_rng(0)
    joints = rng.uniform([-0.4, -0.4, 0], [0.4, 0.4, 1.7], (24, 3))
    joints[0] = 0, 0, 0.9
    steps = np.linspace(0, 1, frames)[:, None] * np.array([*metres, 0.0])
    return (joints + steps[:, None]).astype(np.float32)


AXES = {
    "level": WORLD[:3, :3],
    "tilted": WORLD[:3, :3] @ np.array([[1, 0, 0], [0, 0.8, 0.6], [0, -0.6, 0.8]]),
    "straight down": np.array([[1, 0, 0], [0, -1, 0], [0, 0, -1]], float),
}


@pytest.mark.parametrize("metres", [(0, 0), (3, 2), (30, 0), (0, 30), (-20, 25)])
@pytest.mark.parametrize("view", VIEWS[1:])
@pytest.mark.parametrize("axes", AXES)
def test_person_stays_in_the_picture(metres: tuple[float, float], view: str, axes: str) -> None:
    joints = walk(metres)
    camera = frame_world(joints, AXES[axes], view, (360, 480), 30)
    pixels = np.stack([projected(camera, row, joints[row]) for row in range(len(joints))])
    assert (pixels > 0).all()
    assert (pixels < [360, 480]).all()
    # and fills it as far as the way allows
    if metres == (0, 0):
        assert np.ptp(pixels[0, :, 1]) > 240
    assert np.linalg.det(camera.axes) == pytest.approx(1)
    np.testing.assert_allclose(camera.axes @ camera.axes.T, np.eye(3), atol=1e-12)


def test_camera_stands_still_unless_the_person_goes_far() -> None:
    near, far = (frame_world(walk((x, 0)), AXES["level"], "front", (360, 480), 30) for x in (4, 12))
    assert np.ptp(near.centres, axis=0).max() == pytest.approx(0, abs=1e-9)
    assert np.ptp(far.centres, axis=0)[0] > 8
    assert np.abs(np.diff(far.centres, n=2, axis=0)).max() < 0.01


def test_front_is_the_footages_side_and_side_is_across() -> None:
    joints = walk((0, 0))
    front, side = (frame_world(joints, AXES["tilted"], view, (360, 480), 30) for view in VIEWS[1:])
    ahead = AXES["tilted"][:2, 2] / np.linalg.norm(AXES["tilted"][:2, 2])
    assert front.axes[2, :2] @ ahead > 0.9
    assert side.axes[2, :2] @ ahead == pytest.approx(0, abs=1e-9)
    for camera in (front, side):
        low, high = projected(camera, 0, np.array([[0, 0, 0], [0, 0, 1]]))
        assert high[1] < low[1] - 100  # up is up
        assert high[0] == pytest.approx(low[0], abs=30)


def test_moved_is_the_rigid_transform() -> None:
    rng = np.random.default_rng(1)
    points = rng.normal(size=(5, 3))
    expected = (WORLD @ np.concatenate([points, np.ones((5, 1))], 1).T).T[:, :3]
    np.testing.assert_allclose(moved(WORLD, points), expected, atol=1e-6)


def camera_at(x: float, y: float = 4.0) -> WorldCamera:
    camera = frame_world(walk((0, 0), 1), AXES["level"], "front", (360, 480), 30)
    return WorldCamera(camera.axes, np.array([[x, y, 0.85]]), camera.pixels_per_metre, camera.size)


@pytest.mark.parametrize("x", [0.0, 0.2, 1.3])
def test_tiles_lie_still_in_the_world(standing: tuple, x: float) -> None:
    camera = camera_at(x)
    floor = draw_in_world([], standing[2], WORLD, camera, 0)[..., 0].astype(int)

    def darkest(place: tuple[float, float]) -> int:
        column, row = np.round(projected(camera, 0, np.array([*place, 0.0]))).astype(int)
        return int(floor[row - 1 : row + 2, column - 1 : column + 2].min())

    metre = round(x)
    assert darkest((metre, 4.25)) < 205  # on the metre's line, between two that cross it
    assert darkest((metre + 0.5, 4.25)) in range(205, 230)
    assert darkest((metre + 0.25, 4.25)) > 230


def test_a_floating_person_parts_from_the_shadow(standing: tuple) -> None:
    gaps = []
    for up in (0.0, 0.3):
        image = draw_in_world([at(standing, up=up)], standing[2], WORLD, camera_at(0), 0).astype(int)
        body = (image[..., 0] - image[..., 2]) > 40
        shadow = (image.max(-1) < 172) & (np.ptp(image, axis=-1) < 8)
        gaps.append(np.flatnonzero(shadow.any(1)).max() - np.flatnonzero(body.any(1)).max())
    assert abs(gaps[0]) < 12
    assert gaps[1] > 0.2 * camera_at(0).pixels_per_metre


def test_the_nearer_person_hides_the_other(standing: tuple) -> None:
    red, green = (255, 0, 0), (0, 255, 0)
    near, far = at(standing, z=3.0, colour=red), at(standing, z=6.0, colour=green)
    pictures = []
    for order in ([near, far], [far, near]):
        image = np.zeros((H, W, 3), np.uint8)
        draw_over_footage(image, order, standing[2], LENS)
        pictures.append(draw_in_world(order, standing[2], WORLD, camera_at(0), 0))
        chest = image[round(LENS[3]), round(LENS[2] - 2.5)].astype(int)  # of both, beside the spine
        assert chest[0] > chest[1]
    np.testing.assert_array_equal(pictures[0], pictures[1])


def test_suspect_joints_are_ringed(standing: tuple) -> None:
    figure = at(standing)
    figure.suspect[22] = True
    plain, ringed = (np.zeros((H, W, 3), np.uint8) for _ in range(2))
    draw_over_footage(plain, [at(standing)], standing[2], LENS)
    draw_over_footage(ringed, [figure], standing[2], LENS)
    rows, columns = np.nonzero((plain != ringed).any(-1))
    x, y = 150 * figure.joints[22, 0] / 4 + LENS[2], 150 * figure.joints[22, 1] / 4 + LENS[3]
    assert len(rows) > 8
    assert np.hypot(columns - x, rows - y).max() < 8


@pytest.mark.parametrize("z", [-3.0, 0.02, 1e4])
def test_people_behind_or_at_the_camera_are_harmless(standing: tuple, z: float) -> None:
    image = np.zeros((H, W, 3), np.uint8)
    draw_over_footage(image, [at(standing, z=z)], standing[2], LENS)
    if z < 0:
        assert not image.any()


def test_colours_are_told_apart() -> None:
    colours = np.array(render_views.PALETTE, float)
    distances = np.linalg.norm(colours[:, None] - colours[None], axis=-1)
    assert distances[~np.eye(len(colours), dtype=bool)].min() > 70
