# SPDX-License-Identifier: GPL-3.0-or-later
"""The skeleton's bones: names, rest pose, forward kinematics, and a moving person as what Blender's pose bones hold.

Blender places a pose bone by `parent's pose · parent's rest⁻¹ · own rest · basis`; rotation and location of a pose
bone are its basis, in the axes of its own rest pose. A bone's y axis runs from head to tail. Elbows and knees bend
about x, and the sides mirror each other in x, so that Blender's flipped paste works.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...inference_backend.skeletons import JOINTS, PARENTS
from .axes import continuous, matrices_to_quaternions

POINTS_AT: Final = (3, 4, 5, 6, 7, 8, 9, 10, 11, 12, -1, -1, 15, 16, 17, -1, 18, 19, 20, 21, 22, 23, -1, -1)
"""The joint that each joint's bone points at; -1 at the chains' ends."""

FK_TOLERANCE: Final = 0.0009
"""Metres that a joint may stand off its place by forward kinematics before its bone gets a location. The promise is
1 mm; the rest is left to Blender's float32."""

_HEAD, _FEET, _TOES, _HANDS = JOINTS.index("head"), (7, 8), (10, 11), (22, 23)
_UP, _FRONT = np.array([0.0, 0.0, 1.0]), np.array([0.0, -1.0, 0.0])


def bone_name(joint: str) -> str:
    """Blender's name of a joint of `JOINTS`, the side as a suffix: left_hip → hip.L."""
    side, _, rest = joint.partition("_")
    return f"{rest}.{side[0].upper()}" if side in ("left", "right") else joint


BONE_NAMES: Final = tuple(bone_name(joint) for joint in JOINTS)
"""The skeleton's bones; bone j starts at joint j and its parent is the bone of joint j's parent."""


@dataclass(frozen=True, eq=False)
class RestBones:
    """The 24 bones at rest, in the frame of the rest joints: metres, z up, facing -y."""

    heads: NDArray[np.float64]
    """(24, 3) the rest joints."""
    tails: NDArray[np.float64]
    """(24, 3) where the bones end: at the joint they point at, or a little beyond the chain's end."""
    matrices: NDArray[np.float64]
    """(24, 3, 3) the bones' axes x, y, z as columns."""


@dataclass(frozen=True, eq=False)
class BonePose:
    """What the pose bones hold over F frames, each in the axes of its rest pose."""

    quaternions: NDArray[np.float64]
    """(F, 24, 4) w, x, y, z; signs run on without a jump."""
    locations: NDArray[np.float64]
    """(F, 24, 3) metres."""
    located: tuple[int, ...]
    """The joints whose bones need their location; it is 0 in the others."""


def rest_bones(rest_joints: ArrayLike) -> RestBones:
    """Bones of a person at rest.

    Args:
        rest_joints: (24, 3) T-pose: metres, z up, facing -y, the body's left at +x.

    Raises:
        ValueError: another shape, or two joints of one bone in the same place.
    """
    heads = _shaped(rest_joints, (len(JOINTS), 3))
    tails = heads[[child if child >= 0 else joint for joint, child in enumerate(POINTS_AT)]]
    tails[_HEAD] = heads[_HEAD] + 1.5 * np.linalg.norm(heads[_HEAD] - heads[PARENTS[_HEAD]]) * _UP
    for joint in _HANDS:
        tails[joint] = heads[joint] + 0.8 * (heads[joint] - heads[PARENTS[joint]])
    for joint in _TOES:
        tails[joint] = heads[joint] + 0.5 * (heads[joint] - heads[PARENTS[joint]]) * (1.0, 1.0, 0.0)
    along = tails - heads
    lengths = np.linalg.norm(along, axis=-1, keepdims=True)
    if not (np.isfinite(lengths).all() and (lengths > 1e-4).all()):
        short = [BONE_NAMES[j] for j in np.flatnonzero(~(lengths[:, 0] > 1e-4))]
        raise ValueError(f"bones without a length: {', '.join(short)}")
    y = along / lengths
    towards = np.array([_UP if joint in _FEET + _TOES else _FRONT for joint in range(len(JOINTS))])
    z = towards - np.sum(towards * y, -1, keepdims=True) * y
    z /= np.linalg.norm(z, axis=-1, keepdims=True)
    return RestBones(heads, tails, np.stack([np.cross(y, z), y, z], -1))


def forward_kinematics(rest_joints: ArrayLike, rotations: ArrayLike, root: ArrayLike) -> NDArray[np.float64]:
    """Joints of a posed skeleton in the world, metres. Shape: (F, 24, 3).

    Args:
        rest_joints: (24, 3) as for `rest_bones`.
        rotations: (F, 24, 3, 3) global rotations: rest frame → world.
        root: (F, 3) the pelvis in the world.
    """
    rest = _shaped(rest_joints, (len(JOINTS), 3))
    turns = _shaped(rotations, (-1, len(JOINTS), 3, 3))
    joints = np.empty(turns.shape[:3])
    joints[:, 0] = _shaped(root, (len(turns), 3))
    for joint, parent in enumerate(PARENTS[1:], 1):
        joints[:, joint] = joints[:, parent] + turns[:, parent] @ (rest[joint] - rest[parent])
    return joints


def skeleton_pose(rest: RestBones, rotations: ArrayLike, joints: ArrayLike, located: Iterable[int] = ()) -> BonePose:
    """The pose that turns bones, each under its parent, as `rotations` and puts their heads on `joints`.

    A bone is held by its parent where that meets its joint within `FK_TOLERANCE` in all frames; else it is located.

    Args:
        rest: the skeleton at rest.
        rotations: (F, 24, 3, 3) global rotations: rest frame → world.
        joints: (F, 24, 3) in the world, metres.
        located: bones that have a location in any case, as those that other frames of the clip have located.
    """
    turns = _shaped(rotations, (-1, len(JOINTS), 3, 3))
    wanted = _shaped(joints, turns.shape[:3])
    placed, parent_turns, locations = np.empty_like(wanted), np.empty_like(turns), np.zeros_like(wanted)
    asked, found = set(located), []
    for joint, parent in enumerate(PARENTS):
        if parent < 0:
            parent_turns[:, joint], held = np.eye(3), rest.heads[joint]
        else:
            parent_turns[:, joint] = turns[:, parent]
            held = placed[:, parent] + turns[:, parent] @ (rest.heads[joint] - rest.heads[parent])
        off = wanted[:, joint] - held
        if parent < 0 or joint in asked or np.linalg.norm(off, axis=-1).max(initial=0.0) > FK_TOLERANCE:
            found.append(joint)
            placed[:, joint] = wanted[:, joint]
            locations[:, joint] = _in_axes(parent_turns[:, joint] @ rest.matrices[joint], off)
        else:
            placed[:, joint] = held
    basis = rest.matrices.swapaxes(-1, -2) @ parent_turns.swapaxes(-1, -2) @ turns @ rest.matrices
    return BonePose(continuous(matrices_to_quaternions(basis)), locations, tuple(found))


def free_pose(rest: RestBones, rotations: ArrayLike, joints: ArrayLike) -> BonePose:
    """As `skeleton_pose` for bones without parents: every bone is located.

    Args:
        rest: the bones at rest.
        rotations: (F, 24, 3, 3) global rotations: rest frame → world.
        joints: (F, 24, 3) in the world, metres.
    """
    turns = _shaped(rotations, (-1, len(JOINTS), 3, 3))
    off = _shaped(joints, turns.shape[:3]) - rest.heads
    basis = rest.matrices.swapaxes(-1, -2) @ turns @ rest.matrices
    quaternions = continuous(matrices_to_quaternions(basis))
    return BonePose(quaternions, _in_axes(rest.matrices, off), tuple(range(len(JOINTS))))


def _in_axes(matrices: NDArray[np.float64], vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Vectors in the axes that are the matrices' columns. Shapes: (..., 3, 3), (..., 3) → (..., 3)."""
    return np.asarray((vectors[..., None, :] @ matrices)[..., 0, :])


def _shaped(value: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """As float64. ValueError where another shape is found; -1 stands for any size."""
    array = np.array(value, np.float64)
    if array.ndim != len(shape) or any(want not in (-1, have) for want, have in zip(shape, array.shape, strict=True)):
        raise ValueError(f"wanted shape {shape}, found {array.shape}")
    return array
