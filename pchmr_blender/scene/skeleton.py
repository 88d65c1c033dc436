# SPDX-License-Identifier: GPL-3.0-or-later
"""The Skeleton: the calibrated body's 24 joints as an armature with keyed FK rotations and root motion."""

from __future__ import annotations

from typing import Final

import bpy
import numpy as np
from numpy.typing import NDArray

from ...inference_backend.skeletons import PARENTS
from ..core.skeleton import BONE_NAMES, BonePose, RestBones
from ..steps import Status, Steps
from .actions import new_action, write_curves
from .armatures import BoneRow, create_armature

STAGE: Final = "Making the skeleton"

_LIMBS: Final = {
    "hip": "Leg", "knee": "Leg", "ankle": "Leg", "foot": "Leg",
    "collar": "Arm", "shoulder": "Arm", "elbow": "Arm", "wrist": "Arm", "hand": "Arm",
}  # fmt: skip
"""Bone collection, less its side, of the bones that are not the spine's."""


def create_skeleton(rest: RestBones, pose: BonePose, frames: NDArray[np.float64], name: str) -> Steps[bpy.types.Object]:
    """Make `<name> Skeleton` and its action, named `name`.

    Its rest pose is the person's T-pose. Forward kinematics in Blender meets the person's joints within 1 mm in each
    frame: rotations are keyed on all bones, locations on the pelvis and on bones that are stretched in the take. The
    other bones' locations are locked.

    Args:
        rest: of `core.skeleton.rest_bones`. pose: of `core.skeleton.skeleton_pose`, F frames.
        frames: (F,) scene frames.
    """
    skeleton = create_armature(
        f"{name} Skeleton",
        (
            BoneRow(
                name=bone,
                head=rest.heads[joint],
                tail=rest.tails[joint],
                z_axis=rest.matrices[joint, :, 2],
                parent=BONE_NAMES[PARENTS[joint]] if PARENTS[joint] >= 0 else "",
                collection=_bone_collection(bone),
            )
            for joint, bone in enumerate(BONE_NAMES)
        ),
    )
    skeleton.show_in_front = True
    new_action(skeleton, name)
    yield Status(STAGE)
    yield from key_skeleton(skeleton, pose, frames)
    return skeleton


def key_skeleton(skeleton: bpy.types.Object, pose: BonePose, frames: NDArray[np.float64]) -> Steps[None]:
    """Write the person's motion into the skeleton's action; former keys of the same bones are replaced."""
    for joint, name in enumerate(BONE_NAMES):
        bone = skeleton.pose.bones[name]
        path = bone.path_from_id()
        bone.rotation_mode = "QUATERNION"
        bone.lock_scale = (True, True, True)
        bone.lock_location = (joint not in pose.located,) * 3
        write_curves(skeleton, f"{path}.rotation_quaternion", frames, pose.quaternions[:, joint], name)
        if joint in pose.located:
            write_curves(skeleton, f"{path}.location", frames, pose.locations[:, joint], name)
        yield Status(STAGE)


def _bone_collection(name: str) -> str:
    stem, _, side = name.partition(".")
    return f"{_LIMBS[stem]}.{side}" if stem in _LIMBS else "Spine"
