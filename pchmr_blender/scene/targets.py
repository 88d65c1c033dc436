# SPDX-License-Identifier: GPL-3.0-or-later
"""The Targets: the target pose as controls that an artist moves.

A joint is two bones. The base bone is locked and has the backend's dense keys: it stands on the target joint and
turns as the skeleton does. The control bone is its child and has the name of the skeleton's bone; it has no keys until
the artist sets some, and its location is the edit: an offset in the axes of the skeleton's bone. So the backend can
write its keys again without touching a hand-made one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import bpy
import numpy as np
from numpy.typing import NDArray

from ..core.skeleton import BONE_NAMES, BonePose, RestBones
from ..steps import Status, Steps
from .actions import new_action, write_curves
from .armatures import BoneRow, create_armature
from .bone_shapes import control_shape

STAGE: Final = "Making the targets"

TURNED: Final = frozenset(
    {"pelvis", "spine3", "head", *(f"{end}.{side}" for end in ("wrist", "hand", "ankle", "foot") for side in "LR")}
)
"""Controls that turn in any way: no joint beyond them says how they are turned. The others point at the joint beyond
them and turn about their own bone alone. As `targets.chains.TURNING` of the backend."""

_SIZES: Final = {"pelvis": 0.045, "head": 0.04, "collar": 0.014, "hand": 0.014, "foot": 0.014}
_SIZE, _BASE_SIZE = 0.02, 0.01
"""Radius of a control and length of a base bone, as a share of the person's height."""


def base_name(bone: str) -> str:
    """The base of a control: elbow.L → elbow_base.L."""
    stem, dot, side = bone.partition(".")
    return f"{stem}_base{dot}{side}"


def create_targets(
    rest: RestBones,
    pose: BonePose,
    height: float,
    frames: NDArray[np.float64],
    name: str,
    share_with: bpy.types.Action | None = None,
) -> Steps[bpy.types.Object]:
    """Make `<name> Targets` with 24 base and 24 control bones.

    Without edits the controls stand on the person's `joints_target`.

    Args:
        rest: of `core.skeleton.rest_bones`. pose: of `core.skeleton.free_pose`, F frames.
        height: the person's, metres.
        frames: (F,) scene frames.
        name: of the person.
        share_with: the action to share where actions have slots, best the skeleton's; else there is a new one.
    """
    targets = create_armature(f"{name} Targets", _rows(rest, height))
    targets.show_in_front = True
    targets.data.collections["Base"].is_visible = False
    shape = control_shape()
    for bone in BONE_NAMES:
        base, control = targets.pose.bones[base_name(bone)], targets.pose.bones[bone]
        for held in (base, control):
            held.rotation_mode = "QUATERNION"
            held.bone.use_deform = False
            held.lock_scale = (True, True, True)
            held.lock_rotation = (held == base or bone not in TURNED, held == base, held == base or bone not in TURNED)
            held.lock_rotation_w = held == base
        base.lock_location = (True, True, True)
        control.custom_shape = shape
    new_action(targets, targets.name, share_with)
    yield Status(STAGE)
    yield from key_targets(targets, pose, frames)
    return targets


def key_targets(targets: bpy.types.Object, pose: BonePose, frames: NDArray[np.float64]) -> Steps[None]:
    """Write the target pose into the base bones' keys; the controls' keys stay as they are."""
    for joint, bone in enumerate(BONE_NAMES):
        name = base_name(bone)
        path = targets.pose.bones[name].path_from_id()
        write_curves(targets, f"{path}.location", frames, pose.locations[:, joint], name)
        write_curves(targets, f"{path}.rotation_quaternion", frames, pose.quaternions[:, joint], name)
        yield Status(STAGE)


def _rows(rest: RestBones, height: float) -> Iterator[BoneRow]:
    for joint, bone in enumerate(BONE_NAMES):
        head, along, z = rest.heads[joint], rest.matrices[joint, :, 1], rest.matrices[joint, :, 2]
        size = height * _SIZES.get(bone.partition(".")[0], _SIZE)
        yield BoneRow(base_name(bone), head, head + along * height * _BASE_SIZE, z, "", "Base", selectable=False)
        yield BoneRow(bone, head, head + along * size, z, base_name(bone), "Controls")
