# SPDX-License-Identifier: GPL-3.0-or-later
"""A take's motion baked onto another armature, as an action of its own.

All or nothing: it is tried out on the rig before anything is written, and where something fails, pose, switches,
constraints and animation are as they were. From Python:

    chosen = guess_map(armature)                     # rig_maps
    print(retarget_person(person, armature, chosen, RetargetSettings(), bpy.context.scene).lines())
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import bpy
import numpy as np
from mathutils import Matrix, Quaternion, Vector
from numpy.typing import NDArray

from ...inference_backend.errors import BadArgument
from ..core.bone_map import BoneMap, Switch, checked, label
from ..core.foot_lock import FootSlide
from ..core.plain_rig import placed
from ..core.retarget import Retargeted, RetargetSettings, direction_errors, retarget
from ..core.rig_pose import TargetRig
from .actions import action_of, new_action
from .handles import part_of, placing_of
from .rig_action import OURS, leave_action, write_bones, write_switches
from .rig_probe import channels_of, evaluated, pose_kept, probe, set_channels, unanimated, world_of
from .scene_change import all_or_nothing
from .source_skeleton import read_skeleton

Array = NDArray[np.float64]

_TRIED: Final = 5
"""Frames in which the rig is posed before anything is written."""
_WORST: Final = 0.01
"""Lengths of the leg that a joint of the rig may be off then."""


@dataclass(frozen=True)
class Outcome:
    """What became of it."""

    action: str
    """Name of the action."""
    frames: int
    """Keys of each curve."""
    scale: float
    """The rig's leg in lengths of the take's."""
    worst: float
    """Farthest that a limb points elsewhere than the take's, in its own lengths; feet that are held cost some."""
    slides: tuple[FootSlide, ...]
    """How still the feet stand."""
    unmapped: tuple[str, ...]
    """What a person has and no bone was mapped to, as people read it."""
    no_switch: tuple[str, ...]
    """Switches that the preset names and the rig lacks."""

    def lines(self) -> tuple[str, ...]:
        """The outcome in sentences."""
        told = [f"{self.action}: {self.frames} frames, path scaled by {self.scale:.3g}"]
        told += [
            f"{slide.side.title()} foot stands in {slide.frames} frames and slides {slide.rig:.0f} mm/s"
            f" (take {slide.source:.0f}, without the lock {slide.free:.0f})"
            for slide in self.slides
            if slide.frames
        ]
        told.append(f"Limbs point at most {100 * self.worst:.1f}% of their length elsewhere than the take's")
        if self.unmapped:
            told.append(f"Without a bone: {', '.join(self.unmapped)}")
        if self.no_switch:
            told.append(f"The rig has no {', '.join(self.no_switch)}: see whether it is in FK")
        return tuple(told)


def retarget_person(
    person: bpy.types.Collection,
    armature: bpy.types.Object,
    chosen: BoneMap,
    settings: RetargetSettings,
    scene: bpy.types.Scene,
    *,
    mute_constraints: bool = False,
) -> Outcome:
    """Bake a person's motion onto an armature.

    A former action of the armature stays in the file. One that was baked from the same person is replaced.

    Args:
        person: of a take, with its skeleton.
        armature: any but the take's own.
        chosen: its bones.
        settings: what moves along the floor, and whether feet are held.
        scene: both are in it.
        mute_constraints: switch off the constraints of the mapped bones.

    Raises:
        BadArgument: the armature is none that can be keyed here, or its bones do not move as a body's.
        SceneChanged: the skeleton, or mapped bones, are gone.
    """
    check_armature(armature)
    chosen = checked(chosen.bones.items(), armature.data.bones.keys(), chosen.switches)
    skeleton = part_of(person, "SKELETON")
    frames, source = read_skeleton(skeleton, placing_of(person))
    former, kept = action_of(armature), list(chosen.bones.values())
    with all_or_nothing(scene, ()), _undone_on_failure(armature, kept, chosen.switches):
        with unanimated(armature):
            lacking = _set(armature, chosen.switches)
            if mute_constraints:
                for name in kept:
                    for constraint in armature.pose.bones[name].constraints:
                        constraint.mute = True
            rig = probe(armature, chosen)
            result = retarget(source, rig, settings)
            _try_out(armature, rig, result)
        action = new_action(armature, f"{person.name} on {armature.name}")
        action[OURS] = person.pchmr.uuid
        write_bones(armature, rig, result, frames)
        write_switches(armature, [switch for switch in chosen.switches if switch not in lacking], frames)
    leave_action(former, action)
    errors = direction_errors(source, rig, result.joints)
    return Outcome(
        action=action.name,
        frames=len(frames),
        scale=result.scale,
        worst=max((float(error.max()) for error in errors.values()), default=0.0),
        slides=result.slides,
        unmapped=tuple(label(role) for role in chosen.missing()),
        no_switch=tuple(f"{switch.bone}[{switch.property}]" for switch in lacking),
    )


def check_armature(armature: bpy.types.Object | None) -> None:
    """Raises BadArgument where an object cannot be retargeted to, with the reason."""
    if armature is None or armature.type != "ARMATURE":
        raise BadArgument(
            "no armature is chosen" if armature is None else f"{armature.name} is no armature",
            hint="Choose the armature that the take shall move.",
        )
    if armature.pchmr.part != "NONE":
        raise BadArgument(
            f"{armature.name} is a part of a take itself",
            hint="Choose another armature: a take's skeleton and targets have their motion already.",
        )
    if armature.library is not None:
        raise BadArgument(
            f"{armature.name} is linked from {armature.library.filepath} and cannot be keyed here",
            hint="Make it editable first: Object > Library Override > Make.",
        )
    if armature.name not in bpy.context.view_layer.objects or not armature.visible_get():
        raise BadArgument(
            f"{armature.name} is hidden, or not in this view layer: Blender does not pose it",
            hint="Show it and its collection.",
        )
    if armature.mode == "EDIT":
        raise BadArgument(f"{armature.name} is in edit mode", hint="Leave edit mode (Tab).")
    if armature.data.pose_position == "REST":
        raise BadArgument(
            f"{armature.name} is shown in its rest position",
            hint="Set it to Pose Position in the armature's properties.",
        )
    world_of(armature)


@contextmanager
def _undone_on_failure(armature: bpy.types.Object, names: list[str], switches: tuple[Switch, ...]) -> Iterator[None]:
    """Where the block fails: pose, switches, constraints and action as before."""
    values = {switch: _value(armature, switch) for switch in switches}
    muted = [(constraint, constraint.mute) for name in names for constraint in armature.pose.bones[name].constraints]
    channels, animation = channels_of(armature, names), armature.animation_data
    had = animation is not None
    action, slot = (animation.action, getattr(animation, "action_slot", None)) if had else (None, None)
    try:
        yield
    except BaseException:
        for constraint, mute in muted:
            constraint.mute = mute
        for switch, value in values.items():
            if value is not None:
                armature.pose.bones[switch.bone][switch.property] = value
        if had:
            armature.animation_data.action = action
            if slot is not None:
                armature.animation_data.action_slot = slot
        elif armature.animation_data is not None:
            armature.animation_data_clear()
        set_channels(armature, channels)
        raise


def _value(armature: bpy.types.Object, switch: Switch) -> Any:
    return armature.pose.bones[switch.bone].get(switch.property)


def _set(armature: bpy.types.Object, switches: tuple[Switch, ...]) -> list[Switch]:
    """Set the rig's switches; those that it lacks."""
    lacking = []
    for switch in switches:
        now = _value(armature, switch)
        if isinstance(now, (bool, int, float)):
            armature.pose.bones[switch.bone][switch.property] = type(now)(switch.value)
        else:
            lacking.append(switch)
    return lacking


def _try_out(armature: bpy.types.Object, rig: TargetRig, result: Retargeted) -> None:
    """Pose the rig in some frames. Raises BadArgument where its joints do not come where they should."""
    world = world_of(armature)
    worst, bone = 0.0, rig.names[0]
    with pose_kept(armature, rig.names):
        for row in np.linspace(0, len(result.joints) - 1, min(_TRIED, len(result.joints))).astype(int):
            shown = placed(world, evaluated(armature, rig.names, _bases(rig, result, int(row)))[:, :3, 3])
            off = np.linalg.norm(shown - result.joints[row], axis=-1)
            if off.max() > worst:
                worst, bone = float(off.max()), rig.names[int(off.argmax())]
    thigh, shin = rig.at("left_thigh"), rig.at("left_shin")
    leg = 2 * float(np.linalg.norm(rig.heads[shin] - rig.heads[thigh]))
    if worst > _WORST * leg:
        raise BadArgument(
            f"the rig does not follow: its bone {bone} comes to stand {worst:.3g} m off",
            hint="Constraints, limits or drivers hold it. Switch them off, or map other bones.",
            bone=bone,
            off=worst,
        )


def _bases(rig: TargetRig, result: Retargeted, row: int) -> dict[str, Matrix]:
    """What the bones' channels hold in one frame."""
    return {
        name: Matrix.LocRotScale(
            Vector(result.locations[bone][row]) if bone in result.locations else None,
            Quaternion(result.quaternions[row, bone]),
            None,
        )
        for bone, name in enumerate(rig.names)
    }
