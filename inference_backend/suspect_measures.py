"""What the suspect score measures of joints in space: jerk, and lengths of bones."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .skeletons import BONES

Float = NDArray[np.floating[Any]]

CONTEXT: Final = 3
"""Frames before and after a frame that its causes look at."""

_SHORTEST_BONE: Final = 0.01
"""Metres. Changes of a shorter bone are a fraction of this, so that a skeleton with joints on one place has a score."""


def jerk(joints: Float, fps: float) -> NDArray[np.float64]:
    """Length of the third derivative of each joint's place at each frame, per second³.

    Third differences span four frames; a frame's value is the mean over those it is part of, weighted with its part in
    each (1, 3, 3, 1), so that a single wrong frame stands out from its neighbours. 0 where F < 4.
    Shape: (F, 24, 3) → (F, 24).
    """
    frames = len(joints)
    if frames <= CONTEXT:
        return np.zeros(joints.shape[:2])
    difference = np.linalg.norm(np.diff(joints, n=3, axis=0), axis=-1) * fps**3
    total, parts = np.zeros(joints.shape[:2]), np.zeros((frames, 1))
    for offset, part in enumerate((1, 3, 3, 1)):
        total[offset : offset + frames - CONTEXT] += part * difference
        parts[offset : offset + frames - CONTEXT] += part
    return total / parts


def bone_lengths(joints: Float) -> NDArray[np.float64]:
    """Lengths of `skeletons.BONES` in each frame. Shape: (F, 24, 3) → (F, 23)."""
    parent, child = np.array(BONES).T
    lengths: NDArray[np.float64] = np.linalg.norm(joints[:, child].astype(np.float64) - joints[:, parent], axis=-1)
    return lengths


def length_change(joints: Float, lengths: Float) -> NDArray[np.float64]:
    """Change of the bones' lengths, as a fraction of them; a joint has that of its worst bone.

    Shape: (F, 24, 3), (23,) metres → (F, 24).
    """
    change = np.abs(bone_lengths(joints) - lengths) / np.maximum(lengths, _SHORTEST_BONE)
    worst = np.zeros(joints.shape[:2])
    for bone, ends in enumerate(BONES):
        for joint in ends:
            np.maximum(worst[:, joint], change[:, bone], out=worst[:, joint])
    return worst
