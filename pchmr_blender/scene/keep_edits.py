# SPDX-License-Identifier: GPL-3.0-or-later
"""The artist's edits over a new import of their person: the keys of the controls, and what of them is in the mesh."""

from __future__ import annotations

from typing import Final

import bpy
import numpy as np

from ..core.takes import TakeView
from ..core.timing import Placing
from . import versions
from .control_curves import ControlCurves
from .edit_state import layers_of_take
from .handles import find_part, placing_of
from .retime import move_keys

_PAIRS: Final = ("co", "handle_left", "handle_right")
_NUMBERS: Final = ("back", "amplitude", "period")
_KINDS: Final = ("interpolation", "easing", "type", "handle_left_type", "handle_right_type")
_FLAGS: Final = ("select_control_point", "select_left_handle", "select_right_handle")


def keep_edits(
    collection: bpy.types.Collection, targets: bpy.types.Object | None, view: TakeView, person: int, placing: Placing
) -> None:
    """Give new targets the keys of the person's former controls, moved to where the take is placed now.

    Layers and committed rows stay as they are for the same take. Another one, as after a reconstruction with other
    settings, has its own layers, and none of the edits in its mesh: Recalibrate brings them in.

    Before anything else of the person is noted anew.

    Args:
        collection: of the person; a new one has no uuid yet.
        targets: the new ones; None where the import has none.
        view: the take that is imported.
        person: index in it.
        placing: of the new parts.
    """
    own, edit, info = collection.pchmr, collection.pchmr_edit, view.info
    same = (own.fingerprint, own.settings_hash) == (info.clip.fingerprint, info.settings_hash)
    former = find_part(collection, "TARGETS") if own.uuid else None
    if former is None or targets is None or not same:
        edit.layers, edit.committed, edit.reports = layers_of_take(view.folder, info, person), "", ""
    if former is not None and targets is not None:
        before = placing_of(collection)
        scale = placing.fps / before.fps
        for bone, _, curves in ControlCurves(former).keyed():
            for curve in filter(None, curves):
                move_keys(_copied(curve, targets, bone), scale, placing.start - before.start * scale)


def _copied(curve: bpy.types.FCurve, targets: bpy.types.Object, group: str) -> bpy.types.FCurve:
    """The same curve of other targets."""
    made = versions.new_curve(versions.channels(targets, create=True), curve.data_path, curve.array_index, group)
    count = len(curve.keyframe_points)
    made.keyframe_points.add(count)
    for names, size, kind in ((_PAIRS, 2, np.float32), (_NUMBERS, 1, np.float32), (_KINDS, 1, np.int32),
                              (_FLAGS, 1, np.bool_)):  # fmt: skip
        for name in names:
            values = np.empty(count * size, kind)
            curve.keyframe_points.foreach_get(name, values)
            made.keyframe_points.foreach_set(name, values)
    made.extrapolation, made.mute, made.auto_smoothing = curve.extrapolation, curve.mute, curve.auto_smoothing
    return made
