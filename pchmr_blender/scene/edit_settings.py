# SPDX-License-Identifier: GPL-3.0-or-later
"""What the .blend keeps of the artist's work on a person: clean-up layers, which rows are edited, how edits are made.

`Collection.pchmr_edit` belongs to the person, `PoseBone.pchmr` to a control of its Targets.
"""

from __future__ import annotations

from typing import Final

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, PointerProperty, StringProperty

MODES: Final = (
    ("LENGTHS", "Keep Lengths", "Bones keep their lengths: the chain follows the joint"),
    ("FREE", "Free", "The bones at the joint stretch"),
)
"""How a dragged joint takes its bones along, as Blender's enum items."""

SCOPES: Final = (
    ("KEYS", "Selected Keys", "The frames that the selected keys of the controls change, up to where they fall off"),
    ("FRAME", "This Frame", "The frame that is shown"),
    ("PREVIEW", "Preview Range", "The timeline's preview range; without one, the scene's range"),
    ("SUSPECTS", "Chosen Suspects", "The frames of the suspects that are ticked in the list"),
    ("ALL", "All", "The whole take"),
)
"""Which frames are made again, as Blender's enum items."""

SHOWN: Final = (
    ("CALIBRATED", "Result", "Only the calibrated body: what is rendered, saved and exported"),
    ("MESH_STREAM", "Mesh Stream", "Draw the body as the video mesh network saw it, before it was calibrated"),
    ("LIFTED", "Lifted Pose", "Draw the 3D joints as the lifter found them, before any clean-up"),
    ("TARGET", "Target Pose", "Draw the joints that the body was calibrated to, edits included"),
)
"""What is drawn over the result for comparison, as Blender's enum items. `CALIBRATED`: nothing."""

_HIDDEN: Final = {"HIDDEN"}
_ANIMATABLE: Final = {"ANIMATABLE"}


class ControlSettings(bpy.types.PropertyGroup):
    """`PoseBone.pchmr` of a control: what of an edit is neither location nor rotation."""

    stretch: FloatProperty(  # type: ignore[valid-type]
        name="Stretch",
        description="How far the bone that ends in this joint may leave its length",
        default=0.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        options=_ANIMATABLE,
    )
    strength: FloatProperty(  # type: ignore[valid-type]
        name="Strength",
        description="0 keeps the mesh stream's rotation, 1 takes the target pose's",
        default=1.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        options=_ANIMATABLE,
    )
    pinned: BoolProperty(  # type: ignore[valid-type]
        name="Pin", description="The joint stays where it is while others are dragged", options=set()
    )


class EditSettings(bpy.types.PropertyGroup):
    """`Collection.pchmr_edit` of a person."""

    layers: StringProperty(options=_HIDDEN)  # type: ignore[valid-type]
    """The target stack's parameters as canonical JSON (`targets.parameters`); `edit_state` reads and writes it."""
    committed: StringProperty(options=_HIDDEN)  # type: ignore[valid-type]
    """The take's rows whose edits are in the mesh, as `core.row_ranges` writes them."""
    reports: StringProperty(options=_HIDDEN)  # type: ignore[valid-type]
    """What each layer does, as `core.layer_effects` writes it; empty where it was not asked for yet."""
    before: FloatProperty(  # type: ignore[valid-type]
        name="Before", description="Scene frames over which an edit comes in", default=6.0, min=0.1, max=1000.0,
        precision=1,
    )  # fmt: skip
    after: FloatProperty(  # type: ignore[valid-type]
        name="After", description="Scene frames over which an edit goes out", default=6.0, min=0.1, max=1000.0,
        precision=1,
    )  # fmt: skip
    mode: EnumProperty(name="Mode", description="What a dragged joint does to its bones", items=MODES)  # type: ignore[valid-type]
    children: BoolProperty(  # type: ignore[valid-type]
        name="With Children", description="What hangs on the joint comes along; else it stays", default=True
    )
    mirror: BoolProperty(  # type: ignore[valid-type]
        name="Mirror", description="The joint of the body's other side moves likewise"
    )
    scope: EnumProperty(name="Frames", description="Which frames are made again", items=SCOPES)  # type: ignore[valid-type]
    shown: EnumProperty(  # type: ignore[valid-type]
        name="Compare",
        description="What is drawn over the body in the viewports; never part of the scene, a render or an export",
        items=SHOWN,
        options=set(),
    )


CLASSES: Final = (ControlSettings, EditSettings)
"""To be registered, in this order."""


def add_pointers() -> None:
    """Hang the groups on Blender's types. After `CLASSES` are registered."""
    bpy.types.PoseBone.pchmr = PointerProperty(type=ControlSettings)
    bpy.types.Collection.pchmr_edit = PointerProperty(type=EditSettings)


def remove_pointers() -> None:
    """Undo `add_pointers`. What the .blend keeps stays in it."""
    del bpy.types.Collection.pchmr_edit
    del bpy.types.PoseBone.pchmr
