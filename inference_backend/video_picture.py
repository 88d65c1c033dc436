"""A decoded frame as an upright RGB array with square pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from av.video.reformatter import Colorspace, VideoReformatter
from numpy.typing import NDArray

_BT709, _BT601 = 1, 5
"""SWS_CS_ITU709 and SWS_CS_ITU601."""
_MATRICES = {1: _BT709, 4: 4, 5: _BT601, 6: _BT601, 7: 7, 9: 9, 10: 9}
"""AVCOL_SPC_… of a frame → SWS_CS_… of its YUV matrix; numbers, as PyAV did not always name them all."""
_HD_LINES = 720
"""From this height on, players take untagged footage for BT.709 instead of BT.601."""


@dataclass(frozen=True)
class Upright:
    """How stored pictures become upright ones: scaled to `stored`, then transposed, then flipped."""

    stored: tuple[int, int]
    """Width and height to scale a stored picture to, pixels: square pixels, one size for the whole clip."""
    transpose: bool
    """Exchange rows and columns."""
    flip_x: bool
    """Then mirror left and right."""
    flip_y: bool
    """Then mirror top and bottom."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the upright picture, pixels."""
        return self.stored[::-1] if self.transpose else self.stored

    @property
    def rotation(self) -> int:
        """Degrees the picture is turned clockwise to be upright: 0, 90, 180 or 270 (after mirroring, if it is)."""
        return (90 if self.flip_x else 270) if self.transpose else (180 if self.flip_y else 0)

    @property
    def mirrored(self) -> bool:
        """Whether left and right change sides, as in footage of some front cameras."""
        return self.transpose ^ self.flip_x ^ self.flip_y


def upright_of(frame: Any, pixel_aspect: float) -> tuple[Upright, bool]:
    """From a frame's display matrix, and whether that matrix is a turn by quarters (else the nearest is taken).

    The matrix (ISO/IEC 14496-12, 8.2.2) takes a stored point (x, y), y down, to (a x + c y, b x + d y).
    `pixel_aspect` is a stored pixel's width over its height; within 1% of square it is left alone.
    """
    width, height = frame.width, frame.height
    if pixel_aspect > 1.01:
        width = round(width * pixel_aspect)
    elif 0 < pixel_aspect < 0.99:
        height = round(height / pixel_aspect)
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return Upright((width, height), False, False, False), True
    a, b, _, c, d, *_ = (int(v) for v in np.frombuffer(bytes(data), np.int32))
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Upright((width, height), True, c < 0, b < 0), not (a or d)
    return Upright((width, height), False, a < 0, d < 0), not (b or c)


def focal_pixels(focal_35mm: float | None, size: tuple[int, int]) -> float | None:
    """A 35 mm equivalent in mm as pixels of a picture (width, height): the same angle across the diagonal."""
    return None if focal_35mm is None else focal_35mm * math.hypot(*size) / math.hypot(36.0, 24.0)


class Converter:
    """Frames to arrays. It keeps FFmpeg's scaler between frames, which it is for."""

    def __init__(self, upright: Upright) -> None:
        self._upright = upright
        self._scaler = VideoReformatter()

    def __call__(self, frame: Any) -> NDArray[np.uint8]:
        """RGB of an av.VideoFrame in any pixel format, alpha dropped. Shape (H, W, 3) by `upright.size`, contiguous."""
        turn = self._upright
        untagged = _BT709 if frame.height >= _HD_LINES else _BT601
        matrix = _MATRICES.get(frame.colorspace, untagged)
        # PyAV before 17 looks at the source's matrix only if another one is named for the destination.
        stored = self._scaler.reformat(
            frame, *turn.stored, format="rgb24", src_colorspace=matrix, dst_colorspace=Colorspace.DEFAULT
        )
        image = np.asarray(stored.to_ndarray(), np.uint8)
        if turn.transpose:
            image = image.transpose(1, 0, 2)
        if turn.flip_x:
            image = image[:, ::-1]
        if turn.flip_y:
            image = image[::-1]
        return np.ascontiguousarray(image)
