"""Movies are read frame by frame with exact indices and true times, whole or from anywhere, damaged or not.

Every clip is made here. A frame shows its index as eight vertical bars, black or white, which survive compression.
"""

import os
import pickle
import shutil
import struct
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from inference_backend import video_stream
from inference_backend.errors import BadArgument, ClipNotFound, UnsupportedVideo
from inference_backend.footage_files import fingerprint
from inference_backend.video import Frame, VideoSource, probe, read
from inference_backend.video_container import frame_rate

WIDTH, HEIGHT, COUNT, RATE = 64, 48, 40, 30

IDENTITY, CLOCKWISE, HALF, COUNTER = (1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0)
MIRROR, MIRROR_CLOCKWISE = (-1, 0, 0, 1), (0, -1, -1, 0)


def bars(index, width=WIDTH, height=HEIGHT):
    bits = (index >> np.arange(8)) & 1
    row = np.repeat(bits * 255, -(-width // 8))[:width]
    return np.broadcast_to(row[None, :, None], (height, width, 3)).astype(np.uint8)


def shown_index(image):
    height, width, _ = image.shape
    step = -(-width // 8)
    middle = image[height // 4 : 3 * height // 4]
    return sum(int(middle[:, b * step + 2 : (b + 1) * step - 2].mean() > 127) << b for b in range(8))


def make(path, codec="libx264", *, count=COUNT, size=(WIDTH, HEIGHT), pixels="yuv420p", gop=10, b_frames=2, **how):
    """A clip of bars. `times` in ms give a variable rate; `picture` replaces the bars; `options` go to the muxer."""
    if codec not in av.codecs_available:
        pytest.skip(f"this FFmpeg has no {codec}")
    times, picture = how.get("times"), how.get("picture", bars)
    unit = Fraction(1, 1000) if times else Fraction(1, RATE)
    with av.open(str(path), "w", options=how.get("options", {})) as container:
        container.metadata.update(how.get("metadata", {}))
        stream = container.add_stream(codec, rate=RATE, options=how.get("coding", {}))
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        stream.codec_context.gop_size = gop
        if codec in ("libx264", "mpeg4", "mpeg2video"):
            stream.codec_context.max_b_frames = b_frames
        if times:
            stream.codec_context.time_base = unit
        if "pixel_aspect" in how:
            stream.codec_context.sample_aspect_ratio = how["pixel_aspect"]
        for index in range(count):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture(index, *size)), format="rgb24")
            frame.pts, frame.time_base = (times[index] if times else index), unit
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def packets(path):
    with av.open(str(path)) as container:
        return [(p.pos, p.size, p.is_keyframe, p.pts) for p in container.demux(video=0) if p.size]


def damage(path, which):
    """Overwrite a packet of the file with 0xff. Returns the index of its frame."""
    all_packets = packets(path)
    position, size, _, pts = all_packets[which]
    data = bytearray(path.read_bytes())
    data[position : position + size] = b"\xff" * size
    path.write_bytes(data)
    return sorted(p[3] for p in all_packets).index(pts)


def decoded_in_order(path):
    """The readable twin: decode everything, count."""
    with av.open(str(path)) as container:
        return [shown_index(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


def frames(path, *run, **how):
    return list(read(VideoSource(Path(path), *run), **how))


def assert_same(some: list[Frame], others: list[Frame]):
    assert [(f.index, f.seconds) for f in some] == [(f.index, f.seconds) for f in others]
    for one, other in zip(some, others, strict=True):
        if one.image is None or other.image is None:
            assert one.image is other.image
        else:
            np.testing.assert_array_equal(one.image, other.image)


CLIPS = {
    "h264 with B-frames, mp4": ("a.mp4", "libx264", {}),
    "h264 with open groups, mp4": ("a.mp4", "libx264", {"coding": {"x264-params": "open-gop=1:b-adapt=0"}}),
    "h264 with gradual refresh, mp4": (
        "a.mp4",
        "libx264",
        {"b_frames": 0, "coding": {"x264-params": "intra-refresh=1"}},
    ),
    "h264 in Matroska, times in ms": ("a.mkv", "libx264", {}),
    "h264 in a transport stream": ("a.ts", "libx264", {}),
    "h264 with B-frames in AVI, no times": ("a.avi", "libx264", {}),
    "h264 bare, no times": ("a.h264", "libx264", {}),
    "mpeg4 in AVI": ("a.avi", "mpeg4", {"b_frames": 0}),
    "mpeg2 in a program stream": ("a.mpg", "mpeg2video", {}),
    "vp9": ("a.webm", "libvpx-vp9", {}),
    "motion jpeg, full range": ("a.avi", "mjpeg", {"pixels": "yuvj420p"}),
    "ten bits, 4:2:2": ("a.mov", "prores_ks", {"pixels": "yuv422p10le"}),
    "odd size, 4:4:4": ("a.mkv", "ffv1", {"pixels": "yuv444p", "size": (67, 45)}),
    "gif": ("a.gif", "gif", {"pixels": "rgb8"}),
}


@pytest.mark.parametrize("clip", CLIPS)
def test_every_run_gives_the_frames_of_the_whole(tmp_path, clip):
    name, codec, how = CLIPS[clip]
    path = make(tmp_path / name, codec, **how)
    info, whole = probe(path), frames(path)
    assert decoded_in_order(path) == list(range(COUNT))
    assert [f.index for f in whole] == [shown_index(f.image) for f in whole] == list(range(COUNT))
    assert (info.frame_count, info.variable, info.rotation, info.is_sequence) == (COUNT, False, 0, False)
    assert info.fps == pytest.approx(RATE, rel=1e-3)
    np.testing.assert_allclose(info.times, np.arange(COUNT) / RATE, atol=0.006)  # gif counts in 1/100 s
    assert [f.seconds for f in whole] == list(info.times)
    for f in whole:
        assert f.image.shape == (info.height, info.width, 3)
        assert f.image.dtype == np.uint8
        assert f.image.flags.c_contiguous
    for start in range(COUNT):
        assert_same(frames(path, start, start + 2), whole[start : start + 2])


def test_step_and_end(tmp_path):
    path = make(tmp_path / "a.mp4")
    assert [shown_index(f.image) for f in frames(path, 5, 30, 7)] == [5, 12, 19, 26]
    assert [f.index for f in frames(path, 37, 1000)] == [37, 38, 39]


def test_several_threads_give_the_same(tmp_path):
    path = make(tmp_path / "a.mp4")
    assert_same(frames(path, 3, threads=2), frames(path, 3))


def test_a_run_begins_at_its_key_frame(tmp_path, monkeypatch):
    path = make(tmp_path / "a.mp4", gop=10)
    probe(path)
    read_packets, demux = [], video_stream.demux

    def counting(container, stream):
        for packet in demux(container, stream):
            read_packets.append(packet.pts)
            yield packet

    monkeypatch.setattr(video_stream, "demux", counting)
    table = video_stream.read_table(path)
    assert [index for index, _ in video_stream.decode_frames(path, table, 34, 36, 1)] == [34, 35]
    assert len(read_packets) < COUNT // 2


@pytest.mark.parametrize("astray", ["late", "refused"])
def test_a_seek_gone_astray_changes_nothing(tmp_path, monkeypatch, astray):
    path = make(tmp_path / "a.mp4")
    whole = frames(path)

    def seek(container, stream, ticks):
        container.seek(10**9, stream=stream)
        return astray == "late"

    monkeypatch.setattr(video_stream, "_seek", seek)
    assert_same(frames(path, 25, 30), whole[25:30])


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_variable_rate_gives_true_times(tmp_path, name):
    gaps = np.random.default_rng(0).choice([17, 33, 50, 400], COUNT)
    times = np.cumsum(gaps).tolist()
    path = make(tmp_path / name, times=times, options={})
    info, whole = probe(path), frames(path)
    wanted = (np.array(times) - times[0]) / 1000
    assert info.variable
    assert info.fps == pytest.approx((COUNT - 1) / wanted[-1])
    np.testing.assert_allclose(info.times, wanted, atol=1e-4)
    assert [shown_index(f.image) for f in whole] == list(range(COUNT))
    for start in (1, 9, 10, 23, COUNT - 1):
        assert_same(frames(path, start, start + 1), whole[start : start + 1])


def test_a_given_rate_replaces_the_files_times(tmp_path):
    path = make(tmp_path / "slow.mp4")
    info = probe(path, fps=240)
    assert (info.fps, info.variable) == (240, False)
    np.testing.assert_allclose(info.times, np.arange(COUNT) / 240)
    assert frames(path, 12, 13, 1, 240)[0].seconds == pytest.approx(0.05)


def test_frame_rate():
    ntsc = Fraction(30000, 1001)
    exact = np.arange(100) / float(ntsc)
    assert frame_rate(exact, (ntsc,), 1 / 30000) == (float(ntsc), False)
    assert frame_rate(np.round(exact, 3), (Fraction(25), ntsc), 1e-3) == (float(ntsc), False)
    assert frame_rate(np.delete(exact, 1), (ntsc,), 1 / 30000)[1]  # one frame dropped
    uneven = np.cumsum([0.0] + [0.020, 0.046] * 50)
    assert frame_rate(uneven, (Fraction(30),), 1 / 90000)[1]  # index / fps never strays by half a frame
    halves = np.concatenate([np.arange(300) / 30.0, 10 + np.arange(300) / 29.0])
    assert frame_rate(halves, (Fraction(30),), 1 / 90000)[1]  # no interval is odd, but index / fps strays
    assert frame_rate(exact[:1], (ntsc,), 1 / 30000) == (float(ntsc), False)


def quadrants(index, width=WIDTH, height=HEIGHT):
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, : width // 2] = (250, 10, 10)
    image[: height // 2, width // 2 :] = (10, 250, 10)
    image[height // 2 :, : width // 2] = (10, 10, 250)
    return image


@pytest.mark.parametrize(
    ("matrix", "rotation", "mirrored", "turned"),
    [
        (IDENTITY, 0, False, lambda stored: stored),
        (CLOCKWISE, 90, False, lambda stored: np.rot90(stored, -1)),
        (HALF, 180, False, lambda stored: np.rot90(stored, 2)),
        (COUNTER, 270, False, lambda stored: np.rot90(stored)),
        (MIRROR, 0, True, lambda stored: stored[:, ::-1]),
        (MIRROR_CLOCKWISE, 90, True, lambda stored: np.rot90(stored[:, ::-1], -1)),
    ],
)
def test_pictures_are_upright(tmp_path, matrix, rotation, mirrored, turned):
    path = make(tmp_path / "phone.mp4", count=3, picture=quadrants)
    plain = frames(path)[2].image
    np.testing.assert_allclose(plain[HEIGHT // 4, WIDTH // 4], (250, 10, 10), atol=12)
    set_display_matrix(path, matrix)
    info, upright = probe(path), frames(path)[2].image
    np.testing.assert_array_equal(upright, turned(plain))
    assert (info.height, info.width) == upright.shape[:2]
    assert (info.rotation, info.mirrored, info.warnings) == (rotation, mirrored, ())


def test_odd_angle_is_said(tmp_path):
    path = make(tmp_path / "phone.mp4", count=3)
    set_display_matrix(path, (0.8, 0.6, -0.6, 0.8))
    assert "odd angle" in " ".join(probe(path).warnings)


def set_display_matrix(path, matrix):
    """As phones do: in the mp4 track header (ISO/IEC 14496-12, 8.3.2)."""
    a, b, c, d = (round(v * 65536) for v in matrix)
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 44
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


def test_pixels_are_square(tmp_path):
    info = probe(make(tmp_path / "wide.mp4", count=3, pixel_aspect=Fraction(4, 3)))
    assert (info.width, info.height) == (85, 48)
    tall = make(tmp_path / "tall.mp4", count=3, pixel_aspect=Fraction(3, 4))
    assert frames(tall)[0].image.shape == (64, 64, 3)


def test_edit_list_hides_the_frames_before_its_start(tmp_path):
    source, path = make(tmp_path / "a.mp4"), tmp_path / "trimmed.mp4"
    with av.open(str(source)) as given, av.open(str(path), "w", options={"avoid_negative_ts": "disabled"}) as trimmed:
        stream = given.streams.video[0]
        copy = trimmed.add_stream_from_template(stream)
        five = round(5 / RATE / stream.time_base)
        for packet in given.demux(stream):
            if packet.size:
                packet.pts, packet.dts, packet.stream = packet.pts - five, packet.dts - five, copy
                trimmed.mux(packet)
    whole = frames(path)
    assert probe(path).times[0] == 0
    assert [shown_index(f.image) for f in whole] == list(range(5, COUNT))
    for start in range(8):
        assert_same(frames(path, start, start + 1), whole[start : start + 1])


def test_hidden_vp8_frames_are_not_counted(tmp_path):
    path = make(tmp_path / "a.webm", "libvpx", gop=COUNT)
    with av.open(str(path)) as container:
        payload = bytes([p for p in container.demux(video=0) if p.size][20])
    data = bytearray(path.read_bytes())
    data[data.index(payload)] &= ~0x10  # show_frame
    path.write_bytes(data)
    assert [shown_index(f.image) for f in frames(path)] == [i for i in range(COUNT) if i != 20]


def test_a_damaged_frame_is_none_and_the_rest_goes_on(tmp_path):
    path = make(tmp_path / "a.mp4", "mpeg4", b_frames=0, gop=1)
    lost = damage(path, 17)
    whole = frames(path)
    assert [f.index for f in whole if f.image is None] == [lost] == [17]
    assert [shown_index(f.image) for f in whole if f.image is not None] == [i for i in range(COUNT) if i != 17]
    assert frames(path, 17, 18)[0].image is None
    assert [f.image is None for f in frames(path, 15, 20, 2)] == [False, True, False]


@pytest.mark.parametrize("key", [True, False])
def test_runs_agree_where_a_packet_is_damaged(tmp_path, key):
    path = make(tmp_path / "a.mp4")
    which = next(k for k, packet in enumerate(packets(path)) if k > 12 and packet[2] == key)
    lost = damage(path, which)
    whole = frames(path)
    assert whole[lost].image is None
    assert [f.index for f in whole] == list(range(COUNT))
    for start in range(COUNT):
        assert_same(frames(path, start, start + 2), whole[start : start + 2])


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_a_file_cut_short_gives_what_is_there(tmp_path, name):
    path = make(tmp_path / name, options={"movflags": "faststart"} if name == "a.mp4" else {})
    assert probe(path).warnings == ()
    path.write_bytes(path.read_bytes()[: packets(path)[28][0] + 8])
    info, whole = probe(path), frames(path)
    assert "cut short" in info.warnings[0]
    assert 24 <= info.frame_count <= 29
    assert [shown_index(f.image) for f in whole] == list(range(info.frame_count))


def test_names_with_spaces_unicode_and_signs(tmp_path):
    folder = tmp_path / "Größe 50% – 動画"
    folder.mkdir()
    path = make(tmp_path / "a.mp4", count=3).rename(folder / "clip #1 [a] 100%d.mp4")
    assert [shown_index(f.image) for f in frames(path)] == [0, 1, 2]
    assert probe(str(path)).frame_count == 3


@pytest.mark.skipif(os.name == "nt", reason="Windows allows no colons in names")
def test_a_colon_is_no_protocol(tmp_path, monkeypatch):
    make(tmp_path / "a.mp4", count=3).rename(tmp_path / "take:1.mp4")
    monkeypatch.chdir(tmp_path)
    assert probe("take:1.mp4").frame_count == 3


def test_source_pickles(tmp_path):
    source = VideoSource(make(tmp_path / "a.mp4", count=5), 2, 4)
    again = pickle.loads(pickle.dumps(source))
    assert again == source
    assert [f.index for f in read(again)] == [2, 3]


def test_focal_length_from_the_cameras_metadata(tmp_path):
    key = "com.apple.quicktime.camera.focal_length.35mm_equivalent"
    path = make(tmp_path / "a.mov", count=3, metadata={key: "26"}, options={"movflags": "use_metadata_tags"})
    assert probe(path).focal_length == pytest.approx(26 * 80 / np.hypot(36, 24))  # 64 × 48: diagonal 80
    assert probe(make(tmp_path / "b.mov", count=3)).focal_length is None


def test_fingerprint_is_of_the_content(tmp_path):
    path = make(tmp_path / "a.mp4")
    mark = fingerprint(path)
    assert len(mark) == 64
    assert mark == fingerprint(shutil.copy(path, tmp_path / "b.mp4"))
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert fingerprint(path) != mark
    with pytest.raises(ClipNotFound):
        fingerprint(tmp_path / "none.mp4")


@pytest.mark.parametrize(("start", "stop", "step"), [(COUNT, None, 1), (-1, None, 1), (5, 5, 1), (0, None, 0)])
def test_an_empty_range_is_an_error_with_facts(tmp_path, start, stop, step):
    path = make(tmp_path / "a.mp4", "mpeg4")
    with pytest.raises(BadArgument, match=f"the clip has {COUNT}") as caught:
        read(VideoSource(path, start, stop, step))
    assert caught.value.facts == {"start": start, "stop": stop, "step": step, "frame_count": COUNT}


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
def test_a_rate_that_is_none(tmp_path, fps):
    with pytest.raises(BadArgument, match="frame rate"):
        probe(make(tmp_path / "a.mp4", "mpeg4", count=2), fps=fps)


def sound_only(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), format="fltp", layout="mono")
        frame.rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def without_frames(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        container.start_encoding()


def unknown_codec(path):
    make(path, "mjpeg", count=3, pixels="yuvj420p")
    path.write_bytes(path.read_bytes().replace(b"jpeg", b"zq77"))


def cut(path, before, offset):
    data = make(path, "mpeg4").read_bytes()
    path.write_bytes(data[: data.index(before) + offset])


def all_damaged(path):
    make(path, "mpeg4", count=3)
    for which in range(3):
        damage(path, which)


@pytest.mark.parametrize(
    ("name", "fill", "words"),
    [
        ("notes.txt", lambda path: path.write_text("walk, run\n" * 99), "is not a video"),
        ("notes.mp4", lambda path: path.write_text("walk, run\n" * 99), "is not a video"),
        ("a.mp4", lambda path: path.write_bytes(b""), "is empty"),
        ("a.mp4", lambda path: cut(path, b"moov", -4), "no index"),
        ("a.mp4", lambda path: cut(path, b"moov", 40), "holds no track"),
        ("a.png", lambda path: path.write_bytes(cv2.imencode(".png", bars(1))[1].tobytes()), "is a single picture"),
        ("a.m4a", sound_only, "no picture track"),
        ("a.mkv", lambda path: cut(path, b"\x1f\x43\xb6\x75", 0), "ends before its first frame"),
        ("a.avi", without_frames, "no frames"),
        ("a.mov", unknown_codec, "encoded with zq77"),
        ("a.mp4", all_damaged, "encoded with mpeg4, which cannot be read"),
    ],
)
def test_what_is_no_video_says_why(tmp_path, name, fill, words):
    fill(tmp_path / name)
    with pytest.raises(UnsupportedVideo, match=words) as caught:
        probe(tmp_path / name)
    assert caught.value.hint
    assert caught.value.facts["path"] == str(tmp_path / name)


def test_no_such_file(tmp_path):
    with pytest.raises(ClipNotFound, match="There is no file"):
        probe(tmp_path / "none.mp4")


def test_a_rate_that_no_camera_has_is_doubted(tmp_path):
    path = make(tmp_path / "fast.mp4", times=list(range(COUNT)))
    (doubt,) = probe(path).warnings
    assert "1000 frames per second" in doubt
    assert probe(path, fps=30).warnings == ()
