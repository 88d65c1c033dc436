"""A stand-in for footage that Blender cannot show as it is: upright, square pixels, one constant rate.

Blender plays one picture a scene frame, whatever the file's times say, and not every version turns a phone's picture
upright. The stand-in is H.264 in mp4, which every Blender reads, with many key frames: the artist jumps about in it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .disk import writing
from .errors import BadArgument
from .footage_files import list_images
from .frame_rates import likely_rate
from .numbered_images import first_number
from .progress import Meter, Progress
from .video import Frame, VideoInfo, VideoSource, probe, read
from .video_container import open_movie
from .video_stream import read_table
from .video_writer import Mp4Writer

_KEY_EVERY = 12
"""Frames from key frame to key frame: what Blender decodes at most to show one that was jumped to."""
_NO_PICTURE = 128
"""Grey value of frames that cannot be decoded, where there is no earlier one to show."""


@dataclass(frozen=True)
class ProxyInfo:
    """A stand-in that was made."""

    path: Path
    """The mp4 file."""
    fps: float
    """Its constant rate; second 0 is the clip's first frame."""
    frames: int
    """Its length."""
    width: int
    """Pixels, even: an odd clip is stretched by one."""
    height: int
    """Pixels, even."""


def needs_proxy(info: VideoInfo) -> str | None:
    """Why Blender cannot show the clip as it is, as the end of a sentence ("its …"); None where it can."""
    if info.is_sequence:
        files = list_images(info.path)
        reasons = {
            "its images are not numbered one after the other": first_number(files) is None,
            "its images are turned by a note in the file": _turned_by_exif(files[0]),
        }
    else:
        with open_movie(info.path) as (_, stream):
            pixel_aspect = float(stream.sample_aspect_ratio or 1)
        reasons = {
            f"its picture is stored turned by {info.rotation}°": info.rotation != 0,
            "its picture is stored mirrored": info.mirrored,
            # Asked of the file: a rate that was given in place of its times evens out nothing.
            "its frame rate varies": probe(info.path).variable,
            "its pixels are not square": abs(pixel_aspect - 1) > 0.01,
            "its file does not tell its frames' times": read_table(info.path).counted,
        }
    return next((reason for reason, holds in reasons.items() if holds), None)


def proxy_rate(info: VideoInfo) -> float:
    """Frames per second of the stand-in: the clip's own, or the one it was meant to have."""
    return likely_rate(np.arange(info.frame_count), info.times, info.fps) if info.variable else info.fps


def make_proxy(
    clip: str | os.PathLike[str],
    out: str | os.PathLike[str],
    fps: float | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> ProxyInfo:
    """Write the stand-in of a clip, picture by picture. At each moment it shows the clip's nearest frame.

    Args:
        clip: movie, folder of images, or pattern.
        out: the mp4 file; its folder is made. One that is there is replaced.
        fps: as in `video.probe`: rate of an image sequence, or the true rate of a movie in slow motion.
        report: gets the progress.
        cancelled: asked at every picture.

    Raises:
        BadArgument: `out` is the clip itself, or `fps` is not above 0.
        ClipNotFound, UnsupportedVideo: the clip is gone or cannot be read.
        OutputNotWritable, DiskFull, Cancelled: nothing is left behind.
    """
    source, target = Path(clip), Path(out)
    info = probe(source, fps)
    if target.exists() and source.exists() and target.samefile(source):
        raise BadArgument(f"{target} is the clip itself", hint="Name another file.", path=str(target))
    rate = Fraction(proxy_rate(info)).limit_denominator(1001)
    shows = _shown(info.times, float(rate))
    size = (info.width + info.width % 2, info.height + info.height % 2)
    meter = Meter(report, cancelled)
    meter.stage("footage", 0, len(shows))
    with writing(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
    with Mp4Writer(target, rate, size, key_every=_KEY_EVERY) as writer:
        pictures = _pictures(read(VideoSource(source, fps=fps), threads=0), size)
        index, picture = next(pictures)
        for done, wanted in enumerate(shows, 1):
            while index < wanted:
                index, picture = next(pictures)
            writer.write(picture)
            meter.stage("footage", done, len(shows))
    return ProxyInfo(target, float(rate), len(shows), *size)


def _shown(times: NDArray[np.float64], rate: float) -> NDArray[np.int64]:
    """Index of the frame nearest in time to each tick of the rate; the last tick shows the last frame."""
    # A last frame half-way between two ticks belongs to the later one, or it would never be shown.
    ticks = np.arange(int(float(times[-1]) * rate + 0.5 + 1e-6) + 1) / rate
    between = (times[1:] + times[:-1]) / 2
    # A tick in the middle, up to rounding, belongs to the frame before, so that even rates never skip one.
    return np.searchsorted(between, ticks - 1e-6, side="left").astype(np.int64)


def _pictures(frames: Iterator[Frame], size: tuple[int, int]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Each frame's picture in the stand-in's size; one that does not decode is the one before it."""
    picture = np.full((size[1], size[0], 3), _NO_PICTURE, np.uint8)
    for frame in frames:
        if frame.image is not None:
            picture = frame.image if frame.image.shape[1::-1] == size else _stretched(frame.image, size)
        yield frame.index, picture


def _stretched(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """By a pixel at most. Stretched and not padded: Blender lays the whole picture over the whole frame."""
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def _turned_by_exif(file: Path) -> bool:
    """Whether the image holds another picture as soon as its EXIF orientation is left out, as Blender does."""
    data = np.fromfile(file, np.uint8)
    upright = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    stored = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION) if len(data) else None
    return upright is not None and stored is not None and not np.array_equal(upright, stored)
