"""Footage for tests inside Blender, which has no encoder to hand: uncompressed AVI, written byte by byte."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np


def make_movie(path: Path, count: int = 8, size: tuple[int, int] = (640, 360), fps: float = 30.0) -> Path:
    """A movie whose picture i is grey 20 i (mod 256). `size`: width and height, pixels; the width a multiple of 4."""
    width, height = size
    rate, scale = round(fps * 1001), 1001
    frames = [bytes([20 * index % 256]) * (width * height * 3) for index in range(count)]
    length = len(frames[0])
    bitmap = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, length, 0, 0, 0, 0)
    stream = struct.pack(
        "<4s4sIHHIIIIIIIIhhhh",
        *(b"vids", b"DIB ", 0, 0, 0, 0, scale, rate, 0, count, length, 0xFFFFFFFF, 0, 0, 0, width, height),
    )
    main = struct.pack("<IIIIIIIIII4I", round(1e6 / fps), 0, 0, 0x10, count, 0, 1, length, width, height, 0, 0, 0, 0)
    header = _list(b"hdrl", _chunk(b"avih", main), _list(b"strl", _chunk(b"strh", stream), _chunk(b"strf", bitmap)))
    movie = _list(b"movi", *(_chunk(b"00db", frame) for frame in frames))
    places = 4 + (8 + length) * np.arange(count)
    index = b"".join(struct.pack("<4sIII", b"00db", 0x10, place, length) for place in places)
    body = b"AVI " + header + movie + _chunk(b"idx1", index)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    return path


def make_images(folder: Path, numbers: list[int], size: tuple[int, int] = (64, 36)) -> Path:
    """Pictures shot_NNN.png of those numbers; returns their folder."""
    import bpy

    folder.mkdir(parents=True)
    for number in numbers:
        image = bpy.data.images.new("shot", *size)
        image.filepath_raw, image.file_format = str(folder / f"shot_{number:03}.png"), "PNG"
        image.save()
        bpy.data.images.remove(image)
    return folder


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def _list(name: bytes, *chunks: bytes) -> bytes:
    return _chunk(b"LIST", name + b"".join(chunks))
