"""The Blender world a clip's camera frame is placed in: which way is up, where the floor is, where the camera looks.

World frame: Blender's (z up, floor at z = 0), metres, the camera looking along +y, the subject starting above the
origin. Camera frame: OpenCV's (x right, y down, z forward). This is the only module that knows both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .upright import CAMERA_UP, unit

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class World:
    """Where the camera stands in Blender's world."""

    matrix: Array
    """(4, 4) camera frame → Blender's world; rigid, metres."""
    up_cam: Array
    """(3,) up in the camera frame, unit length."""
    floor_offset: float
    """Height of the camera above the floor, metres."""
    tilt_degrees: float
    """How far the camera looks down; negative: up."""
    error_degrees: float
    """Expected error of up."""
    notes: tuple[str, ...]
    """Sentences for the user: what could not be seen and was assumed."""

    @property
    def confidence(self) -> float:
        """In up, 0 to 1: one half where 8° of error are expected."""
        return 1 / (1 + (self.error_degrees / 8) ** 2)


def world_of(up: Array, floor: float, root: Array, error_degrees: float, notes: tuple[str, ...]) -> World:
    """The world with this up (3,) and its expected error, the floor's height along it, `root` (3,) over the origin."""
    return World(
        matrix=world_matrix(up, floor, root),
        up_cam=up,
        floor_offset=-floor,
        tilt_degrees=float(np.degrees(np.arcsin(np.clip(-up[2], -1, 1)))),
        error_degrees=error_degrees,
        notes=notes,
    )


def world_matrix(up: Array, floor: float, root: Array) -> Array:
    """The rigid transform camera frame → Blender's world.

    Args:
        up: (3,) unit, camera frame. floor: its height along up, metres from the camera, so usually negative.
        root: (3,) metres, camera frame: it comes to stand above the origin.

    Returns:
        (4, 4).
    """
    ahead = np.array([0.0, 0.0, 1.0])
    if np.linalg.norm(np.cross(up, ahead)) < 0.1:  # straight down or up: where the picture's top, or its foot, points
        ahead = CAMERA_UP * -np.sign(up[2])
    right = unit(np.cross(ahead, up))
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([right, np.cross(up, right), up])
    matrix[:2, 3] = -(matrix[:2, :3] @ root)
    matrix[2, 3] = -floor
    return matrix


def camera_to_world(points_cam: npt.NDArray[Any], matrix: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Camera frame → Blender's world. Shape: (..., 3), (4, 4) → (..., 3) metres."""
    _check(points_cam, matrix)
    return np.asarray(points_cam @ matrix[:3, :3].T + matrix[:3, 3])


def world_to_camera(points_world: npt.NDArray[Any], matrix: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Blender's world → camera frame, by the same matrix. Shape: (..., 3), (4, 4) → (..., 3) metres."""
    _check(points_world, matrix)
    return np.asarray((points_world - matrix[:3, 3]) @ matrix[:3, :3])


def _check(points: npt.NDArray[Any], matrix: npt.NDArray[Any]) -> None:
    if points.shape[-1:] != (3,) or matrix.shape != (4, 4):
        raise ValueError(f"points, matrix: found {points.shape}, {matrix.shape}, want (..., 3), (4, 4)")
