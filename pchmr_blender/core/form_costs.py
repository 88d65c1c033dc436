# SPDX-License-Identifier: GPL-3.0-or-later
"""The three forms of the body's animation, and what each costs before it is chosen."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from math import ceil, sqrt
from typing import Final

KEYFRAME_BYTES: Final = 72
"""A keyframe of an F-curve (Blender's `BezTriple`)."""

PC2_FROM: Final = 300
"""Frames above which the mesh cache is the default."""

_COPIES: Final = 3
"""Shape keys are held once as data, once evaluated and once in the undo history."""

_KEYS_PER_ROOT: Final = 2.4
"""Corrective keys at 1 mm, over the root of the frames: measured on footage of 120 to 1,600 frames."""


class Form(str, Enum):
    """How the body's animation is kept."""

    ABSOLUTE = "ABSOLUTE"
    """A shape key a frame: exact, plain to edit, large."""
    COMPRESSED = "COMPRESSED"
    """Skinned to the skeleton, with corrective shape keys: small, exact to a stated error, exports to games."""
    PC2 = "PC2"
    """A mesh cache in a file beside the .blend: exact, for clips of any length."""


FORMS: Final = (
    (Form.ABSOLUTE.value, "Shape Keys", "A shape key a frame: exact and plain, large; for short clips"),
    (Form.COMPRESSED.value, "Compressed", "Skinned to the skeleton, with corrective shape keys: small; FBX and glTF"),
    (Form.PC2.value, "Mesh Cache", "A file beside the take: exact, for clips of any length"),
)
"""Value, name and description of each form, as they stand in menus."""


@dataclass(frozen=True)
class FormCost:
    """Bytes that a form takes."""

    blend: int
    """In the .blend as it is saved, uncompressed, without the skeleton, which all forms have."""
    memory: int
    """While the .blend is open: data, evaluated copy and undo."""
    disk: int
    """In a file beside the .blend."""
    estimated: bool
    """Whether the figures depend on the motion and are a guess."""


def default_form(frames: int) -> Form:
    """Absolute keys for short clips, the mesh cache above `PC2_FROM` frames."""
    return Form.PC2 if frames > PC2_FROM else Form.ABSOLUTE


def form_cost(form: Form, frames: int, vertices: int, tolerance_mm: float) -> FormCost:
    """What the animation of a body costs in a form; `tolerance_mm` counts in the compressed one only."""
    key = vertices * 12
    if form is Form.ABSOLUTE:
        return FormCost((frames + 1) * key, (frames + 1) * key * _COPIES, 0, False)
    if form is Form.PC2:
        return FormCost(0, 2 * key, frames * key, False)
    count = min(frames, ceil(_KEYS_PER_ROOT * sqrt(frames / max(tolerance_mm, 0.05))))
    return FormCost(
        blend=(count + 1) * key + count * frames * KEYFRAME_BYTES,
        memory=((count + 1) * key + count * frames * KEYFRAME_BYTES) * _COPIES,
        disk=0,
        estimated=True,
    )
