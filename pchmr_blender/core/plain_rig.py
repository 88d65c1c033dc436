# SPDX-License-Identifier: GPL-3.0-or-later
"""The rig of an armature without constraints: each mapped bone is carried by the nearest mapped bone above it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .bone_map import Bone, BoneMap
from .bone_tree import BoneTree
from .rig_pose import TargetRig

Array = NDArray[np.float64]

_MOVED: Final = ("root", "pelvis")


def plain_rig(bones: Sequence[Bone], chosen: BoneMap, axes: Mapping[str, Array], world: Array) -> TargetRig:
    """Bones in an armature's axes as a rig in the world.

    Args:
        bones: all of the armature's, at rest.
        chosen: the roles of some.
        axes: (3, 3) by name of a mapped bone, its axes at rest as columns, in the armature's axes.
        world: (4, 4) armature → world: a rotation, one scale for all axes, and a place.
    """
    tree = BoneTree(tuple(bones))
    named = {bone: role for role, bone in chosen.bones.items()}
    order = [name for name in tree.top_down if name in named]
    row = {name: index for index, name in enumerate(order)}
    above = [next((row[one] for one in tree.above(name) if one in row), -1) for name in order]
    scale = float(np.cbrt(np.linalg.det(world[:3, :3])))
    turn = world[:3, :3] / scale
    return TargetRig(
        names=tuple(order),
        roles=tuple(named[name] for name in order),
        heads=placed(world, [tree.bones[name].head for name in order]),
        tips=placed(world, [tip(tree, name) for name in order]),
        axes=np.array([turn @ axes[name] for name in order]),
        turned_by=tuple(above),
        placed_by=tuple(above),
        reach={named[name]: world[:3, :3] @ axes[name] for name in order if named[name] in _MOVED},
        origin=np.array(world[:3, 3]),
        orientation=turn,
    )


def tip(tree: BoneTree, name: str) -> Array:
    """Where a bone points: to the middle of what hangs on it, else to its tail."""
    heads = [tree.bones[child].head for child in tree.children[name]]
    apart = [head for head in heads if np.linalg.norm(head - tree.bones[name].head) > 1e-6]
    return np.asarray(np.mean(apart, 0) if apart else tree.bones[name].tail)


def placed(world: Array, points: Sequence[Array]) -> Array:
    """Points in the armature's axes → in the world. Shape: (n, 3)."""
    return np.asarray(np.asarray(points, np.float64).reshape(-1, 3) @ world[:3, :3].T + world[:3, 3])
