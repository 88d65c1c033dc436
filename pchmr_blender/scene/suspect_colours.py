# SPDX-License-Identifier: GPL-3.0-or-later
"""The controls in the colours of their scores at the current frame."""

from __future__ import annotations

from typing import Final

import bpy
import numpy as np
from bpy.app.handlers import persistent

from ..core.picture_overlay import row_at
from ..core.skeleton import BONE_NAMES
from ..core.suspect_list import score_colour
from .evidence import evidence_of
from .handles import find_part, people_in, placing_of

_MARK: Final = "pchmr_suspect"
"""On a bone that we coloured; the others have colours of the artist."""
_SELECTED: Final = 0.5
"""A selected bone is as much brighter."""


@persistent
def after_frame_change(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    """Handler of `frame_change_post`. Renders need no colours, and their threads may not write into the file."""
    if bpy.app.background or bpy.app.is_job_running("RENDER"):
        return
    for person in people_in(scene):
        if person.pchmr_suspects.colours:
            colour_controls(person, scene.frame_current_final)


def show_colours(collection: bpy.types.Collection, frame: float) -> None:
    """Give the controls their colours, or take them away again where they are switched off."""
    targets = find_part(collection, "TARGETS")
    if targets is None or targets.library is not None:
        return
    for bone in (targets.pose.bones[name] for name in BONE_NAMES if name in targets.pose.bones):
        if collection.pchmr_suspects.colours and bone.color.palette == "DEFAULT":
            bone.color.palette, bone[_MARK] = "CUSTOM", True
        elif not collection.pchmr_suspects.colours and _MARK in bone:
            bone.color.palette = "DEFAULT"
            del bone[_MARK]
    if collection.pchmr_suspects.colours:
        colour_controls(collection, frame)


def colour_controls(collection: bpy.types.Collection, frame: float) -> int:
    """Colour the controls for a scene frame; how many bones were written: those whose colour changes.

    Outside of the take, and where it cannot be read, all are calm.
    """
    targets, seen = find_part(collection, "TARGETS"), evidence_of(collection)
    if targets is None or targets.library is not None:
        return 0
    row = None if seen is None else row_at(seen.seconds, float(placing_of(collection).seconds(frame)))
    scores = np.zeros(len(BONE_NAMES)) if seen is None or row is None else seen.suspect[row]
    written = 0
    for name, score in zip(BONE_NAMES, scores, strict=True):
        bone = targets.pose.bones.get(name)
        if bone is None or _MARK not in bone:
            continue
        colour, custom = score_colour(float(score)), bone.color.custom
        if not np.allclose(custom.normal, colour, atol=2 / 255):  # Blender keeps bytes
            custom.normal = colour
            custom.select = custom.active = [value + (1 - value) * _SELECTED for value in colour]
            written += 1
    return written
