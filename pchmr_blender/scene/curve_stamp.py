# SPDX-License-Identifier: GPL-3.0-or-later
"""What the keys of the controls look like, in a few bytes: where it is the same, the edits are."""

from __future__ import annotations

import hashlib
import itertools
from typing import Final

import bpy
import numpy as np

from ..core.skeleton import BONE_NAMES
from . import versions

_PLACES: Final = ("co", "handle_left", "handle_right")
_KINDS: Final = ("interpolation", "easing")
_NUMBERS: Final = ("back", "amplitude", "period")
_PATHS: Final = tuple(f'pose.bones["{bone}"].' for bone in BONE_NAMES)
_unique: Final = itertools.count()


def stamp_of(targets: bpy.types.Object) -> bytes:
    """Of everything that decides what the controls' keys mean; of curves with modifiers, which may say anything at any
    time, never the same twice.
    """
    digest = hashlib.blake2b(digest_size=16)
    for name in BONE_NAMES:
        bone = targets.pose.bones.get(name)
        if bone is not None:
            digest.update(f"{name}|{bone.rotation_mode}|{tuple(bone.bone.head_local)}|".encode())
    bag = versions.channels(targets)
    for curve in bag.fcurves if bag else ():
        if not curve.data_path.startswith(_PATHS):
            continue
        points, count = curve.keyframe_points, len(curve.keyframe_points)
        digest.update(f"{curve.data_path}|{curve.array_index}|{curve.mute}|{curve.extrapolation}|{count}|".encode())
        for name, size, kind in (
            *((name, 2, np.float32) for name in _PLACES),
            *((name, 1, np.int32) for name in _KINDS),
            *((name, 1, np.float32) for name in _NUMBERS),
        ):
            values = np.empty(count * size, kind)
            points.foreach_get(name, values)
            digest.update(values.tobytes())
        if len(curve.modifiers):
            digest.update(str(next(_unique)).encode())
    return digest.digest()
