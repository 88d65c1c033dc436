"""The Blender world a clip's camera frame is placed in: which way is up, where the floor is, where the camera looks.

World frame: Blender's (z up, floor at z = 0), metres, the camera looking along +y, the subject starting above the
origin. Camera frame: OpenCV's (x right, y down, z forward). This is the only module that knows both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from .upright import CAMERA_UP, LEAST_CONTACTS, LEVEL_ERROR, body_up, foot_contacts, level_up, unit

Array = npt.NDArray[np.float64]

FLOOR_PERCENTILE: Final = 10.0
"""Of the heights of contacts: above the noise, below the raised heels."""


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


def estimate_world(
    joints_cam: npt.NDArray[Any], points_cam: npt.NDArray[Any], weights: npt.NDArray[Any], fps: float
) -> World:
    """The world of a still camera, from one person's path through the clip.

    Args:
        joints_cam: (F, 24, 3) metres, SMPL's joints, the path smoothed. points_cam: (F, 11, 3) `skeletons.POINTS`.
        weights: (F,) confidence in each frame, 0 to 1; frames of weight 0 are not looked at.
        fps: frames a second.

    Raises:
        ValueError: other shapes, fps not above 0, or no frame with a weight and finite joints.
    """
    joints, points = np.asarray(joints_cam, np.float64), np.asarray(points_cam, np.float64)
    weight = np.asarray(weights, np.float64)
    count = len(joints)
    if joints.shape != (count, 24, 3) or points.shape != (count, 11, 3) or weight.shape != (count,):
        raise ValueError(
            f"joints_cam, points_cam, weights: found {joints.shape}, {points.shape}, {weight.shape}, "
            "want (F, 24, 3), (F, 11, 3), (F,)"
        )
    seen = (weight > 0) & np.isfinite(joints).all((1, 2)) & np.isfinite(points).all((1, 2))
    if not (fps > 0 and seen.any()):
        raise ValueError(f"fps {fps}, {int(seen.sum())} frames with a weight and finite joints: want some of both")
    weight = np.where(seen, weight, 0.0)
    joints, points = (np.where(seen[:, None, None], array, 0.0) for array in (joints, points))
    notes = []

    up, error = body_up(joints, weight, fps)
    if error >= LEVEL_ERROR:
        notes.append("The person is not seen standing upright: the camera is taken as level.")
    contacts = foot_contacts(joints, points, seen, up, fps)
    if len(contacts) >= LEAST_CONTACTS:
        levelled = level_up(contacts, up, error)
        again = contacts[:0] if levelled is None else foot_contacts(joints, points, seen, levelled[0], fps)
        if levelled is None or len(again) < LEAST_CONTACTS:
            notes.append("The feet do not rest on one level floor: up is taken from the body alone.")
        else:
            (up, error), contacts = levelled, again
    if len(contacts):
        floor = float(np.percentile(contacts @ up, FLOOR_PERCENTILE))
    else:
        lowest = (np.concatenate([joints, points], 1)[seen] @ up).min(1)
        floor = float(np.percentile(lowest, FLOOR_PERCENTILE))
        notes.append("The feet rest nowhere in this clip: the floor is put under the lowest part of the body.")
    return World(
        matrix=world_matrix(up, floor, joints[int(np.argmax(seen)), 0]),
        up_cam=up,
        floor_offset=-floor,
        tilt_degrees=float(np.degrees(np.arcsin(np.clip(-up[2], -1, 1)))),
        error_degrees=error,
        notes=tuple(notes),
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
