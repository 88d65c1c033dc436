"""Frames out: an mp4 file that appears under its name only when it is complete."""

from __future__ import annotations

import contextlib
import errno
import os
import warnings
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from numpy.typing import NDArray

from .errors import DiskFull, OutputNotWritable

_H264 = "libx264"
_MPEG4 = "mpeg4"
_MPEG4_BITS = 0.3
"""Bits a pixel for MPEG-4 part 2, which has no constant quality; about what H.264 takes at crf 20 doubled."""
_CLOCK = Fraction(1, 90_000)
"""Time base where times are given: the MPEG clock, in which the common rates are whole numbers."""
_BT709 = 1
"""AVCOL_SPC_, AVCOL_PRI_ and AVCOL_TRC_BT709. Written into the file, so that players need not guess the colours."""
_LIMITED = 1
"""AVCOL_RANGE_MPEG."""
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT} if hasattr(errno, "EDQUOT") else {errno.ENOSPC}
_NOT_WRITABLE = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EIO, errno.EFBIG),
    *(errno.ENAMETOOLONG, errno.ENODEV, errno.ENXIO),
}


class Mp4Writer:
    """Write RGB frames as H.264 in mp4 (yuv420p, BT.709), at a constant rate or at given times.

    A context manager. Leaving it closes the file and puts it in its place, over what was there; leaving it by an
    exception removes what was written. Every method may raise OutputNotWritable and DiskFull.
    """

    codec: str
    """FFmpeg's name of the encoder in use."""
    warning: str | None
    """What is said, also through `warnings`, where this FFmpeg has no H.264 encoder and MPEG-4 part 2 is written."""

    def __init__(
        self, path: str | os.PathLike[str], fps: Fraction | float, size: tuple[int, int], key_every: int | None = None
    ) -> None:
        """Begin a movie.

        Args:
            path: the mp4 file; its folder must exist.
            fps: frames per second.
            size: the frames' width and height, pixels; an odd one is padded by repeating the last column or row.
            key_every: frames from one key frame to the next, at most: a movie that is played from any frame wants few,
                and pays with its size. None: the encoder's own.
        """
        width, height = size
        if width < 1 or height < 1 or not fps > 0:
            raise ValueError(f"size {size} and fps {fps}: all must be above 0")
        self.path = Path(path)
        self.size = (width, height)
        self._rate = fps if isinstance(fps, Fraction) else Fraction(fps).limit_denominator(1001)
        self._key_every = key_every
        self._part = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        self._scaler = VideoReformatter()
        self._stream: Any = None
        self._count = 0
        self._last = -1
        self._timed = False
        self._origin = 0.0
        self.codec, self.warning = _choose_encoder()
        if self.warning:
            warnings.warn(self.warning, RuntimeWarning, stacklevel=2)
        with self._named_errors():
            self._part.open("wb").close()  # says now, not at the first frame, whether the folder can be written
            self._container: Any = av.open(
                str(self._part.absolute()), "w", format="mp4", options={"movflags": "faststart"}
            )

    def write(self, image: NDArray[np.uint8], seconds: float | None = None) -> None:
        """Append a frame: (H, W, 3) uint8 RGB of the writer's size.

        `seconds` is its time, for every frame or for none, strictly increasing at 1/90000 s; the movie begins with the
        first frame. Without it frames are 1 / fps apart. The last frame stands for 1 / fps.
        """
        width, height = self.size
        if image.shape != (height, width, 3) or image.dtype != np.uint8:
            raise ValueError(f"image is {image.dtype} {image.shape}, wanted uint8 {(height, width, 3)}")
        if self._count == 0:
            self._timed, self._origin = seconds is not None, seconds or 0.0
        if self._timed != (seconds is not None):
            raise ValueError("give seconds for every frame or for none")
        ticks = self._count if seconds is None else round((seconds - self._origin) / _CLOCK)
        if ticks <= self._last:
            raise ValueError(f"frame {self._count} at {seconds} s does not come after the one before it")
        padded = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = self._scaler.reformat(
            av.VideoFrame.from_ndarray(padded, format="rgb24"),
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
        )
        with self._named_errors():
            if self._stream is None:
                self._stream = self._add_stream(padded.shape[1], padded.shape[0])
            frame.pts, frame.time_base = ticks, _CLOCK if self._timed else 1 / self._rate
            self._container.mux(self._stream.encode(frame))
        self._count, self._last = self._count + 1, ticks

    def close(self) -> None:
        """Finish the file and put it in its place. Raises ValueError if no frame was written."""
        if self._count == 0:
            self.discard()
            raise ValueError("a movie needs a frame")
        try:
            with self._named_errors():
                self._container.mux(self._stream.encode(None))
                self._container.close()
                self._part.replace(self.path)
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """Remove what was written; a file already at `path` stays as it is."""
        with contextlib.suppress(FFmpegError, OSError):
            self._container.close()  # on a full disk this fails again
        with contextlib.suppress(OSError):
            self._part.unlink(missing_ok=True)

    def __enter__(self) -> Mp4Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def _add_stream(self, width: int, height: int) -> Any:
        stream = self._container.add_stream(self.codec, rate=self._rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED
        if self._timed:
            context.time_base = stream.time_base = _CLOCK
            context.max_b_frames = 0  # with uneven times reordering makes mp4 state a wrong length
        if self._key_every is not None:
            context.gop_size = self._key_every
        if self.codec == _H264:
            stream.options = {"crf": "20", "preset": "fast"}
        else:
            stream.bit_rate = round(_MPEG4_BITS * width * height * self._rate)
        return stream

    @contextlib.contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except (FFmpegError, OSError) as error:
            facts = {"path": str(self.path), "reason": str(error)}
            if error.errno in _DISK_FULL:
                hint = "Free some space, or choose another disk."
                raise DiskFull(f"The disk is full: {self.path.name} was not written.", hint=hint, **facts) from error
            if error.errno in _NOT_WRITABLE:
                hint = "Choose a folder that exists and that you may write to."
                raise OutputNotWritable(f"{self.path} cannot be written.", hint=hint, **facts) from error
            raise


def _choose_encoder() -> tuple[str, str | None]:
    try:
        av.codec.Codec(_H264, "w")
    except ValueError:  # PyAV's UnknownCodecError
        return _MPEG4, f"this FFmpeg has no {_H264} encoder: movies are written as MPEG-4 part 2, larger and coarser"
    return _H264, None
