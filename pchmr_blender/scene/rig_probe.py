# SPDX-License-Identifier: GPL-3.0-or-later
"""How an armature carries the bones that are mapped, found out by posing it a few times and looking.

A control rig's constraints and drivers decide what a control follows; its hierarchy does not tell. So all mapped bones
are turned at random, and for each one is looked up whose rotation and whose place it took along. What follows two bones
by halves has no such carrier, and is told. Blender evaluates; poses and curves are as before afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from ...inference_backend.errors import BadArgument
from ..core.axes import quaternions_to_matrices
from ..core.bone_map import Bone, BoneMap
from ..core.bone_tree import BoneTree
from ..core.plain_rig import placed, tip
from ..core.rig_pose import TargetRig

Array = NDArray[np.float64]

_SAMPLES: Final = 4
_NEAR: Final = 2e-4
"""Of rotations' components, and of places in sizes of the armature: Blender poses in single precision."""
_MOVED: Final = ("root", "pelvis")
_CHANNELS: Final = (
    "rotation_mode",
    "location",
    "rotation_quaternion",
    "rotation_euler",
    "rotation_axis_angle",
    "scale",
)


def bones_of(armature: bpy.types.Object) -> list[Bone]:
    """All bones at rest, in the armature's axes and unit."""
    return [
        Bone(bone.name, bone.parent.name if bone.parent else "", np.array(bone.head_local), np.array(bone.tail_local))
        for bone in armature.data.bones
    ]


def world_of(armature: bpy.types.Object) -> Array:
    """(4, 4) armature → world. Raises BadArgument where that is not a rotation, one scale and a place."""
    world = np.array(armature.matrix_world, np.float64)
    linear = world[:3, :3]
    scales = np.linalg.norm(linear, axis=0)
    square = linear.T @ linear / scales.max() ** 2
    if not (np.linalg.det(linear) > 0 and np.allclose(square, np.eye(3), atol=0.01)):
        said = ", ".join(f"{value:.3g}" for value in armature.scale)
        raise BadArgument(
            f"{armature.name} is scaled by {said}: not alike in all axes",
            hint="Apply the object's scale (Ctrl A), or scale it alike in all axes.",
            scale=[float(value) for value in scales],
        )
    return world


def probe(armature: bpy.types.Object, chosen: BoneMap) -> TargetRig:
    """The mapped bones as a rig in the world, its switches as they are now.

    Its rest is the pose in which the mapped bones are at rest and all others as they are.

    Raises:
        BadArgument: constraints or drivers move a mapped bone otherwise than with one other, or the object is scaled
            unevenly.
    """
    world, tree = world_of(armature), BoneTree(tuple(bones_of(armature)))
    named = {bone: role for role, bone in chosen.bones.items()}
    names = [name for name in tree.top_down if name in named]
    still: dict[str, Matrix] = {name: Matrix.Identity(4) for name in names}
    with unanimated(armature), pose_kept(armature, names):
        rest = evaluated(armature, names, still)
        samples, bases = _random_poses(armature, names)
        size = max(float(np.ptp(rest[:, :3, 3], axis=0).max()), 1e-6)
        reach = {named[name]: _reach(armature, names, name, rest, size) for name in names if named[name] in _MOVED}
    order, turned_by, placed_by = _carriers(tree, names, rest, samples, bases, size)
    row = [names.index(name) for name in order]
    local = {name: np.array(armature.data.bones[name].matrix_local) for name in order}
    tips = [rest[names.index(n)] @ np.linalg.inv(local[n]) @ (*tip(tree, n), 1.0) for n in order]
    turn = _rotation(world)
    return TargetRig(
        names=tuple(order),
        roles=tuple(named[name] for name in order),
        heads=placed(world, rest[row, :3, 3]),
        tips=placed(world, np.array(tips)[:, :3]),
        axes=turn @ _rotation(rest[row]),
        turned_by=turned_by,
        placed_by=placed_by,
        reach={role: world[:3, :3] @ matrix for role, matrix in reach.items()},
        origin=world[:3, 3].copy(),
        orientation=turn,
    )


def evaluated(armature: bpy.types.Object, names: Sequence[str], bases: Mapping[str, Matrix]) -> Array:
    """(B, 4, 4) bones in the armature's axes, as Blender poses them with these channels."""
    for name, basis in bases.items():
        armature.pose.bones[name].matrix_basis = basis
    armature.update_tag()
    bpy.context.view_layer.update()
    shown = armature.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
    return np.array([shown[name].matrix for name in names], np.float64)


@contextmanager
def unanimated(armature: bpy.types.Object) -> Iterator[None]:
    """The armature without its action and its NLA, which would put bones back; as before afterwards."""
    animation = armature.animation_data
    if animation is None:
        yield
        return
    action, slot, uses = animation.action, getattr(animation, "action_slot", None), animation.use_nla
    animation.action, animation.use_nla = None, False
    try:
        yield
    finally:
        animation.action, animation.use_nla = action, uses
        if slot is not None:
            animation.action_slot = slot


@contextmanager
def pose_kept(armature: bpy.types.Object, names: Sequence[str]) -> Iterator[None]:
    """Channels of bones are as before afterwards."""
    before = channels_of(armature, names)
    try:
        yield
    finally:
        set_channels(armature, before)


def channels_of(armature: bpy.types.Object, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Bones' own values; each rotation mode has its own, which a matrix would not bring back."""
    return {
        name: {
            channel: value if isinstance(value := getattr(armature.pose.bones[name], channel), str) else tuple(value)
            for channel in _CHANNELS
        }
        for name in names
    }


def set_channels(armature: bpy.types.Object, channels: Mapping[str, Mapping[str, Any]]) -> None:
    """Give bones back what `channels_of` has noted."""
    for name, values in channels.items():
        for channel, value in values.items():
            setattr(armature.pose.bones[name], channel, value)
    armature.update_tag()
    bpy.context.view_layer.update()


def _random_poses(armature: bpy.types.Object, names: list[str]) -> tuple[Array, Array]:
    """(S, B, 4, 4) poses and (S, B, 3, 3) the channels' rotations that made them."""
    random = np.random.default_rng(0)
    turns = np.concatenate([np.ones((_SAMPLES, len(names), 1)), random.normal(0, 0.15, (_SAMPLES, len(names), 3))], -1)
    bases = quaternions_to_matrices(turns)
    poses = [
        evaluated(
            armature, names, {name: Matrix(basis.tolist()).to_4x4() for name, basis in zip(names, row, strict=True)}
        )
        for row in bases
    ]
    return np.array(poses), bases


def _reach(armature: bpy.types.Object, names: list[str], name: str, rest: Array, size: float) -> Array:
    """(3, 3) how far a bone's head goes in the armature's axes for a location of 1 along each of its own."""
    still = {one: Matrix.Identity(4) for one in names}
    step, row = 0.1 * size, names.index(name)
    ways = []
    for axis in range(3):
        moved = evaluated(armature, names, {**still, name: Matrix.Translation([step * (axis == i) for i in range(3)])})
        ways.append((moved[row, :3, 3] - rest[row, :3, 3]) / step)
    return np.array(ways).T


def _carriers(
    tree: BoneTree, names: list[str], rest: Array, samples: Array, bases: Array, size: float
) -> tuple[list[str], tuple[int, ...], tuple[int, ...]]:
    """Bones in an order in which carriers come first, and each one's two carriers as rows of it."""
    turns, rests = _rotation(samples), _rotation(rest)
    parents = turns @ bases.swapaxes(-1, -2)  # as the bone would be without its own rotation
    order: list[str] = []
    turned_by: list[int] = []
    placed_by: list[int] = []
    left = list(names)
    while left:
        for name in left:
            bone = names.index(name)
            above = tree.above(name)
            known = sorted(range(len(order)), key=lambda row, above=above: _rank(order[row], above))
            rows = [names.index(order[row]) for row in known]
            turned = _turned_like(turns, rests, parents[:, bone], rests[bone], rows)
            fixed = _placed_like(samples, rest, bone, rows, size)
            if turned is not None and fixed is not None:
                turned_by.append(known[turned] if turned >= 0 else -1)
                placed_by.append(known[fixed] if fixed >= 0 else -1)
                order.append(name)
                left.remove(name)
                break
        else:
            raise BadArgument(
                f"constraints or drivers hold {', '.join(left[:4])}{' and others' if len(left) > 4 else ''}:"
                " they do not move by their own rotation, or follow several bones by halves",
                hint="Map the rig's FK controls, switch it to FK, or switch the constraints off: Mute Constraints.",
                bones=left,
            )
    return order, tuple(turned_by), tuple(placed_by)


def _rank(name: str, above: list[str]) -> int:
    """Nearest ancestors first."""
    return above.index(name) if name in above else len(above)


def _turned_like(turns: Array, rests: Array, parents: Array, rest: Array, rows: list[int]) -> int | None:
    """Which of the rows turns a bone along; -1: none does; None: no single one."""
    for place, row in enumerate(rows):
        if np.abs(turns[:, row] @ rests[row].T @ rest - parents).max() < _NEAR:
            return place
    return -1 if np.abs(parents - rest).max() < _NEAR else None


def _placed_like(samples: Array, rest: Array, bone: int, rows: list[int], size: float) -> int | None:
    """Which of the rows a bone's head is fixed to; -1: none; None: no single one."""
    heads = samples[:, bone, :3, 3]
    for place, row in enumerate(rows):
        offset = _rotation(rest[row]).T @ (rest[bone, :3, 3] - rest[row, :3, 3])
        wanted = samples[:, row, :3, 3] + _rotation(samples[:, row]) @ offset
        if np.abs(wanted - heads).max() < _NEAR * size:
            return place
    return -1 if np.abs(heads - rest[bone, :3, 3]).max() < _NEAR * size else None


def _rotation(matrices: Array) -> Array:
    """Rotations of matrices without shear. Shape: (..., 4, 4) → (..., 3, 3)."""
    linear = matrices[..., :3, :3]
    return np.asarray(linear / np.linalg.norm(linear, axis=-2, keepdims=True))
