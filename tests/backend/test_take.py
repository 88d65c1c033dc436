"""The take: what is written is read back, whatever dies in between, and every damage has its name.

Run as a script, this file writes the take of `work` (argument 1), tells each step and ends when its input does: the
process that the tests kill.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import subprocess
import sys
import time
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference_backend import disk, folder_lock, skeletons, take_folder, take_format
from inference_backend.errors import (
    BackendError,
    ClipNotFound,
    DiskFull,
    OutputNotWritable,
    TakeCorrupt,
    TakeMismatch,
    TakeVersion,
)
from inference_backend.footage_files import fingerprint
from inference_backend.take import describe, open_take
from inference_backend.take_format import ARRAYS, HASH_OF_STAGE, STAGES, row_hashes
from inference_backend.take_info import VERSION, BodyInfo, PersonInfo, identify
from inference_backend.take_writer import TakeWriter

F, N, M, U = 5, 7, 6, 9
SIZES = (N, M, U)
WHOLE = tuple(spec for spec in ARRAYS.values() if not spec.per_frame)
SETTINGS = {"height": 1.7, "fit": {"iterations": 200, "enabled": True}}
WEIGHTS = {"lifter": "ab" * 32}


def begin(folder: Path, **changed) -> TakeWriter:
    clip = folder.parent / "clip ü.mp4"
    if not clip.exists():
        clip.write_bytes(b"footage" * 1000)
    given = {
        "clip": identify(clip, fps=30, width=640, height=360, rotation=90),
        "settings": SETTINGS,
        "body": BodyInfo("default", "cd" * 32, *SIZES),
        "weights": WEIGHTS,
        "created_by": "test 1",
        **changed,
    }
    return TakeWriter.create_or_resume(folder, **given)


def truth(name: str, person: int, start: int, stop: int) -> np.ndarray:
    """What the tests write: as different for each array, person and row as it can be, and never 0."""
    spec = ARRAYS[name]
    rows = []
    for row in range(start, stop):
        generator = np.random.default_rng([zlib.crc32(name.encode()), person, row])
        rows.append(generator.integers(1, 200, spec.sized(1, N)[1:]).astype(spec.dtype))
    return np.stack(rows)


def whole(name: str, person: int = 0) -> np.ndarray:
    spec = ARRAYS[name]
    shape = spec.sized(0, *SIZES)
    return (np.arange(1, 1 + np.prod(shape), dtype=spec.dtype).reshape(shape) + person).astype(spec.dtype)


def rows_of(stage: str, person: int, start: int, stop: int) -> dict[str, np.ndarray]:
    names = [spec.name for spec in ARRAYS.values() if spec.stage == stage and spec.per_frame]
    return {name: truth(name, person, start, stop) for name in names}


def work(folder: Path, people: int = 2, stages: tuple[str, ...] = STAGES, batch: int = 2, step=lambda: None) -> None:
    """A whole job, as the pipeline does it: go on where the take ends."""
    with begin(folder) as writer:
        step()
        if not writer.info.people:
            writer.set_people([PersonInfo(i, (0, 0, 9, 9), 10, 10 + F - 1, 1.7, F) for i in range(people)])
        for person in range(people):
            for stage in stages:
                for start in range(writer.info.people[person].done.get(stage, 0), F, batch):
                    stop = min(F, start + batch)
                    writer.write_rows(person, stage, start, rows_of(stage, person, start, stop))
                    step()
                for spec in WHOLE:
                    if spec.stage == stage and spec.scope == "person":
                        writer.write_array(spec.name, whole(spec.name, person), person)
                writer.finish(person, stage)
        for spec in WHOLE:
            if spec.scope == "take":
                writer.write_array(spec.name, whole(spec.name))
        writer.warn("the camera moves")


def content(folder: Path) -> dict[str, bytes]:
    files = (file for file in folder.rglob("*") if file.is_file() and file.name != take_folder.LOCK_NAME)
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def check_finished_rows(folder: Path) -> None:
    take = open_take(folder)
    for person in take.people:
        for name in person.info.arrays:
            if ARRAYS[name].per_frame:
                done = person.done(ARRAYS[name].stage)
                assert done > 0
                np.testing.assert_array_equal(person.array(name), truth(name, person.info.index, 0, done))


@pytest.fixture(autouse=True)
def _no_flush(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real disks take milliseconds to flush; the processes that are started here and one test do it."""
    monkeypatch.setattr(disk.os, "fsync", lambda descriptor: None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "a clip ü.take"


@pytest.fixture
def written(folder: Path) -> Path:
    work(folder)
    return folder


# What is written is read back.


def test_everything_comes_back(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # flushes
    work(folder)
    take = open_take(folder)
    assert [person.frames for person in take.people] == [F, F]
    assert {name for person in take.people for name in [*person.info.arrays, *take.info.arrays]} == set(ARRAYS)
    for person in take.people:
        for spec in ARRAYS.values():
            array = person.array(spec.name)
            assert array.shape == spec.sized(F, *SIZES)
            assert array.dtype == np.dtype(spec.dtype)
            assert not array.flags.writeable
        assert all(person.finished(stage) and person.done(stage) == F for stage in STAGES)
        for spec in WHOLE:
            owner = person.info.index if spec.scope == "person" else 0
            np.testing.assert_array_equal(person.array(spec.name), whole(spec.name, owner))
    check_finished_rows(folder)
    assert take.info.settings == SETTINGS
    assert take.info.warnings == ("the camera moves",)


def test_arrays_are_plain_npy(written: Path) -> None:
    pose = np.load(written / "person_1" / "pose.npy", mmap_mode="r", allow_pickle=False)
    np.testing.assert_array_equal(pose, truth("pose", 1, 0, F))


def test_arrays_resaved_by_numpy_are_read(written: Path) -> None:
    np.save(written / "person_0" / "pose.npy", truth("pose", 0, 0, F))
    check_finished_rows(written)


def test_same_work_same_bytes(written: Path) -> None:
    before = content(written)
    work(written)
    assert content(written) == before
    assert not [name for name in before if name.endswith(disk.TEMPORARY)]


def test_large_arrays_are_mapped(written: Path) -> None:
    array = open_take(written).person(0).array("vertices")
    assert isinstance(array, np.memmap)


def test_symbols_are_the_skeletons(written: Path) -> None:
    lengths = {"J": len(skeletons.JOINTS), "K": len(skeletons.LANDMARKS), "P": len(skeletons.POINTS)}
    assert {**lengths, "C": len(take_format.SUSPECT_CAUSES)} == take_format.SYMBOLS
    assert {spec.stage for spec in ARRAYS.values()} == set(STAGES)
    assert all(ARRAYS[name].stage == stage for stage, name in HASH_OF_STAGE.items())


def test_describe_and_table(written: Path) -> None:
    text = describe(open_take(written))
    assert "the camera moves" in text
    assert "640×360" in text
    assert f"calibrate  {F:>6} / {F}  finished" in text
    assert all(f"`{name}`" in take_format.format_table() for name in ARRAYS)


def test_reading_needs_no_torch() -> None:
    code = "import sys, inference_backend.take; sys.exit(any(m in sys.modules for m in ('torch', 'cv2', 'scipy')))"
    subprocess.run([sys.executable, "-c", code], check=True, env=environment())


# An unfinished take shows what is finished.


def test_reader_sees_only_finished_rows(folder: Path) -> None:
    with begin(folder) as writer:
        writer.set_people([PersonInfo(0, (0, 0, 9, 9), 10, 14, 1.7, F)])
        assert open_take(folder).person(0).array("vertices").shape == (0, N, 3)
        writer.write_rows(0, "calibrate", 0, rows_of("calibrate", 0, 0, 3))
        person = open_take(folder).person(0)
        assert (person.done("calibrate"), person.finished("calibrate"), person.has("vertices")) == (3, False, True)
        np.testing.assert_array_equal(person.array("vertices"), truth("vertices", 0, 0, 3))
        np.testing.assert_array_equal(writer.take.person(0).array("rotations"), truth("rotations", 0, 0, 3))
        with pytest.raises(ValueError, match="ask has"):
            person.array("betas")
        assert "3 / 5  unfinished" in describe(open_take(folder))


def test_shortened_footage(folder: Path) -> None:
    with begin(folder) as writer:
        writer.set_people([PersonInfo(0, (0, 0, 9, 9), 10, 14, 1.7, F)])
        writer.write_rows(0, "mesh", 0, rows_of("mesh", 0, 0, 3))
        with pytest.raises(ValueError, match="wanted 3 to 5"):
            writer.shorten(0, 2, 11)
        writer.shorten(0, 3, 12)
        writer.finish(0, "mesh")
    person = open_take(folder).person(0)
    assert person.frames == 3
    assert person.array("pose").shape == (3, 24, 3)


def test_memory_is_flat_in_the_length(folder: Path) -> None:
    frames, vertices, batch = 2000, 2000, 20
    rows = {"vertices_hmr": np.ones((batch, vertices, 3), np.float32)}
    with begin(folder, body=BodyInfo("default", "cd" * 32, vertices)) as writer:
        writer.set_people([PersonInfo(0, (0, 0, 9, 9), 0, frames - 1, 1.7, frames)])
        tracemalloc.start()
        for start in range(0, 10 * batch, batch):
            writer.write_rows(0, "mesh", start, rows)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 2 * rows["vertices_hmr"].nbytes  # 0.5 MB; the array has 48 MB


# A kill at any moment.


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


class Axe:
    """Ends the work at the nth thing that is done to the disk; a write is done by half."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
        self.left, self.error = 1 << 30, error
        write, replace_, unlink = disk._write_all, disk._replace, Path.unlink

        def half_write(file, data) -> None:
            if self.strikes():
                write(file, data[: len(data) // 2])
                raise self.error
            write(file, data)

        def flush(descriptor: int) -> None:  # not to wait for a real disk hundreds of times
            if self.strikes():
                raise self.error

        def rename(source: Path, target: Path) -> None:
            if self.strikes():
                raise self.error
            replace_(source, target)

        def delete(path: Path, missing_ok: bool = False) -> None:
            if self.strikes():
                raise self.error
            unlink(path, missing_ok)

        monkeypatch.setattr(disk, "_write_all", half_write)
        monkeypatch.setattr(disk.os, "fsync", flush)
        monkeypatch.setattr(disk, "_replace", rename)
        monkeypatch.setattr(Path, "unlink", delete)

    def strikes(self) -> bool:
        self.left -= 1
        return self.left == 0


def test_killed_at_every_step_of_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stages = ("mesh", "target")
    axe = Axe(monkeypatch, Killed())
    axe.left = 1 << 30
    work(tmp_path / "whole.take", 1, stages, 3)
    steps = (1 << 30) - axe.left
    assert steps > 60
    wanted = content(tmp_path / "whole.take")
    for step in range(1, steps + 1):
        folder = tmp_path / f"{step}.take"
        axe.left = step
        with pytest.raises(Killed):
            work(folder, 1, stages, 3)
        axe.left = 1 << 30
        if (folder / "take.json").exists():
            check_finished_rows(folder)
        work(folder, 1, stages, 3)
        assert content(folder) == wanted, f"killed at step {step}"


def test_killed_while_rows_are_made_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work(folder, 1)
    old = rows_of("calibrate", 0, 1, 4)
    new = {name: value + np.asarray(1, value.dtype) for name, value in old.items()}
    axe = Axe(monkeypatch, Killed())
    states = set()
    for step in range(1, 100):
        with TakeWriter.open(folder) as writer:
            writer.write_rows(0, "calibrate", 1, old)
            axe.left = step
            try:
                writer.write_rows(0, "calibrate", 1, new)
                break
            except Killed:
                axe.left = 1 << 30
        person = open_take(folder).person(0)
        for i, made_from in enumerate(person.array("calibrated_hash")[1:4]):
            for state, value in (("old", old), ("new", new)):
                if made_from == value["calibrated_hash"][i]:
                    states.add(state)
                    for name in value:
                        np.testing.assert_array_equal(person.array(name)[1 + i], value[name][i])
            if made_from == 0:
                states.add("not made")
    assert step > 5
    assert states == {"old", "new", "not made"}
    for name, value in new.items():
        np.testing.assert_array_equal(open_take(folder).person(0).array(name)[1:4], value)


SIDE_BY_SIDE = ("mesh", "target")


def work_side_by_side(folder: Path, batch: int = 1) -> None:
    """As `work` with these stages and one person, but a thread for each stage, and warnings meanwhile."""
    with begin(folder) as writer:
        if not writer.info.people:
            writer.set_people([PersonInfo(0, (0, 0, 9, 9), 10, 10 + F - 1, 1.7, F)])

        def write(stage: str) -> None:
            for start in range(writer.info.people[0].done.get(stage, 0), F, batch):
                stop = min(F, start + batch)
                writer.write_rows(0, stage, start, rows_of(stage, 0, start, stop), finish=stop == F)

        with ThreadPoolExecutor() as pool:
            begun = [pool.submit(write, stage) for stage in SIDE_BY_SIDE]
            for spec in WHOLE:
                if spec.stage in SIDE_BY_SIDE and spec.scope == "person":
                    writer.write_array(spec.name, whole(spec.name), 0)
                elif spec.scope == "take":
                    writer.write_array(spec.name, whole(spec.name))
            writer.warn("the camera moves")
        for job in begun:
            job.result()
        for stage in SIDE_BY_SIDE:
            writer.finish(0, stage)


def test_two_threads_write_two_stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work(tmp_path / "one.take", 1, SIDE_BY_SIDE, 1)
    wanted = content(tmp_path / "one.take")
    rename = disk._replace

    def slow(source: Path, target: Path) -> None:  # so that each has much time to get between another's steps
        time.sleep(0.002)
        rename(source, target)

    monkeypatch.setattr(disk, "_replace", slow)
    for k in range(10):
        work_side_by_side(tmp_path / f"{k}.take")
        assert content(tmp_path / f"{k}.take") == wanted


def test_killed_while_two_threads_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work(tmp_path / "one.take", 1, SIDE_BY_SIDE, 2)
    wanted = content(tmp_path / "one.take")
    axe = Axe(monkeypatch, Killed())
    monkeypatch.setattr(axe, "strikes", lambda: axe.__class__.strikes(axe) or axe.left < 0)  # a death ends all threads
    axe.left = 1 << 30
    work_side_by_side(tmp_path / "two.take", 2)
    steps = (1 << 30) - axe.left
    assert steps > 50
    for step in range(1, steps + 1):
        folder = tmp_path / f"{step}.take"
        axe.left = step
        # On another way through the steps it may have fewer of them.
        with contextlib.suppress(Killed):
            work_side_by_side(folder, 2)
        axe.left = 1 << 30
        if (folder / "take.json").exists():
            check_finished_rows(folder)
        work_side_by_side(folder, 2)
        assert content(folder) == wanted, f"killed at step {step}"


@pytest.mark.parametrize("again", [begin, TakeWriter.open])
def test_leftovers_of_a_kill_are_deleted(written: Path, again) -> None:
    before = content(written)
    for name in ("take.json.tmp", "world.npy.tmp", "person_1/pose.npy.tmp", "person_1/mine.tmp"):
        (written / name).write_bytes(b"half")
    again(written).close()
    assert content(written) == {**before, str(Path("person_1", "mine.tmp")): b"half"}


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(disk.__file__).parents[1]), "PYTHONIOENCODING": "utf-8"}


def start_process(folder: Path) -> subprocess.Popen:
    command = [sys.executable, str(Path(__file__)), str(folder)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(), text=True)


@pytest.mark.parametrize("steps", [1, 8, 20, 31])
def test_killed_process(tmp_path: Path, steps: int) -> None:
    folder, undisturbed = tmp_path / "killed.take", tmp_path / "whole.take"
    with start_process(folder) as process:
        for _ in range(steps):
            assert process.stdout.readline() == "step\n"
        process.kill()
    assert process.returncode != 0
    check_finished_rows(folder)
    work(folder)  # the lock died with its holder
    work(undisturbed)
    assert content(folder) == content(undisturbed)


# One writer.


def test_second_process_is_refused(folder: Path) -> None:
    with start_process(folder) as process:
        for _ in range(20):
            process.stdout.readline()
        with pytest.raises(OutputNotWritable, match=f"process {process.pid}"):
            begin(folder)
        check_finished_rows(folder)  # reading is free
        process.kill()


def test_second_writer_in_this_process_is_refused(folder: Path) -> None:
    with begin(folder):
        with pytest.raises(OutputNotWritable, match="another job"):
            begin(folder)
        with pytest.raises(OutputNotWritable, match="another job"):
            begin(folder, overwrite=True)
    begin(folder).close()


def test_lock_is_released_when_beginning_fails(folder: Path) -> None:
    begin(folder).close()
    with pytest.raises(TakeMismatch):
        begin(folder, settings={})
    begin(folder).close()


def test_lock_where_the_file_system_has_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(folder_lock, "_lock", refuse)
    with pytest.raises(OutputNotWritable, match="No locks available"):
        begin(folder)


# Disks that refuse.


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_disk_full_keeps_what_was_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    work(tmp_path / "whole.take")
    folder = tmp_path / "full.take"
    with monkeypatch.context() as patch:
        axe = Axe(patch, OSError(number, os.strerror(number)))
        for step in (250, 90, 40):  # becomes full three times, each time after some more work
            axe.left = step
            with pytest.raises(DiskFull) as caught:
                work(folder)
            assert caught.value.facts["path"].startswith(str(folder))
            check_finished_rows(folder)
    work(folder)
    assert content(folder) == content(tmp_path / "whole.take")


def test_real_limit_of_file_size(folder: Path) -> None:
    resource = pytest.importorskip("resource", reason="Windows has no such limit")
    begin(folder).close()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
        with pytest.raises(DiskFull, match="larger"):
            work(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    work(folder)
    check_finished_rows(folder)


def test_too_little_space_is_said_before_the_work(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = disk.shutil.disk_usage(folder.parent)._replace(free=1000)
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DiskFull, match="free") as caught:
        work(folder)
    assert caught.value.facts["free"] == 1000
    assert open_take(folder).person(0).info.arrays == ()


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EIO])
def test_not_writable(folder: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(self, *args, **kwargs):
        raise OSError(number, os.strerror(number))

    with begin(folder) as writer, monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        with pytest.raises(OutputNotWritable) as caught:
            writer.warn("?")
        assert caught.value.facts["errno"] == number
        assert writer.info.warnings == ()
    assert open_take(folder).info.warnings == ()


def test_folder_that_cannot_be_made(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self, *args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OutputNotWritable, match="Permission denied"):
        begin(folder)


@pytest.mark.parametrize("below", ["", "below"])
def test_file_in_the_way(folder: Path, below: str) -> None:
    folder.write_text("mine")
    clip = identify(folder, fps=30, width=1, height=1, rotation=0)
    with pytest.raises(OutputNotWritable) as caught:
        TakeWriter.create_or_resume(
            folder / below, clip=clip, settings={}, body=BodyInfo("default", "", N), weights={}, created_by="test 1"
        )
    assert caught.value.exit_code == 50
    assert folder.read_text() == "mine"


@pytest.mark.parametrize("overwrite", [False, True])
def test_folder_with_other_things(folder: Path, overwrite: bool) -> None:
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(OutputNotWritable, match=r"thesis\.txt"):
        begin(folder, overwrite=overwrite)
    assert [entry.name for entry in folder.iterdir()] == ["thesis.txt"]


def test_replacing_waits_for_a_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_, refused = Path.replace, []

    def refuse_twice(self: Path, target: Path) -> Path:
        if len(refused) < 2:
            refused.append(target)
            raise PermissionError(errno.EACCES, "sharing violation")
        return replace_(self, target)

    monkeypatch.setattr(Path, "replace", refuse_twice)
    monkeypatch.setattr(disk, "_REPLACE_TRIES", 3)  # as on Windows
    disk.replace_file(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert len(refused) == 2


# Is it the same work?


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"settings": {**SETTINGS, "fit": {"iterations": 9, "enabled": True}}}, "iterations is 200, asked for is 9"),
        ({"settings": {**SETTINGS, "people": 2}}, "people is None, asked for is 2"),
        ({"body": BodyInfo("smpl", "ef" * 32, N)}, "body is cdcd"),
        ({"weights": {"lifter": "00" * 32}}, "weights.lifter is abab"),
    ],
)  # fmt: skip
def test_other_work_is_refused(folder: Path, changed: dict, named: str) -> None:
    work(folder)
    before = content(folder)
    with pytest.raises(TakeMismatch, match=named) as caught:
        begin(folder, **changed)
    assert "--overwrite" in caught.value.hint
    assert content(folder) == before


def test_some_settings_may_change_until_the_people_are_known(folder: Path) -> None:
    keys = ("height", "clip.people")
    asked = {**SETTINGS, "clip": {"people": "all", "start": 0}}
    begin(folder, settings={**asked, "height": [1.8, 1.7]}, until_people=keys).close()
    with begin(folder, settings={**asked, "clip": {"people": "1", "start": 0}}, until_people=keys) as writer:
        assert writer.resumed
        assert writer.info.settings == {**asked, "clip": {"people": "1", "start": 0}}
        assert open_take(folder).info.settings_hash == writer.info.settings_hash
    with pytest.raises(TakeMismatch, match=r"clip\.start is 0, asked for is 5"):
        begin(folder, settings={**asked, "clip": {"people": "1", "start": 5}}, until_people=keys)
    with pytest.raises(TakeMismatch, match="fit"):
        begin(folder, settings={**asked, "fit": {}}, until_people=keys)
    with begin(folder, settings=asked, until_people=keys) as writer:
        writer.set_people([PersonInfo(0, (0, 0, 1, 1), 0, F - 1, 1.7, F)])
    before = content(folder)
    with pytest.raises(TakeMismatch, match=r"height is 1\.7, asked for is \[1\.8, 1\.7\]"):
        begin(folder, settings={**asked, "height": [1.8, 1.7]}, until_people=keys)
    assert content(folder) == before


def test_other_footage_is_refused(written: Path) -> None:
    other = written.parent / "other.mp4"
    other.write_bytes(b"other footage")
    with pytest.raises(TakeMismatch, match=r"clip ü\.mp4, asked for is .*other\.mp4"):
        begin(written, clip=identify(other, fps=30, width=640, height=360, rotation=90))


def test_overwrite_replaces_only_the_take(written: Path) -> None:
    (written / "notes.txt").write_text("mine")
    (written / "person_1" / "notes.txt").write_text("mine")
    with begin(written, settings={}, overwrite=True) as writer:
        assert not writer.resumed
        assert writer.info.people == ()
    assert set(content(written)) == {"take.json", "notes.txt", str(Path("person_1", "notes.txt"))}


@pytest.mark.parametrize("text", ["", "{}", '{"format": "pchmr-take", "version": 99}'])
def test_overwrite_replaces_an_unreadable_take(written: Path, text: str) -> None:
    (written / "take.json").write_text(text)
    with pytest.raises((TakeCorrupt, TakeVersion)):
        begin(written)
    begin(written, overwrite=True).close()
    work(written)
    check_finished_rows(written)


def test_overwrite_killed_is_no_take_and_can_be_begun(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content(written)
    axe = Axe(monkeypatch, Killed())
    axe.left = 6
    with pytest.raises(Killed):
        begin(written, overwrite=True)
    axe.left = 1 << 30
    assert not (written / "take.json").exists()
    work(written)
    assert content(written) == before


def test_moved_footage_is_the_same_work(written: Path) -> None:
    place = written.parent / "elsewhere" / "b.mp4"
    place.parent.mkdir()
    (written.parent / "clip ü.mp4").rename(place)
    with pytest.raises(ClipNotFound, match="clip ü"):
        open_take(written).clip_path()
    with begin(written, clip=identify(place, fps=30, width=640, height=360, rotation=90)) as writer:
        assert writer.resumed
    take = open_take(written)
    assert take.info.clip.relative == "../elsewhere/b.mp4"
    assert take.clip_path().samefile(place)


def test_take_and_footage_moved_together(written: Path) -> None:
    moved = written.parent.rename(written.parent.with_name("moved"))
    assert open_take(moved / written.name).clip_path().samefile(moved / "clip ü.mp4")


def test_fingerprint(tmp_path: Path) -> None:
    clip, images = tmp_path / "a.mp4", tmp_path / "images"
    data = bytearray(os.urandom(3 << 20))
    clip.write_bytes(data)
    first = fingerprint(clip)
    assert fingerprint(clip.rename(tmp_path / "b.mp4")) == first
    for place in (0, -1):
        changed = bytearray(data)
        changed[place] ^= 1
        clip.write_bytes(changed)
        assert fingerprint(clip) != first
    images.mkdir()
    for name in ("1.png", "2.png"):
        (images / name).write_bytes(name.encode())
    before = fingerprint(images)
    (images / "2.png").rename(images / "3.png")
    assert fingerprint(images) != before
    with pytest.raises(ClipNotFound, match="no clip"):
        fingerprint(tmp_path / "no clip")


def test_footage_named_by_a_pattern_is_found_again(tmp_path: Path) -> None:
    images = tmp_path / "shot"
    images.mkdir()
    for number in (1, 2, 10):
        (images / f"a{number}.png").write_bytes(bytes([number]))
    (images / "notes.txt").write_text("not of the footage")
    pattern = images / "a%d.png"
    clip = identify(pattern, fps=24, width=8, height=8, rotation=0)
    (images / "notes.txt").unlink()
    with begin(tmp_path / "a.take", clip=clip) as writer:
        found = writer.take.clip_path()
        assert found.name == pattern.name
        assert found.parent.samefile(images)
    for image in images.iterdir():
        image.unlink()
    with pytest.raises(ClipNotFound):
        open_take(tmp_path / "a.take").clip_path()


# Damage has a name.


def edit(path: Path, *keys: str | int, value: object) -> None:
    record = json.loads(path.read_text())
    owner = record
    for key in keys[:-1]:
        owner = owner[key]
    owner[keys[-1]] = value
    path.write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("keys", "value", "named"),
    [
        (("format",), "zip", "format: found zip, expected pchmr-take"),
        (("colour",), "red", "missing or unknown: colour"),
        (("clip", "fps"), "30", 'clip.fps: found "30", expected float'),
        (("clip",), [], r"clip: found \[\], expected ClipInfo"),
        (("people", 1, "box"), [1, 2, 3], r"people\[1\]\.box: found \[1, 2, 3\]"),
        (("people", 1, "frames"), True, r"people\[1\]\.frames: found true, expected int"),
        (("people", 1, "frames"), 0, r"people\[1\]\.frames: found 0, expected 1 to 5"),
        (("people", 1, "frames"), 6, r"people\[1\]\.frames: found 6, expected 1 to 5"),
        (("people", 1, "index"), 0, r"people\[1\]\.index: found 0, expected 1"),
        (("people", 0, "done", "lift"), 6, r"people\[0\]\.done\.lift: found 6, expected 0 to 5"),
        (("people", 0, "done", "dance"), 1, r"people\[0\]\.done: found dance"),
        (("people", 0, "arrays"), ["hats"], r"people\[0\]\.arrays: found \['hats'\]"),
        (("arrays",), ["pose"], r"arrays: found \['pose'\]"),
        (("body", "vertices"), 8, r"rest_vertices\.npy: header: found .*\(7, 3\).*expected .*\(8, 3\)"),
        (("body", "faces"), 5, r"faces\.npy: header: found .*\(6, 4\).*expected .*\(5, 4\)"),
        (("people", 0, "rows"), 6, r"frames\.npy: header: found"),
    ],
)
def test_record_that_does_not_fit(written: Path, keys: tuple, value: object, named: str) -> None:
    edit(written / "take.json", *keys, value=value)
    with pytest.raises(TakeCorrupt, match=named) as caught:
        open_take(written)
    assert caught.value.facts["path"].startswith(str(written))
    assert "--overwrite" in caught.value.hint


@pytest.mark.parametrize("version", [0, 1, VERSION + 1, True, None, str(VERSION)])
def test_other_version(written: Path, version: object) -> None:
    edit(written / "take.json", "version", value=version)
    with pytest.raises(TakeVersion, match=f"has format version {version}; this program reads version {VERSION}"):
        open_take(written)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff\xfe", b"3", b"[" * 100_000])
def test_text_that_is_no_record(written: Path, text: bytes) -> None:
    (written / "take.json").write_bytes(text)
    with pytest.raises(TakeCorrupt, match=r"take\.json"):
        open_take(written)


def test_no_take(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(TakeCorrupt, match=r"take\.json: file: found nothing"):
            open_take(folder)
        with pytest.raises(TakeCorrupt, match=r"take\.json"):
            TakeWriter.open(folder)
    assert list(tmp_path.iterdir()) == []


def test_damaged_arrays(written: Path) -> None:
    path = written / "person_1" / "pose.npy"
    good = path.read_bytes()
    other_type = written.parent / "other.npy"
    np.save(other_type, truth("pose", 1, 0, F).astype(np.float64))
    turned = written.parent / "turned.npy"
    np.save(turned, np.asfortranarray(truth("pose", 1, 0, F)))
    pickled = written.parent / "pickled.npy"
    np.save(pickled, np.array([{}], object), allow_pickle=True)
    cases = {
        "header: found .*<f8": other_type.read_bytes(),
        "header: found .*True": turned.read_bytes(),
        "header: found .*O": pickled.read_bytes(),
        "format: found b'PK": b"PK" + good[2:],
        "format: found b''": b"",
        "header: found": good[:40],
        r"size in bytes: found .*, expected": good[:-1],
        "size in bytes": good + b"\0",
    }
    for named, data in cases.items():
        path.write_bytes(data)
        with pytest.raises(TakeCorrupt, match=named) as caught:
            open_take(written)
        assert caught.value.facts["path"] == str(path)
    path.unlink()
    with pytest.raises(TakeCorrupt, match=r"pose\.npy: file: found No such file"):
        open_take(written)


def test_opening_a_take_parses_no_python(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes are opened in threads, and Python 3.11's parser may fail where two of them use it."""

    def parse(*_: object, **__: object) -> None:
        raise SystemError("AST constructor recursion depth mismatch")

    monkeypatch.setattr("ast.parse", parse)
    take = open_take(written)
    assert take.person(1).array("pose").shape == truth("pose", 1, 0, F).shape


def test_random_damage_is_refused_by_name_or_harmless(written: Path) -> None:
    generator = np.random.default_rng(0)
    for name in ("take.json", "person_0/pose.npy"):
        path = written / name
        good = path.read_bytes()
        for _ in range(150):
            data = bytearray(good)
            for place in generator.integers(0, min(len(good), 3000), 3):
                data[place] = generator.integers(256)
            path.write_bytes(data)
            try:
                open_take(written).person(0).array("pose")
            except (TakeCorrupt, TakeVersion):
                continue
            except IndexError:
                assert name == "take.json"
        path.write_bytes(good)


# Mistakes of the program.


@pytest.mark.parametrize(
    ("stage", "start", "rows", "named"),
    [
        ("lift", 0, {"pose": (1, 24, 3)}, "stage 'lift' writes"),
        ("dance", 0, {"pose": (1, 24, 3)}, "stage 'dance' writes"),
        ("mesh", 0, {}, "stage 'mesh' writes"),
        ("mesh", 0, {"betas": (10,)}, "stage 'mesh' writes"),
        ("mesh", 1, {"pose": (1, 24, 3)}, "found 1 rows from 1"),
        ("mesh", 0, {"pose": (6, 24, 3)}, "wanted start in 0-0 and 1 to 5 rows, found 6"),
        ("mesh", 0, {"pose": (0, 24, 3)}, "found 0 rows"),
        ("mesh", 0, {"pose": ()}, "found 0 rows"),
        ("mesh", 0, {"pose": (2, 23, 3)}, r"pose: wanted \(2, 24, 3\) <f4, found \(2, 23, 3\)"),
        ("mesh", 0, {"pose": (2, 24, 3), "translation": (1, 3)}, r"translation: wanted \(2, 3\)"),
        ("calibrate", 0, {"vertices": (1, N, 3)}, "calibrated_hash"),
    ],
)
def test_wrong_rows(folder: Path, stage: str, start: int, rows: dict, named: str) -> None:
    with begin(folder) as writer:
        writer.set_people([PersonInfo(0, (0, 0, 9, 9), 0, 4, 1.7, F)])
        with pytest.raises(ValueError, match=named):
            writer.write_rows(0, stage, start, {name: np.ones(shape, np.float32) for name, shape in rows.items()})
        assert open_take(folder).person(0).info.arrays == ()


def test_wrong_calls(written: Path) -> None:
    pose = np.ones((1, 24, 3), np.float32)
    with TakeWriter.open(written) as writer:
        with pytest.raises(ValueError, match="start in 5-5"):  # sources are never overwritten
            writer.write_rows(0, "mesh", 0, {"pose": pose})
        with pytest.raises(ValueError, match="of this take writes"):
            writer.write_rows(0, "target", 0, {"target_hash": np.ones(1, np.uint64)})
        with pytest.raises(ValueError, match="no person -1"):
            writer.write_rows(-1, "mesh", 0, {"pose": pose})
        with pytest.raises(ValueError, match="2 people already"):
            writer.set_people([])
        with pytest.raises(ValueError, match="no whole array 'betas' of the take"):
            writer.write_array("betas", whole("betas"))
        with pytest.raises(ValueError, match="betas: wanted"):
            writer.write_array("betas", np.ones(11), 0)
        with pytest.raises(ValueError, match="camera: wanted"):
            writer.write_array("camera", np.ones(4, complex))
        with pytest.raises(ValueError, match="0 of 5 frames done"):
            writer.finish(0, "dance")
    person = open_take(written).person(0)
    with pytest.raises(ValueError, match="no array 'hats'"):
        person.array("hats")
    with pytest.raises(ValueError, match="no stage 'dance'"):
        person.done("dance")


def test_wrong_people(folder: Path) -> None:
    good = PersonInfo(0, (0, 0, 9, 9), 0, 4, 1.7, F)
    with begin(folder) as writer:
        for bad in (replace(good, index=1), replace(good, frames=0), replace(good, done={"mesh": 1})):
            with pytest.raises(ValueError, match=r"people\[0\]"):
                writer.set_people([bad])
        with pytest.raises(ValueError, match=r"people\[0\]\.height"):
            writer.set_people([replace(good, height="tall")])


# Hashes of rows.


def test_row_hashes_tell_rows_apart_and_stay() -> None:
    rows = np.arange(12, dtype=np.float32).reshape(4, 3)
    other = np.arange(4)
    hashes = row_hashes("settings", rows, other)
    assert hashes.dtype == np.uint64
    assert len(set(hashes.tolist())) == 4
    assert hashes.all()
    np.testing.assert_array_equal(row_hashes("settings", rows.copy(), other), hashes)
    np.testing.assert_array_equal(row_hashes("settings", rows[1:3], other[1:3]), hashes[1:3])
    changed = rows.copy()
    changed[2, 1] = np.nextafter(changed[2, 1], np.float32(9))
    np.testing.assert_array_equal(row_hashes("settings", changed, other) != hashes, [False, False, True, False])
    assert not (row_hashes("other settings", rows, other) == hashes).any()


def test_row_hash_is_blake2b_of_parameters_layout_and_row() -> None:
    """The readable twin, so that the next version and another machine give the same."""
    rows = np.arange(6, dtype="<f4").reshape(2, 3)
    text = b"settings" + b"|<f4(3,)" + rows[1].tobytes()
    digest = hashlib.blake2b(text, digest_size=8).digest()
    assert int(row_hashes("settings", rows)[1]) == int.from_bytes(digest, "little")


def test_row_hashes_want_one_length() -> None:
    with pytest.raises(ValueError, match="one length"):
        row_hashes("", np.ones((2, 3)), np.ones((3, 3)))


def test_every_error_is_of_the_closed_set(written: Path) -> None:
    (written / "take.json").unlink()
    with pytest.raises(BackendError) as caught:
        open_take(written)
    assert caught.value.hint
    assert caught.value.facts


if __name__ == "__main__":
    work(Path(sys.argv[1]), step=lambda: print("step", flush=True))
    sys.stdin.read()
