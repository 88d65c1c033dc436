"""BlazePose's landmark models ("full" and "heavy"): an ROI of a frame in, one person's pose and mask out.

Bazarevsky et al. 2020, section 2.3, with the later mask, heatmap and world outputs. The ROI is warped to 256 × 256
(edge pixels repeated outside, values 0 to 1). The network gives 39 points (x, y, z in crop px, visibility and presence
as logits), of which the first 33 are landmarks and points 33 and 34 the middle of the hips and the rim of the
body's circle, from which the next frame's ROI follows. x and y are refined with the heatmap: the mean position of a
7 × 7 window, weighted by its probabilities, where one of them reaches 0.5. This is per frame; no filter over time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Literal

import cv2
import numpy as np
import numpy.typing as npt

from ..skeletons import LANDMARKS
from .blazepose_detector import Roi, check_image
from .blazepose_graph import Graph

INPUT: Final = 256
"""Side of the network's input, px."""

MIN_PRESENCE: Final = 0.5
"""Below this the ROI holds no person."""

MASK: Final = 64
"""Side of the mask given out, px."""

HEATMAP: Final = 64
"""Side of the heatmap, cells."""

KERNEL: Final = 7
"""Side of the heatmap's window, cells."""

MIN_CONFIDENCE: Final = 0.5
"""The heatmap moves a landmark only where its window reaches this probability."""

LandmarkSize = Literal["full", "heavy"]
"""The original's model_complexity 1 and 2: the heavy one takes three times as long and is more exact."""

_FILES: Final = {"full": "blazepose_landmarks", "heavy": "blazepose_landmarks_heavy"}

_POINTS: Final = 39
_USED: Final = 35  # landmarks and the two alignment points; the rest is for hands


@dataclass(frozen=True)
class PoseLandmarks:
    """One person in one frame."""

    landmarks: npt.NDArray[np.float32]
    """(33, 3): x, y in px of the upright image, z in the same unit: 0 at the hips, negative towards the camera."""
    visibility: npt.NDArray[np.float32]
    """(33,): probability that the landmark is in the image and not hidden."""
    presence: float
    """Probability that the ROI holds a person."""
    world: npt.NDArray[np.float32]
    """(33, 3) metres, origin between the hips; axes as the camera's: x right, y down, z forward (away from it)."""
    mask: npt.NDArray[np.uint8] | None
    """(64, 64): probability · 255 that a cell shows the person, in the ROI's own square (turn it with the ROI); None
    where it was not asked for."""
    roi: Roi
    """Where the model looked."""
    alignment: npt.NDArray[np.float32]
    """(2, 2) px of the image: middle of the hips, and rim of the circle around the body."""

    @property
    def next_roi(self) -> Roi:
        """Where to look in the next frame."""
        return Roi.from_points(self.alignment[0], self.alignment[1], self.presence)


def sigmoid(logits: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """1 / (1 + exp(-x)), finite for any x."""
    return 0.5 * (1 + np.tanh(0.5 * logits))


def refine_with_heatmap(points: npt.NDArray[Any], heatmap: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Move points to the local mean of their heatmaps, all at once.

    Args:
        points: (N, 2) x, y in the unit square. heatmap: (H, W, ≥N) logits, channel i for point i.

    Returns:
        (N, 2). Points outside the heatmap, or whose window nowhere reaches `MIN_CONFIDENCE`, are unchanged. A cell's
        position is its index over the heatmap's side.
    """
    height, width = heatmap.shape[:2]
    center = np.trunc(points * (width, height)).astype(np.int64)
    offset = np.arange(KERNEL) - KERNEL // 2
    columns = center[:, 0, None] + offset
    rows = center[:, 1, None] + offset
    inside_x, inside_y = (columns >= 0) & (columns < width), (rows >= 0) & (rows < height)
    window = heatmap[
        rows.clip(0, height - 1)[:, :, None],
        columns.clip(0, width - 1)[:, None, :],
        np.arange(len(points))[:, None, None],
    ]
    weight = sigmoid(window) * (inside_y[:, :, None] & inside_x[:, None, :])
    total = weight.sum(axis=(1, 2))
    within = ((center >= 0) & (center < (width, height))).all(axis=1)
    refined = within & (weight.max(axis=(1, 2)) >= MIN_CONFIDENCE)
    mean = np.stack([(weight.sum(axis=1) * columns).sum(axis=1), (weight.sum(axis=2) * rows).sum(axis=1)], axis=1)
    safe = np.where(refined, total, 1)[:, None]
    return np.where(refined[:, None], mean / safe / (width, height), points)


def small_mask(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """(64, 64) probability · 255: the mean over each cell's pixels of the network's mask (256, 256)."""
    mean = cv2.resize(sigmoid(logits), (MASK, MASK), interpolation=cv2.INTER_AREA)
    return np.asarray(np.rint(mean * 255), np.uint8)


class LandmarkModel:
    """A landmark model on single ROIs. Not safe to share between threads."""

    def __init__(self, size: LandmarkSize) -> None:
        """Raises WeightsMissing or WeightsCorrupt."""
        self._with_mask = Graph(_FILES[size])
        self._without_mask = Graph(_FILES[size], without=(1, INPUT, INPUT, 1))

    def __call__(self, image: npt.NDArray[np.uint8], roi: Roi, with_mask: bool = True) -> PoseLandmarks | None:
        """The person in the ROI, or None where there is none (presence below `MIN_PRESENCE`).

        Args:
            image: (H, W, 3) uint8 RGB, upright.
            with_mask: the mask takes up to 40% of the time. All else is the same without it.
        """
        check_image(image)
        crop = roi.crop(image, INPUT, cv2.BORDER_REPLICATE)
        graph = self._with_mask if with_mask else self._without_mask
        graph.run(crop[None].astype(np.float32) * np.float32(1 / 255))
        presence = float(graph.output(1, 1)[0])
        if presence < MIN_PRESENCE:
            return None

        points = graph.output(1, _POINTS * 5).reshape(_POINTS, 5)[:_USED]
        xy = refine_with_heatmap(points[:, :2] / INPUT, graph.output(1, HEATMAP, HEATMAP, _POINTS))
        image_xy = roi.to_image(xy)
        count = len(LANDMARKS)
        depth = points[:count, 2:3] * (roi.size / INPUT)

        world = graph.output(1, _POINTS * 3).reshape(_POINTS, 3)[:count]
        c, s = math.cos(roi.angle), math.sin(roi.angle)
        turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])  # the ROI's axes to the image's
        return PoseLandmarks(
            landmarks=np.concatenate([image_xy[:count], depth], axis=1).astype(np.float32),
            visibility=sigmoid(points[:count, 3]).astype(np.float32),
            presence=presence,
            world=(world @ turn.T).astype(np.float32),
            mask=small_mask(graph.output(1, INPUT, INPUT, 1)[:, :, 0]) if with_mask else None,
            roi=roi,
            alignment=image_xy[count:].astype(np.float32),
        )
