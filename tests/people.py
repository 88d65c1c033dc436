"""A person as `core.takes.PersonView` shows one, made up from numpy alone: what bones and keys need, no mesh."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

_MIDDLE = {0: (0.0, -0.01, 0.015), 3: (0, 0.03, 0.10), 6: (0, 0.02, 0.17), 9: (0, 0.02, 0.25), 12: (0, -0.01, 0.57),
           15: (0, -0.04, 0.67)}  # fmt: skip
_LEFT = {1: (0.114, 0.0, 0.0), 4: (0.113, 0, -0.41), 7: (0.113, 0.001, -0.85), 10: (0.116, -0.13, -0.92),
         13: (0.024, -0.025, 0.49), 16: (0.18, -0.02, 0.47), 18: (0.45, -0.02, 0.47), 20: (0.69, -0.021, 0.471),
         22: (0.80, -0.021, 0.47)}  # fmt: skip
REST_JOINTS = np.zeros((24, 3))
"""(24, 3) T-pose of a body of 1.7 m: metres, z up, facing -y, left at +x; the sides mirror each other."""
for _joint, _place in {**_MIDDLE, **_LEFT}.items():
    REST_JOINTS[_joint] = _place
for _joint, (_x, _y, _z) in _LEFT.items():
    REST_JOINTS[_joint + 1] = (-_x, _y, _z)
PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)


@dataclass
class MadeUpPerson:
    """Moves smoothly, turns twice about itself and walks; 0.03 s between frames, so keys fall between scene frames."""

    frame_count: int = 12
    height: float = 1.7
    index: int = 0
    rest_joints: NDArray[np.float64] = field(default_factory=REST_JOINTS.copy)
    seconds: NDArray[np.float64] = field(init=False)
    rotations: NDArray[np.float64] = field(init=False)
    joints: NDArray[np.float64] = field(init=False)
    joints_target: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        time = np.linspace(0, 1, self.frame_count)
        random = np.random.default_rng(7)
        self.seconds = 0.5 + 0.03 * np.arange(self.frame_count)
        local = np.empty((self.frame_count, 24, 3, 3))
        for joint in range(24):
            axis, swing = random.normal(size=3), random.uniform(0.3, 2.5)
            local[:, joint] = turned(axis, swing * np.sin(time * 3 + joint))
        local[:, 0] = turned(np.array([0.1, 0.2, 1.0]), time * 4 * np.pi)
        self.rotations = local.copy()
        for joint, parent in enumerate(PARENTS[1:], 1):
            self.rotations[:, joint] = self.rotations[:, parent] @ local[:, joint]
        self.joints = np.empty((self.frame_count, 24, 3))
        self.joints[:, 0] = np.stack([2 * time, 0.5 * time - 3, 0.9 + 0.1 * np.sin(time * 9)], -1)
        for joint, parent in enumerate(PARENTS[1:], 1):
            bone = self.rest_joints[joint] - self.rest_joints[parent]
            self.joints[:, joint] = self.joints[:, parent] + self.rotations[:, parent] @ bone
        self.joints_target = self.joints + random.normal(scale=0.03, size=self.joints.shape)


def turned(axis: NDArray[np.float64], angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rodrigues: rotations about one axis. Shape: (F, 3, 3)."""
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    sine, cosine = np.sin(angles)[:, None, None], np.cos(angles)[:, None, None]
    return np.eye(3) + sine * cross + (1 - cosine) * (cross @ cross)
