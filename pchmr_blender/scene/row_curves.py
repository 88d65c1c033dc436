# SPDX-License-Identifier: GPL-3.0-or-later
"""Some rows of dense curves written again: curves with a key for each row of a take, of bones that nobody keys by hand.

The keys of the other rows stay bit by bit.
"""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np
from numpy.typing import NDArray

from ..core.axes import continuous_between
from ..core.row_ranges import spans
from . import versions
from .actions import read_curve, write_keys
from .control_curves import evaluated


def write_rows(
    owner: bpy.types.ID,
    data_path: str,
    frames: NDArray[np.float64],
    rows: NDArray[np.int64],
    values: NDArray[np.float64],
    rest: Sequence[float],
    group: str,
) -> None:
    """Write a property's keys in some rows.

    A curve that is missing is made, and rests in the other rows. Of one that an artist has thinned out or keyed
    between rows, the keys in the rows are replaced.

    Args:
        owner: an ID that has an action.
        data_path: the property, seen from the owner.
        frames: (F,) the scene frame of each row.
        rows: (n,) increasing.
        values: (n, k)
        rest: (k,)
        group: name of the channel group for curves that are new.
    """
    bag = versions.channels(owner, create=True)
    for index, still in enumerate(rest):
        curve = bag.fcurves.find(data_path, index=index)
        if curve is None:
            curve = versions.new_curve(bag, data_path, index, group)
        if not len(curve.keyframe_points):
            write_keys(curve, frames, np.full(len(frames), still))
        if len(curve.keyframe_points) == len(frames):
            keys = read_curve(curve)
            keys[rows, 1] = values[:, index]
            curve.keyframe_points.foreach_set("co", keys.ravel())
        else:
            _replace(curve, frames, rows, values[:, index])
        curve.update()


def write_turns(
    owner: bpy.types.ID,
    data_path: str,
    frames: NDArray[np.float64],
    rows: NDArray[np.int64],
    quaternions: NDArray[np.float64],
    group: str,
) -> None:
    """The same for quaternions (n, 4), whose signs run on from the rows before them to those after them."""
    turns, rest, done = quaternions.copy(), (1.0, 0.0, 0.0, 0.0), 0
    for start, stop in spans(rows):
        before = _held(owner, data_path, rest, frames[start - 1]) if start > 0 else None
        after = _held(owner, data_path, rest, frames[stop]) if stop < len(frames) else None
        part = slice(done, done + stop - start)
        turns[part] = continuous_between(turns[part], before, after)
        done += stop - start
    write_rows(owner, data_path, frames, rows, turns, rest, group)


def _held(owner: bpy.types.ID, path: str, rest: Sequence[float], frame: float) -> NDArray[np.float64]:
    """What the curves of a property say at a frame. Shape: (k,)."""
    bag, at = versions.channels(owner), np.array([frame])
    curves = [bag.fcurves.find(path, index=index) if bag else None for index in range(len(rest))]
    return np.array([rest[i] if curve is None else evaluated(curve, at)[0] for i, curve in enumerate(curves)])


def _replace(
    curve: bpy.types.FCurve, frames: NDArray[np.float64], rows: NDArray[np.int64], values: NDArray[np.float64]
) -> None:
    """Keys in the rows, and none between two of them that follow each other."""
    for start, stop in spans(rows):
        inside = [point.co.x for point in curve.keyframe_points if frames[start] < point.co.x < frames[stop - 1]]
        for frame in inside:
            point = next(point for point in curve.keyframe_points if point.co.x == frame)
            curve.keyframe_points.remove(point, fast=True)
    for frame, value in zip(frames[rows], values, strict=True):
        curve.keyframe_points.insert(frame, value, options={"FAST"}).interpolation = "LINEAR"
