"""Smoothing: jitter out, without lag, and without rounding off what is fast.

Each frame's rotations are taken from parabolas through their neighbours in time (`local_fit.py`), the wider the calmer
the motion is. Wider windows take out more jitter, and at a clap they also bend the motion: a window is too wide where
its answer leaves those of the narrower ones by more than the jitter, measured around the frame, would explain (Lepski's
rule; Goldenshluger and Nemirovski 1997). Where motion has no jitter next to nothing changes.

Bones are smoothed as they stand in the world, not relative to their parents: what one joint turns too far and its child
turns back again is no jitter, and smoothed joint by joint it would become some (jerk of the pipeline's poses: 355 m/s³,
about 430 smoothed relative to the parents, 250 in the world).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from scipy import ndimage

from ..skeletons import JOINTS
from . import quaternions
from .filling import moved
from .local_fit import LocalFit, fitted_changes
from .motion import Array, SkeletonMotion, local_quaternions
from .parameters import Smoothing
from .source import StackSource

NARROWEST: Final = 0.1
"""Seconds that the narrowest window reaches to either side; at low frame rates `NARROWEST_FRAMES`."""
NARROWEST_FRAMES: Final = 2.6
RATIO: Final = 1.4
"""Of the widths of neighbouring windows."""

LIMIT: Final = 2.5
"""Standard deviations between the answers of two windows from which the wider one is too wide."""
SOFTNESS: Final = 0.3
"""Share of the limit on either side of it over which a window is faded out: a hard choice would itself jitter."""
EVEN_SECONDS: Final = 0.06
"""Around a frame that wants a narrow window others get one no wider than fades in over about this time."""

JITTER_SECONDS: Final = 1.0
"""Width of the window over which the jitter is measured, by the median."""
_MEDIAN_LENGTH: Final = 1.538
"""Median length of a vector of three independent normal numbers of deviation 1."""

BONE: Final = 0.25
"""Metres: the length by which millimetres of tolerance become degrees."""

GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "torso": ("pelvis", "spine1", "spine2", "spine3", "collar"),
    "head": ("neck", "head"),
    "arms": ("shoulder", "elbow"),
    "hands": ("wrist", "hand"),
    "legs": ("hip", "knee"),
    "feet": ("ankle", "foot"),
}
"""The factors of `Smoothing` and the joints that they are for."""


def layer(motion: SkeletonMotion, source: StackSource, settings: Smoothing) -> SkeletonMotion:
    """The motion without its jitter."""
    if len(motion) < 2 or not settings.strength:
        return motion
    tolerance, seconds = settings.tolerance / 1000, source.seconds
    turned = quaternions.from_matrix(motion.globals())
    for factor, joints in _joints_by_factor(settings).items():
        turned[:, joints] = smooth(turned[:, joints], seconds, settings, factor, tolerance / BONE)
    root = smooth(motion.root[:, None], seconds, settings, settings.root, tolerance)[:, 0]
    smoothed = motion.changed(root=root, rotations=local_quaternions(quaternions.to_matrix(turned)))
    return motion.blended(smoothed, settings.strength)


def _joints_by_factor(settings: Smoothing) -> dict[float, list[int]]:
    """The joints that have the same factor: what is alike is smoothed at once."""
    out: dict[float, list[int]] = {}
    for group, names in GROUPS.items():
        joints = [joint for joint, name in enumerate(JOINTS) if name.rpartition("_")[2] in names]
        out.setdefault(float(getattr(settings, group)), []).extend(joints)
    return out


def smooth(values: Array, seconds: Array, settings: Smoothing, factor: float, tolerance: float) -> Array:
    """Rotations (F, K, 4) or places (F, K, 3), each series by itself.

    Args:
        seconds: (F,) of two frames or more.
        factor: of the widest window and of what is taken as jitter.
        tolerance: radians or metres that are jitter in any case.
    """
    width = settings.seconds * factor
    narrowest = max(NARROWEST, NARROWEST_FRAMES * float(np.median(np.diff(seconds))))
    if width < narrowest:
        return values
    if not settings.edge_preserving:
        return moved(values, fitted_changes(values, [LocalFit.of(seconds, width)])[0])
    steps = int(np.log(width / narrowest) / np.log(RATIO))
    fits = [LocalFit.of(seconds, narrowest * RATIO**step) for step in range(steps + 1)]
    changes = fitted_changes(values, fits)
    rate = (len(seconds) - 1) / (seconds[-1] - seconds[0])
    limit = LIMIT * factor * np.hypot(_jitter(changes[0], fits[0], rate), tolerance)
    return moved(values, _widest_that_agree(changes, fits, limit, rate))


def _jitter(change: Array, fit: LocalFit, rate: float) -> Array:
    """Standard deviation of the frames' own errors, per axis, around each frame. Shape: (F, K, 3) → (F, K)."""
    residual = np.linalg.norm(change, axis=-1) / np.maximum(fit.residual_spread, 1e-6)[:, None]
    size = 2 * round(0.5 * JITTER_SECONDS * rate) + 1
    return np.asarray(ndimage.median_filter(residual, size=(size, 1), mode="nearest") / _MEDIAN_LENGTH)


def _widest_that_agree(changes: list[Array], fits: list[LocalFit], limit: Array, rate: float) -> Array:
    """The changes by the widest windows that agree with all narrower ones, faded. Shape: (F, K, 3) each → (F, K, 3)."""
    answers = [np.zeros_like(changes[0]), *changes]
    spreads = [np.ones(len(changes[0])), *(fit.spread for fit in fits)]
    out, share = answers[0], np.ones(limit.shape)
    for wide in range(1, len(answers)):
        for narrow in range(wide):
            apart = np.linalg.norm(answers[wide] - answers[narrow], axis=-1)
            excess = apart / np.maximum(limit * spreads[narrow][:, None], 1e-12)
            share = np.minimum(share, np.clip((1 + SOFTNESS - excess) / (2 * SOFTNESS), 0, 1))
        lowest = ndimage.minimum_filter1d(share, 3, axis=0, mode="nearest")
        even = ndimage.gaussian_filter1d(lowest, EVEN_SECONDS * rate, axis=0, mode="nearest")
        out = out + np.minimum(share, even)[..., None] * (answers[wide] - answers[wide - 1])
    return out
