# SPDX-License-Identifier: GPL-3.0-or-later
"""What the layers do, as the backend says it and the .blend keeps it, in words: numbers before and after."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from ...inference_backend.targets.parameters import FootContact, Strip, read_layers

NUMBERS: Final[tuple[tuple[str, str, str], ...]] = (
    ("foot_slide", "Foot slide", "mm/s"),
    ("floor_error", "Floor error", "mm"),
    ("jerk", "Jerk", "m/s³"),
    ("bone_length_spread", "Lengths vary", "mm"),
)
"""Fields of the backend's `Effects`, what they are called, and their units."""

_ARROW: Final = " → "


@dataclass(frozen=True)
class LayerEffect:
    """What one layer does."""

    name: str
    """Its name in `Layers`."""
    before: Mapping[str, float | None]
    """`NUMBERS` of the motion that it was given."""
    after: Mapping[str, float | None]
    """`NUMBERS` of the motion that it gave."""
    moved: float
    """mm by which it moves the joints, on average."""


@dataclass(frozen=True)
class Measured:
    """What the layers do to a person."""

    layers: str
    """The parameters that it was measured with, as canonical JSON."""
    effects: tuple[LayerEffect, ...]
    """Of the layers in their order."""
    strips: tuple[Strip, ...]
    """When feet stand."""

    def of(self, name: str) -> LayerEffect | None:
        """Of one layer."""
        return next((one for one in self.effects if one.name == name), None)


def written(layers: str, told: Mapping[str, Any]) -> str:
    """What the backend's `effects` and `recalibrate` say, as text for the .blend."""
    return json.dumps({"measured": layers, "layers": told["layers"], "strips": told["strips"]}, separators=(",", ":"))


@lru_cache(maxsize=16)  # panels read it with every move of the mouse
def read(text: str) -> Measured | None:
    """From the text; None where there is none."""
    if not text:
        return None
    values = json.loads(text)
    effects = tuple(
        LayerEffect(one["name"], one["before"], one["after"], float(one["moved"])) for one in values["layers"]
    )
    contact: FootContact = read_layers({"foot_contact": {"strips": values["strips"]}}).foot_contact
    return Measured(values["measured"], effects, contact.strips or ())


def lines(before: Mapping[str, float | None], after: Mapping[str, float | None]) -> list[tuple[str, str]]:
    """Names and numbers: Foot slide, 91.3 → 12.0 mm/s. Once where nothing changed."""
    return [(name, _change(before[key], after[key], unit)) for key, name, unit in NUMBERS]


def changes(effect: LayerEffect) -> list[tuple[str, str]]:
    """The same of one layer, without what it leaves as it is."""
    found = [(name, text) for name, text in lines(effect.before, effect.after) if _ARROW in text]
    if effect.moved:
        found.append(("Moves joints by", f"{effect.moved:.1f} mm"))
    return found or [("Changes", "nothing")]


def _change(before: float | None, after: float | None, unit: str) -> str:
    if before is None or after is None:  # nothing stands
        return "–"
    first, second = _number(before), _number(after)
    return f"{first} {unit}" if first == second else f"{first}{_ARROW}{second} {unit}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"
