# SPDX-License-Identifier: GPL-3.0-or-later
"""`Collection.pchmr_suspects`: the list of a person's doubtful joints, and how they are shown."""

from __future__ import annotations

from typing import Final

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from ...inference_backend.errors import BackendError
from ...inference_backend.suspect_threshold import SUSPECT_THRESHOLD
from ..problems import in_words
from . import suspect_colours, suspect_marks

_HIDDEN: Final = {"HIDDEN"}


def _list_again(settings: SuspectSettings, context: bpy.types.Context) -> None:
    try:
        suspect_marks.list_suspects(settings.id_data)
    except BackendError as error:
        settings.problem = in_words(error)


def _show_markers(settings: SuspectSettings, context: bpy.types.Context) -> None:
    suspect_marks.show_markers(settings.id_data)


def _show_colours(settings: SuspectSettings, context: bpy.types.Context) -> None:
    suspect_colours.show_colours(settings.id_data, context.scene.frame_current_final)


class SuspectSpan(bpy.types.PropertyGroup):
    """A `core.suspect_list.Suspect`; its `name` is the bone's."""

    joint: IntProperty(options=_HIDDEN)  # type: ignore[valid-type]
    """Index in `skeletons.JOINTS`."""
    first: IntProperty(options=_HIDDEN)  # type: ignore[valid-type]
    """Row of the take."""
    last: IntProperty(options=_HIDDEN)  # type: ignore[valid-type]
    """Row of the take, included."""
    first_second: FloatProperty(options=_HIDDEN)  # type: ignore[valid-type]
    """Time of the first row in the footage. Seconds, not frames: the take may be retimed."""
    last_second: FloatProperty(options=_HIDDEN)  # type: ignore[valid-type]
    """Time of the last row."""
    worst_second: FloatProperty(options=_HIDDEN)  # type: ignore[valid-type]
    """Time of the row with the highest score."""
    score: FloatProperty(options=_HIDDEN)  # type: ignore[valid-type]
    """The highest score, 0 to 1."""
    cause: StringProperty(options=_HIDDEN)  # type: ignore[valid-type]
    """Of `take_format.SUSPECT_CAUSES`."""
    chosen: BoolProperty(  # type: ignore[valid-type]
        name="Choose", description="Take these frames with Recalibrate, where it takes the chosen suspects"
    )


class SuspectSettings(bpy.types.PropertyGroup):
    """Of one person."""

    spans: CollectionProperty(type=SuspectSpan, options=_HIDDEN)  # type: ignore[valid-type]
    """What costs an artist most first."""
    active: IntProperty(name="Suspect", options=_HIDDEN)  # type: ignore[valid-type]
    """Index of the span that is selected in the list."""
    listed: BoolProperty(options=_HIDDEN)  # type: ignore[valid-type]
    """Whether the list was made, and stayed empty where it is."""
    threshold: FloatProperty(  # type: ignore[valid-type]
        name="Threshold",
        description="Joints are listed that are as likely wrong as this, or likelier. Lower it to look for more",
        default=SUSPECT_THRESHOLD,
        min=0.01,
        max=1.0,
        subtype="FACTOR",
        update=_list_again,
    )
    markers: BoolProperty(  # type: ignore[valid-type]
        name="Markers", description="A marker on the timeline at the worst frame of each", update=_show_markers
    )
    colours: BoolProperty(  # type: ignore[valid-type]
        name="Colours",
        description="Colour the controls by their score at the current frame; bones with a colour of yours keep it",
        update=_show_colours,
    )
    detections: BoolProperty(  # type: ignore[valid-type]
        name="Detections",
        description="Draw what was detected in the picture, in views through the take's camera",
    )
    marker_names: StringProperty(options=_HIDDEN)  # type: ignore[valid-type]
    """The markers that we made, as a JSON list: the others are the artist's."""
    problem: StringProperty(options=_HIDDEN)  # type: ignore[valid-type]
    """Why the list could not be made; empty where it could."""


CLASSES: Final = (SuspectSpan, SuspectSettings)
"""To be registered, in this order."""


def add_pointer() -> None:
    """Hang the settings on collections. After `CLASSES` are registered."""
    bpy.types.Collection.pchmr_suspects = PointerProperty(type=SuspectSettings)


def remove_pointer() -> None:
    """Undo `add_pointer`."""
    del bpy.types.Collection.pchmr_suspects
