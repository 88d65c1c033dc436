"""Kills, full disks, damaged takes: what was finished stays, and the same command ends as if nothing had happened.

These run the real job on the first frames of the demo clip.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference_backend import disk, pipeline
from inference_backend.cli import main
from inference_backend.errors import Cancelled, DiskFull, NoPersonFound, OutputNotWritable, TakeCorrupt
from inference_backend.pipeline import reconstruct
from inference_backend.progress import Progress
from inference_backend.take import open_take
from inference_backend.video_writer import Mp4Writer

from .demo_job import CLIP, ROOT, needs_models, silent, torch_threads
from .killed_job import FRAMES, settings

__all__ = ["torch_threads"]

pytestmark = needs_models

JOB = Path(__file__).with_name("killed_job.py")
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


def files(take: Path) -> dict[str, bytes]:
    return {path.relative_to(take).as_posix(): path.read_bytes() for path in take.rglob("*") if path.is_file()}


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def command(take: Path, workers: int = 1) -> list[str]:
    options = ["--end", str(FRAMES), "--workers", str(workers), "--device", "cpu"]
    return ["reconstruct", str(CLIP), "--out", str(take), *options]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A take made in one go by one worker."""
    take = tmp_path_factory.mktemp("undisturbed") / "a.take"
    return reconstruct(settings(CLIP, take, 1), silent)


@pytest.fixture
def finished(undisturbed: Path, tmp_path: Path) -> Path:
    """A copy of it, to damage."""
    return Path(shutil.copytree(undisturbed, tmp_path / "a.take"))


# Kills.


@pytest.mark.parametrize(
    ("workers", "deaths"),
    [
        (2, ["estimate 0.1", "estimate 0.5", "estimate 0.9", "target 0.5", "calibrate 0.9 half"]),
        (1, ["estimate 0.5", "lift 1 half", "calibrate 0.9", "suspects 1 half"]),
    ],
)
def test_killed_again_and_again(workers: int, deaths: list[str], undisturbed: Path, tmp_path: Path) -> None:
    take = tmp_path / "a.take"
    for death in deaths:
        done = run([sys.executable, str(JOB), str(CLIP), str(take), str(workers), *death.split()])
        assert done.returncode == (9 if sys.platform == "win32" else -signal.SIGKILL), done.stderr
        assert (take / ".detections").exists() or "estimate" in death
        open_take(take)  # is valid at any moment
    reconstruct(settings(CLIP, take, workers), silent)
    assert files(take) == files(undisturbed)


@POSIX
def test_interrupted_and_continued(undisturbed: Path, tmp_path: Path) -> None:
    take = tmp_path / "a.take"
    words = [sys.executable, "-m", "inference_backend", *command(take, workers=2)]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    with subprocess.Popen(words, cwd=ROOT, env=env, stderr=pipe, stdout=pipe, text=True, start_new_session=True) as job:
        assert job.stderr is not None
        while not job.stderr.readline().startswith("estimate"):
            assert job.poll() is None
        os.killpg(job.pid, signal.SIGINT)  # a terminal tells the workers, too, which are being loaded
        _, told = job.communicate()
    assert job.returncode == Cancelled.exit_code, told
    assert "Cancelled: " in told
    assert "KeyboardInterrupt" not in told
    reconstruct(settings(CLIP, take, 1), silent)
    assert files(take) == files(undisturbed)


@pytest.mark.parametrize("stage", ["estimate", "target", "calibrate"])
def test_cancelled_between_steps(stage: str, undisturbed: Path, tmp_path: Path) -> None:
    asked: list[str] = []

    def report(progress: Progress) -> None:
        asked.append(progress.stage)

    with pytest.raises(Cancelled):
        reconstruct(settings(CLIP, tmp_path / "a.take", 1), report, lambda: stage in asked)
    assert asked[-1] == stage
    reconstruct(settings(CLIP, tmp_path / "a.take", 1), silent)
    assert files(tmp_path / "a.take") == files(undisturbed)


def test_a_finished_take_is_left_alone(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*.npy")}
    monkeypatch.setattr(pipeline, "estimate", None)
    reconstruct(settings(CLIP, finished, 1), silent)
    assert {path: path.stat().st_mtime_ns for path in finished.rglob("*.npy")} == before


# Disks.


@pytest.mark.parametrize("limit", [1, 20_000, 300_000, 15_000_000])
def test_full_disk(limit: int, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_all, left = disk._write_all, [limit]

    def until_full(file: Any, data: bytes | memoryview) -> None:
        part = memoryview(data)[: left[0]]
        left[0] -= len(part)
        write_all(file, part)
        if len(part) < len(data):
            raise OSError(errno.ENOSPC, "No space left on device", str(file.name))

    take = tmp_path / "a.take"
    monkeypatch.setattr(disk, "_write_all", until_full)
    with pytest.raises(DiskFull) as caught:
        reconstruct(settings(CLIP, take, 1), silent)
    assert caught.value.exit_code == 51
    assert str(take) in caught.value.message
    monkeypatch.setattr(disk, "_write_all", write_all)
    if (take / "take.json").exists():
        open_take(take)
    reconstruct(settings(CLIP, take, 1), silent)
    assert files(take) == files(undisturbed)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_folder_that_may_not_be_written(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number), str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OutputNotWritable):
        reconstruct(settings(CLIP, tmp_path / "a.take", 1), silent)


def test_file_in_the_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.take").write_text("mine")
    assert main(command(tmp_path / "a.take")) == OutputNotWritable.exit_code
    assert main(command(tmp_path / "a.take" / "b.take")) == OutputNotWritable.exit_code
    assert (tmp_path / "a.take").read_text() == "mine"


# Takes that are not as they should be.


def cut_array(take: Path) -> None:
    path = take / "person_0" / "vertices.npy"
    path.write_bytes(path.read_bytes()[:-1000])


def lose_array(take: Path) -> None:
    (take / "person_0" / "pose.npy").unlink()


def break_json(take: Path) -> None:
    text = (take / "take.json").read_text()
    (take / "take.json").write_text(text[: len(text) // 2])


def change_version(take: Path) -> None:
    record = json.loads((take / "take.json").read_text())
    (take / "take.json").write_text(json.dumps({**record, "version": 999}))


def change_clip(take: Path) -> None:
    record = json.loads((take / "take.json").read_text())
    record["clip"]["fingerprint"] = "0" * 64
    (take / "take.json").write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        (cut_array, "TakeCorrupt"),
        (lose_array, "TakeCorrupt"),
        (break_json, "TakeCorrupt"),
        (change_version, "TakeVersion"),
        (change_clip, "TakeMismatch"),
    ],
)
def test_damaged_take(
    damage: Callable[[Path], None], kind: str, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(finished)
    before = files(finished)
    code = main(command(finished))
    out, told = capsys.readouterr()
    assert (code, out) == ({"TakeCorrupt": 40, "TakeVersion": 41, "TakeMismatch": 42}[kind], "")
    assert f"{kind}: " in told
    assert "Traceback" not in told
    assert files(finished) == before


def test_take_of_other_settings(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = files(finished)
    assert main([*command(finished), "--height", "1.9"]) == 42
    assert "height is 1.7, asked for is 1.9" in capsys.readouterr().err
    assert files(finished) == before


@pytest.mark.parametrize("wrong", [["--start", "100000"], ["--people", "nobody"], ["--focal", "0"]])
def test_a_wrong_request_replaces_nothing(wrong: list[str], finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = files(finished)
    words = [word for word in command(finished) if word not in ("--end", str(FRAMES))]
    assert main([*words, *wrong, "--overwrite"]) == 2
    assert files(finished) == before


def test_damaged_detections_are_named_and_found_again(undisturbed: Path, tmp_path: Path) -> None:
    take = tmp_path / "a.take"
    asked: list[str] = []

    def report(progress: Progress) -> None:
        asked.append(progress.stage)

    with pytest.raises(Cancelled):
        reconstruct(settings(CLIP, take, 1), report, lambda: "target" in asked)
    kept = sorted((take / ".detections").glob("*.npz"))
    assert len(kept) == 3
    kept[1].write_bytes(kept[1].read_bytes()[:2000])
    with pytest.raises(TakeCorrupt, match=kept[1].name):
        reconstruct(settings(CLIP, take, 1), silent)
    kept[1].unlink()  # as the hint says
    reconstruct(settings(CLIP, take, 1), silent)
    assert files(take) == files(undisturbed)


def test_nobody_is_a_named_error_each_time(tmp_path: Path) -> None:
    clip = tmp_path / "nobody.mp4"
    with Mp4Writer(clip, 30, (320, 240)) as writer:
        for _ in range(3):
            writer.write(np.full((240, 320, 3), 90, np.uint8))
    for _ in range(2):
        with pytest.raises(NoPersonFound):
            reconstruct(settings(clip, tmp_path / "a.take", 1), silent)
