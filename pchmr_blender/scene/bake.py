# SPDX-License-Identifier: GPL-3.0-or-later
"""Finishing: the controls go, what they made stays."""

from __future__ import annotations

import bpy

from .actions import remove_action
from .handles import find_part


def bake(collection: bpy.types.Collection) -> None:
    """Remove a person's targets with their keys; body, skeleton and camera stay as they are, and keep their keys.

    Body and skeleton hold the calibrated motion in keys of their own, so nothing has to be computed. Afterwards the
    person cannot be edited by its targets any more: undo, or import the take again.
    """
    targets = find_part(collection, "TARGETS")
    if targets is not None:
        armature = targets.data
        remove_action(targets)
        bpy.data.objects.remove(targets)
        if armature.users == 0:
            bpy.data.armatures.remove(armature)
    collection.pchmr.baked = True
