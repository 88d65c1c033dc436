"""Joint orders, parents and landmark names: the one place where an index gets its meaning.

The target skeleton is SMPL's (Loper et al. 2015): 24 joints, left before right, the parent always before
its child. BlazePose's 33 landmarks follow Bazarevsky et al. 2020. Human3.6M-17 is VideoPose3D's order.
"""

from __future__ import annotations

from typing import Final

JOINTS: Final = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle",
    "right_ankle", "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    "left_hand", "right_hand",
)  # fmt: skip
"""SMPL's 24 joints."""

PARENTS: Final = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)
"""Parent of each joint of `JOINTS`; -1 at the root."""

BONES: Final = tuple((parent, child) for child, parent in enumerate(PARENTS) if parent >= 0)
"""The 23 bones as (parent, child), in the order of their child joint. Bone i ends in joint i + 1."""

LANDMARKS: Final = (
    "nose", "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye",
    "right_eye_outer", "left_ear", "right_ear", "mouth_left", "mouth_right", "left_shoulder",
    "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_pinky",
    "right_pinky", "left_index", "right_index", "left_thumb", "right_thumb", "left_hip", "right_hip",
    "left_knee", "right_knee", "left_ankle", "right_ankle", "left_heel", "right_heel",
    "left_foot_index", "right_foot_index",
)  # fmt: skip
"""BlazePose's 33 landmarks."""

POINTS: Final = (
    "nose", "left_ear", "right_ear", "left_index", "right_index", "left_pinky", "right_pinky",
    "left_heel", "right_heel", "left_foot_index", "right_foot_index",
)  # fmt: skip
"""The extra target points, which give head, hands and feet their rotation: a subset of `LANDMARKS`."""

POINT_LANDMARKS: Final = tuple(LANDMARKS.index(name) for name in POINTS)
"""Index in `LANDMARKS` of each of `POINTS`."""

POINT_JOINTS: Final = (15, 15, 15, 20, 21, 20, 21, 7, 8, 10, 11)
"""The joint that carries each of `POINTS`."""

H36M17: Final = (
    "hip", "right_hip", "right_knee", "right_foot", "left_hip", "left_knee", "left_foot", "spine",
    "thorax", "neck", "head", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder",
    "right_elbow", "right_wrist",
)  # fmt: skip
"""Human3.6M's 17 joints in VideoPose3D's order ("neck" is Neck/Nose)."""


def _mirrored(names: tuple[str, ...]) -> tuple[int, ...]:
    """Index of each name's left-right counterpart."""
    swap = {"left": "right", "right": "left"}
    return tuple(names.index("_".join(swap.get(word, word) for word in name.split("_"))) for name in names)


JOINTS_MIRROR: Final = _mirrored(JOINTS)
LANDMARKS_MIRROR: Final = _mirrored(LANDMARKS)
POINTS_MIRROR: Final = _mirrored(POINTS)
