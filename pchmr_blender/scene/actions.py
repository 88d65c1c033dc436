# SPDX-License-Identifier: GPL-3.0-or-later
"""Actions and F-curves in bulk: whole curves are written and replaced at once, on any Blender."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import bpy
import numpy as np
from numpy.typing import NDArray

from . import versions

_SELECTION: Final = ("select_control_point", "select_left_handle", "select_right_handle")


def new_action(owner: bpy.types.ID, name: str, share_with: bpy.types.Action | None = None) -> bpy.types.Action:
    """Give `owner` an action to write curves into; returns it.

    Where actions have slots, `owner` gets its own slot in `share_with`, so that skeleton, targets, shape keys and
    cache of a person move together when the action is scaled or slid. Without slots, or with nothing to share, a new
    action of the given name is made. Curves of an earlier action of the owner stay in that action.
    """
    action = share_with if share_with is not None and versions.has_slots() else bpy.data.actions.new(name)
    versions.assign_action(owner, action)
    return action


def action_of(owner: bpy.types.ID) -> bpy.types.Action | None:
    """The action that animates `owner`."""
    return owner.animation_data.action if owner.animation_data else None


def write_curves(
    owner: bpy.types.ID,
    data_path: str,
    frames: NDArray[np.float64],
    values: NDArray[Any],
    group: str = "",
    interpolation: str = "LINEAR",
) -> None:
    """Write a property's F-curves, one key a frame; keys that the curves had are replaced.

    Args:
        owner: an ID that has an action.
        data_path: the property, seen from the owner.
        frames: (n,) scene frames, rising, fractions allowed; n ≥ 1.
        values: (n, k) one column per array index, or (n,) for a single number.
        group: name of the channel group for curves that are new; none where empty.
        interpolation: Blender's name, the same for every key.

    Raises:
        ValueError: other shapes, frames that do not rise, a value that is not finite, or no action.
    """
    columns = np.asarray(values, np.float32).reshape(len(values), -1)
    if np.shape(frames) != (len(columns),) or not len(columns):
        raise ValueError(f"{data_path}: {np.shape(frames)} frames for values of shape {np.shape(values)}")
    if not (np.diff(frames) > 0).all() or not np.isfinite(columns).all():
        raise ValueError(f"{data_path}: frames that rise and finite values are wanted")
    bag = versions.channels(owner, create=True)
    if bag is None:
        raise ValueError(f"{owner.name} has no action: new_action first")
    for index in range(columns.shape[1]):
        curve = bag.fcurves.find(data_path, index=index) or versions.new_curve(bag, data_path, index, group)
        write_keys(curve, frames, columns[:, index], interpolation)


def write_keys(
    curve: bpy.types.FCurve, frames: NDArray[np.float64], values: NDArray[Any], interpolation: str = "LINEAR"
) -> None:
    """Let a curve have these keys and no others. Shape: (n,) scene frames, rising, and (n,)."""
    # Blender stores the enum in a byte, and copies arrays of the stored type 10 times faster.
    code = bpy.types.Keyframe.bl_rna.properties["interpolation"].enum_items[interpolation].value
    _replace(curve, np.stack([frames, values], -1).astype(np.float32), np.full(len(frames), code, np.uint8))


def share_action(owner: bpy.types.ID, action: bpy.types.Action | None) -> None:
    """Let an owner's curves move into an action of others, where actions have slots; its own action goes.

    For what was given an action of its own while it was made aside: see `new_action`.
    """
    own = action_of(owner)
    if own is None or action is None or own == action or not versions.has_slots():
        return
    curves = list(curves_of(owner))
    versions.assign_action(owner, action)
    bag = versions.channels(owner, create=True)
    for curve in curves:
        group = curve.group.name if curve.group else ""
        if not versions.copy_curve(bag, curve, group):
            keys = read_curve(curve)
            write_curves(owner, curve.data_path, keys[:, 0], keys[:, 1], group)
    bpy.data.actions.remove(own)


def curves_of(owner: bpy.types.ID) -> Iterator[bpy.types.FCurve]:
    """The owner's F-curves, without those of others that share its action."""
    bag = versions.channels(owner)
    return iter(bag.fcurves if bag else ())


def groups_of(owner: bpy.types.ID) -> Iterator[bpy.types.ActionGroup]:
    """The owner's channel groups."""
    bag = versions.channels(owner)
    return iter(bag.groups if bag else ())


def read_curve(curve: bpy.types.FCurve) -> NDArray[np.float32]:
    """The keys of a curve. Shape: (n, 2), scene frame and value."""
    keys = np.empty((len(curve.keyframe_points), 2), np.float32)
    curve.keyframe_points.foreach_get("co", keys.ravel())
    return keys


def remove_action(owner: bpy.types.ID) -> None:
    """Take the owner's curves away, and its action where nothing else uses it."""
    versions.remove_animation(owner)


def _replace(curve: bpy.types.FCurve, keys: NDArray[np.float32], codes: NDArray[np.uint8]) -> None:
    points = curve.keyframe_points
    if len(points) != len(keys):
        points.clear()
        points.add(len(keys))
        # New keys come selected: the artist's next G in the dope sheet would move a whole clip.
        unselected = np.zeros(len(keys), np.bool_)
        for name in _SELECTION:
            points.foreach_set(name, unselected)
    points.foreach_set("co", keys.ravel())
    points.foreach_set("interpolation", codes)
    curve.update()
