"""Image sequences: which files are frames, in which order, and what is said of the odd ones."""

import struct

import cv2
import numpy as np
import pytest

from inference_backend.errors import ClipNotFound, UnsupportedVideo
from inference_backend.footage_files import fingerprint
from inference_backend.video import SEQUENCE_FPS, VideoSource, probe, read


def save(path, grey, size=(20, 12)):
    image = np.full((size[1], size[0], 3), grey, np.uint8)
    image[0, 0] = (0, 0, 255)  # cv2 writes BGR: this corner is red
    ok, data = cv2.imencode(path.suffix, image)
    assert ok
    path.write_bytes(data.tobytes())


@pytest.fixture
def folder(tmp_path):
    """Twelve frames, frame i grey 20 i, numbered without leading zeros, and what does not belong to them."""
    path = tmp_path / "Aufnahme 1 – 動画"
    path.mkdir()
    for index in range(12):
        save(path / f"shot.{index}.png", 20 * index)
    (path / "notes.txt").write_text("take 3")
    (path / ".shot.3.png").write_bytes(b"left behind by another system")
    return path


def greys(path, *run):
    return [int(f.image[5, 5, 1]) for f in read(VideoSource(path, *run))]


def test_a_folder_in_natural_order(folder):
    info = probe(folder, fps=10)
    assert (info.width, info.height, info.frame_count, info.codec) == (20, 12, 12, "png")
    assert (info.is_sequence, info.variable, info.fps, info.warnings) == (True, False, 10, ())
    np.testing.assert_allclose(info.times, np.arange(12) / 10)
    assert greys(folder) == [20 * index for index in range(12)]
    assert greys(folder, 3, 10, 3) == [60, 120, 180]
    frame = next(read(VideoSource(folder, 7, fps=10)))
    assert (frame.index, frame.seconds, frame.image.dtype) == (7, 0.7, np.uint8)
    assert tuple(frame.image[0, 0]) == (255, 0, 0)


def test_a_rate_is_assumed_and_said(folder):
    info = probe(folder)
    assert info.fps == SEQUENCE_FPS
    assert "frame rate" in info.warnings[0]


@pytest.mark.parametrize(
    ("pattern", "indices"),
    [
        ("shot.%d.png", range(12)),
        ("shot.#.png", range(12)),
        ("shot.##.png", (10, 11)),
        ("shot.%02d.png", (10, 11)),
        ("shot.*.png", range(12)),
        ("shot.?.png", range(10)),
        ("shot.[2-4].png", (2, 3, 4)),
        ("shot.[!2-9].png", (0, 1)),
        ("*", range(12)),
    ],
)
def test_patterns(folder, pattern, indices):
    assert greys(folder / pattern) == [20 * index for index in indices]


def test_a_pattern_chooses_among_sequences(folder):
    save(folder / "depth.0.png", 255)
    assert "2 different kinds of name (depth.#.png, shot.#.png)" in probe(folder, fps=24).warnings[0]
    assert probe(folder / "shot.#.png", fps=24).warnings == ()


def test_a_gap_in_the_numbers_is_said(folder):
    (folder / "shot.5.png").unlink()
    assert "1 gaps, the first at 5" in probe(folder, fps=24).warnings[0]
    assert greys(folder, 4, 6) == [80, 120]


def test_an_image_that_cannot_be_read_is_none(folder):
    (folder / "shot.5.png").write_bytes(b"not a png")
    (folder / "shot.0.png").write_bytes(b"")
    frames = list(read(VideoSource(folder)))
    assert [f.index for f in frames if f.image is None] == [0, 5]
    assert [f.index for f in frames] == list(range(12))
    assert probe(folder).width == 20


def test_images_of_other_size_are_an_error(folder):
    save(folder / "shot.5.png", 100, size=(24, 12))
    frames = read(VideoSource(folder))
    with pytest.raises(UnsupportedVideo, match=r"shot\.5\.png is 24×12") as caught:
        list(frames)
    assert caught.value.facts["expected"] == (20, 12)


def test_nothing_there(tmp_path, folder):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnsupportedVideo, match="holds no images"):
        probe(tmp_path / "empty")
    with pytest.raises(ClipNotFound, match=r"No image in .* fits take_####\.png"):
        probe(folder / "take_####.png")
    with pytest.raises(ClipNotFound, match="There is no folder"):
        probe(tmp_path / "none" / "a_%04d.png")
    for index in range(12):
        (folder / f"shot.{index}.png").write_bytes(b"?")
    with pytest.raises(UnsupportedVideo, match="None of the 12 images"):
        probe(folder)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tiff", ".webp"])
def test_kinds_of_files(tmp_path, suffix):
    save(tmp_path / f"small{suffix}", 100)
    (tmp_path / f"small{suffix}").rename(tmp_path / f"CAPITALS{suffix.upper()}")
    assert greys(tmp_path)[0] == pytest.approx(100, abs=3)


def test_sixteen_bits_and_alpha(tmp_path):
    image = np.full((6, 8, 4), 51400, np.uint16)  # 200 · 257
    ok, data = cv2.imencode(".png", image)
    assert ok
    (tmp_path / "a.png").write_bytes(data.tobytes())
    assert greys(tmp_path) == [200]


def exif(order, orientation, focal, pointer=38):
    """An EXIF segment: orientation (0x0112) and a pointer to the directory with the 35 mm equivalent (0xA405)."""
    tiff = struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, 8)
    tiff += struct.pack(order + "HHHIHH", 2, 0x0112, 3, 1, orientation, 0) + struct.pack(
        order + "HHII", 0x8769, 4, 1, pointer
    )
    tiff += struct.pack(order + "I", 0)
    assert len(tiff) == 38
    tiff += struct.pack(order + "HHHIHHI", 1, 0xA405, 3, 1, focal, 0, 0)
    body = b"Exif\0\0" + tiff
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_turns_the_picture_and_tells_the_lens(tmp_path, order):
    path = tmp_path / "a.jpg"
    save(path, 100)
    assert probe(tmp_path).focal_length is None
    data = path.read_bytes()
    path.write_bytes(data[:2] + exif(order, 6, 28) + data[2:])
    info = probe(tmp_path)
    assert (info.width, info.height) == (12, 20)
    assert info.focal_length == pytest.approx(28 * np.hypot(12, 20) / np.hypot(36, 24))
    path.write_bytes(data[:2] + exif(order, 1, 28, pointer=200_000) + data[2:])  # beyond the end
    assert probe(tmp_path).focal_length is None


def test_fingerprint_sees_names_sizes_and_ends(folder):
    mark = fingerprint(folder)
    assert mark == fingerprint(folder.rename(folder.with_name("elsewhere")))
    folder = folder.with_name("elsewhere")
    assert mark == fingerprint(folder / "shot.#.png")
    save(folder / "shot.11.png", 7)
    assert fingerprint(folder) != mark
    (folder / "shot.11.png").unlink()
    assert fingerprint(folder) != mark
