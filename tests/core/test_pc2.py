"""PC2 files: what is written, read by hand; what is damaged, named; rows rewritten in place."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from pchmr.inference_backend import disk
from pchmr.inference_backend.errors import DiskFull, OutputNotWritable
from pchmr.pchmr_blender.core import pc2

VERTICES, ROWS = 7, 5
MESHES = np.random.default_rng(0).normal(size=(ROWS, VERTICES, 3)).astype(np.float32)


def some(start: int, stop: int) -> np.ndarray:
    return MESHES[start:stop]


def nothing(done: int, total: int) -> None:
    pass


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    path = tmp_path / "a föлder 名" / "böd y.pc2"
    pc2.write(path, VERTICES, ROWS, some, nothing)
    return path


def test_the_file_is_a_header_and_the_rows(cache: Path) -> None:
    data = cache.read_bytes()
    assert data[:12] == b"POINTCACHE2\0"
    assert struct.unpack("<iiffi", data[12:32]) == (1, VERTICES, 0.0, 1.0, ROWS)
    assert np.array_equal(np.frombuffer(data[32:], "<f4").reshape(MESHES.shape), MESHES)
    assert len(data) == pc2.file_size(VERTICES, ROWS)
    assert [path.name for path in cache.parent.iterdir()] == [cache.name]


def test_rows_are_asked_for_a_few_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pc2, "_BATCH_BYTES", 2 * VERTICES * 12)
    asked, told = [], []

    def rows(start: int, stop: int) -> np.ndarray:
        asked.append((start, stop))
        return MESHES[start:stop]

    pc2.write(tmp_path / "x.pc2", VERTICES, ROWS, rows, lambda done, total: told.append((done, total)))
    assert asked == [(0, 2), (2, 4), (4, 5)]
    assert told == [(2, 5), (4, 5), (5, 5)]


def test_a_cache_is_whole_or_not(cache: Path) -> None:
    data = cache.read_bytes()
    assert pc2.is_whole(cache)
    for damaged in (b"", data[:20], data[:-1], data + b"x", b"no cache" + data[8:]):
        cache.write_bytes(damaged)
        assert not pc2.is_whole(cache)
    cache.unlink()
    assert not pc2.is_whole(cache)


def test_rows_are_overwritten_in_place(cache: Path) -> None:
    pc2.write_rows(cache, VERTICES, 1, MESHES[3:5])
    written = np.frombuffer(cache.read_bytes()[32:], "<f4").reshape(MESHES.shape)
    assert np.array_equal(written, MESHES[[0, 3, 4, 3, 4]])


@pytest.mark.parametrize("start", [4, 5])
def test_rows_beyond_the_end_are_refused(cache: Path, start: int) -> None:
    before = cache.read_bytes()
    with pytest.raises(pc2.CacheCorrupt) as caught:
        pc2.write_rows(cache, VERTICES, start, MESHES[:2])
    assert caught.value.facts["what"] == "frames"
    assert cache.read_bytes() == before


@pytest.mark.parametrize("shape", [(2, VERTICES + 1, 3), (2, VERTICES), (2, VERTICES, 2)])
def test_rows_of_another_shape_are_refused(cache: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="rows: found"):
        pc2.write_rows(cache, VERTICES, 0, np.zeros(shape, np.float32))


def test_what_is_whole_is_accepted(cache: Path) -> None:
    pc2.verify(cache, VERTICES, ROWS)
    pc2.verify(cache, VERTICES, ROWS - 1)


@pytest.mark.parametrize("length", [0, 11, 31, 32, 33, 32 + 4 * VERTICES * 12, 31 + ROWS * VERTICES * 12])
def test_a_file_cut_short_is_named(cache: Path, length: int) -> None:
    cache.write_bytes(cache.read_bytes()[:length])
    with pytest.raises(pc2.CacheCorrupt) as caught:
        pc2.verify(cache, VERTICES, ROWS)
    assert caught.value.facts["path"] == str(cache)
    assert "form again" in caught.value.hint


@pytest.mark.parametrize(
    ("vertices", "rows", "what"),
    [(VERTICES + 1, ROWS, "vertices"), (VERTICES, ROWS + 1, "frames")],
)
def test_a_cache_of_another_body_or_clip_is_named(cache: Path, vertices: int, rows: int, what: str) -> None:
    with pytest.raises(pc2.CacheCorrupt) as caught:
        pc2.verify(cache, vertices, rows)
    assert caught.value.facts["what"] == what


OTHER_HEADERS = (
    b"POINTCACHE1\0" + struct.pack("<iiffi", 1, VERTICES, 0, 1, ROWS),
    b"POINTCACHE2\0" + struct.pack("<iiffi", 1, VERTICES, 3, 1, ROWS),
)


@pytest.mark.parametrize("header", OTHER_HEADERS)
def test_another_format_or_first_frame_is_named(cache: Path, header: bytes) -> None:
    cache.write_bytes(header + cache.read_bytes()[32:])
    with pytest.raises(pc2.CacheCorrupt):
        pc2.verify(cache, VERTICES, ROWS)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.pc2", tmp_path):
        with pytest.raises(pc2.CacheCorrupt):
            pc2.verify(path, VERTICES, ROWS)


def test_a_stop_midway_leaves_the_former_file(cache: Path) -> None:
    before = cache.read_bytes()

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pc2.write(cache, VERTICES, ROWS, lambda start, stop: MESHES[start:stop] + 1, stop)
    assert cache.read_bytes() == before
    assert list(cache.parent.iterdir()) == [cache]


def test_a_full_disk_is_said_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = disk.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda folder: usage._replace(free=100))
    with pytest.raises(DiskFull):
        pc2.write(tmp_path / "x.pc2", VERTICES, ROWS, some, nothing)
    assert not list(tmp_path.iterdir())


def test_a_file_where_the_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("in the way")
    with pytest.raises(OutputNotWritable):
        pc2.write(tmp_path / "cache" / "x.pc2", VERTICES, ROWS, some, nothing)
