"""What a layer does to a motion, as numbers that are shown before and after it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..skeletons import BONES
from .feet import Feet
from .motion import Array, SkeletonMotion
from .source import StackSource, sole_points
from .under_feet import heights_under


@dataclass(frozen=True)
class Effects:
    """Faults of a motion that can be seen without knowing the truth."""

    foot_slide: float | None
    """mm/s: mean speed of the heels and toe tips that stand; None where none does."""
    floor_error: float | None
    """mm: mean distance of the heels and toe tips that stand from where what is under them has them; None likewise."""
    jerk: float
    """m/s³: mean of the joints' third derivative in time; 0 for fewer than four frames."""
    bone_length_spread: float
    """mm: longest minus shortest length of the worst bone."""


def effects(motion: SkeletonMotion, source: StackSource, stands: NDArray[np.bool_]) -> Effects:
    """The numbers of a motion of the source's frames. Shape: stands (F, 4), which of `standing.SOLES` stand."""
    joints = motion.joints()
    soles = sole_points(motion, source.sole_offsets)
    slide = slide_speeds(soles, stands, source.seconds)
    heights = soles[..., 2] - Feet.of(motion.rest_joints, source.sole_offsets).sole_heights
    heights = heights - heights_under(motion, source)[:, None]
    return Effects(
        foot_slide=1000 * float(slide.mean()) if slide.size else None,
        floor_error=1000 * float(np.abs(heights[stands]).mean()) if stands.any() else None,
        jerk=float(jerk(joints, source.seconds).mean()) if len(joints) > 3 else 0.0,
        bone_length_spread=1000 * bone_length_spread(joints),
    )


def slide_speeds(soles: Array, stands: NDArray[np.bool_], seconds: Array) -> Array:
    """Speeds of soles from one frame to the next where they stand in both.

    Shape: (F, 4, 3) metres, (F, 4), (F,) → (n,) m/s.
    """
    speed = np.linalg.norm(np.diff(soles, axis=0), axis=-1) / np.diff(seconds)[:, None]
    return np.asarray(speed[stands[1:] & stands[:-1]])


def jerk(joints: Array, seconds: Array) -> Array:
    """Length of the third derivative, by divided differences. Shape: (F, J, 3) metres, (F,) → (F - 3, J) m/s³."""
    derivative = joints
    for order in (1, 2, 3):
        span = (seconds[order:] - seconds[:-order]) / order
        derivative = np.diff(derivative, axis=0) / span[:, None, None]
    return np.asarray(np.linalg.norm(derivative, axis=-1))


def bone_length_spread(joints: Array) -> float:
    """Longest minus shortest length of the worst bone. Shape: (F, 24, 3) → metres; 0 for no frames."""
    if not len(joints):
        return 0.0
    parent, child = np.array(BONES).T
    return float(np.ptp(np.linalg.norm(joints[:, child] - joints[:, parent], axis=-1), axis=0).max())
