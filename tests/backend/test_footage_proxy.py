"""The stand-in for footage: which clips need one, and that it shows at each moment what the clip shows, upright."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from inference_backend.cli import main
from inference_backend.errors import BadArgument, Cancelled, ClipNotFound, OutputNotWritable
from inference_backend.footage_proxy import make_proxy, needs_proxy, proxy_rate
from inference_backend.frame_rates import likely_rate, runs_evenly
from inference_backend.jobs import METHODS, Context
from inference_backend.numbered_images import first_number
from inference_backend.video import VideoSource, probe, read

from .phone_clips import CLOCKWISE, HEIGHT, RATE, WIDTH, make, picture, turn

HALF, MIRROR = (-1, 0, 0, -1), (-1, 0, 0, 1)
TURNED = "its picture is stored turned by {}°"
UNNUMBERED = "its images are not numbered one after the other"


def images(folder: Path, names: list[str]) -> Path:
    folder.mkdir()
    for index, name in enumerate(names):
        _, data = cv2.imencode(Path(name).suffix, picture(index, (WIDTH, HEIGHT))[..., ::-1])
        (folder / name).write_bytes(data.tobytes())
    return folder


def shown(path: Path) -> list[int]:
    """Index of each frame by its grey."""
    return [round(float(frame.image[-10:, -10:].mean()) / 6) for frame in read(VideoSource(path))]


def test_what_blender_plays_needs_none(tmp_path):
    assert needs_proxy(probe(make(tmp_path / "a.mp4"))) is None
    assert needs_proxy(probe(images(tmp_path / "shots", [f"a.{i}.png" for i in range(8, 12)]), fps=10)) is None


@pytest.mark.parametrize(
    ("matrix", "reason"),
    [(CLOCKWISE, TURNED.format(90)), (HALF, TURNED.format(180)), (MIRROR, "its picture is stored mirrored")],
)
def test_turned_and_mirrored_clips(tmp_path, matrix, reason):
    clip = turn(make(tmp_path / "phone.mp4"), matrix)
    assert needs_proxy(probe(clip)) == reason
    proxy = make_proxy(clip, tmp_path / "proxy.mp4")
    assert needs_proxy(probe(proxy.path)) is None
    wanted, got = (next(read(VideoSource(path))).image for path in (clip, proxy.path))
    np.testing.assert_allclose(got[::4, ::4].astype(float), wanted[::4, ::4], atol=30)
    assert (proxy.width, proxy.height, proxy.frames, proxy.fps) == (*wanted.shape[1::-1], 12, RATE)


def test_oblong_pixels(tmp_path):
    clip = make(tmp_path / "dv.mp4", sample_aspect_ratio=Fraction(4, 3))
    assert needs_proxy(probe(clip)) == "its pixels are not square"
    proxy = make_proxy(clip, tmp_path / "proxy.mp4")
    assert (probe(clip).width, proxy.width, proxy.height) == (85, 86, 48)  # odd is stretched by a pixel


def test_a_file_without_times(tmp_path):
    clip = make(tmp_path / "bare.h264")
    assert needs_proxy(probe(clip)) == "its file does not tell its frames' times"
    assert shown(make_proxy(clip, tmp_path / "proxy.mp4").path) == list(range(12))


def test_a_varying_rate_shows_the_nearest_frame_at_each_moment(tmp_path):
    times = [0, 33, 67, 100, 133, 300, 333, 367, 400, 800, 833, 867]
    clip = make(tmp_path / "phone.mp4", times=times)
    info = probe(clip)
    assert needs_proxy(info) == "its frame rate varies"
    assert needs_proxy(probe(clip, fps=30)) == "its frame rate varies"  # the file plays no better for it
    assert proxy_rate(info) == 30
    proxy = make_proxy(clip, tmp_path / "proxy.mp4")
    seconds = np.arange(proxy.frames) / proxy.fps
    nearest = [int(np.abs(np.array(times) / 1000 - second).argmin()) for second in seconds]
    assert shown(proxy.path) == nearest
    assert proxy.frames == 27
    assert probe(proxy.path).variable is False
    assert probe(proxy.path).fps == 30


def test_the_last_frame_is_shown_also_between_two_ticks(tmp_path):
    clip = make(tmp_path / "phone.mp4", times=[*range(0, 320, 40), 700, 740, 780, 820])
    proxy = make_proxy(clip, tmp_path / "proxy.mp4")
    assert (proxy.fps, shown(proxy.path)[-3:]) == (25, [9, 10, 11])


def test_even_rates_skip_and_double_nothing(tmp_path):
    clip = make(tmp_path / "a.mkv", count=40)  # Matroska rounds times to milliseconds
    proxy = make_proxy(clip, tmp_path / "proxy.mp4")
    assert shown(proxy.path) == list(range(40))
    assert make_proxy(clip, tmp_path / "slow.mp4", fps=240).fps == 240


@pytest.mark.parametrize(
    "names", [["a1.png", "a3.png"], ["a.png", "b.png"], ["1.png", "2.jpg"], ["a09.png", "a10.png", "a011.png"]]
)
def test_images_that_blender_cannot_count(tmp_path, names):
    folder = images(tmp_path / "shots", names)
    assert needs_proxy(probe(folder)) == UNNUMBERED
    assert shown(make_proxy(folder, tmp_path / "proxy.mp4", fps=5).path) == list(range(len(names)))


def test_images_turned_by_exif(tmp_path):
    folder = images(tmp_path / "shots", ["1.jpg", "2.jpg"])
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)  # orientation 6: a quarter turn
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 0)
    for file in folder.iterdir():
        data = file.read_bytes()
        file.write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:])
    assert needs_proxy(probe(folder)) == "its images are turned by a note in the file"
    proxy = make_proxy(folder, tmp_path / "proxy.mp4")
    assert (proxy.width, proxy.height) == (HEIGHT, WIDTH)


def test_first_number():
    def number(*names):
        return first_number([Path("shots 2") / name for name in names])

    assert number("a_007.png", "a_008.png") == 7
    assert number("9.png", "10.png") == 9
    assert number("v2_0.exr") == 0
    assert number("009.png", "10.png") is None
    assert number("still.png") is None
    assert number("a1_v2.png", "a2_v2.png") is None  # Blender counts with the last number


def test_rates():
    frames = np.arange(100)
    assert runs_evenly(frames, np.round(frames / 30, 3), 30)
    assert not runs_evenly(frames, frames / 30 + (frames > 50) / 60, 30)
    dropped = np.delete(np.arange(120) / 29.97, [5, 40, 41, 90])
    assert likely_rate(np.arange(116), dropped, 29.0) == pytest.approx(30, rel=2e-3)
    assert likely_rate(frames[::5], frames[::5] / 17.0, 1.0) == pytest.approx(17)
    assert likely_rate(frames[:1], frames[:1] / 30, 23.0) == 23.0


def test_progress_and_cancel_leave_nothing_half_made(tmp_path):
    clip, out = make(tmp_path / "a.mp4"), tmp_path / "out" / "proxy.mp4"
    reports = []
    make_proxy(clip, out, report=reports.append)
    assert (reports[0].stage, reports[0].done, reports[-1].done, reports[-1].total) == ("footage", 0, 12, 12)
    before = out.read_bytes()
    asked = iter([False, False, True])
    with pytest.raises(Cancelled):
        make_proxy(clip, out, cancelled=lambda: next(asked))
    assert out.read_bytes() == before
    assert list(out.parent.iterdir()) == [out]


def test_a_damaged_frame_is_the_one_before_it(tmp_path):
    clip = make(tmp_path / "a.mp4", gop_size=1)
    with av.open(str(clip)) as container:
        packet = [p for p in container.demux(video=0) if p.size][5]
        position, size = packet.pos, packet.size
    data = bytearray(clip.read_bytes())
    data[position : position + size] = b"\xff" * size
    clip.write_bytes(data)
    assert shown(make_proxy(clip, tmp_path / "proxy.mp4").path) == [0, 1, 2, 3, 4, 4, 6, 7, 8, 9, 10, 11]


def test_it_can_be_jumped_about_in(tmp_path):
    proxy = make_proxy(make(tmp_path / "a.mp4", count=40), tmp_path / "proxy.mp4")
    with av.open(str(proxy.path)) as container:
        keys = [number for number, packet in enumerate(container.demux(video=0)) if packet.is_keyframe]
    assert keys[0] == 0
    assert max(np.diff([*keys, 40])) <= 12


def test_the_backend_s_method_makes_it_where_it_is_needed(tmp_path):
    def ask(clip, **params):
        out = tmp_path / f"{clip.stem} proxy.mp4"
        context = Context(lambda progress: None, lambda: False)
        result = METHODS["footage_proxy"]({"clip": str(clip), "out": str(out), **params}, context)
        assert out.exists() == (result["path"] is not None)
        return result["path"] and Path(result["path"]).name

    plain, phone = make(tmp_path / "plain.mp4"), turn(make(tmp_path / "phone.mp4"), CLOCKWISE)
    uneven = make(tmp_path / "uneven.mp4", times=[40 * index + index % 3 * 15 for index in range(12)])
    assert ask(plain, if_needed=True) is None
    assert ask(plain) == "plain proxy.mp4"
    assert ask(phone, if_needed=True) == "phone proxy.mp4"
    assert ask(uneven, if_needed=True) == "uneven proxy.mp4"


def test_errors_have_names(tmp_path):
    clip = make(tmp_path / "a.mp4")
    with pytest.raises(BadArgument, match="the clip itself"):
        make_proxy(clip, clip)
    with pytest.raises(ClipNotFound):
        make_proxy(tmp_path / "none.mp4", tmp_path / "out.mp4")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputNotWritable):
        make_proxy(clip, tmp_path / "file" / "out.mp4")


def test_command(tmp_path, capsys):
    clip, out = make(tmp_path / "a ü.mp4"), tmp_path / "p.mp4"
    assert main(["proxy", str(clip), "--out", str(out)]) == 0
    assert "no stand-in is needed" in capsys.readouterr().out
    assert not out.exists()
    assert main(["proxy", str(clip), "--out", str(out), "--always"]) == 0
    assert f"{out}  64×48, 12 frames, 30.000 frames/s" in capsys.readouterr().out
    assert shown(out) == list(range(12))
