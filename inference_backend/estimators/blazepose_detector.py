"""BlazePose's person detector: a whole frame in, one rotated square region of interest (ROI) per person out.

Bazarevsky et al. 2020, section 2.2. The frame is letterboxed to 224 × 224 (black bars, values -1 to 1). The network
scores 2254 anchors, two per cell at stride 8 and 16 and six per cell at stride 32 (28² · 2 + 14² · 2 + 7² · 6), and
gives each a box and four alignment points relative to the anchor's cell. Overlapping candidates are averaged with
their scores as weights (weighted non-maximum suppression), so each person leaves one. Point 0 is the middle of the
hips, point 1 lies on the circle around the whole body: they give the ROI's centre, size and upright angle.

At 224 px a whole wide frame leaves few pixels for a person who does not fill it, and such people are often missed.
Where nobody large is found, who looks for people therefore looks again at square parts of the frame (`parts`), which
the original does not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from .blazepose_graph import Graph

INPUT: Final = 224
"""Side of the network's input, px."""

MIN_SCORE: Final = 0.5
"""Candidates below this score are no person."""

MIN_OVERLAP: Final = 0.3
"""Candidates whose boxes overlap by more than this (intersection over union) are the same person."""

ROI_SCALE: Final = 1.25
"""The ROI's side relative to the diameter of the circle around the body."""

LARGE: Final = 1.0
"""A frame with a person whose ROI is this many times its shorter side is not searched in parts."""

PART_STEP: Final = 0.4
"""Parts of a frame are squares as wide as its shorter side, at most so many widths apart."""

FINE, FINE_STEP = 0.67, 0.5
"""The same of finer parts, whose width is this share of the shorter side."""

_CELLS: Final = ((8, 2), (16, 2), (32, 6))  # stride, anchors per cell
_SCORE_CLIP: Final = 100.0  # keeps the sigmoid's exp finite


@dataclass(frozen=True)
class Roi:
    """A rotated square of the image: where the landmark model looks."""

    cx: float
    """Centre, px of the upright image."""
    cy: float
    """Centre, px of the upright image."""
    size: float
    """Side, px."""
    angle: float
    """Rotation in rad, clockwise as seen in the image (x right, y down), in [-π, π). 0: the person stands upright."""
    score: float = 1.0
    """The detector's confidence, or the presence in the frame it was carried over from."""

    @classmethod
    def from_points(cls, center: npt.NDArray[Any], rim: npt.NDArray[Any], score: float) -> Roi:
        """From the two alignment points (2,), px: middle of the hips, and a point of the circle above the head."""
        dx, dy = (float(d) for d in np.asarray(rim) - np.asarray(center))
        angle = math.pi / 2 - math.atan2(-dy, dx)
        angle -= 2 * math.pi * math.floor((angle + math.pi) / (2 * math.pi))
        return cls(float(center[0]), float(center[1]), 2 * ROI_SCALE * math.hypot(dx, dy), angle, score)

    def matrix(self) -> npt.NDArray[np.float64]:
        """(2, 3) map of the unit square's (u, v, 1) to the image's px: u along the ROI's width, v down its height."""
        c, s = self.size * math.cos(self.angle), self.size * math.sin(self.angle)
        return np.array([[c, -s, self.cx - (c - s) / 2], [s, c, self.cy - (s + c) / 2]])

    def to_image(self, points: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Points (..., 2) of the unit square as px of the image (..., 2)."""
        matrix = self.matrix()
        return np.asarray(points @ matrix[:, :2].T + matrix[:, 2], np.float64)

    def crop(self, image: npt.NDArray[np.uint8], side: int, border: int) -> npt.NDArray[np.uint8]:
        """The ROI's content as (side, side, 3) uint8, bilinear. `border` is OpenCV's rule for what lies outside.

        Crop pixel (i, j) samples the unit square at (i, j) / side, as the original does.
        """
        matrix = self.matrix()
        matrix[:, :2] /= side
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return np.asarray(cv2.warpAffine(image, matrix, (side, side), flags=flags, borderMode=border), np.uint8)


def check_image(image: npt.NDArray[np.uint8]) -> None:
    """Raise ValueError unless `image` is RGB uint8 (H, W, 3)."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise ValueError(f"image must be (H, W, 3) uint8, found {image.shape} {image.dtype}")


def anchors() -> npt.NDArray[np.float64]:
    """Centres (2254, 2) of the anchors' cells as (x, y) in the unit square, in the network's order."""
    layers = []
    for stride, per_cell in _CELLS:
        centers = (np.arange(INPUT // stride) + 0.5) * stride / INPUT
        y, x = np.meshgrid(centers, centers, indexing="ij")
        layers.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), per_cell, axis=0))
    return np.concatenate(layers)


def parts(width: int, height: int, share: float = 1.0, step: float = PART_STEP) -> list[Roi]:
    """Overlapping squares that cover an image of this size; none where that is one square.

    Args:
        share: their side, over the shorter side of the image.
        step: how far apart they are at most, over their side.
    """
    side = share * min(width, height)
    counts = [math.ceil((length - side) / (step * side)) + 1 for length in (width, height)]
    if counts == [1, 1]:
        return []
    columns, rows = (
        np.linspace(side / 2, length - side / 2, count) if count > 1 else np.array([length / 2])
        for length, count in zip((width, height), counts, strict=True)
    )
    return [Roi(float(x), float(y), side, 0.0) for y in rows for x in columns]


def box_overlap(box: npt.NDArray[Any], boxes: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Intersection over union of one box (4,) with boxes (N, 4), each (x0, y0, x1, y1): (N,), 0 for empty unions."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    shared = np.prod(np.clip(sides, 0, None), axis=1)
    union = np.prod(box[2:] - box[:2]) + np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) - shared
    return np.asarray(np.divide(shared, union, out=np.zeros(len(boxes)), where=union > 0), np.float64)


def weighted_nms(
    boxes: npt.NDArray[Any], values: npt.NDArray[Any], scores: npt.NDArray[Any]
) -> list[tuple[npt.NDArray[np.float64], float]]:
    """Average overlapping candidates, best first.

    Args:
        boxes: (N, 4) as (x0, y0, x1, y1). values: (N, V), what to average. scores: (N,) in (0, 1].

    Returns:
        per person the score-weighted mean (V,) of the values of all that overlap the best box by more than
        `MIN_OVERLAP`, and the best score.
    """
    order = np.argsort(-scores, kind="stable")
    people = []
    while len(order):
        best = order[0]
        same = box_overlap(boxes[best], boxes[order]) > MIN_OVERLAP
        same[0] = True  # a box without area overlaps nothing, not even itself
        group = order[same]
        people.append((np.average(values[group], axis=0, weights=scores[group]), float(scores[best])))
        order = order[~same]
    return people


class PoseDetector:
    """Finds people in single frames. Not safe to share between threads."""

    def __init__(self) -> None:
        """Raises WeightsMissing or WeightsCorrupt."""
        self._graph = Graph("blazepose_detector")
        self._anchors = anchors()

    def detect(self, image: npt.NDArray[np.uint8], window: Roi | None = None) -> list[Roi]:
        """ROIs of all people, best score first, one each; empty when there is none.

        Args:
            image: (H, W, 3) uint8 RGB, upright.
            window: the part to look at, may reach beyond the image; None is the whole image.
        """
        check_image(image)
        height, width = image.shape[:2]
        letterbox = window or Roi(width / 2, height / 2, max(width, height), 0.0)
        crop = letterbox.crop(image, INPUT, cv2.BORDER_CONSTANT)
        self._graph.run(crop[None].astype(np.float32) * np.float32(2 / 255) - 1)
        logits = self._graph.output(1, len(self._anchors), 1)[:, 0].astype(np.float64)
        scores = 1 / (1 + np.exp(-np.clip(logits, -_SCORE_CLIP, _SCORE_CLIP)))
        raw = self._graph.output(1, len(self._anchors), 12).astype(np.float64) / INPUT

        keep = (scores >= MIN_SCORE) & (raw[:, 2:4] >= 0).all(axis=1)
        raw, scores, centers = raw[keep], scores[keep], self._anchors[keep]
        middle, half = raw[:, :2] + centers, raw[:, 2:4] / 2
        boxes = np.concatenate([middle - half, middle + half], axis=1)
        points = raw[:, 4:8] + np.tile(centers, 2)  # of the four alignment points, the whole body's two
        people = []
        for mean, score in weighted_nms(boxes, points, scores):
            center, rim = letterbox.to_image(mean.reshape(2, 2))
            roi = Roi.from_points(center, rim, score)
            if roi.size > 0:
                people.append(roi)
        return people
