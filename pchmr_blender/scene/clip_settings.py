# SPDX-License-Identifier: GPL-3.0-or-later
"""`Scene.pchmr`: what is asked of the next reconstruction, as the .blend keeps it."""

from __future__ import annotations

from typing import Final

import bpy
from bpy.props import (
    BoolProperty,
    EnumProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    StringProperty,
)

from ..core.form_costs import FORMS
from .versions import path_options

MOST_HEIGHTS: Final = 32
"""As many numbers as Blender keeps in one property."""

_PATH: Final = path_options()


class SceneSettings(bpy.types.PropertyGroup):
    """`Scene.pchmr`: the panel's fields."""

    clip: StringProperty(  # type: ignore[valid-type]
        name="Clip",
        description="Movie, or folder or pattern (shot_####.png) of images",
        subtype="FILE_PATH",
        options=_PATH,
    )
    use_range: BoolProperty(  # type: ignore[valid-type]
        name="Frame Range", description="Reconstruct a part of the clip only"
    )
    start: IntProperty(  # type: ignore[valid-type]
        name="First", description="First frame of the clip, counted from 0", min=0
    )
    end: IntProperty(  # type: ignore[valid-type]
        name="Last", description="Last frame of the clip, counted from 0 and included", min=0, default=249
    )
    people: EnumProperty(  # type: ignore[valid-type]
        name="People",
        description="Who is reconstructed",
        items=(
            ("LARGEST", "Largest", "The person that is largest in the picture"),
            ("ALL", "All", "Everyone who is found"),
            ("INDEX", "Number", "One person by number: 0 is the largest"),
        ),
    )
    person: IntProperty(  # type: ignore[valid-type]
        name="Number", description="Which person: 0 is the largest", min=0
    )
    height: FloatProperty(  # type: ignore[valid-type]
        name="Height",
        description="The person's height, of several people the usual one; it sets the size of everything",
        default=1.70,
        min=0.5,
        max=2.5,
        precision=3,
        subtype="DISTANCE",
        unit="LENGTH",
    )
    height_count: IntProperty(  # type: ignore[valid-type]
        name="Heights",
        description="How many are given: 1 for everyone, or one for each person, by size in the picture",
        default=1,
        min=1,
        max=MOST_HEIGHTS,
    )
    heights: FloatVectorProperty(  # type: ignore[valid-type]
        name="Heights",
        description="Of each person, by size in the picture; they set the size of everything",
        size=MOST_HEIGHTS,
        default=(1.70,) * MOST_HEIGHTS,
        min=0.5,
        max=2.5,
        precision=3,
        unit="LENGTH",
    )
    focal: FloatProperty(  # type: ignore[valid-type]
        name="Focal Length",
        description="Of the footage's camera, in pixels of the upright picture; 0: from the file, else a usual lens",
        min=0.0,
        max=100_000.0,
        precision=0,
    )
    preset: StringProperty(  # type: ignore[valid-type]
        name="Preset", description="Name of a solve preset, or a .toml file", default="default"
    )
    cleanup: StringProperty(  # type: ignore[valid-type]
        name="Clean-up",
        description="Name of a clean-up preset, or a .toml file: what is done to the pose. Clean-up may do otherwise "
        "at any time; off leaves the pose as it is found",
        default="default",
    )
    device: EnumProperty(  # type: ignore[valid-type]
        name="Device",
        description="What computes",
        items=(
            ("AUTO", "Automatic", "The fastest that is there"),
            ("CPU", "CPU", "The processor"),
            ("CUDA", "CUDA", "An NVIDIA graphics card"),
            ("MPS", "MPS", "Apple's graphics"),
        ),
    )
    out: StringProperty(  # type: ignore[valid-type]
        name="Output", description="Folder for takes; beside the clip where empty", subtype="DIR_PATH", options=_PATH
    )
    form: EnumProperty(  # type: ignore[valid-type]
        name="Body",
        description="How the body's animation is kept",
        items=(("AUTO", "Automatic", "Shape keys for short clips, a mesh cache for longer ones"), *FORMS),
    )
    tolerance_mm: FloatProperty(  # type: ignore[valid-type]
        name="Tolerance",
        description="Largest error of the compressed form, in millimetres",
        default=1.0,
        min=0.05,
        max=50.0,
        precision=2,
    )
    footage_offset: FloatProperty(  # type: ignore[valid-type]
        name="Footage Offset",
        description="Scene frames that the footage of the next import is shown later than the take says",
    )
