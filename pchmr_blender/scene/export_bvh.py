# SPDX-License-Identifier: GPL-3.0-or-later
"""BVH: the skeleton as it is posed in the scene, by our own writer, whose axes and units are stated (`core.bvh`)."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray

from ..core.bvh import BvhUnit, write_bvh
from ..core.skeleton import BONE_NAMES
from .timeline import rate_of


def write_skeleton_bvh(path: Path, stage: bpy.types.Scene, skeleton: bpy.types.Object, unit: BvhUnit) -> None:
    """BVH of the skeleton over the stage's frames. Raises DiskFull, OutputNotWritable."""
    scale = float(np.mean(np.abs(skeleton.matrix_world.to_scale())))
    rest = np.array([bone.head_local for bone in _bones(skeleton)]) * scale
    rotations, joints = posed(skeleton, stage)
    write_bvh(path, rest, rotations, joints, rate_of(stage), unit)


def posed(skeleton: bpy.types.Object, scene: bpy.types.Scene) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The skeleton in each frame of the scene, whatever moves it.

    Returns:
        (F, 24, 3, 3) global rotations: the armature's rest pose → world; (F, 24, 3) heads in the world, metres.
    """
    frames = range(scene.frame_start, scene.frame_end + 1)
    matrices = np.empty((len(frames), len(BONE_NAMES), 4, 4))
    for row, frame in enumerate(frames):
        scene.frame_set(frame)
        evaluated = skeleton.evaluated_get(bpy.context.evaluated_depsgraph_get())
        world = np.array(evaluated.matrix_world)
        matrices[row] = world @ np.array([evaluated.pose.bones[name].matrix for name in BONE_NAMES])
    axes = matrices[..., :3, :3] / np.linalg.norm(matrices[..., :3, :3], axis=-2, keepdims=True)
    rest_axes = np.array([bone.matrix_local.to_3x3() for bone in _bones(skeleton)])
    return axes @ rest_axes.swapaxes(-1, -2), matrices[..., :3, 3]


def _bones(skeleton: bpy.types.Object) -> list[bpy.types.Bone]:
    return [skeleton.data.bones[name] for name in BONE_NAMES]
