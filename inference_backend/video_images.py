"""Image sequences: their pictures, the lens in their EXIF, and what is odd in their names."""

from __future__ import annotations

import re
import struct
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import UnsupportedVideo

_ORIENTED = cv2.IMREAD_COLOR
"""8 bit BGR, alpha dropped, turned upright by EXIF."""


def sequence_doubts(files: list[Path]) -> list[str]:
    """Sentences on what is odd in a list of frames: several sequences in one, numbers that are missing."""
    doubts = []
    stems = {re.sub(r"\d+(?!.*\d)", "#", file.name) for file in files}
    if len(stems) > 1:
        shown = ", ".join(sorted(stems)[:3])
        doubts.append(f"the images have {len(stems)} different kinds of name ({shown}); give a pattern to choose one")
    else:
        numbers = [int(found[-1]) for file in files if (found := re.findall(r"\d+", file.stem))]
        gaps = [low + 1 for low, high in pairwise(numbers) if high > low + 1]
        if gaps:
            doubts.append(
                f"the numbering of the images has {len(gaps)} gaps, the first at {gaps[0]}; they are not waited for"
            )
    return doubts


def load_image(path: Path, size: tuple[int, int] | None = None) -> NDArray[np.uint8] | None:
    """The upright RGB picture of a file, (H, W, 3) uint8, or None where it cannot be read or decoded.

    Raises UnsupportedVideo where its (width, height) is not `size`.
    """
    try:
        data = np.fromfile(path, np.uint8)  # cv2.imread knows no Unicode paths on Windows
    except OSError:
        return None
    image = cv2.imdecode(data, _ORIENTED) if len(data) else None
    if image is None:
        return None
    height, width = image.shape[:2]
    if size not in (None, (width, height)):
        raise UnsupportedVideo(
            f"{path.name} is {width}×{height} pixels, other images of the sequence are not.",
            hint="Give a pattern that fits only images of one size.",
            path=str(path),
            size=[width, height],
            expected=size,
        )
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def first_image(files: list[Path]) -> NDArray[np.uint8]:
    """The first picture that can be read. Raises UnsupportedVideo if there is none."""
    for file in files:
        image = load_image(file)
        if image is not None:
            return image
    raise UnsupportedVideo(
        f"None of the {len(files)} images in {files[0].parent.name} can be read.",
        hint="Export them again as PNG or JPEG.",
        path=str(files[0].parent),
    )


def exif_focal_35mm(path: Path) -> float | None:
    """The lens's 35 mm equivalent in mm from a JPEG's EXIF (tag 0xA405), or None."""
    with path.open("rb") as file:
        head = file.read(1 << 17)
    start = head.find(b"Exif\0\0")
    if not head.startswith(b"\xff\xd8") or start < 0:
        return None
    tiff = head[start + 6 :]
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    try:
        if order is None:
            return None
        (first,) = struct.unpack_from(order + "I", tiff, 4)
        exif = _tag(tiff, order, first, 0x8769)
        focal = _tag(tiff, order, exif, 0xA405) if exif else None
    except struct.error:
        return None
    return float(focal) if focal else None


def _tag(tiff: bytes, order: str, offset: int, wanted: int) -> int | None:
    """The value of a short or long tag in the directory at `offset` (TIFF 6.0, section 2)."""
    (count,) = struct.unpack_from(order + "H", tiff, offset)
    for entry in range(offset + 2, offset + 2 + 12 * count, 12):
        tag, kind = struct.unpack_from(order + "HH", tiff, entry)
        if tag == wanted and kind in (3, 4):
            value: int = struct.unpack_from(order + ("H" if kind == 3 else "I"), tiff, entry + 8)[0]
            return value
    return None
