"""Opening a movie file: its picture stream, what its header states, and a named error for each way it is no movie."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from .errors import UnsupportedVideo

_TEXT_DEMUXERS = {"tty", "bin", "xbin", "adf", "idf"}
"""They draw any text file as ANSI art."""
_ASSUMED_RATE = Fraction(25)
"""FFmpeg's own assumption for a stream that states no rate at all."""


@contextmanager
def open_movie(path: Path) -> Iterator[tuple[Any, Any]]:
    """Yield PyAV's container and its first picture stream.

    Raises UnsupportedVideo: not a video, a single picture, no picture track, an unknown codec.
    """
    try:
        # Absolute, or the part of a name before a colon is taken for a protocol; files only, whatever the file says.
        container = av.open(
            str(path.absolute()), container_options={"protocol_whitelist": "file"}, metadata_errors="replace"
        )
    except FFmpegError as error:
        raise _cannot_open(path, error) from error
    with container:
        name = container.format.name
        if name in _TEXT_DEMUXERS:
            raise UnsupportedVideo(f"{path.name} is not a video.", hint="Choose a movie file.", path=str(path))
        if name.endswith("_pipe") or name.startswith("image2"):
            raise UnsupportedVideo(
                f"{path.name} is a single picture, not a movie.",
                hint="Give the folder that holds the pictures, or a pattern such as shot_####.png.",
                path=str(path),
            )
        if not container.streams:
            raise UnsupportedVideo(
                f"{path.name} holds no track: the recording was not finished, or the copy was cut short.",
                hint="Copy or record it again.",
                path=str(path),
            )
        # The cover of a song is a picture stream too.
        streams = [s for s in container.streams.video if not s.disposition & type(s.disposition).attached_pic]
        if not streams:
            raise UnsupportedVideo(
                f"{path.name} has no picture track.", hint="Choose a file with moving pictures.", path=str(path)
            )
        if streams[0].codec_context is None:
            raise unreadable_codec(path, _codec_tag(path))
        yield container, streams[0]


def demux(container: Any, stream: Any) -> Generator[Any, None, None]:
    """The stream's packets up to the end, or to where the file can be read no further."""
    try:
        for packet in container.demux(stream):
            if packet.size:  # PyAV ends with an empty one
                yield packet
    except FFmpegError:
        return


def stated_rates(stream: Any) -> tuple[Fraction, ...]:
    """Frame rates by the file's header and FFmpeg's estimates, the most trustworthy first; at least one."""
    rates = (stream.guessed_rate, stream.average_rate, stream.base_rate)
    return (*(Fraction(rate) for rate in rates if rate), _ASSUMED_RATE)


def frame_rate(times: NDArray[np.float64], stated: tuple[Fraction, ...], tick: float) -> tuple[float, bool]:
    """Frames per second of strictly increasing times (F,) in seconds, and whether the rate varies.

    The mean rate is replaced by a stated one that agrees with it within what rounding to ticks explains. The rate
    varies where an interval differs from the median by more than a tenth and that rounding, or a frame strays by half
    an interval from the even raster.
    """
    if len(times) < 2:
        return float(stated[0]), False
    intervals = np.diff(times)
    span = float(times[-1] - times[0])
    mean = (len(times) - 1) / span
    step, rounding = float(np.median(intervals)), 1.5 * tick
    jumps = np.abs(intervals - step).max() > 0.1 * step + rounding
    drifts = np.abs(times - np.arange(len(times)) / mean).max() > 0.5 * step + rounding
    fits = [float(rate) for rate in stated if abs(float(rate) / mean - 1) < 1e-6 + rounding / span]
    varies = bool(jumps or drifts)
    return (mean if varies or not fits else fits[0]), varies


def stated_seconds(container: Any, stream: Any) -> float:
    """The length of the picture stream by the file's own header, 0 where it says nothing."""
    if container.format.name == "avi":  # its duration is an estimate from the size of what is there
        return float(stream.frames * stream.time_base)
    if stream.duration:
        return float(stream.duration * stream.time_base)
    for key, value in stream.metadata.items():  # Matroska
        found = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", value.strip())
        if key.startswith("DURATION") and found:
            return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3])
    alone = len(container.streams) == 1 and container.duration
    return float(container.duration / av.time_base) if alone else 0.0


def focal_length_35mm(container: Any, stream: Any) -> float | None:
    """The lens's 35 mm equivalent in mm, where the camera wrote it (QuickTime key of recent phones)."""
    for key, value in {**container.metadata, **stream.metadata}.items():
        found = re.match(r"\d+(?:\.\d+)?", value.strip())
        if key.lower().endswith("focal_length.35mm_equivalent") and found and float(found[0]) > 0:
            return float(found[0])
    return None


def unreadable_codec(path: Path, codec: str) -> UnsupportedVideo:
    """The error for a codec that gives no picture."""
    return UnsupportedVideo(
        f"{path.name} is encoded with {codec}, which cannot be read here.",
        hint="Convert it to H.264 in an mp4 file.",
        path=str(path),
        codec=codec,
    )


def _codec_tag(path: Path) -> str:
    """What the file calls a codec that FFmpeg does not know: MP4's sample entry, AVI's handler or Matroska's id."""
    size, span = path.stat().st_size, 4 << 20
    with path.open("rb") as file:
        data = file.read(span)
        file.seek(max(len(data), size - span))
        data += file.read()
    tag = rb"hdlr.{8}vide.*?stsd.{12}(....)|vids(....)|(V_[A-Z0-9/_]{3,})"
    found = re.search(tag, data, re.DOTALL)
    return next(g for g in found.groups() if g).decode("latin-1") if found else "an unknown codec"


def _cannot_open(path: Path, error: Exception) -> UnsupportedVideo:
    facts = {"path": str(path), "reason": str(error)}
    if isinstance(error, PermissionError):
        return UnsupportedVideo(f"{path.name} may not be read.", hint="Allow reading the file.", **facts)
    with path.open("rb") as file:
        head = file.read(12)
    if not head:
        return UnsupportedVideo(f"{path.name} is empty.", hint="Copy or record it again.", **facts)
    if isinstance(error, EOFError):
        return UnsupportedVideo(f"{path.name} ends before its first frame.", hint="Copy or record it again.", **facts)
    if head[4:8] == b"ftyp":
        return UnsupportedVideo(
            f"{path.name} has no index (moov): the recording was not finished, or the copy was cut short.",
            hint="Copy it again, or repair it with a tool for unfinished mp4 files.",
            **facts,
        )
    return UnsupportedVideo(f"{path.name} is not a video.", hint="Choose a movie file.", **facts)
