# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of the list of foot contact strips: views of the strips in the layers' parameters, in scene frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty

from ...inference_backend.targets.parameters import PARTS, SIDES, Strip
from ..core.contact_strips import frames_of, replaced
from .cleanup import clock_of, strip_of_row, strips_in, told, write_strips
from .handles import placing_of

SIDE_ITEMS: Final = (("left", "Left", "The left foot"), ("right", "Right", "The right foot"))
PART_ITEMS: Final = (("heel", "Heel", "The heel stands"), ("toe", "Toe", "Ball and toes stand"))
"""As Blender's enum items, in the order of `SIDES` and `PARTS`."""

_HIDDEN: Final = {"HIDDEN"}
_STILL: Final[set[str]] = set()
"""Options of what cannot be animated."""


def _strip(row: StripRow) -> Strip | None:
    return strip_of_row(row.id_data, row.index)


def _change(row: StripRow, change: Callable[[Strip], Strip]) -> None:
    person = row.id_data
    own, strips = _strip(row), strips_in(person)
    if own is not None and strips is not None:
        told(person, lambda: write_strips(person, replaced(strips, row.index, change(own))))


def _frame(row: StripRow, edge: int) -> int:
    own = _strip(row)
    return 0 if own is None else frames_of(own, placing_of(row.id_data))[edge]


def _side(row: StripRow) -> int:
    own = _strip(row)
    return 0 if own is None else SIDES.index(own.side)


def _set_side(row: StripRow, value: int) -> None:
    _change(row, lambda own: replace(own, side=SIDES[value]))


def _part(row: StripRow) -> int:
    own = _strip(row)
    return 0 if own is None else PARTS.index(own.part)


def _set_part(row: StripRow, value: int) -> None:
    _change(row, lambda own: replace(own, part=PARTS[value]))


def _first(row: StripRow) -> int:
    return _frame(row, 0)


def _set_first(row: StripRow, value: int) -> None:
    if value != _frame(row, 0):
        _change(row, lambda own: clock_of(row.id_data).with_first(own, value))


def _last(row: StripRow) -> int:
    return _frame(row, 1)


def _set_last(row: StripRow, value: int) -> None:
    if value != _frame(row, 1):
        _change(row, lambda own: clock_of(row.id_data).with_last(own, value))


def _locked(row: StripRow) -> bool:
    own = _strip(row)
    return own is not None and own.locked


def _set_locked(row: StripRow, value: bool) -> None:
    _change(row, lambda own: replace(own, locked=value))


class StripRow(bpy.types.PropertyGroup):
    """One row."""

    index: IntProperty(options=_HIDDEN)  # type: ignore[valid-type]
    """Which of `foot_contact.strips` it shows."""
    side: EnumProperty(  # type: ignore[valid-type]
        name="Side", description="Whose foot", items=SIDE_ITEMS, get=_side, set=_set_side, options=_STILL
    )
    part: EnumProperty(  # type: ignore[valid-type]
        name="Part", description="What of the foot stands", items=PART_ITEMS, get=_part, set=_set_part, options=_STILL
    )
    first: IntProperty(  # type: ignore[valid-type]
        name="First", description="First scene frame in which it stands", get=_first, set=_set_first, options=_STILL
    )
    last: IntProperty(  # type: ignore[valid-type]
        name="Last", description="Last scene frame in which it stands", get=_last, set=_set_last, options=_STILL
    )
    locked: BoolProperty(  # type: ignore[valid-type]
        name="Locked",
        description="Hold the foot where it stands; else the strip says that it stands, and only the floor goes by it",
        get=_locked,
        set=_set_locked,
        options=_STILL,
    )
