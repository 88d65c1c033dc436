# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a landmark of the footage stands in a 3D view that looks through the take's camera.

A landmark's line of sight is drawn as Blender draws the body: by the camera's matrix and the view's own projection.
So the two coincide whatever the output size, zoom and shift of the view are.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...inference_backend.skeletons import LANDMARKS
from .lens import CAMERA_AXES, Pinhole

_SIDE_LINES: Final = (
    ("shoulder", "elbow"), ("elbow", "wrist"), ("wrist", "index"), ("wrist", "pinky"), ("wrist", "thumb"),
    ("shoulder", "hip"), ("hip", "knee"), ("knee", "ankle"), ("ankle", "heel"), ("ankle", "foot_index"),
    ("heel", "foot_index"),
)  # fmt: skip
_ACROSS: Final = (
    ("left_shoulder", "right_shoulder"),
    ("left_hip", "right_hip"),
    ("nose", "left_ear"),
    ("nose", "right_ear"),
)

LINES: Final = tuple(
    (LANDMARKS.index(a), LANDMARKS.index(b))
    for a, b in (*((f"{side}_{a}", f"{side}_{b}") for side in ("left", "right") for a, b in _SIDE_LINES), *_ACROSS)
)
"""Pairs of `LANDMARKS` that a line joins."""


def region_points(
    pixels: NDArray[np.float32],
    pinhole: Pinhole,
    camera_matrix: NDArray[np.float64],
    perspective: NDArray[np.float64],
    width: float,
    height: float,
) -> NDArray[np.float64]:
    """Pixels of the upright picture → the region's, from its lower left corner. Shape: (K, 2) → (K, 2).

    Args:
        pinhole: the footage's.
        camera_matrix: (4, 4) Blender's camera (looks along -z) → world.
        perspective: (4, 4) world → clip space: `RegionView3D.perspective_matrix`.
        width, height: of the region, in its pixels.
    """
    points_cam = pinhole.unproject(np.asarray(pixels, np.float64))
    homogeneous = np.concatenate([points_cam, np.ones((len(points_cam), 1))], axis=1)
    clip = homogeneous @ (perspective @ camera_matrix @ CAMERA_AXES).T
    return (clip[:, :2] / clip[:, 3:] + 1) / 2 * (width, height)


def picture_points(
    places: NDArray[np.float64],
    pinhole: Pinhole,
    camera_matrix: NDArray[np.float64],
    perspective: NDArray[np.float64],
    width: float,
    height: float,
) -> NDArray[np.float64]:
    """The inverse of `region_points`: a region's pixels → pixels of the upright picture. Shape: (K, 2) → (K, 2)."""
    matrix = perspective @ camera_matrix @ CAMERA_AXES
    seen = 2 * np.asarray(places, np.float64) / (width, height) - 1
    # Of the point (x, y, 1) that is seen at u: (row - u · last row) · (x, y, 1, 1) = 0, for both of the picture's axes.
    rows = matrix[None, :2] - seen[..., None] * matrix[None, 3:]
    ahead = np.linalg.solve(rows[..., :2], -(rows[..., 2:].sum(-1, keepdims=True)))[..., 0]
    return pinhole.project(np.concatenate([ahead, np.ones((len(ahead), 1))], axis=1))


def row_at(seconds: NDArray[np.float64], at: float) -> int | None:
    """The row whose picture is shown at a time; None where the take has none there.

    Args:
        seconds: (F,) time of each row, rising. at: seconds.
    """
    if not len(seconds):
        return None
    row = int(np.argmin(np.abs(seconds - at)))
    around = np.diff(seconds[max(row - 1, 0) : row + 2])
    # Half a frame, and a little for rates that are not quite the same.
    reach = 0.6 * float(around.min()) if len(around) else np.inf
    return row if abs(float(seconds[row]) - at) <= reach else None
