# SPDX-License-Identifier: GPL-3.0-or-later
"""The artist's edits of a person: what the keys of the controls say, what the controls hold, keys set and taken away.

A person is their collection. Rows are those of the take; the base bones have a key for each, which says at which scene
frame it is shown. Edits are sparse keys on the controls; where a channel has no curve there is no edit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import bpy
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...inference_backend.errors import BadArgument, SceneChanged
from ..core.edit_rows import EditAxes, EditRows
from ..core.skeleton import BONE_NAMES
from . import versions
from .actions import read_curve
from .control_curves import CHANNELS, LOCATION, ROTATION, STRENGTH, STRETCH, Channel, ControlCurves, key_frames
from .edit_checks import require_quaternions, require_sane
from .handles import part_of
from .targets import base_name, controls_of

__all__ = ["clear", "edited_frames", "held", "hold", "key_row", "key_rows", "row_frames", "row_near", "sample"]


def row_frames(person: bpy.types.Collection) -> NDArray[np.float64]:
    """The scene frame of each row of the take. Shape: (F,), rising.

    It is read off the base bones' keys, which move with the artist's when an action is slid or scaled.

    Raises:
        SceneChanged: the targets or their base keys are gone.
    """
    targets = part_of(person, "TARGETS")
    bag, path = versions.channels(targets), f'pose.bones["{base_name(BONE_NAMES[0])}"].location'
    curve = bag.fcurves.find(path, index=0) if bag else None
    if curve is None or not len(curve.keyframe_points):
        raise SceneChanged(
            f"the keys of {targets.name}'s base bones are gone",
            hint="Undo their deletion, or import the take again.",
            collection=person.name,
        )
    return read_curve(curve)[:, 0].astype(np.float64)


def row_near(person: bpy.types.Collection, frame: float) -> int:
    """The row that is shown at a scene frame, or nearest to it.

    Raises:
        BadArgument: the frame is more than half a frame outside the take.
    """
    frames = row_frames(person)
    row = int(np.argmin(np.abs(frames - frame)))
    if not frames[0] - 0.5 <= frame <= frames[-1] + 0.5:
        raise BadArgument(
            f"frame {frame:g} is outside of {person.name}",
            hint=f"The take is shown from frame {frames[0]:g} to {frames[-1]:g}.",
            frame=frame,
        )
    return row


def sample(person: bpy.types.Collection, rows: ArrayLike) -> EditRows:
    """What the control curves say at these rows: a function of the keys alone, whatever the controls hold now.

    Shape: rows (n,), of the take, in any order.

    Raises:
        BadArgument: a row that the take does not have, a control that turns by other than quaternions, or an edit that
            nobody can mean: no number, or more than `LARGEST` metres.
        SceneChanged: the targets are gone.
    """
    targets, frames = part_of(person, "TARGETS"), _at(person, rows)
    curves = ControlCurves(targets)
    values = {channel: np.tile(channel.rest, (len(frames), len(BONE_NAMES), 1)).astype(float) for channel in CHANNELS}
    for bone, channel, _ in curves.keyed():
        if channel == ROTATION:
            require_quaternions(targets.pose.bones[bone])
        values[channel][:, BONE_NAMES.index(bone)] = curves.values(bone, channel, frames)
    edits = _edits(targets, values)
    require_sane(edits, frames)
    return edits


def held(person: bpy.types.Collection) -> EditRows:
    """What the control bones hold now, drags that have no keys included; one row.

    Raises:
        BadArgument, SceneChanged: as `sample`.
    """
    targets = part_of(person, "TARGETS")
    values = {channel: np.tile(channel.rest, (1, len(BONE_NAMES), 1)).astype(float) for channel in CHANNELS}
    for joint, bone in enumerate(controls_of(targets)):
        require_quaternions(bone)
        values[LOCATION][0, joint] = bone.location
        values[ROTATION][0, joint] = bone.rotation_quaternion
        values[STRETCH][0, joint], values[STRENGTH][0, joint] = bone.pchmr.stretch, bone.pchmr.strength
    return _edits(targets, values)


def hold(person: bpy.types.Collection, edits: EditRows) -> None:
    """Let the control bones hold the edits of one row, without keys: the next change of frame takes them away.

    Raises:
        BadArgument, SceneChanged: as `sample`.
    """
    targets = part_of(person, "TARGETS")
    values = _values(targets, edits)
    for joint, bone in enumerate(controls_of(targets)):
        require_quaternions(bone)
        bone.location = values[LOCATION][0, joint]
        bone.rotation_quaternion = values[ROTATION][0, joint]
        for name, value in (("stretch", values[STRETCH]), ("strength", values[STRENGTH])):
            if abs(getattr(bone.pchmr, name) - value[0, joint, 0]) > 1e-7:
                setattr(bone.pchmr, name, float(value[0, joint, 0]))


def key_row(person: bpy.types.Collection, row: int, edits: EditRows, joints: Iterable[int]) -> None:
    """Key the edits of one row, and where they are gone again: as `key_rows`."""
    key_rows(person, [row], edits, joints)


def key_rows(
    person: bpy.types.Collection,
    rows: ArrayLike,
    edits: EditRows,
    joints: Iterable[int],
    channels: Sequence[Channel] = CHANNELS,
) -> None:
    """Key edits on each of some rows, with falloff keys before the first and after the last of them.

    Between the rows the curves run from key to key. A channel that is at rest and has no curve gets none.

    Args:
        person: whose controls.
        rows: (n,) rising.
        edits: n rows.
        joints: of `JOINTS`, whose controls get keys.
        channels: which of their properties; the others' curves stay as they are.

    Raises:
        BadArgument, SceneChanged: as `sample`.
        ValueError: no rows, or rows that do not rise.
    """
    targets, frames, own = part_of(person, "TARGETS"), _at(person, rows), person.pchmr_edit
    if not len(frames) or not (np.diff(frames) > 0).all() or len(edits) != len(frames):
        raise ValueError(f"{len(edits)} edits for rows {rows}: want one for each of some rising rows")
    curves, values = ControlCurves(targets), _values(targets, edits)
    for joint in joints:
        bone = BONE_NAMES[joint]
        require_quaternions(targets.pose.bones[bone])
        for channel in channels:
            curves.key(bone, channel, frames, values[channel][:, joint], own.before, own.after)


def clear(person: bpy.types.Collection, first: float, last: float, joints: Iterable[int] | None) -> None:
    """Let there be no edit in the scene frames from `first` to `last`, both included; infinite ones for all.

    Keys in there go; an edit that reaches in from outside ends at the edge. Falloff keys that have lost their edit go
    too, and what a control holds without keys.

    `joints`: of `JOINTS`; None for all. Raises SceneChanged where the targets are gone.
    """
    targets = part_of(person, "TARGETS")
    curves = ControlCurves(targets)
    bones = BONE_NAMES if joints is None else [BONE_NAMES[joint] for joint in joints]
    for bone in bones:
        for channel in CHANNELS:
            if any(curves.of(bone, channel)):
                curves.clear(bone, channel, first, last)
            if bone in targets.pose.bones and not any(curves.of(bone, channel)):
                _rest(targets.pose.bones[bone], channel)


def edited_frames(person: bpy.types.Collection, selected_only: bool) -> NDArray[np.float64]:
    """The scene frames on which controls have keys, rising; those of falloff alone left out.

    `selected_only`: those of selected keys. Raises SceneChanged where the targets are gone.
    """
    curves = ControlCurves(part_of(person, "TARGETS"))
    found = [key_frames(keyed, channel, selected=selected_only) for _, channel, keyed in curves.keyed()]
    return np.unique(np.concatenate(found)) if found else np.zeros(0)


def _at(person: bpy.types.Collection, rows: ArrayLike) -> NDArray[np.float64]:
    """The scene frames of rows. Raises BadArgument for rows that the take does not have."""
    frames, wanted = row_frames(person), np.asarray(rows, np.int64).reshape(-1)
    outside = wanted[(wanted < 0) | (wanted >= len(frames))]
    if len(outside):
        raise BadArgument(
            f"{person.name} has no row {outside[0]}", hint=f"It has {len(frames)}, counted from 0.", rows=len(frames)
        )
    return frames[wanted]


def _rest(bone: bpy.types.PoseBone, channel: Channel) -> None:
    """Let a bone hold no edit in a channel that has no curve."""
    if channel in (LOCATION, ROTATION):
        setattr(bone, channel.name, channel.rest)
    else:
        setattr(bone.pchmr, channel.name.rpartition(".")[2], channel.rest[0])


def _axes(targets: bpy.types.Object) -> EditAxes:
    """Of the controls, by their rest pose."""
    return EditAxes(np.array([bone.bone.head_local for bone in controls_of(targets)]))


def _edits(targets: bpy.types.Object, values: dict[Channel, NDArray[np.float64]]) -> EditRows:
    """What controls hold, as edits."""
    turns = values[ROTATION]
    turns[np.linalg.norm(turns, axis=-1) < 1e-6] = ROTATION.rest  # Blender takes such a quaternion for no rotation
    return _axes(targets).edits(values[LOCATION], turns, values[STRETCH][..., 0], values[STRENGTH][..., 0])


def _values(targets: bpy.types.Object, edits: EditRows) -> dict[Channel, NDArray[np.float64]]:
    """Edits as controls hold them. Shape: (n, 24, k) each."""
    locations, turns = _axes(targets).controls(edits)
    turns = np.where(turns[..., :1] < 0, -turns, turns)  # on the side of rest: curves interpolate components
    return {
        LOCATION: locations,
        ROTATION: turns,
        STRETCH: np.asarray(edits.stretch)[..., None],
        STRENGTH: np.asarray(edits.strength)[..., None],
    }
