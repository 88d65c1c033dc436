# SPDX-License-Identifier: GPL-3.0-or-later
"""BVH files: the skeleton's hierarchy, where its root goes, and how its joints turn.

What the numbers mean, since the format does not say:

- y is up, the body faces +z in the T-pose and its left is at +x; right-handed. The T-pose is where all angles are 0.
- Angles are degrees, in the axes of the T-pose, in the order of the channels: a joint's matrix is Rz · Rx · Ry, and it
  stands right of its parent's.
- The root's position is where the pelvis is; its offset is 0, because some programs add it to the position.
- A bone that does not keep its length has position channels, too. They stand in place of its offset, as in Blender
  and MotionBuilder.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...inference_backend import disk
from ...inference_backend.skeletons import PARENTS
from .axes import blender_to_y_up, quaternions_to_matrices
from .skeleton import BONE_NAMES, RestBones, rest_bones, skeleton_pose

SUFFIX: Final = ".bvh"

_POSITION: Final = "Xposition Yposition Zposition"
_ROTATION: Final = "Zrotation Xrotation Yrotation"
_CHILDREN: Final = tuple(tuple(j for j, parent in enumerate(PARENTS) if parent == i) for i in range(len(PARENTS)))


class BvhUnit(Enum):
    """What a length of 1 in the file is."""

    METRES = 1.0
    CENTIMETRES = 100.0
    """What most programs take a BVH to be in."""


def write_bvh(
    path: Path,
    rest_joints: ArrayLike,
    rotations: ArrayLike,
    joints: ArrayLike,
    rate: float,
    unit: BvhUnit = BvhUnit.CENTIMETRES,
) -> None:
    """Write a file; its name holds the old one until the new one is complete. Joints are named as the bones.

    Args:
        path: the file.
        rest_joints: (24, 3) T-pose: metres, z up, facing -y, the body's left at +x.
        rotations: (F, 24, 3, 3) global rotations: rest frame → world. F ≥ 1.
        joints: (F, 24, 3) in the world, metres, z up.
        rate: frames per second.
        unit: of the file's lengths.

    Raises:
        ValueError: other shapes, no frame, or a rate that is not above 0.
        DiskFull, OutputNotWritable
    """
    if not (np.isfinite(rate) and rate > 0) or not len(np.asarray(joints)):
        raise ValueError(f"{len(np.asarray(joints))} frames at {rate} a second")
    bones = rest_bones(rest_joints)
    # With the world's axes as the bones' own, a bone's basis is the joint's turn as BVH means it.
    pose = skeleton_pose(RestBones(bones.heads, bones.tails, np.broadcast_to(np.eye(3), (24, 3, 3))), rotations, joints)
    offsets = bones.heads - bones.heads[np.maximum(PARENTS, 0)]
    offsets[0] = bones.heads[0]
    positions = blender_to_y_up(offsets + pose.locations) * unit.value
    angles = np.degrees(_zxy_angles(_y_up_turns(quaternions_to_matrices(pose.quaternions))))

    order = tuple(_depth_first(0))
    columns = [
        part
        for joint in order
        for part in ([positions[:, joint]] if joint in pose.located else []) + [angles[:, joint]]
    ]
    values = np.concatenate(columns, -1) + 0.0  # no "-0"
    lines = [*_hierarchy(bones, offsets, pose.located, unit.value), "MOTION"]
    lines += [f"Frames: {len(values)}", f"Frame Time: {1 / rate:.9f}"]
    row = " ".join(["%.6f"] * values.shape[1])
    lines += [row % tuple(frame) for frame in values.tolist()]
    disk.replace_file(path, ("\n".join(lines) + "\n").encode("utf-8"))


def _depth_first(joint: int) -> Iterator[int]:
    """The joints in the order in which the file names them."""
    yield joint
    for child in _CHILDREN[joint]:
        yield from _depth_first(child)


def _hierarchy(bones: RestBones, offsets: NDArray[np.float64], located: tuple[int, ...], scale: float) -> Iterator[str]:
    """The file's first part."""
    yield "HIERARCHY"

    def lines(joint: int, depth: int) -> Iterator[str]:
        tab, offset = "\t" * depth, np.zeros(3) if PARENTS[joint] < 0 else offsets[joint]
        yield f"{tab}{'ROOT' if PARENTS[joint] < 0 else 'JOINT'} {BONE_NAMES[joint]}"
        yield f"{tab}{{"
        yield f"{tab}\tOFFSET {_vector(offset, scale)}"
        yield f"{tab}\tCHANNELS {f'6 {_POSITION}' if joint in located else '3'} {_ROTATION}"
        for child in _CHILDREN[joint]:
            yield from lines(child, depth + 1)
        if not _CHILDREN[joint]:
            tip = _vector(bones.tails[joint] - bones.heads[joint], scale)
            yield from (f"{tab}\tEnd Site", f"{tab}\t{{", f"{tab}\t\tOFFSET {tip}", f"{tab}\t}}")
        yield f"{tab}}}"

    yield from lines(0, 0)


def _vector(vector: NDArray[np.float64], scale: float) -> str:
    return " ".join(f"{value:.6f}" for value in blender_to_y_up(vector) * scale + 0.0)


def _y_up_turns(turns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotations of Blender's axes as rotations of y-up axes. Shape: (..., 3, 3)."""
    axes = blender_to_y_up(np.eye(3)).T  # its columns are the images of Blender's axes
    return np.asarray(axes @ turns @ axes.T)


def _zxy_angles(turns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angles about z, x, y with turn = Rz · Rx · Ry, that run on without a jump. Shape: (F, J, 3, 3) → (F, J, 3)."""
    sine = np.clip(turns[..., 2, 1], -1, 1)
    locked = np.abs(sine) > 1 - 1e-9  # z and y turn about the same axis: all of it is z's
    z = np.where(
        locked,
        np.arctan2(turns[..., 1, 0], turns[..., 0, 0]),
        np.arctan2(-turns[..., 0, 1], turns[..., 1, 1]),
    )
    y = np.where(locked, 0.0, np.arctan2(-turns[..., 2, 0], turns[..., 2, 2]))
    angles = np.stack([z, np.arcsin(sine), y], -1)
    # Every turn has two such triples, and each angle any number of whole turns: the nearest to the frame before.
    others = np.stack([z + np.pi, np.pi - angles[..., 1], y + np.pi], -1)
    for frame in range(1, len(angles)):
        before = angles[frame - 1]
        near = [one - 2 * np.pi * np.round((one - before) / (2 * np.pi)) for one in (angles[frame], others[frame])]
        way = [np.abs(one - before).sum(-1, keepdims=True) for one in near]
        angles[frame] = np.where(way[0] <= way[1], *near)
    return angles
