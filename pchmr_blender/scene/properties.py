# SPDX-License-Identifier: GPL-3.0-or-later
"""What the .blend keeps of what is in it: on a collection, which person of which take it shows and where; on an object,
which part of a person it is. What a scene asks of the next reconstruction: `clip_settings`.
"""

from __future__ import annotations

from typing import Final

import bpy
from bpy.props import (
    BoolProperty,
    EnumProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from ..core.form_costs import FORMS
from . import body_visibility, retime
from .actions import action_of
from .clip_settings import SceneSettings
from .export_stage import key_range
from .handles import find_part

PARTS: Final = (
    ("NONE", "None", "No part of a person"),
    ("BODY", "Body", "The mesh"),
    ("SKELETON", "Skeleton", "The calibrated joints as bones"),
    ("TARGETS", "Targets", "The target pose as controls"),
    ("CAMERA", "Camera", "The footage's camera, of all people of a take"),
    ("PREVIEW", "Preview", "Stands for the body while its target pose is edited; never saved"),
)
"""What an object is to its person, as Blender's enum items."""

_HIDDEN: Final = {"HIDDEN"}


def _show_footage(settings: PersonSettings, context: bpy.types.Context) -> None:
    retime.show_footage(settings.id_data)


def _is_body_shown(settings: PersonSettings) -> bool:
    body = find_part(settings.id_data, "BODY")
    return body is not None and body_visibility.is_shown(body)


def _show_body(settings: PersonSettings, shown: bool) -> None:
    body = find_part(settings.id_data, "BODY")
    if body is not None:
        body_visibility.show(body, shown)


def _hides_outside(settings: PersonSettings) -> bool:
    body = find_part(settings.id_data, "BODY")
    return body is not None and body_visibility.hides_outside(body)


def _hide_outside(settings: PersonSettings, hide: bool) -> None:
    body, skeleton = (find_part(settings.id_data, part) for part in ("BODY", "SKELETON"))
    if body is None:
        return
    if hide and skeleton is not None and not body_visibility.has_keys(body):
        frames = key_range(skeleton, bpy.context.scene)
        body_visibility.key_visibility(body, frames, action_of(skeleton))
    body_visibility.hide_outside(body, hide)


class PersonSettings(bpy.types.PropertyGroup):
    """`Collection.pchmr`: one person of a take. A collection with an empty `uuid` is none of ours."""

    uuid: StringProperty(options=_HIDDEN)  # type: ignore[valid-type]
    """Tells this collection from all others, a second import of the same person included."""
    group: StringProperty(options=_HIDDEN)  # type: ignore[valid-type]
    """Shared by the people of one import: they have one camera and one placing."""
    take: StringProperty(options=_HIDDEN)  # type: ignore[valid-type]
    """Folder of the take as `relocate.stored_path` writes it; `take_paths` keeps it true."""
    take_absolute: StringProperty(options=_HIDDEN)  # type: ignore[valid-type]
    """Where it was when it was last seen."""
    fingerprint: StringProperty(options=_HIDDEN)  # type: ignore[valid-type]
    """Of the take's footage."""
    settings_hash: StringProperty(options=_HIDDEN)  # type: ignore[valid-type]
    """Of the settings that the take was solved with."""
    person: IntProperty(options=_HIDDEN)  # type: ignore[valid-type]
    """Index of the person in the take."""
    form: EnumProperty(name="Body", items=FORMS, options=_HIDDEN)  # type: ignore[valid-type]
    """What the body is in now; `body_forms.set_form` changes it."""
    tolerance_mm: FloatProperty(options=_HIDDEN)  # type: ignore[valid-type]
    """Largest error of the compressed form that was asked for."""
    placing: StringProperty(options=_HIDDEN)  # type: ignore[valid-type]
    """`Placing` as JSON: Blender's own numbers are too coarse to find a key again after an hour of frames."""
    footage_offset: FloatProperty(  # type: ignore[valid-type]
        name="Footage Offset",
        description="Scene frames that the footage is shown later than the take says",
        update=_show_footage,
    )
    show_body: BoolProperty(  # type: ignore[valid-type]
        name="Body",
        description="Show the body in the viewport, in the frames in which its person is in the picture",
        get=_is_body_shown,
        set=_show_body,
    )
    """Not `Object.hide_viewport`, which keys of the body's visibility set again in the next frame."""
    hide_outside: BoolProperty(  # type: ignore[valid-type]
        name="Hide When Out of Picture",
        description="Show the body only in the frames in which the footage shows its person; else it stands still in "
        "the others. Keys of the object's visibility do it, in viewport and renders; exported files show it always",
        get=_hides_outside,
        set=_hide_outside,
    )
    footage: BoolProperty(options=_HIDDEN)  # type: ignore[valid-type]
    """Whether the camera is to show the footage."""
    baked: BoolProperty(options=_HIDDEN)  # type: ignore[valid-type]
    """Whether the targets were removed because the work is finished."""
    problem: StringProperty(options=_HIDDEN)  # type: ignore[valid-type]
    """What is wrong with the take or the footage, for the panel; empty where nothing is."""
    problem_kind: StringProperty(options=_HIDDEN)  # type: ignore[valid-type]
    """Which kind of error it is, where `mend_paths` has found it."""


class PartSettings(bpy.types.PropertyGroup):
    """`Object.pchmr`: what the object is to its person."""

    part: EnumProperty(items=PARTS, options=_HIDDEN)  # type: ignore[valid-type]
    owner: StringProperty(options=_HIDDEN)  # type: ignore[valid-type]
    """`PersonSettings.uuid` of its person; of a camera: `PersonSettings.group`."""
    footage_rate: FloatProperty(options=_HIDDEN)  # type: ignore[valid-type]
    """Of a camera: pictures per second of its footage; 0 where it shows none."""
    footage_count: IntProperty(options=_HIDDEN)  # type: ignore[valid-type]
    """Pictures of its footage."""
    footage_first: IntProperty(options=_HIDDEN)  # type: ignore[valid-type]
    """Number of the first picture, as Blender counts them."""
    pinhole: FloatVectorProperty(size=6, options=_HIDDEN)  # type: ignore[valid-type]
    """Of a camera: the fields of the footage's `Pinhole`; zeros in files that did not have it yet."""
    fitted: FloatVectorProperty(size=4, options=_HIDDEN)  # type: ignore[valid-type]
    """The `Frame` that the camera is set for."""


CLASSES: Final = (SceneSettings, PersonSettings, PartSettings)
"""To be registered, in this order."""

_POINTERS: Final = (
    (bpy.types.Scene, SceneSettings),
    (bpy.types.Collection, PersonSettings),
    (bpy.types.Object, PartSettings),
)


def add_pointers() -> None:
    """Hang the groups on Blender's types, as `pchmr`. After `CLASSES` are registered."""
    for kind, group in _POINTERS:
        kind.pchmr = PointerProperty(type=group)


def remove_pointers() -> None:
    """Undo `add_pointers`. What the .blend keeps stays in it."""
    for kind, _ in reversed(_POINTERS):
        del kind.pchmr
