# SPDX-License-Identifier: GPL-3.0-or-later
"""The Targets: the target pose as controls that an artist moves.

A joint is two bones. The base bone is locked and has the backend's dense keys: it stands on the target joint and
turns as the skeleton does. The control bone is its child and has the name of the skeleton's bone; it has no keys until
the artist sets some, and its location is the edit: an offset in the axes of the skeleton's bone. So the backend can
write its keys again without touching a hand-made one.

The pelvis' control moves the whole body, which must neither drift nor bend while it turns between two keys. So its
location is an offset in axes that stand still: it is no child, but a constraint puts the base's location and rotation
before its own. What it is away from its base is added to all other controls.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import bpy
import numpy as np
from numpy.typing import NDArray

from ...inference_backend.errors import SceneChanged
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

WHOLE_BODY: Final = BONE_NAMES[0]
"""The control that moves the whole body."""

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
    _constrain(targets)
    new_action(targets, targets.name, share_with)
    yield Status(STAGE)
    yield from key_targets(targets, pose, frames)
    return targets


def _constrain(targets: bpy.types.Object) -> None:
    """Let the pelvis' control follow its base, and the other controls the pelvis' control."""
    follow = targets.pose.bones[WHOLE_BODY].constraints.new("COPY_TRANSFORMS")
    follow.target, follow.subtarget, follow.mix_mode = targets, base_name(WHOLE_BODY), "BEFORE_SPLIT"
    follow.owner_space = follow.target_space = "LOCAL"
    for bone in BONE_NAMES[1:]:
        for name, away in ((WHOLE_BODY, False), (base_name(WHOLE_BODY), True)):
            add = targets.pose.bones[bone].constraints.new("COPY_LOCATION")
            add.target, add.subtarget, add.use_offset = targets, name, True
            add.owner_space = add.target_space = "POSE"
            add.invert_x = add.invert_y = add.invert_z = away


def controls_of(targets: bpy.types.Object) -> list[bpy.types.PoseBone]:
    """The 24 controls. Raises SceneChanged where one is gone, or its base."""
    bones = targets.pose.bones
    for name in BONE_NAMES:
        for one in (name, base_name(name)):
            if one not in bones:
                hint = "Undo its deletion, or import the take again."
                raise SceneChanged(f"{targets.name} has no bone {one} any more", hint=hint)
    if bones[WHOLE_BODY].parent is not None:
        raise SceneChanged(
            f"the control {WHOLE_BODY} of {targets.name} hangs on another bone",
            hint="Undo that; where an earlier version of this extension made the file, import the take again.",
        )
    return [bones[name] for name in BONE_NAMES]


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
        yield BoneRow(bone, head, head + along * size, z, "" if bone == WHOLE_BODY else base_name(bone), "Controls")
