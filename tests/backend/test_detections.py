"""The store of unfinished detections: what comes back is what was kept, a gap ends it, a damaged file is named."""

from __future__ import annotations

import numpy as np
import pytest

from inference_backend.detections import DetectionStore
from inference_backend.errors import BackendError, OutputNotWritable, TakeCorrupt
from inference_backend.estimators import FramePoses, PersonPose

RNG = np.random.default_rng(0)


def person(number, world=True, mask=True):
    return PersonPose(
        person=number,
        keypoints=RNG.random((33, 3)).astype(np.float32),
        box=RNG.random(4).astype(np.float32),
        presence=float(RNG.random()),
        world=RNG.random((33, 3)).astype(np.float32) if world else None,
        mask=(RNG.random((64, 64)) < 0.5).astype(np.uint8) * np.uint8(255) if mask else None,
        mask_square=RNG.random(4).astype(np.float32) if mask else None,
    )


def run(start, count=4):
    """Nobody, one, several; with and without world landmarks and masks; a frame that cannot be decoded."""
    people = [(), (person(0),), (person(0, mask=False), person(3, world=False)), (person(7, False, False),)]
    return [FramePoses(start + 2 * i, i != 0, people[i % 4]) for i in range(count)]


def assert_same(found, kept):
    assert len(found) == len(kept)
    for a, b in zip(found, kept, strict=True):
        assert (a.index, a.decoded, len(a.people)) == (b.index, b.decoded, len(b.people))
        for p, q in zip(a.people, b.people, strict=True):
            assert (p.person, p.presence) == (q.person, q.presence)
            for name in ("keypoints", "box", "world", "mask", "mask_square"):
                x, y = getattr(p, name), getattr(q, name)
                assert (x is None) == (y is None), name
                if y is not None:
                    assert x.dtype == y.dtype, name
                    assert np.array_equal(x, y), name


def test_round_trip_is_bit_identical(tmp_path):
    store = DetectionStore(tmp_path)
    runs = [run(0), run(8), run(16, 1)]
    for position, frames in zip((0, 4, 8), runs, strict=True):
        store.add(position, frames)
    assert_same(list(store.frames()), [frame for frames in runs for frame in frames])
    # Another process finds the same.
    assert_same(list(DetectionStore(tmp_path).frames()), [frame for frames in runs for frame in frames])


def test_a_mask_becomes_black_and_white(tmp_path):
    store = DetectionStore(tmp_path)
    grey = np.full((64, 64), 127, np.uint8)
    grey[:, 32:] = 128
    one = person(0)
    kept = PersonPose(0, one.keypoints, one.box, 1.0, mask=grey, mask_square=one.mask_square)
    store.add(0, [FramePoses(0, True, (kept,))])
    mask = next(store.frames()).people[0].mask
    assert mask is not None
    assert np.array_equal(mask, np.where(grey > 127, 255, 0))


def test_a_run_kept_again_replaces_the_old_one(tmp_path):
    store = DetectionStore(tmp_path)
    store.add(0, run(0))
    again = run(100)
    store.add(0, again)
    assert_same(list(store.frames()), again)


def test_a_new_store_is_empty(tmp_path):
    assert list(DetectionStore(tmp_path).frames()) == []


def test_clear_forgets_everything(tmp_path):
    store = DetectionStore(tmp_path)
    store.clear()
    store.add(0, run(0))
    store.clear()
    assert list(store.frames()) == []
    assert list(tmp_path.iterdir()) == []


def test_a_gap_ends_what_is_known(tmp_path):
    store = DetectionStore(tmp_path)
    first = run(0)
    store.add(0, first)
    store.add(8, run(16))
    assert_same(list(store.frames()), first)
    second = run(8)
    store.add(4, second)
    assert len(list(store.frames())) == 12


def test_without_the_first_run_nothing_is_known(tmp_path):
    store = DetectionStore(tmp_path)
    store.add(4, run(8))
    assert list(store.frames()) == []


def test_files_of_others_are_left_alone(tmp_path):
    store = DetectionStore(tmp_path)
    store.add(0, run(0))
    (store.folder / "notes.npz").write_bytes(b"mine")
    (store.folder / "000000004.npz.tmp").write_bytes(b"half")
    assert len(list(store.frames())) == 4


def _with_compression(data, method):
    """The first entry of a zip file's directory names another method."""
    at = data.index(b"PK\x01\x02") + 10
    return data[:at] + bytes([method]) + data[at + 1 :]


DAMAGES = {
    "empty": lambda data: b"",
    "text": lambda data: b"hello",
    "half": lambda data: data[: len(data) // 2],
    "a bit in the keypoints": lambda data: data[:2000] + bytes([data[2000] ^ 16]) + data[2001:],
    "an unknown compression": lambda data: _with_compression(data, 99),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_named(tmp_path, damage):
    store = DetectionStore(tmp_path)
    store.add(0, run(0))
    store.add(4, run(8))
    path = store.folder / "000000004.npz"
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    frames = store.frames()
    for _ in range(4):
        next(frames)
    with pytest.raises(TakeCorrupt) as caught:
        next(frames)
    assert caught.value.facts["path"] == str(path)
    assert "Delete this file" in caught.value.hint


def test_no_damaged_byte_escapes_as_another_error(tmp_path):
    store = DetectionStore(tmp_path)
    kept = run(0)
    store.add(0, kept)
    path = store.folder / "000000000.npz"
    data = path.read_bytes()
    for at in range(0, len(data), 37):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])
        try:
            assert_same(list(store.frames()), kept)
        except TakeCorrupt:
            continue


def test_a_file_of_another_layout_is_named(tmp_path):
    store = DetectionStore(tmp_path)
    store.add(0, run(0))
    np.savez(store.folder / "000000000.npz", index=np.arange(3))
    with pytest.raises(TakeCorrupt):
        list(store.frames())


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / ".detections").write_text("a file in the way")
    with pytest.raises(OutputNotWritable):
        DetectionStore(tmp_path).add(0, run(0))
    with pytest.raises(BackendError):
        DetectionStore(tmp_path / "missing").add(0, run(0))
