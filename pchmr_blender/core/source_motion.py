# SPDX-License-Identifier: GPL-3.0-or-later
"""The skeleton's motion, as it goes onto other rigs, and what of its size matters there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...inference_backend.skeletons import JOINTS, PARENTS

Array = NDArray[np.float64]

_BALL_HEIGHT: Final = 0.0125
"""Of the balls of the default body's feet above its soles, in lengths of the leg: 0.011 to 0.014 over its shapes."""


@dataclass(frozen=True, eq=False)
class SourceMotion:
    """F frames of the skeleton, in the world: metres, z up, the floor at z = 0."""

    rest_joints: Array
    """(24, 3) T-pose: z up, facing -y, the body's left at +x."""
    rotations: Array
    """(F, 24, 3, 3) global rotations: rest frame → world."""
    joints: Array
    """(F, 24, 3)"""
    seconds: Array
    """(F,) rising."""

    @property
    def leg(self) -> float:
        """Thigh and shin, the mean of both legs, in metres."""
        bones = [(joint, PARENTS[joint]) for name in ("knee", "ankle") for joint in both(name)]
        ways = [self.rest_joints[joint] - self.rest_joints[parent] for joint, parent in bones]
        return float(np.linalg.norm(ways, axis=-1).sum() / 2)

    @property
    def ball_height(self) -> float:
        """Of the balls of the feet above the floor where the feet stand flat, metres."""
        return _BALL_HEIGHT * self.leg

    @property
    def ankle_height(self) -> float:
        """Of the ankles above the floor where the feet stand flat, metres."""
        drop = self.rest_joints[list(both("ankle")), 2] - self.rest_joints[list(both("foot")), 2]
        return self.ball_height + float(drop.mean())


def both(joint: str) -> tuple[int, int]:
    """Left and right joint of a name."""
    return JOINTS.index(f"left_{joint}"), JOINTS.index(f"right_{joint}")
