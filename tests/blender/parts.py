"""A person's parts as an import makes them, one by one, linked to a collection."""

from __future__ import annotations

from typing import Any

import bpy

from pchmr.pchmr_blender.core.skeleton import free_pose, rest_bones, skeleton_pose
from pchmr.pchmr_blender.core.takes import Topology
from pchmr.pchmr_blender.core.timing import Placing
from pchmr.pchmr_blender.scene import body, skeleton, targets
from pchmr.pchmr_blender.steps import drain


def create_skeleton(person: Any, placing: Placing, collection: bpy.types.Collection, name: str) -> bpy.types.Object:
    rest = rest_bones(person.rest_joints)
    pose = skeleton_pose(rest, person.rotations, person.joints)
    made = drain(skeleton.create_skeleton(rest, pose, placing.frames(person.seconds), name))
    collection.objects.link(made)
    return made


def key_skeleton(item: bpy.types.Object, person: Any, placing: Placing) -> None:
    pose = skeleton_pose(rest_bones(person.rest_joints), person.rotations, person.joints)
    drain(skeleton.key_skeleton(item, pose, placing.frames(person.seconds)))


def create_targets(
    person: Any,
    placing: Placing,
    collection: bpy.types.Collection,
    name: str,
    share_with: bpy.types.Action | None = None,
) -> bpy.types.Object:
    rest = rest_bones(person.rest_joints)
    pose = free_pose(rest, person.rotations, person.joints_target)
    made = drain(targets.create_targets(rest, pose, person.height, placing.frames(person.seconds), name, share_with))
    collection.objects.link(made)
    return made


def key_targets(item: bpy.types.Object, person: Any, placing: Placing) -> None:
    pose = free_pose(rest_bones(person.rest_joints), person.rotations, person.joints_target)
    drain(targets.key_targets(item, pose, placing.frames(person.seconds)))


def create_body(person: Any, topology: Topology, collection: bpy.types.Collection, name: str) -> bpy.types.Object:
    made = drain(body.create_body(person, topology, name))
    collection.objects.link(made)
    return made
