"""Bodies whose legs the picture's foot cuts off: the 2D estimator's guess of what lies outside is no evidence.

BlazePose folds the legs of somebody of whom only head and shoulders are seen into the picture, and the body comes out
lying. So what is cut off is taken from the nearest frame that shows it: in the picture before lifting, so that the
networks are not led astray, and in 3D after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from .skeletons import JOINTS, LANDMARKS, POINTS

Float = npt.NDArray[np.float32]
Array = npt.NDArray[np.float64]

SEEN: Final = 0.5
"""Visibility from which a landmark counts as seen."""

ROOM: Final = 0.8
"""Legs do not fit between the hips and the picture's foot where that is less than this, in lengths of the trunk."""

CUT_CONFIDENCE: Final = 0.3
"""Confidence of what is cut off, at most."""

CUT_ERROR: Final = 0.15
"""Expected error of what is cut off, in statures, at least."""

_LEAST_SCALE, _MOST_SCALE = 0.5, 2.0
"""Of the body in two frames of one clip."""
_RAY_ERROR, _HEIGHT_ERROR = 0.02, 0.06
"""Metres by which what is seen is off its ray, and the root off its height."""

_SHOULDERS, _HIPS, _KNEES, _ANKLES, _EARS = (
    [LANDMARKS.index(f"{side}_{part}") for side in ("left", "right")]
    for part in ("shoulder", "hip", "knee", "ankle", "ear")
)
_LEGS: Final = [
    LANDMARKS.index(f"{side}_{part}")
    for part in ("hip", "knee", "ankle", "heel", "foot_index")
    for side in ("left", "right")
]
_LEG_JOINTS: Final = [
    JOINTS.index(f"{side}_{part}") for part in ("hip", "knee", "ankle", "foot") for side in ("left", "right")
]
_FOOT_POINTS: Final = [POINTS.index(f"{side}_{part}") for part in ("heel", "foot_index") for side in ("left", "right")]

_UPRIGHT: Final = {
    "nose": (0.0, 0.1), "ear": (0.046, 0.107), "shoulder": (0.088, 0.0), "hip": (0.052, -0.283),
    "knee": (0.058, -0.507), "ankle": (0.06, -0.74), "heel": (0.06, -0.77), "foot_index": (0.075, -0.79),
}  # fmt: skip
"""Where landmarks are on somebody who stands and faces the camera: aside and above the shoulders, in statures."""


@dataclass(frozen=True, eq=False)
class Completed:
    """Detections of F frames, with what is cut off put where it likely is."""

    keypoints: Float
    """(F, 33, 3) px of the upright image, confidence."""
    world: Float
    """(F, 33, 3) the estimator's own 3D guess."""
    cut: npt.NDArray[np.bool_]
    """(F, 33) what is cut off."""
    like: npt.NDArray[np.int64]
    """(F,) the frame that shows what is cut off; -1 where nothing is, or no frame does."""


def complete(keypoints: Float, world: Float, height: int) -> Completed:
    """Put what is cut off where it is beside the seen landmarks in the nearest frame that shows it.

    Where no frame does, where it is on somebody who stands.

    Args:
        keypoints: (F, 33, 3) px of the upright image, confidence. world: (F, 33, 3).
        height: of the image, pixels.
    """
    count = len(LANDMARKS)
    if keypoints.ndim != 3 or keypoints.shape[1:] != (count, 3) or world.shape != keypoints.shape:
        raise ValueError(f"keypoints, world: found {keypoints.shape}, {world.shape}, want (F, {count}, 3) twice")
    cut = cut_off(keypoints, height)
    like = np.full(len(keypoints), -1, np.int64)
    points, world = keypoints.copy(), world.copy()
    points[..., 2] = np.where(cut, np.minimum(points[..., 2], CUT_CONFIDENCE), points[..., 2])
    shows = (keypoints[:, [*_SHOULDERS, *_HIPS, *_KNEES, *_ANKLES], 2] >= SEEN).all(1)
    whole = np.flatnonzero(shows & (_room(keypoints, height) >= ROOM))
    for row in np.flatnonzero(cut.any(1)):
        trust = np.where(cut[row], 0.0, keypoints[row, :, 2]) ** 2
        if len(whole):
            like[row] = whole[np.abs(whole - row).argmin()]
            shape, trust = keypoints[like[row], :, :2].astype(np.float64), trust * keypoints[like[row], :, 2]
            world[row] = world[like[row]]
        else:
            shape = _standing(keypoints[row])
            trust = np.where(np.isfinite(shape).all(1), trust, 0.0)
        placed = _placed(np.nan_to_num(shape), keypoints[row, :, :2], trust)
        points[row, cut[row], :2] = placed[cut[row]]
    return Completed(points, world, cut, like)


def cut_off(keypoints: Float, height: int) -> npt.NDArray[np.bool_]:
    """Unseen landmarks of legs for which there is no room in the picture: the body is upright, and cut at its foot.

    Shape: (F, 33, 3) px of an image of this height, confidence → (F, 33).
    """
    seen, y = keypoints[..., 2] >= SEEN, keypoints[..., 1]
    upright = seen[:, _SHOULDERS].all(1) & (y[:, _EARS].mean(1) < y[:, _SHOULDERS].mean(1))
    legless = ~seen[:, [*_KNEES, *_ANKLES]].any(1) & (_room(keypoints, height) < ROOM)
    cut = np.zeros_like(seen)
    cut[:, _LEGS] = ~seen[:, _LEGS] & (upright & legless)[:, None]
    return np.asarray(cut)


def stand_in(
    joints: Array, points: Array, rotations: Array, whole: Completed, rays: Array, up: Array
) -> tuple[Array, Array, Array]:
    """The pose of a frame whose legs are cut off, from the frame that shows them; still upright, since the camera is.

    Legs alone where the hips are seen, else all of the body but head and arms' place in the picture: it is moved to
    where what is seen lies on its rays, the pelvis kept at its height.

    Args:
        joints: (F, 24, 3), points: (F, 11, 3), rotations: (F, 24, 3, 3) global; camera frame, metres.
        whole: the detections. rays: (F, 33, 2) of them, camera-normalised. up: (3,) in the camera frame.

    Returns:
        The same three.
    """
    joints, points, rotations = joints.copy(), points.copy(), rotations.copy()
    given = joints.copy(), points.copy(), rotations.copy()
    seats = np.array([JOINTS.index("left_shoulder"), JOINTS.index("right_shoulder")])
    for row in np.flatnonzero(whole.like >= 0):
        like = int(whole.like[row])
        legs_only = not whole.cut[row, _HIPS].any()
        root = joints[row, 0].copy()
        if legs_only:
            joints[row, _LEG_JOINTS] = given[0][like, _LEG_JOINTS] - given[0][like, 0] + root
            points[row, _FOOT_POINTS] = given[1][like, _FOOT_POINTS] - given[0][like, 0] + root
            rotations[row, _LEG_JOINTS] = given[2][like, _LEG_JOINTS]
        else:
            for array, source in zip((joints, points, rotations), given, strict=True):
                array[row] = source[like]
        bodies = np.concatenate([joints[row, seats], points[row, [1, 2]]])
        shown = rays[row, [*_SHOULDERS, *_EARS]]
        weight = whole.keypoints[row, [*_SHOULDERS, *_EARS], 2].astype(np.float64)
        level = float(given[0][like, 0] @ up)
        shift = _onto_rays(bodies, shown, weight, up, level - float(joints[row, 0] @ up))
        joints[row] += shift
        points[row] += shift
    return joints, points, rotations


def _onto_rays(places: Array, rays: Array, weights: Array, up: Array, rise: float) -> Array:
    """The shift (3,) that brings places (K, 3) nearest to their rays (K, 2), and rises by so much along `up`."""
    rows, wanted = [up / _HEIGHT_ERROR], [rise / _HEIGHT_ERROR]
    for place, ray, weight in zip(places, rays, weights, strict=True):
        for axis in (0, 1):
            normal = -ray[axis] * np.array([0.0, 0.0, 1.0])
            normal[axis] += 1
            rows.append(weight / _RAY_ERROR * normal)
            wanted.append(-weight / _RAY_ERROR * float(normal @ place))
    return np.asarray(np.linalg.lstsq(np.array(rows), np.array(wanted), rcond=None)[0], np.float64)


def _room(keypoints: Float, height: int) -> Array:
    """From the hips to the picture's foot, in lengths of the trunk; endless for who is upside down. Shape: → (F,)."""
    hips = keypoints[:, _HIPS, 1].mean(1).astype(np.float64)
    trunk = hips - keypoints[:, _SHOULDERS, 1].mean(1)
    return np.where(trunk > 0, (height - hips) / np.maximum(trunk, 1e-6), np.inf)


def _placed(shape: npt.NDArray[Any], target: npt.NDArray[Any], trust: npt.NDArray[Any]) -> Array:
    """`shape` (K, 2) moved and scaled onto `target` (K, 2) by weighted least squares: not turned, since up stays up."""
    weight = trust / max(float(trust.sum()), 1e-9)
    middle, aim = weight @ shape, weight @ target
    offset, wanted = shape - middle, target - aim
    power = float(weight @ (offset**2).sum(1))
    scale = float(weight @ (offset * wanted).sum(1)) / power if power > 1e-6 else 1.0
    return np.asarray(aim + np.clip(scale, _LEAST_SCALE, _MOST_SCALE) * offset, np.float64)


def _standing(keypoints: Float) -> Array:
    """Somebody who stands, of about the size of what is seen and facing as they do.

    Shape: (33, 3) → (33, 2) px about the shoulders; NaN for what `_UPRIGHT` does not have.
    """
    facing = 1.0 if keypoints[_SHOULDERS[0], 0] >= keypoints[_SHOULDERS[1], 0] else -1.0
    out = np.full((len(LANDMARKS), 2), np.nan)
    for name, (aside, above) in _UPRIGHT.items():
        for side, sign in (("left", facing), ("right", -facing)):
            out[LANDMARKS.index(name if name == "nose" else f"{side}_{name}")] = sign * aside, -above
    rows = [*_SHOULDERS, *_EARS]
    size = np.ptp(keypoints[rows, :2].astype(np.float64), axis=0).max() / np.ptp(out[rows], axis=0).max()
    return np.asarray(out * max(float(size), 1e-6), np.float64)
