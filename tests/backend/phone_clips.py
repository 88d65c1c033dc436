"""Clips as phones write them: pictures at uneven times, turned by a note in the file."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

WIDTH, HEIGHT, RATE = 64, 48, 30
CLOCKWISE = (0, 1, -1, 0)
"""A display matrix."""


def picture(index: int, size: tuple[int, int]) -> np.ndarray:
    """Grey by index, the upper left quarter red."""
    width, height = size
    image = np.full((height, width, 3), 6 * index, np.uint8)
    image[: height // 2, : width // 2] = (250, 10, 10)
    return image


def make(path: Path, count: int = 12, times: list[int] | None = None, size=(WIDTH, HEIGHT), **codec) -> Path:
    """A movie; `times` in ms give a variable rate."""
    unit = Fraction(1, 1000) if times else Fraction(1, RATE)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.max_b_frames = 0
        if times:
            stream.codec_context.time_base = unit
        for name, value in codec.items():
            setattr(stream.codec_context, name, value)
        for index in range(count):
            frame = av.VideoFrame.from_ndarray(picture(index, size), format="rgb24")
            frame.pts, frame.time_base = (times[index] if times else index), unit
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def turn(path: Path, matrix: tuple[int, int, int, int]) -> Path:
    """Write a display matrix into the mp4 track header (ISO/IEC 14496-12, 8.3.2), as phones do."""
    a, b, c, d = (v * 65536 for v in matrix)
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 44
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path
