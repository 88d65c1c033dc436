"""The main job on all kinds of footage: the real networks on a few frames of the demo clip, written as each kind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from inference_backend import estimation, pipeline
from inference_backend.body import load_default_body
from inference_backend.errors import BadArgument, Cancelled, NoPersonFound, TakeMismatch
from inference_backend.evaluation import footage
from inference_backend.evaluation.motion_faults import bone_spread
from inference_backend.pipeline import ReconstructSettings, models_of, reconstruct
from inference_backend.progress import Progress
from inference_backend.recalibrate import Wanted, recalibrate
from inference_backend.skeletons import LANDMARKS
from inference_backend.solve_preset import SolvePreset
from inference_backend.take import Take, open_take
from inference_backend.take_format import ARRAYS, STAGES
from inference_backend.take_info import layers_of
from inference_backend.targets import stack
from inference_backend.targets.motion import SkeletonMotion
from inference_backend.targets.parameters import Layers
from inference_backend.video import VideoSource, read
from inference_backend.video_writer import Mp4Writer

from .demo_job import CLIP, needs_models, silent, torch_threads
from .killed_job import settings

__all__ = ["torch_threads"]

pytestmark = needs_models


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    """The demo clip's first frames, (480, 640, 3)."""
    frames = read(VideoSource(CLIP, stop=40))
    return [cv2.resize(frame.image, (640, 480), interpolation=cv2.INTER_AREA) for frame in frames]


def movie(path: Path, images: list[np.ndarray], fps: float = 30, times: list[float] | None = None) -> Path:
    height, width = images[0].shape[:2]
    with Mp4Writer(path, fps, (width, height)) as writer:
        for k, image in enumerate(images):
            writer.write(np.ascontiguousarray(image), None if times is None else times[k])
    return path


def solved(clip: Path, **changed: Any) -> Take:
    job = replace(settings(clip, clip.parent / "a.take"), end=None)
    return open_take(reconstruct(replace(job, **changed), silent))


def test_a_take_holds_everything(tmp_path: Path) -> None:
    told: list[Progress] = []
    job = replace(settings(CLIP, tmp_path / "a.take"), start=20, end=80, step=2)
    take = open_take(reconstruct(job, told.append))
    (person,) = take.people
    assert all(person.finished(stage) for stage in STAGES)
    for name in ARRAYS:
        array = person.array(name)
        assert np.isfinite(array.astype(np.float64)).all(), name
        assert not ARRAYS[name].per_frame or len(array) == 30, name
    assert person.array("frames").tolist() == list(range(20, 80, 2))
    np.testing.assert_allclose(person.array("seconds"), np.arange(20, 80, 2) / 30, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(person.array("rotations"), axis=-1), 1, atol=1e-5)
    assert bone_spread(person.array("joints_target")) < 0.1
    assert (person.array("target_hash") != 0).all()
    assert (person.array("calibrated_hash") != 0).all()
    world = person.array("world").astype(np.float64)
    np.testing.assert_allclose(world[:3, :3] @ world[:3, :3].T, np.eye(3), atol=1e-6)
    assert set(take.info.weights) == set(models_of(SolvePreset()))
    assert any("focal length" in warning for warning in take.info.warnings)
    assert not any("camera moves" in warning for warning in take.info.warnings)
    assert take.clip_path().samefile(CLIP)
    assert [path.name for path in take.folder.glob(".*")] == []
    stages = list(dict.fromkeys(progress.stage for progress in told))
    assert stages == ["estimate", "lift", "target", "suspects", "calibrate"]
    for stage in stages:
        last = [progress for progress in told if progress.stage == stage][-1]
        assert last.done == last.total == 30


def test_the_placed_body_meets_the_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    take = solved(CLIP, out=tmp_path / "a.take", end=12)
    (found,) = footage.run([take])
    assert found.frames == 12
    assert found.reprojection < 10  # per cent: that it is placed at all; how well is for `evaluate footage`
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 3
    assert out[2].startswith("| a.take, 0 | 12 |")


def test_takes_are_cleaned_up(tmp_path: Path) -> None:
    cleaned = solved(CLIP, out=tmp_path / "on.take", end=24)
    fitted = solved(CLIP, out=tmp_path / "off.take", end=24, cleanup=Layers.off())
    assert layers_of(cleaned.folder, cleaned.info, 0) == Layers().values()
    assert layers_of(fitted.folder, fitted.info, 0) == Layers.off().values()
    on, off = cleaned.people[0], fitted.people[0]
    for name in ("pose_fitted", "root_fitted", "suspect", "vertices_hmr"):
        assert np.array_equal(on.array(name), off.array(name)), name
    (as_fitted, cleaned_up) = (footage.quality(person, load_default_body()) for person in (off, on))
    assert as_fitted.cleanup < 1e-3 < cleaned_up.cleanup < 2
    recalibrate(cleaned.folder, 0, Wanted.unedited(Layers.off()))
    on = open_take(cleaned.folder).people[0]
    for name in ("joints_base", "rotations_base", "joints_target", "target_hash"):
        assert np.array_equal(on.array(name), off.array(name)), name
    np.testing.assert_allclose(on.array("vertices"), off.array("vertices"), atol=1e-4)


def test_another_clean_up_makes_only_the_end_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = solved(CLIP, out=tmp_path / "fresh.take", end=24, cleanup=Layers.off())
    again = solved(CLIP, out=tmp_path / "again.take", end=24)
    kept = again.people[0].folder / "pose_fitted.npy"
    before = kept.stat().st_mtime_ns
    with monkeypatch.context() as patch:  # neither detection nor networks
        patch.setattr(pipeline, "estimate", None)
        patch.setattr(pipeline, "_networks", None)
        again = solved(CLIP, out=again.folder, end=24, cleanup=Layers.off())
        assert layers_of(again.folder, again.info, 0) == Layers.off().values()
        assert kept.stat().st_mtime_ns == before
        wanted, found = fresh.people[0], again.people[0]
        assert set(found.info.arrays) == set(wanted.info.arrays)
        for name in set(found.info.arrays) - {"vertices", "joints", "rotations"}:
            assert np.array_equal(found.array(name), wanted.array(name)), name
        for name in ("vertices", "joints", "rotations"):  # from the mesh stream as the take keeps it
            np.testing.assert_allclose(found.array(name), wanted.array(name), atol=1e-4, err_msg=name)
        content = {file.name: file.read_bytes() for file in again.people[0].folder.iterdir()}
        solved(CLIP, out=again.folder, end=24, cleanup=Layers.off())
        assert {file.name: file.read_bytes() for file in again.people[0].folder.iterdir()} == content
        with pytest.raises(TakeMismatch, match="height"):
            solved(CLIP, out=again.folder, end=24, heights=(1.5, 1.6), people="all")


def test_a_job_that_was_stopped_may_go_on_with_another_clean_up(tmp_path: Path) -> None:
    done: list[Progress] = []
    job = replace(settings(CLIP, tmp_path / "stopped.take"), end=24)
    with pytest.raises(Cancelled):
        reconstruct(job, done.append, lambda: bool(done) and done[-1].stage == "target")
    assert open_take(job.out).people
    take = open_take(reconstruct(replace(job, cleanup=Layers.off()), silent))
    assert layers_of(take.folder, take.info, 0) == Layers.off().values()
    fresh = solved(CLIP, out=tmp_path / "fresh.take", end=24, cleanup=Layers.off())
    for name in ("joints_target", "target_hash", "calibrated_hash"):
        assert np.array_equal(take.people[0].array(name), fresh.people[0].array(name)), name


def test_a_layer_that_comes_to_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> SkeletonMotion:
        raise np.linalg.LinAlgError("no solution")

    monkeypatch.setattr(stack, "LAYERS", {**stack.LAYERS, "smoothing": fails})
    take = solved(CLIP, out=tmp_path / "a.take", end=8)
    assert "Person 0 is not cleaned up: the clean-up layer smoothing comes to nothing here." in take.info.warnings
    assert layers_of(take.folder, take.info, 0) == Layers.off().values()
    assert footage.quality(take.people[0], load_default_body()).cleanup < 1e-3
    with pytest.raises(BadArgument, match="smoothing"):
        recalibrate(take.folder, 0, Wanted.unedited(Layers()))


@pytest.mark.parametrize("count", [1, 2, 5])
def test_shortest_clips(count: int, pictures: list[np.ndarray], tmp_path: Path) -> None:
    take = solved(movie(tmp_path / "a.mp4", pictures[:count]))
    assert take.people[0].finished("calibrate")
    assert len(take.people[0].array("vertices")) == count


@pytest.mark.parametrize("name", ["with blanks.mp4", "ünïcödé 名前.mp4"])
def test_names_of_files(name: str, pictures: list[np.ndarray], tmp_path: Path) -> None:
    take = solved(movie(tmp_path / name, pictures[:3]), out=tmp_path / f"{name}.take")
    assert take.clip_path().name == name


@pytest.mark.parametrize("pattern", ["", "shot_%04d.png", "shot_*.png"])
def test_image_sequences(pattern: str, pictures: list[np.ndarray], tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for number, picture in enumerate(pictures[:4], start=8):
        cv2.imwrite(str(folder / f"shot_{number:04d}.png"), picture[..., ::-1])
    take = solved(folder / pattern, out=tmp_path / "a.take", fps=25)
    np.testing.assert_allclose(take.people[0].array("seconds"), np.arange(4) / 25)
    assert take.clip_path().parent.samefile(tmp_path if not pattern else folder)


def test_odd_sizes_and_uneven_times(pictures: list[np.ndarray], tmp_path: Path) -> None:
    times = [0, 0.03, 0.07, 0.2, 0.21, 0.3, 0.4, 0.43]
    small = [cv2.resize(picture, (517, 389)) for picture in pictures[:8]]
    take = solved(movie(tmp_path / "a.mp4", small, times=times))
    np.testing.assert_allclose(take.people[0].array("seconds"), times, atol=1e-4)


def test_phones_hold_the_picture_turned(pictures: list[np.ndarray], tmp_path: Path) -> None:
    upright = [picture[:, 140:500] for picture in pictures[:6]]
    plain = solved(movie(tmp_path / "plain.mp4", upright), out=tmp_path / "plain.take")
    stored = movie(tmp_path / "phone.mp4", [np.rot90(picture) for picture in upright])
    data = stored.read_bytes()
    unity = b"".join(value.to_bytes(4, "big", signed=True) for value in (65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30))
    turned = b"".join(
        value.to_bytes(4, "big", signed=True) for value in (0, 65536, 0, -65536, 0, 0, 360 << 16, 0, 1 << 30)
    )
    track = data.index(b"tkhd")
    stored.write_bytes(data[:track] + data[track:].replace(unity, turned, 1))
    take = solved(stored, out=tmp_path / "phone.take")
    assert (take.info.clip.width, take.info.clip.height, take.info.clip.rotation) == (360, 480, 90)
    found, wanted = (one.people[0].array("keypoints_2d")[..., :2] for one in (take, plain))
    assert np.median(np.linalg.norm(found - wanted, axis=-1)) < 3  # two encodings of the same pictures


def test_a_damaged_frame_is_told_and_filled(pictures: list[np.ndarray], tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for number, picture in enumerate(pictures[:7]):
        cv2.imwrite(str(folder / f"{number}.png"), picture[..., ::-1])
    (folder / "3.png").write_bytes(b"no picture")
    take = solved(folder)
    assert any(warning.startswith("1 of 7 frames") for warning in take.info.warnings)
    confidence = take.people[0].array("keypoints_2d")[..., 2].max(1)
    assert np.flatnonzero(confidence == 0).tolist() == [3]
    places = take.people[0].array("keypoints_2d")[:, LANDMARKS.index("left_hip"), :2]
    np.testing.assert_allclose(places[3], (places[2] + places[4]) / 2, rtol=1e-5)


def test_several_people(pictures: list[np.ndarray], tmp_path: Path) -> None:
    frames = []
    for k in range(20):
        other = np.full((480, 320, 3), 180, np.uint8)
        other[120:, 40:280] = cv2.resize(pictures[k + 20][:, 140:460], (240, 360))[:, ::-1]
        frames.append(np.hstack([pictures[k][:, 140:460], other]))
    clip = movie(tmp_path / "a.mp4", frames)
    everyone = solved(clip, people="all", out=tmp_path / "all.take")
    assert [person.frames for person in everyone.people] == [20, 20]
    assert all(person.finished("calibrate") for person in everyone.people)
    second = solved(clip, people="1", out=tmp_path / "second.take").people[0]
    assert np.array_equal(second.array("keypoints_2d"), everyone.people[1].array("keypoints_2d"))
    assert second.array("keypoints_2d")[0, :, 0].min() > 320
    with pytest.raises(NoPersonFound, match="2 found"):
        solved(clip, people="5", out=tmp_path / "fifth.take")


def test_people_of_different_heights(pictures: list[np.ndarray], tmp_path: Path, monkeypatch: Any) -> None:
    frames = [np.hstack([picture[:, 140:460], picture[:, 140:460]]) for picture in pictures[:18]]
    clip, out = movie(tmp_path / "a.mp4", frames), tmp_path / "a.take"
    with pytest.raises(BadArgument, match="3 heights are given, and 2 people were found"):
        solved(clip, people="all", heights=(1.9, 1.7, 1.5), out=out)
    with monkeypatch.context() as patch:  # everybody is found already
        patch.setattr(estimation, "estimate_clip", None)
        take = solved(clip, people="all", heights=(1.9, 1.5), out=out)
    tall, short = take.people
    assert (tall.info.height, short.info.height) == (1.9, 1.5)
    # The same pictures of two sizes: bones are in proportion, but for the shape, which changes with the stature.
    for name in ("joints_lifted", "joints_target", "joints"):
        lengths = [np.linalg.norm(one.array(name)[:, 4] - one.array(name)[:, 1], axis=-1) for one in (tall, short)]
        assert np.median(lengths[0] / lengths[1]) == pytest.approx(1.9 / 1.5, rel=0.08), name
    rest = [np.ptp(one.array("rest_vertices")[:, 1]) for one in (tall, short)]
    assert rest == pytest.approx([1.9, 1.5], abs=0.01)
    with pytest.raises(TakeMismatch, match=r"height is \[1\.9, 1\.5\], asked for is \[1\.5, 1\.9\]"):
        solved(clip, people="all", heights=(1.5, 1.9), out=out)


@pytest.mark.parametrize(
    "changed", [{"people": "first"}, {"people": "-1"}, {"start": 10}, {"start": -1}, {"end": 0}, {"step": 0}]
)
def test_requests_that_make_no_sense(changed: dict[str, Any], pictures: list[np.ndarray], tmp_path: Path) -> None:
    clip = movie(tmp_path / "a.mp4", pictures[:3])
    with pytest.raises(BadArgument):
        solved(clip, **changed)
    assert not (tmp_path / "a.take").exists()


def test_a_moving_camera_is_told_however_the_job_was_stopped(pictures: list[np.ndarray], tmp_path: Path) -> None:
    clip = movie(tmp_path / "a.mp4", [picture[:, 2 * k : 2 * k + 500] for k, picture in enumerate(pictures)])
    whole = solved(clip, out=tmp_path / "whole.take")
    (told,) = (warning for warning in whole.info.warnings if "camera moves" in warning)
    assert "(2.0 pixels a frame)" in told
    job: ReconstructSettings = replace(settings(clip, tmp_path / "stopped.take"), end=None)
    done: list[int] = []
    with pytest.raises(Cancelled):
        reconstruct(job, lambda progress: done.append(progress.done), lambda: max(done, default=0) >= 30)
    reconstruct(job, silent)
    assert open_take(job.out).info == whole.info
