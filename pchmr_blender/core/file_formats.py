# SPDX-License-Identifier: GPL-3.0-or-later
"""The file formats that a person is exported to, and what each carries."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal

from .bvh import BvhUnit
from .form_costs import Form

Content = Literal["BODY", "SKELETON"]


class Format(str, Enum):
    """A file format; the value is the file name's ending."""

    FBX = "fbx"
    """Bones, skin and shape keys."""
    GLB = "glb"
    """Binary glTF: bones, skin and morph targets, one animation."""
    USD = "usd"
    """The body's vertices in each frame."""
    ABC = "abc"
    """Alembic: the body's vertices in each frame."""
    BVH = "bvh"
    """The bones alone."""

    @property
    def label(self) -> str:
        """As people read it."""
        return {"glb": "glTF", "abc": "Alembic"}.get(self.value, self.value.upper())

    def has_bones(self) -> bool:
        """Whether the skeleton is in the file."""
        return self not in (Format.USD, Format.ABC)

    def has_body(self, content: Content) -> bool:
        """Whether the body is in the file."""
        return self is not Format.BVH and content == "BODY"


@dataclass(frozen=True)
class ExportOptions:
    """What of a person is written, and how."""

    content: Content = "BODY"
    """The body with what moves it, or the bones alone. BVH has bones only, USD and Alembic the body only."""
    frames: tuple[int, int] | None = None
    """First and last scene frame; None: those that the skeleton has keys in."""
    bvh_unit: BvhUnit = BvhUnit.CENTIMETRES
    """What a length of 1 in a BVH is."""


CARRIED: Final = {
    Format.FBX: (Form.COMPRESSED,),
    Format.GLB: (Form.COMPRESSED,),
    Format.USD: tuple(Form),
    Format.ABC: tuple(Form),
    Format.BVH: tuple(Form),
}
"""The forms of the body's animation that each format can be written from."""
