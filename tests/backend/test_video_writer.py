"""Movies are written whole or not at all, in the colours and at the times given."""

import errno
from fractions import Fraction

import av
import numpy as np
import pytest

from inference_backend import video_writer
from inference_backend.errors import DiskFull, OutputNotWritable
from inference_backend.video import VideoSource, probe, read
from inference_backend.video_writer import Mp4Writer

LEFT, RIGHT = (200, 30, 60), (20, 180, 90)


def picture(grey=0, size=(64, 48)):
    """Two colours side by side, and a grey field that tells the frame."""
    width, height = size
    image = np.empty((height, width, 3), np.uint8)
    image[:, : width // 2], image[:, width // 2 :] = LEFT, RIGHT
    image[height // 2 :] = grey
    return image


def grey_of(frame):
    return float(frame.image[-8:].mean())


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "Überlagerung 1.mp4"
    with Mp4Writer(path, Fraction(30000, 1001), (64, 48)) as writer:
        for index in range(20):
            writer.write(picture(10 * index))
    info, frames = probe(path), list(read(VideoSource(path)))
    assert (info.codec, info.frame_count, info.width, info.height) == ("h264", 20, 64, 48)
    assert (info.fps, info.variable, info.warnings) == (30000 / 1001, False, ())
    np.testing.assert_allclose([grey_of(f) for f in frames], 10.0 * np.arange(20), atol=4)
    np.testing.assert_allclose(frames[3].image[8, 8], LEFT, atol=6)
    np.testing.assert_allclose(frames[3].image[8, 56], RIGHT, atol=6)
    assert list(tmp_path.iterdir()) == [path]
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"


def test_odd_sizes_are_padded_by_the_edge(tmp_path):
    with Mp4Writer(tmp_path / "a.mp4", 25, (65, 47)) as writer:
        writer.write(picture(120, (65, 47)))
    frame = next(read(VideoSource(tmp_path / "a.mp4")))
    assert frame.image.shape == (48, 66, 3)
    np.testing.assert_allclose(frame.image[8, -1], RIGHT, atol=8)
    np.testing.assert_allclose(frame.image[-1, 8], 120, atol=8)


def test_given_times_are_kept(tmp_path):
    seconds = np.array([2.5, 2.6, 2.9, 3.0, 3.5, 5.0, 5.001])
    with Mp4Writer(tmp_path / "a.mp4", 30, (64, 48)) as writer:
        for index, time in enumerate(seconds):
            writer.write(picture(30 * index), float(time))
    info = probe(tmp_path / "a.mp4")
    assert info.variable
    np.testing.assert_allclose(info.times, seconds - 2.5, atol=1 / 90000)
    greys = [grey_of(f) for f in read(VideoSource(tmp_path / "a.mp4"))]
    np.testing.assert_allclose(greys, 30.0 * np.arange(7), atol=4)
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.duration / av.time_base == pytest.approx(2.501 + 1 / 30, abs=0.002)


def test_an_exception_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"an older movie")

    def interrupted():
        with Mp4Writer(path, 25, (64, 48)) as writer:
            writer.write(picture())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"an older movie"
    assert list(tmp_path.iterdir()) == [path]
    with Mp4Writer(path, 25, (64, 48)) as writer:
        writer.write(picture())
        assert path.read_bytes() == b"an older movie"
    assert probe(path).frame_count == 1


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "none" / "a.mp4", tmp_path / "file" / "a.mp4"):
        with pytest.raises(OutputNotWritable) as caught:
            Mp4Writer(path, 25, (64, 48))
        assert caught.value.facts["path"] == str(path)


class FullDisk:
    """A container whose disk has no space left."""

    def __init__(self, container, at_close):
        self._container, self._at_close = container, at_close

    def __getattr__(self, name):
        return getattr(self._container, name)

    def mux(self, packets):
        if not self._at_close:
            raise OSError(errno.ENOSPC, "No space left on device")

    def close(self):
        self._container.close()
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("at_close", [True, False])
def test_a_full_disk_has_a_name_and_leaves_nothing(tmp_path, at_close):
    writer = Mp4Writer(tmp_path / "a.mp4", 25, (64, 48))
    writer._container = FullDisk(writer._container, at_close)

    def write():
        with writer:
            for _ in range(100):
                writer.write(picture())

    with pytest.raises(DiskFull, match=r"a\.mp4"):
        write()
    assert list(tmp_path.iterdir()) == []


def test_without_h264_mpeg4_is_written_and_said(tmp_path, monkeypatch):
    monkeypatch.setattr(video_writer, "_H264", "no_such_encoder")
    with pytest.warns(RuntimeWarning, match="MPEG-4 part 2"):
        writer = Mp4Writer(tmp_path / "a.mp4", 25, (64, 48))
    with writer:
        for index in range(5):
            writer.write(picture(40 * index))
    assert writer.codec == "mpeg4"
    assert "no_such_encoder" in writer.warning
    assert probe(tmp_path / "a.mp4").codec == "mpeg4"
    greys = [grey_of(f) for f in read(VideoSource(tmp_path / "a.mp4"))]
    np.testing.assert_allclose(greys, 40.0 * np.arange(5), atol=6)


def test_mistakes_are_value_errors(tmp_path):
    for fps, size in ((0, (64, 48)), (-1.0, (64, 48)), (25, (0, 48))):
        with pytest.raises(ValueError, match="above 0"):
            Mp4Writer(tmp_path / "a.mp4", fps, size)
    with Mp4Writer(tmp_path / "a.mp4", 25, (64, 48)) as writer:
        with pytest.raises(ValueError, match=r"wanted uint8 \(48, 64, 3\)"):
            writer.write(picture(size=(48, 64)))
        with pytest.raises(ValueError, match="float64"):
            writer.write(picture().astype(np.float64))
        writer.write(picture(), 1.0)
        with pytest.raises(ValueError, match="every frame or for none"):
            writer.write(picture())
        with pytest.raises(ValueError, match="does not come after"):
            writer.write(picture(), 1.0)
        writer.write(picture(), 1.5)
    assert probe(tmp_path / "a.mp4").frame_count == 2


def test_no_frames_no_file(tmp_path):
    with pytest.raises(ValueError, match="needs a frame"), Mp4Writer(tmp_path / "a.mp4", 25, (64, 48)):
        pass
    assert list(tmp_path.iterdir()) == []
