# SPDX-License-Identifier: GPL-3.0-or-later
"""The motion of a take's Skeleton, read from its keys as they are now: an artist's changes count, the disk does not."""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray

from ...inference_backend.errors import SceneChanged
from ...inference_backend.skeletons import PARENTS
from ..core.axes import quaternions_to_matrices
from ..core.plain_rig import placed
from ..core.skeleton import BONE_NAMES
from ..core.source_motion import SourceMotion
from ..core.timing import Placing
from .actions import curves_of, read_curve
from .rig_probe import world_of

Array = NDArray[np.float64]


def read_skeleton(skeleton: bpy.types.Object, placing: Placing) -> tuple[Array, SourceMotion]:
    """Scene frames of the keys, (F,), and the motion at them.

    Args:
        skeleton: of a take, wherever the object stands.
        placing: of its person: which second of the footage a frame is.

    Raises:
        SceneChanged: it has no keys, lacks a bone, or turns one otherwise than by quaternions.
        BadArgument: the object is scaled unevenly.
    """
    bones = _bones(skeleton)
    curves = {(curve.data_path, curve.array_index): curve for curve in curves_of(skeleton)}
    paths = {name: f"{bone.path_from_id()}.rotation_quaternion" for name, bone in bones.items()}
    keyed = [read_curve(curve)[:, 0] for (path, _), curve in curves.items() if path in paths.values()]
    frames = np.unique(np.concatenate(keyed).astype(np.float64).round(4)) if keyed else np.zeros(0)
    if not len(frames):
        raise SceneChanged(
            f"{skeleton.name} has no keys",
            hint="Undo their deletion, or import the take again.",
            skeleton=skeleton.name,
        )
    world = world_of(skeleton)
    scale = float(np.cbrt(np.linalg.det(world[:3, :3])))
    turn = world[:3, :3] / scale
    rest = np.array([skeleton.data.bones[name].matrix_local for name in BONE_NAMES], np.float64)
    posed = np.empty((len(frames), len(BONE_NAMES), 4, 4))
    for joint, (name, bone) in enumerate(bones.items()):
        basis = np.tile(np.eye(4), (len(frames), 1, 1))
        basis[:, :3, :3] = quaternions_to_matrices(_values(curves, paths[name], frames, bone.rotation_quaternion))
        basis[:, :3, 3] = _values(curves, f"{bone.path_from_id()}.location", frames, bone.location)
        parent = PARENTS[joint]
        above = posed[:, parent] @ np.linalg.inv(rest[parent]) if parent >= 0 else np.eye(4)
        posed[:, joint] = above @ rest[joint] @ basis
    rotations = turn @ posed[..., :3, :3] @ rest[:, :3, :3].swapaxes(-1, -2)
    joints = placed(world, posed[..., :3, 3]).reshape(len(frames), -1, 3)
    return frames, SourceMotion(scale * rest[:, :3, 3], rotations, joints, placing.seconds(frames))


def _bones(skeleton: bpy.types.Object) -> dict[str, bpy.types.PoseBone]:
    """The skeleton's 24, in their order."""
    bones = {name: skeleton.pose.bones.get(name) for name in BONE_NAMES}
    wrong = [name for name, bone in bones.items() if bone is None or bone.rotation_mode != "QUATERNION"]
    if wrong:
        raise SceneChanged(
            f"{skeleton.name}: the bone {wrong[0]} was renamed, removed or given another rotation mode",
            hint="Undo that, or import the take again.",
            bones=wrong,
        )
    return bones


def _values(curves: dict[tuple[str, int], bpy.types.FCurve], path: str, frames: Array, now: tuple[float, ...]) -> Array:
    """(F, n) a channel at frames; what has no curve is as it is now."""
    columns = []
    for index, value in enumerate(now):
        curve = curves.get((path, index))
        if curve is None:
            columns.append(np.full(len(frames), value))
            continue
        keys = read_curve(curve).astype(np.float64)
        same = len(keys) == len(frames) and np.allclose(keys[:, 0], frames, atol=1e-3)
        columns.append(keys[:, 1] if same else np.array([curve.evaluate(frame) for frame in frames.tolist()]))
    return np.stack(columns, -1)
