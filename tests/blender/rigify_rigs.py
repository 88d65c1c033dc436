"""Rigs that Rigify makes. It ships with Blender; where it does not, as with the bpy wheels, tests are skipped."""

from __future__ import annotations

import addon_utils
import bpy
import pytest


def require_rigify() -> None:
    """Switch Rigify on. Skips the test where this Blender has none."""
    known = {module.__name__ for module in addon_utils.modules()}
    if "rigify" not in known:
        pytest.skip("this Blender comes without Rigify (the bpy wheels leave it out)")
    addon_utils.enable("rigify", default_set=True)


def metarig() -> bpy.types.Object:
    """The human metarig."""
    bpy.ops.object.armature_human_metarig_add()
    return bpy.context.object


def generated() -> bpy.types.Object:
    """The rig that is generated from it."""
    meta = metarig()
    bpy.ops.pose.rigify_generate()
    rig = next(
        item for item in bpy.data.objects if item.type == "ARMATURE" and item != meta and item.pchmr.part == "NONE"
    )
    bpy.data.objects.remove(meta)
    return rig
