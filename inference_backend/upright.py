"""Up in the camera frame, from the person in it: where the body's axis points, and the floor its feet rest on.

Up is where people stand up to: the axis from ankles to neck, averaged over the upright frames, with its usual forward
lean taken out. The places where the feet rest then tilt it, as far as they lie apart enough to know better.
Camera frame: OpenCV's, metres.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from .skeletons import JOINTS, POINTS

Array = npt.NDArray[np.float64]

CAMERA_UP: Final = np.array([0.0, -1.0, 0.0])
"""Up of a level camera."""

FORWARD_LEAN: Final = 4.0
"""Degrees that the axis from ankles to neck leans forward in an upright person: the weight rests on the middle of the
foot, ahead of the ankle. Over 98 clips of motion capture 5.0 in the median, 4.4 in walks; without it the median error
of up is 4.6°, with it 1.7°."""

AXIS_ERROR: Final = 4.0
"""Degrees: expected error of up from the body's axis of many seconds, the lifter's included."""
POSE_ERROR: Final = 8.0
"""Degrees: what a single pose adds to it; it falls with the length of the clip."""
LEVEL_ERROR: Final = 15.0
"""Degrees: expected error of up where the camera is taken as level."""

CONTACT_SPEED: Final = 0.5
"""m/s below which a foot rests, measured over 0.2 s: noise alone makes 0.3, a swinging foot goes at 2 to 4."""
CONTACT_BAND: Final = 0.12
"""Metres above the lower foot up to which a foot may rest: up to 10° wrong, feet 0.7 m apart differ by that."""
BORNE_HEIGHT: Final = 0.2
"""Metres that the pelvis is above a foot that carries the body: a deep crouch has 0.25, who lies about 0."""
BOUT_SECONDS: Final = 0.5
"""Errors within this time are alike: it makes one observation of where a foot rests."""
_HEIGHT_ERROR, _DEPTH_ERROR = 0.06, 0.05
"""Metres across, and share of the distance along the ray, by which a contact is off."""
_LEVEL_SHARE: Final = 0.7
"""Share of contacts that must lie on one plane."""
MOST_CONTACTS: Final = 24
"""What any number of places says at most: the lifter errs alike on all that one person does in one clip."""
LEAST_CONTACTS: Final = 4
"""Places from which on a plane is fitted."""
LEG: Final = 0.849
"""Metres from hip to ankle of the body that the following heights belong to."""
SOLE_HEIGHTS: Final = np.array([0.037, 0.019, 0.009])
"""Metres of heel, toe tip and toe joint above the sole."""

_NECK, _HIPS, _KNEES, _ANKLES, _SHOULDERS, _TOES = (
    [JOINTS.index(name) for name in names]
    for names in (
        ("neck",), ("left_hip", "right_hip"), ("left_knee", "right_knee"), ("left_ankle", "right_ankle"),
        ("left_shoulder", "right_shoulder"), ("left_foot", "right_foot"),
    )
)  # fmt: skip
_HEELS = [POINTS.index(f"{side}_heel") for side in ("left", "right")]
_TIPS = [POINTS.index(f"{side}_foot_index") for side in ("left", "right")]


def body_up(joints: Array, weights: Array, fps: float) -> tuple[Array, float]:
    """Up from the body's axis, and its expected error in degrees; a level camera's where nobody stands.

    A frame counts by how straight its legs are and how well they agree with the torso, if its axis is where a standing
    body's can be: not across the picture, as a lying one's, nor further from the picture's up than steep cameras take
    it.

    Shape: (F, 24, 3), (F,) → (3,), degrees.
    """
    neck, pelvis, ankles = joints[:, _NECK[0]], joints[:, 0], joints[:, _ANKLES].mean(1)
    axis, torso, legs = (unit(v) for v in (neck - ankles, neck - pelvis, pelvis - ankles))
    straight = np.linalg.norm(pelvis - ankles, axis=1) / np.maximum(_leg(joints), 1e-6)
    agree = (torso * legs).sum(1)
    least = np.cos(np.radians(50))
    upright = np.clip((straight - 0.6) / 0.3, 0, 1) ** 2 * np.clip((agree - least) / (1 - least), 0, 1) ** 2
    possible = (axis @ CAMERA_UP > np.cos(np.radians(75))) & (np.abs(axis[:, 0]) < np.sin(np.radians(35)))
    trust = weights * upright * (possible & (axis[:, 2] < np.sin(np.radians(45))))
    if trust.sum() < 0.05 * weights.sum():
        return CAMERA_UP.copy(), LEVEL_ERROR
    left = joints[:, _HIPS[0]] - joints[:, _HIPS[1]] + (joints[:, _SHOULDERS[0]] - joints[:, _SHOULDERS[1]]) / 2
    forward = unit(np.cross(left, axis))
    standing = unit(axis - np.tan(np.radians(FORWARD_LEAN)) * forward)
    up = unit(trust @ standing)
    for _ in range(10):  # Cauchy's weights: bows and turns that lasted do not pull
        angle = np.degrees(np.arccos(np.clip(standing @ up, -1, 1)))
        up = unit((trust / (1 + (angle / 12) ** 2)) @ standing)
    seconds = float(trust.sum()) / fps
    return up, float(np.hypot(AXIS_ERROR, POSE_ERROR / np.sqrt(1 + 2 * seconds)))


def foot_contacts(joints: Array, points: Array, seen: npt.NDArray[np.bool_], up: Array, fps: float) -> Array:
    """Where soles rest: heels, toe joints and toe tips that are slow, low beside the lower foot, and under the body.

    Shape: (F, 24, 3), (F, 11, 3), (F,), (3,) → (K, 3) metres, camera frame: one place per foot and half second.
    """
    size = float(np.median(_leg(joints)[seen])) / LEG
    feet = np.stack([points[:, _HEELS], points[:, _TIPS], joints[:, _TOES]], 2)  # (F, 2 feet, 3 points, 3)
    soles = feet - (SOLE_HEIGHTS * size)[:, None] * up
    reach, last = max(1, round(0.1 * fps)), len(joints) - 1
    before, after = (np.clip(np.arange(last + 1) + step, 0, last) for step in (-reach, reach))
    span = np.maximum(after - before, 1) / fps
    speed = np.linalg.norm(soles[after] - soles[before], axis=-1) / span[:, None, None]
    height = soles @ up
    low = height - height.min((1, 2), keepdims=True) < CONTACT_BAND * size
    borne = (joints[:, 0] @ up)[:, None, None] - height > BORNE_HEIGHT * size
    rests = low & borne & (speed < CONTACT_SPEED) & (seen & seen[before] & seen[after])[:, None, None]
    bout = max(1, round(BOUT_SECONDS * fps))
    needed = min(reach, last + 1)
    places = []
    for start in range(0, last + 1, bout):
        for foot in (0, 1):
            part = rests[start : start + bout, foot]
            if part.any(1).sum() >= needed:
                places.append(np.median(soles[start : start + bout, foot][part], axis=0))
    return np.array(places).reshape(-1, 3)


def level_up(contacts: Array, up: Array, error_degrees: float) -> tuple[Array, float] | None:
    """Up as the normal of the contacts' plane, with the up so far as its prior; None where they lie on no such plane.

    n = up + a e₁ + b e₂ minimises Σ ρ((n·(P - m) - c) / σ)² + (a² + b²) / error², ρ Tukey's, σ larger for places whose
    ray falls steeply, since depth is known worst. Contacts near each other leave up as it was.

    Shape: (K, 3), (3,), degrees → (3,), degrees.
    """
    side = unit(np.cross(up, np.eye(3)[np.abs(up).argmin()]))
    plane = np.stack([side, np.cross(up, side)])
    offset = contacts - np.median(contacts, axis=0)
    A = np.column_stack([offset @ plane.T, -np.ones(len(offset))])
    y = offset @ up
    prior = np.diag([1 / np.radians(error_degrees) ** 2] * 2 + [1e-6])
    slope, share = np.zeros(3), min(1.0, MOST_CONTACTS / len(contacts))
    for iteration in range(30):
        normal = unit(up + slope[:2] @ plane)
        sigma = np.hypot(_HEIGHT_ERROR, _DEPTH_ERROR * (contacts @ normal))
        residual = (A @ slope + y) / sigma
        # Wide at first, so that it does not start among outliers.
        width = 3 * max(1.0, 6 - iteration / 2)
        trust = np.clip(1 - (residual / width) ** 2, 0, None) ** 2 / sigma**2 * share
        information = A.T @ (A * trust[:, None]) + prior
        slope = np.linalg.solve(information, -A.T @ (trust * y))
    tilt = np.degrees(np.arctan(np.linalg.norm(slope[:2])))
    if (np.abs(A @ slope + y) < 2 * sigma).mean() < _LEVEL_SHARE or tilt > 2.5 * error_degrees:
        return None
    spread = np.linalg.inv(information)[:2, :2]
    return unit(up + slope[:2] @ plane), float(np.degrees(np.sqrt(np.trace(spread) / 2)))


def _leg(joints: Array) -> Array:
    """Mean length of the legs, hip to knee to ankle. Shape: (F, 24, 3) → (F,)."""
    upper = np.linalg.norm(joints[:, _HIPS] - joints[:, _KNEES], axis=-1)
    lower = np.linalg.norm(joints[:, _KNEES] - joints[:, _ANKLES], axis=-1)
    return np.asarray((upper + lower).mean(1), np.float64)


def unit(vectors: Array) -> Array:
    """Shape: (..., 3) → (..., 3); no length stays none."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12), np.float64)
