# SPDX-License-Identifier: GPL-3.0-or-later
"""`Collection.pchmr_corrections`: where an artist has put 2D landmarks of a person, and what was lifted from them."""

from __future__ import annotations

from typing import Final

import bpy
from bpy.props import CollectionProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

_HIDDEN: Final = {"HIDDEN"}


class CorrectedLandmark(bpy.types.PropertyGroup):
    """One landmark in one row of the take."""

    row: IntProperty(options=_HIDDEN)  # type: ignore[valid-type]
    """Of the take."""
    landmark: IntProperty(options=_HIDDEN)  # type: ignore[valid-type]
    """Index in `skeletons.LANDMARKS`."""
    x: FloatProperty(options=_HIDDEN)  # type: ignore[valid-type]
    """Pixels of the upright picture."""
    y: FloatProperty(options=_HIDDEN)  # type: ignore[valid-type]
    """Pixels of the upright picture."""


class CorrectionSettings(bpy.types.PropertyGroup):
    """Of one person."""

    landmarks: CollectionProperty(type=CorrectedLandmark, options=_HIDDEN)  # type: ignore[valid-type]
    """In no order; a landmark of a row once."""
    lifted_rows: StringProperty(options=_HIDDEN)  # type: ignore[valid-type]
    """The rows that were keyed when it was last lifted again, as `core.row_ranges` writes them."""
    lifted_joints: StringProperty(options=_HIDDEN)  # type: ignore[valid-type]
    """The joints that were keyed then, likewise."""


CLASSES: Final = (CorrectedLandmark, CorrectionSettings)
"""To be registered, in this order."""


def add_pointer() -> None:
    """Hang the settings on collections. After `CLASSES` are registered."""
    bpy.types.Collection.pchmr_corrections = PointerProperty(type=CorrectionSettings)


def remove_pointer() -> None:
    """Undo `add_pointer`."""
    del bpy.types.Collection.pchmr_corrections
