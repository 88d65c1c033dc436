"""Footage in: what a clip is, and its frames one after the other, upright, with their true times.

A clip is a movie file, a folder of images, or a pattern of image names (shot_%04d.png, shot_####.png, shot_*.png).
A frame's index is its place in the footage, counted from 0 in the order of presentation; runs [start, stop) read on
their own give the same frames as one reading of the whole.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from .errors import BadArgument, ClipNotFound
from .footage_files import is_pattern, list_images
from .video_container import focal_length_35mm, frame_rate, open_movie, unreadable_codec
from .video_images import exif_focal_35mm, first_image, load_image, sequence_doubts
from .video_picture import Converter, Upright, focal_pixels, upright_of
from .video_stream import decode_frames, read_table

SEQUENCE_FPS = 24.0
"""Frame rate taken for an image sequence that comes without one: that of a new Blender scene."""

FASTEST_FPS = 970.0
"""Telephones film 960 frames per second; what is said to be faster is more likely a file without a true rate."""


@dataclass(frozen=True, eq=False)
class VideoInfo:
    """What is known of a clip before its frames are read."""

    path: Path
    """The clip as it was named."""
    width: int
    """Width of the upright picture, pixels."""
    height: int
    """Height of the upright picture, pixels."""
    frame_count: int
    """Number of frames F, damaged ones included."""
    times: NDArray[np.float64]
    """(F,) seconds from the first frame, strictly increasing, read-only."""
    fps: float
    """Frames per second; the mean where the rate varies."""
    variable: bool
    """Whether the rate varies, so that times are not index / fps."""
    rotation: int
    """Degrees the stored picture is turned clockwise to be upright: 0, 90, 180, 270. Images of a sequence: 0."""
    mirrored: bool
    """Whether the stored picture is mirrored as well, before it is turned."""
    codec: str
    """FFmpeg's name of the codec, or the images' suffix without its dot."""
    is_sequence: bool
    """Whether the clip is a sequence of images."""
    focal_length: float | None
    """Pixels, where the camera wrote its 35 mm equivalent (taken as equal diagonals), else None."""
    warnings: tuple[str, ...]
    """Sentences for the user: the file is cut short, the frame rate was assumed, …"""


@dataclass(frozen=True)
class VideoSource:
    """A run of frames to read; it pickles, so that worker processes can read runs of their own."""

    path: Path
    """Movie file, folder of images, or pattern of image names."""
    start: int = 0
    """Index of the first frame."""
    stop: int | None = None
    """Index after the last frame; None, or one beyond the end: the end."""
    step: int = 1
    """Read every step-th frame."""
    fps: float | None = None
    """As in `probe`."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame of a clip."""

    index: int
    """Place in the footage, from 0."""
    seconds: float
    """Time from the clip's first frame."""
    image: NDArray[np.uint8] | None
    """(H, W, 3) RGB, upright, contiguous; None where it does not decode."""


def probe(path: str | os.PathLike[str], fps: float | None = None) -> VideoInfo:
    """What a clip is. Packets are read, and a single picture is decoded (all, where the file has no usable times).

    `fps` is the rate of an image sequence; for a movie it replaces the times in the file
    (slow motion: the camera's rate).
    Raises ClipNotFound, UnsupportedVideo (with the reason), BadArgument (fps not above 0).
    """
    clip = Path(path)
    return _probe_images(clip, fps)[0] if _is_sequence(clip, fps) else _probe_movie(clip, fps)[0]


def read(source: VideoSource, *, threads: int = 1) -> Iterator[Frame]:
    """The frames of a run in order, one at a time; a frame that fails to decode comes with `image=None`.

    `threads` is the number of decoding threads of a movie, 0 for one per core: 1 where several processes read.
    Raises what `probe` raises, and BadArgument for an empty range, at the call and not at the first frame; while
    reading, UnsupportedVideo for an image of another size than the first of its sequence.
    """
    clip = Path(source.path)
    if _is_sequence(clip, source.fps):
        info, files = _probe_images(clip, source.fps)
        return _read_images(info, files, _wanted(source, info.frame_count))
    info, upright = _probe_movie(clip, source.fps)
    return _read_movie(info, upright, _wanted(source, info.frame_count), threads)


def _wanted(source: VideoSource, count: int) -> range:
    wanted = range(max(source.start, 0), count if source.stop is None else min(source.stop, count), max(source.step, 1))
    if source.start < 0 or source.step < 1 or not wanted:
        raise BadArgument(
            f"No frames from {source.start} to {source.stop} in steps of {source.step}: the clip has {count}.",
            hint=f"Choose a start from 0 to {count - 1}, an end after it and a step of at least 1.",
            **{"start": source.start, "stop": source.stop, "step": source.step, "frame_count": count},
        )
    return wanted


def _is_sequence(clip: Path, fps: float | None) -> bool:
    if fps is not None and not (math.isfinite(fps) and fps > 0):
        raise BadArgument(f"The frame rate is {fps}.", hint="Give frames per second above 0.", fps=fps)
    if clip.is_dir() or is_pattern(clip):
        return True
    if not clip.exists():
        raise ClipNotFound(f"There is no file {clip}.", hint="Check the path.", path=str(clip))
    return False


def _probe_movie(path: Path, fps: float | None) -> tuple[VideoInfo, Upright]:
    table = read_table(path)
    count = len(table.times)
    with open_movie(path) as (container, stream):
        codec = stream.codec_context.name
        pixel_aspect = float(stream.sample_aspect_ratio or 1)
        focal = focal_length_35mm(container, stream)
    with closing(decode_frames(path, table, 0, count, 1)) as decoded:
        _, frame = next(decoded, (0, None))
    if frame is None:
        raise unreadable_codec(path, codec)
    upright, quarter_turn = upright_of(frame, pixel_aspect)
    try:
        Converter(upright)(frame)
    except (FFmpegError, ValueError) as error:
        raise unreadable_codec(path, f"{codec} in pixel format {frame.format.name}") from error
    rate, variable = frame_rate(table.times, table.rates, table.tick)
    doubtful = fps is None and rate > FASTEST_FPS
    doubts = {
        "the file is cut short: the frames that are there are read": table.cut_short,
        "the file does not tell its frames' times: every reading decodes it from the beginning": table.counted,
        f"it says {rate:.0f} frames per second: give the true rate, or the motion is smoothed away": doubtful,
        "it is interlaced: moving edges are combed": frame.interlaced_frame,
        "it is turned by an odd angle: the nearest quarter turn is taken": not quarter_turn,
    }
    info = VideoInfo(
        path=path,
        width=upright.size[0],
        height=upright.size[1],
        frame_count=count,
        times=table.times if fps is None else _even_times(count, fps),
        fps=rate if fps is None else fps,
        variable=variable and fps is None,
        rotation=upright.rotation,
        mirrored=upright.mirrored,
        codec=codec,
        is_sequence=False,
        focal_length=focal_pixels(focal, upright.size),
        warnings=tuple(doubt for doubt, true in doubts.items() if true),
    )
    return info, upright


def _probe_images(path: Path, fps: float | None) -> tuple[VideoInfo, list[Path]]:
    files = list_images(path)
    height, width, _ = first_image(files).shape
    doubts = sequence_doubts(files)
    if fps is None:
        doubts.append(f"images have no frame rate: {SEQUENCE_FPS:g} frames per second are assumed")
    rate = SEQUENCE_FPS if fps is None else fps
    info = VideoInfo(
        path=path,
        width=width,
        height=height,
        frame_count=len(files),
        times=_even_times(len(files), rate),
        fps=rate,
        variable=False,
        rotation=0,
        mirrored=False,
        codec=files[0].suffix[1:].lower(),
        is_sequence=True,
        focal_length=focal_pixels(exif_focal_35mm(files[0]), (width, height)),
        warnings=tuple(doubts),
    )
    return info, files


def _even_times(count: int, fps: float) -> NDArray[np.float64]:
    times = np.arange(count) / fps
    times.setflags(write=False)
    return times


def _read_movie(info: VideoInfo, upright: Upright, wanted: range, threads: int) -> Iterator[Frame]:
    convert, due = Converter(upright), iter(wanted)
    with closing(decode_frames(info.path, read_table(info.path), wanted.start, wanted.stop, threads)) as decoded:
        for index, frame in decoded:
            if index not in wanted:
                continue
            while (missing := next(due)) < index:
                yield Frame(missing, float(info.times[missing]), None)
            yield Frame(index, float(info.times[index]), convert(frame))
    yield from (Frame(missing, float(info.times[missing]), None) for missing in due)


def _read_images(info: VideoInfo, files: list[Path], wanted: range) -> Iterator[Frame]:
    for index in wanted:
        image = load_image(files[index], (info.width, info.height))
        yield Frame(index, float(info.times[index]), image)
