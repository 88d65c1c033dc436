"""Whether the camera moves, told from the picture outside of the people while the clip is read for them.

Corner points of a first frame are found again in later ones (Lucas & Kanade's optical flow, pyramidal), always against
that *key frame*, so that nothing drifts and a slow pan adds up until it shows. Two explanations compete for where they
are now: nothing moved, or all moved by one similarity transform, as a pan, a zoom, a roll or a shaking hand make it.
Leaves, a crowd or a passer-by fit neither and do not count. Brightness does not matter: what is compared is the
logarithm of the picture without its low frequencies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

LONG_SIDE: Final = 320
"""Pixels, about, along the longer side of the picture that is looked at; the lengths below are in its pixels."""

TOLERANCE: Final = 0.5
"""A point within this of where an explanation wants it agrees with it, and a picture that has moved by less has not:
6 mm on a person who is 4 m away. Compression and noise move points by 0.1 pixel."""

LOOKS: Final = 3
"""Looks in a row that must find the picture moved. One alone may be a flash, or something large that passes."""

EVERY_SECONDS: Final = 0.1
"""Time between looks, about. At 45 degrees a second the picture then moves by 26 pixels, which can be followed."""

_POINTS, _LEAST_POINTS = 150, 12
_STILL_SHARE: Final = 0.3
"""Where this share of the points has stayed in place, the camera has, whatever the others do."""
_MOVED_SHARE: Final = 0.4
"""Where this share of the points agrees on one movement, and too few have stayed, the camera has moved."""
_KEY_SHARE: Final = 0.5
"""Below this share of the key frame's points a new key frame is taken."""
_MARGIN: Final = 0.12
"""Boxes lie around landmarks: hair, clothes and what is held reach out by about this share of their sides."""
_STOP: Final = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 15, 0.03)
_LOG_TABLE: Final = (np.log(np.arange(256) + 8.0) * 256).astype(np.float32)


@dataclass(frozen=True)
class CameraMotionReport:
    """What the picture's background says of the camera."""

    moving: bool
    """Whether it moves."""
    pixels_per_frame: float
    """How fast the picture moves on average in the frames counted by `share`, pixels of the original size; 0 where
    the camera is still."""
    share: float
    """Share of the frames judged in which the picture is not where it was at the start."""
    first_frame: int | None
    """Index in the footage of the first frame in which it has moved."""
    judged: int
    """Frames in which the background could tell. Few of many looks: the people fill the picture, or it is blank."""
    looks: int
    """Frames that were looked at."""


class CameraMotion:
    """Watches one clip. Keeps one small picture, and a hundred bytes a look."""

    def __init__(self) -> None:
        self._size: tuple[int, int] | None = None
        self._key: _Key | None = None
        self._path: list[tuple[int, bool, float]] = []  # index, whether moved, pixels from the look before, per frame
        self._last: tuple[int, Array] | None = None  # index and place of the last frame that was judged
        self._looks = 0

    def look(
        self, index: int, picture: npt.NDArray[np.uint8], factor: int, boxes: npt.NDArray[Any] | Sequence[Any]
    ) -> None:
        """The next look, `EVERY_SECONDS` after the one before. Undecodable frames are left out.

        Args:
            index: of the frame in the footage, ascending.
            picture: (h, w) uint8, `flattened`; the same size in every frame.
            factor: `reduction` of the frame.
            boxes: (P, 4) x0, y0, x1, y1 in pixels of the frame, around everyone.
        """
        if picture.ndim != 2 or picture.dtype != np.uint8:
            raise ValueError(f"picture: found {picture.dtype} {picture.shape}, want uint8 (h, w)")
        if self._size not in (None, picture.shape):
            raise ValueError(f"picture: found {picture.shape}, the frames before had {self._size}")
        self._size = (picture.shape[0], picture.shape[1])
        self._looks += 1
        hidden = _hidden(np.asarray(boxes, np.float64).reshape(-1, 4) / factor, picture.shape)
        if self._key is None:
            self._key = _Key.at(picture, hidden, np.eye(3))
            self._last = index, np.eye(3)
            return
        found = self._key.find(picture, hidden)
        if found is not None:
            self._judge(index, found, (picture.shape[0], picture.shape[1]), factor)
        if found is None or self._key.stale:
            self._key = _Key.at(picture, hidden, self._key.now)

    def _judge(self, index: int, placed: Array, size: tuple[int, int], factor: int) -> None:
        """Note that `placed` (3, 3) takes the first frame's pixels to this one's, in small pictures of this size."""
        assert self._last is not None
        before, old = self._last
        speed = _distance(size, placed, old) * factor / max(index - before, 1)
        self._path.append((index, _distance(size, placed, np.eye(3)) > TOLERANCE, speed))
        self._last = index, placed

    def result(self) -> CameraMotionReport:
        """What all frames so far say."""
        moved = [row for row in self._path if row[1]]
        runs = [len(list(run)) for state, run in groupby(self._path, key=lambda row: row[1]) if state]
        if max(runs, default=0) < min(LOOKS, max(len(self._path), 1)):
            return CameraMotionReport(False, 0.0, 0.0, None, len(self._path), self._looks)
        speed = float(np.mean([row[2] for row in moved]))
        return CameraMotionReport(True, speed, len(moved) / len(self._path), moved[0][0], len(self._path), self._looks)


@dataclass
class _Key:
    """A key frame and its points."""

    picture: npt.NDArray[np.uint8]
    points: npt.NDArray[np.float32]
    """(K, 2) where they are in the key frame."""
    placed: Array
    """(3, 3) the first frame's pixels → the key frame's."""
    now: Array
    """(3, 3) the first frame's pixels → those of the frame that was last judged."""
    stale: bool = False
    """Whether too few points were left at the last look."""

    @classmethod
    def at(cls, picture: npt.NDArray[np.uint8], hidden: npt.NDArray[np.bool_], placed: Array) -> _Key:
        """A new key frame; its points are the best corners that nobody covers, spread over the picture."""
        mask = np.where(hidden, 0, 255).astype(np.uint8)
        corners = cv2.goodFeaturesToTrack(picture, _POINTS, 0.02, 7, mask=mask, blockSize=5)
        points = np.zeros((0, 2), np.float32) if corners is None else corners.reshape(-1, 2)
        return cls(picture, points, placed, placed)

    def find(self, picture: npt.NDArray[np.uint8], hidden: npt.NDArray[np.bool_]) -> Array | None:
        """The transform (3, 3) from the first frame's pixels to this picture's; None where the points cannot tell."""
        self.stale = False
        if len(self.points) < _LEAST_POINTS:
            return None
        from_key = np.asarray(self.now @ np.linalg.inv(self.placed), np.float64)
        guess = _apply(from_key, self.points).astype(np.float32)
        ends, status, _ = cv2.calcOpticalFlowPyrLK(
            self.picture, picture, self.points, guess.copy(), winSize=(15, 15), maxLevel=3, criteria=_STOP,
            flags=cv2.OPTFLOW_USE_INITIAL_FLOW, minEigThreshold=1e-3,
        )  # fmt: skip
        good = (status[:, 0] == 1) & _visible(ends, hidden)
        self.stale = good.sum() < _KEY_SHARE * len(self.points)
        if good.sum() < _LEAST_POINTS:
            return None
        start, end = self.points[good], ends[good]
        if (np.linalg.norm(end - start, axis=1) < TOLERANCE).mean() >= _STILL_SHARE:
            self.now = self.placed
            return self.now
        fit, agree = cv2.estimateAffinePartial2D(start, end, ransacReprojThreshold=TOLERANCE, maxIters=200)
        if fit is None or agree.mean() < _MOVED_SHARE:
            return None
        self.now = np.vstack([fit, [0.0, 0.0, 1.0]]) @ self.placed
        return self.now


def looks_every(fps: float) -> int:
    """At which of so many frames to look, of a clip of `fps` frames a second."""
    return max(1, round(EVERY_SECONDS * fps))


def reduction(height: int, width: int) -> int:
    """The whole number that divides a picture's longer side to about `LONG_SIDE`.

    Averaging whole blocks of pixels takes half a millisecond, other sizes take five.
    """
    return max(1, round(max(height, width) / LONG_SIDE))


def flattened(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The picture small and grey, its brightness levelled: log minus local mean, about 128.

    Shape: (H, W, 3) RGB uint8, upright → (H // k, W // k), where k is its `reduction`.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"image: found {image.dtype} {image.shape}, want uint8 (H, W, 3)")
    height, width = image.shape[:2]
    factor = reduction(height, width)
    low, wide = max(height // factor, 1), max(width // factor, 1)
    grey = cv2.cvtColor(image[: low * factor, : wide * factor], cv2.COLOR_RGB2GRAY)
    log = cv2.LUT(cv2.resize(grey, (wide, low), interpolation=cv2.INTER_AREA), _LOG_TABLE)
    return np.asarray(cv2.add(cv2.subtract(log, cv2.blur(log, (31, 31))), 128.0, dtype=cv2.CV_8U), np.uint8)


def _hidden(boxes: Array, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Which pixels people cover. Shape: (P, 4) → (h, w)."""
    hidden = np.zeros(shape[:2], bool)
    for x0, y0, x1, y1 in boxes:
        dx, dy = _MARGIN * (x1 - x0) + 2, _MARGIN * (y1 - y0) + 2
        left, top = (max(int(v), 0) for v in (x0 - dx, y0 - dy))
        hidden[top : max(int(y1 + dy) + 1, 0), left : max(int(x1 + dx) + 1, 0)] = True
    return hidden


def _visible(points: npt.NDArray[np.float32], hidden: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Which points (K, 2) lie inside the picture and on nobody. Shape: (K,)."""
    column, row = np.round(points).astype(int).T
    inside: npt.NDArray[np.bool_] = (column >= 0) & (row >= 0) & (column < hidden.shape[1]) & (row < hidden.shape[0])
    inside[inside] = ~hidden[row[inside], column[inside]]
    return inside


def _apply(transform: Array, points: npt.NDArray[Any]) -> Array:
    """Shape: (3, 3), (K, 2) → (K, 2)."""
    return np.asarray(points @ transform[:2, :2].T + transform[:2, 2], np.float64)


def _distance(size: tuple[int, int], transform_a: Array, transform_b: Array) -> float:
    """Root mean square, over a picture of this height and width, of how far apart two transforms take a point."""
    grid = np.stack(np.meshgrid(np.linspace(0, size[1], 3), np.linspace(0, size[0], 3)), -1).reshape(-1, 2)
    return float(np.sqrt(((_apply(transform_a, grid) - _apply(transform_b, grid)) ** 2).sum(1).mean()))
