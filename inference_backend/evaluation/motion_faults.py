"""The known ways in which monocular reconstruction fails, found without ground truth.

Limbs of the left and the right exchanged, a body that suddenly faces the other way, knees and elbows bent backwards,
jumps in depth, feet that swim, bones that breathe. Numpy only; joints are metres in the camera frame.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..sightings import mean_fps
from ..skeletons import BONES, JOINTS, LANDMARKS, POINTS

Float = npt.NDArray[np.floating[Any]]

SURE: Final = 0.9
"""Visibility from which a detected landmark is compared with."""

FLIP_DEGREES: Final = 90.0
"""Turn of hips or shoulders from one frame to the next that is no turn."""

BENT_BACK_DEGREES: Final = 20.0
"""Bend of a knee or an elbow beyond straight that no joint allows."""

DEPTH_SPEED: Final = 10.0
"""Metres a second towards or away from the camera that no joint reaches."""

STILL_SPEED: Final = 0.05
"""A foot whose heel and toe tip move by less in the picture stands: body heights a second. Noise alone makes 0.02."""

_SEEN: Final = 0.5
"""Visibility from which heels and toe tips are looked at: feet rarely reach `SURE`."""

_LIMBS: Final = (("knee", "ankle"), ("elbow", "wrist"), ("hip", "shoulder"))
_HINGES: Final = {"left_knee": (0, 1), "right_knee": (0, 1), "left_elbow": (1, -1), "right_elbow": (1, 1)}
"""The axis of SMPL's rest frame that a joint bends about, and the sign of the bend that it allows."""


def bone_spread(joints: Float) -> float:
    """Largest minus smallest length, % of the mean, of the worst bone. Shape: (F, 24, 3)."""
    parent, child = np.array(BONES).T
    lengths = np.linalg.norm(joints[:, child] - joints[:, parent], axis=-1)
    return float(100 * (np.ptp(lengths, axis=0) / lengths.mean(0)).max())


def swapped(joints: Float) -> npt.NDArray[np.bool_]:
    """Frames whose limbs lie where the other side's were, at least 0.3 m away. Shape: (F, 24, 3) → (F,)."""
    relative = joints - joints[:, :1]
    out = np.zeros(len(joints), bool)
    for limb in _LIMBS:
        left, right = (relative[:, [JOINTS.index(f"{side}_{part}") for part in limb]] for side in ("left", "right"))
        kept = _apart(left[1:], left[:-1]) + _apart(right[1:], right[:-1])
        exchanged = _apart(left[1:], right[:-1]) + _apart(right[1:], left[:-1])
        out[1:] |= (exchanged < 0.5 * kept) & (kept > 0.3)
    return out


def crossed(placed: Float, detected: Float, tall: Float) -> npt.NDArray[np.bool_]:
    """Frames with a limb that meets the other side's detections, by at least 10% of the height.

    Shape: placed (F, 33, 2) px, detected (F, 33, 3) px and visibility, tall (F,) px → (F,).
    """
    out = np.zeros(len(placed), bool)
    for limb in _LIMBS:
        left, right = ([LANDMARKS.index(f"{side}_{part}") for part in limb] for side in ("left", "right"))
        seen = (detected[:, [*left, *right], 2] > SURE).all(1)
        target = detected[..., :2]
        kept = _apart(placed[:, left], target[:, left]) + _apart(placed[:, right], target[:, right])
        exchanged = _apart(placed[:, left], target[:, right]) + _apart(placed[:, right], target[:, left])
        out |= seen & (exchanged < 0.5 * kept) & (kept > 0.1 * tall)
    return out


def flipped(joints: Float) -> npt.NDArray[np.bool_]:
    """Frames in which hips or shoulders have turned by more than `FLIP_DEGREES` at once. Shape: (F, 24, 3) → (F,)."""
    out = np.zeros(len(joints), bool)
    for part in ("hip", "shoulder"):
        across = joints[:, JOINTS.index(f"left_{part}")] - joints[:, JOINTS.index(f"right_{part}")]
        across = across / np.linalg.norm(across, axis=-1, keepdims=True)
        out[1:] |= (across[1:] * across[:-1]).sum(-1) < np.cos(np.radians(FLIP_DEGREES))
    return out


def bent_back(rotations: Float) -> npt.NDArray[np.bool_]:
    """Frames with a knee or an elbow bent the wrong way. Shape: (F, 24, 4) local quaternions w, x, y, z → (F,)."""
    out = np.zeros(len(rotations), bool)
    for name, (axis, sign) in _HINGES.items():
        quaternion = rotations[:, JOINTS.index(name)]
        # The turn about the hinge's axis alone (swing-twist decomposition).
        angle = 2 * np.degrees(np.arctan2(quaternion[:, 1 + axis], quaternion[:, 0]))
        angle = (angle + 180) % 360 - 180
        out |= sign * angle < -BENT_BACK_DEGREES
    return out


def depth_jumps(joints: Float, seconds: Float) -> npt.NDArray[np.bool_]:
    """Frames in which a joint is faster than `DEPTH_SPEED` along z. Shape: (F, 24, 3), (F,) → (F,)."""
    out = np.zeros(len(joints), bool)
    speed = np.abs(np.diff(joints[..., 2], axis=0)) / np.diff(seconds)[:, None]
    out[1:] = (speed > DEPTH_SPEED).any(1)
    return out


def standing_speeds(points: Float, detected: Float, tall: Float, seconds: Float) -> npt.NDArray[np.float64]:
    """Speeds, m/s, of each foot in the frames in which its detections stand still, over a fifth of a second.

    Shape: points (F, 11, 3) metres, detected (F, 33, 3) px and visibility, tall (F,) px, seconds (F,) → (K,).
    """
    now, before, after = _around(seconds)
    span = seconds[after] - seconds[before]
    stands = standing_feet(detected, tall, seconds)
    out = []
    for foot, side in enumerate(("left", "right")):
        placed = points[:, [POINTS.index(f"{side}_{part}") for part in ("heel", "foot_index")]]
        speed = np.linalg.norm(placed[after] - placed[before], axis=-1).mean(1) / span
        out.append(speed[stands[now, foot]])
    return np.concatenate(out)


def standing_feet(detected: Float, tall: Float, seconds: Float) -> npt.NDArray[np.bool_]:
    """Frames in which each foot, left and right, stands still in the picture.

    Shape: detected (F, 33, 3) px and visibility, tall (F,) px, seconds (F,) → (F, 2).
    """
    now, before, after = _around(seconds)
    out = np.zeros((len(seconds), 2), bool)
    for foot, side in enumerate(("left", "right")):
        shown = detected[:, [LANDMARKS.index(f"{side}_{part}") for part in ("heel", "foot_index")]]
        moved = np.linalg.norm(shown[after, :, :2] - shown[before, :, :2], axis=-1) / tall[now, None]
        seen = (shown[[before, now, after], :, 2] > _SEEN).all((0, 2))
        out[now, foot] = seen & (moved.max(1) / (seconds[after] - seconds[before]) < STILL_SPEED)
    return out


def _around(seconds: Float) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Frames, those a tenth of a second before, and after."""
    reach = max(1, round(0.1 * mean_fps(np.asarray(seconds, np.float64))))
    now = np.arange(reach, len(seconds) - reach)
    return now, now - reach, now + reach


def _apart(a: Float, b: Float) -> npt.NDArray[np.float64]:
    """Mean distance of points. Shape: (F, K, C) twice → (F,)."""
    return np.asarray(np.linalg.norm(a - b, axis=-1).mean(-1), np.float64)
