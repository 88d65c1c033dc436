# SPDX-License-Identifier: GPL-3.0-or-later
"""The action that a retarget bakes: curves of the mapped bones and keys of the rig's switches."""

from __future__ import annotations

from typing import Final

import bpy
import numpy as np
from mathutils import Matrix, Quaternion
from numpy.typing import NDArray

from ..core.bone_map import Switch
from ..core.retarget import Retargeted
from ..core.rig_pose import TargetRig
from .actions import write_curves

Array = NDArray[np.float64]

OURS: Final = "pchmr_retargeted"
"""Custom property of an action that was baked here: the person's uuid. The next bake of the same person replaces it."""


def write_bones(armature: bpy.types.Object, rig: TargetRig, result: Retargeted, frames: Array) -> None:
    """The curves. Bones keep their rotation mode, unless it is axis and angle."""
    for bone, name in enumerate(rig.names):
        posed = armature.pose.bones[name]
        path = posed.path_from_id()
        posed.location, posed.scale = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
        if posed.rotation_mode == "AXIS_ANGLE":
            posed.rotation_mode = "QUATERNION"
        if rig.roles[bone] == "root" and bone not in result.locations:
            posed.matrix_basis = Matrix.Identity(4)
            continue
        quaternions = result.quaternions[:, bone]
        if posed.rotation_mode == "QUATERNION":
            write_curves(armature, f"{path}.rotation_quaternion", frames, quaternions, name)
        else:
            write_curves(armature, f"{path}.rotation_euler", frames, _angles(quaternions, posed.rotation_mode), name)
        if bone in result.locations:
            write_curves(armature, f"{path}.location", frames, result.locations[bone], name)


def _angles(quaternions: Array, order: str) -> Array:
    """(F, 3) angles in an order of axes that run on without a jump."""
    angles, before = [], None
    for quaternion in quaternions:
        turn = Quaternion(quaternion)
        before = turn.to_euler(order) if before is None else turn.to_euler(order, before)
        angles.append(tuple(before))
    return np.array(angles)


def write_switches(armature: bpy.types.Object, switches: list[Switch], frames: Array) -> None:
    """A key for each switch, so that the action brings its state with it."""
    for switch in switches:
        bone = armature.pose.bones[switch.bone]
        path = f'{bone.path_from_id()}["{bpy.utils.escape_identifier(switch.property)}"]'
        write_curves(armature, path, frames[:1], np.array([switch.value]), switch.bone, "CONSTANT")


def leave_action(former: bpy.types.Action | None, action: bpy.types.Action) -> None:
    """Keep a former action in the file, or give its name to the new one where both were baked from the same person."""
    if former is None:
        return
    if former.get(OURS) != action[OURS]:
        if former.library is None:  # what is linked stays in its own file
            former.use_fake_user = True
    elif former.users == 0:
        name = former.name
        bpy.data.actions.remove(former)
        action.name = name
