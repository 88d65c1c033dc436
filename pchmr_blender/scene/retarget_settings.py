# SPDX-License-Identifier: GPL-3.0-or-later
"""What the .blend keeps of a retarget, `Scene.pchmr_retarget`: the armature, which bone is what, how it is moved."""

from __future__ import annotations

import json
from typing import Final

import bpy
from bpy.props import BoolProperty, CollectionProperty, EnumProperty, IntProperty, PointerProperty, StringProperty

from ..core.bone_map import ROLES, BoneMap, Switch, checked
from ..core.retarget import RetargetSettings, RootMotion

ROOTS: Final = (
    (RootMotion.PELVIS.value, "Pelvis", "The pelvis bone has the whole path"),
    (
        RootMotion.ROOT.value,
        "Root Bone",
        "The root bone moves along the floor below the hips; the pelvis does the rest",
    ),
    (RootMotion.IN_PLACE.value, "In Place", "No path: the hips stay above the armature's origin"),
)
"""As Blender's enum items."""


def is_foreign_armature(settings: bpy.types.PropertyGroup, item: bpy.types.Object) -> bool:
    """Whether an object can be chosen: an armature that is no part of a take."""
    return item.type == "ARMATURE" and item.pchmr.part == "NONE"


class RigPair(bpy.types.PropertyGroup):
    """One row of the list."""

    role: StringProperty(options={"HIDDEN"})  # type: ignore[valid-type]
    """Of `bone_map.ROLES`."""
    bone: StringProperty(name="Bone", description="Bone of the armature that does this; none where empty")  # type: ignore[valid-type]


class RetargetFields(bpy.types.PropertyGroup):
    """`Scene.pchmr_retarget`: the panel's fields."""

    armature: PointerProperty(  # type: ignore[valid-type]
        name="Armature",
        description="What the take shall move; the other selected armature where empty",
        type=bpy.types.Object,
        poll=is_foreign_armature,
    )
    pairs: CollectionProperty(type=RigPair)  # type: ignore[valid-type]
    """All roles, mapped or not, once bones were guessed or a preset chosen."""
    row: IntProperty(options={"HIDDEN"})  # type: ignore[valid-type]
    """The list's active row."""
    switches: StringProperty(options={"HIDDEN"})  # type: ignore[valid-type]
    """Switches of the preset, as JSON."""
    origin: StringProperty(options={"HIDDEN"})  # type: ignore[valid-type]
    """Where the pairs come from, for the panel."""
    root: EnumProperty(name="Path", description="What moves along the floor", items=ROOTS)  # type: ignore[valid-type]
    foot_lock: BoolProperty(  # type: ignore[valid-type]
        name="Foot Lock",
        description="Feet that stand in the take stand on the rig too, whatever the length of its legs",
        default=True,
    )
    hips_follow: BoolProperty(  # type: ignore[valid-type]
        name="Hips Follow Feet",
        description="With locked feet: let the hips leave the take's path along the floor by centimetres, so that legs "
        "point more as the take's do",
    )
    mute_constraints: BoolProperty(  # type: ignore[valid-type]
        name="Mute Constraints", description="Switch off the constraints of the mapped bones, which would hold them"
    )
    report: StringProperty(options={"HIDDEN"})  # type: ignore[valid-type]
    """What became of the last one, a sentence a line."""


def show_map(fields: RetargetFields, chosen: BoneMap, origin: str) -> None:
    """Fill the list."""
    fields.pairs.clear()
    for role in ROLES:
        row = fields.pairs.add()
        row.role, row.bone = role, chosen.bones.get(role, "")
    fields.switches = json.dumps([(one.bone, one.property, one.value) for one in chosen.switches])
    fields.origin, fields.report = origin, ""


def map_in(fields: RetargetFields, armature: bpy.types.Object) -> BoneMap:
    """The list as a map. Raises BadArgument, SceneChanged where it cannot be used with the armature."""
    switches = tuple(Switch(bone, name, value) for bone, name, value in json.loads(fields.switches or "[]"))
    return checked(((row.role, row.bone) for row in fields.pairs), armature.data.bones.keys(), switches)


def settings_in(fields: RetargetFields) -> RetargetSettings:
    """What is asked for."""
    return RetargetSettings(RootMotion(fields.root), fields.foot_lock, fields.hips_follow)


CLASSES: Final = (RigPair, RetargetFields)
"""To be registered, in this order."""


def add_pointer() -> None:
    """Hang the fields on scenes. After `CLASSES` are registered."""
    bpy.types.Scene.pchmr_retarget = PointerProperty(type=RetargetFields)


def remove_pointer() -> None:
    """Undo `add_pointer`."""
    del bpy.types.Scene.pchmr_retarget
