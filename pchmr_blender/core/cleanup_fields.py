# SPDX-License-Identifier: GPL-3.0-or-later
"""How the clean-up's parameters are shown: what they are called, in which unit, in which range a slider goes.

What they mean and allow is told by the backend's `targets.parameters`, which this table follows: a parameter that is
new there has to be named here (a test sees to it).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

SECONDS, METRES, SPEED, SHARE, PLAIN = "TIME_ABSOLUTE", "LENGTH", "VELOCITY", "FACTOR", "NONE"
"""How Blender shows a number; all but the share are its units."""


@dataclass(frozen=True)
class Field:
    """One parameter."""

    name: str
    """On its slider or switch."""
    unit: str = PLAIN
    """One of the above."""
    soft: tuple[float, float] | None = None
    """Where a slider ends; None: where the parameter does. Typed numbers may go further."""
    precision: int = 2
    """Decimals that are shown."""
    advanced: bool = False
    """Whether it is folded away: for those who know why they turn it."""


@dataclass(frozen=True)
class LayerFields:
    """One layer."""

    name: str
    """Title of its panel."""
    fields: Mapping[str, Field]
    """Its parameters by their keys, in the order in which they are shown; `enabled` stands in the title."""


_COMMON: Final = {"enabled": Field("Enabled"), "strength": Field("Strength", SHARE)}
_PART: Final = (0.0, 2.0)

LAYERS: Final[Mapping[str, LayerFields]] = {
    "gap_fill": LayerFields("Gap Fill", {
        **_COMMON,
        "visibility": Field("Hidden Below", SHARE),
        "longest_seconds": Field("Longest Gap", SECONDS, (0.0, 10.0)),
        "only_uncertain": Field("Only Uncertain", advanced=True),
        "bridge_seconds": Field("Bridged Gap", SECONDS, (0.0, 0.5), advanced=True),
        "blend_seconds": Field("Blend", SECONDS, (0.0, 0.5), advanced=True),
    }),
    "outliers": LayerFields("Outliers", {
        **_COMMON,
        "spikes": Field("Leaps"),
        "swaps": Field("Swapped Limbs"),
        "threshold": Field("Threshold", soft=(2.0, 15.0), precision=1),
        "longest_seconds": Field("Longest", SECONDS, (0.0, 2.0), advanced=True),
    }),
    "smoothing": LayerFields("Smoothing", {
        **_COMMON,
        "seconds": Field("Reach", SECONDS, (0.0, 2.0)),
        "edge_preserving": Field("Keep Fast Motion"),
        "tolerance": Field("Tolerance (mm)", soft=(0.0, 10.0), advanced=True),
        "root": Field("Path", soft=_PART, advanced=True),
        "torso": Field("Torso", soft=_PART, advanced=True),
        "head": Field("Head", soft=_PART, advanced=True),
        "arms": Field("Arms", soft=_PART, advanced=True),
        "hands": Field("Hands", soft=_PART, advanced=True),
        "legs": Field("Legs", soft=_PART, advanced=True),
        "feet": Field("Feet", soft=_PART, advanced=True),
    }),
    "floor": LayerFields("Floor", {
        **_COMMON,
        "drift": Field("Remove Drift", SHARE),
        "push_out": Field("Lift Feet Out"),
        "keep_picture": Field("Keep Picture", advanced=True),
        "smooth_seconds": Field("Change Over", SECONDS, (0.02, 2.0), advanced=True),
    }),
    "foot_contact": LayerFields("Foot Contact", {
        **_COMMON,
        "blend_seconds": Field("Blend", SECONDS, (0.0, 0.5)),
        "speed": Field("Slower Than", SPEED, (0.05, 2.0), advanced=True),
        "height": Field("Lower Than", METRES, (0.01, 0.3), advanced=True),
        "shortest_seconds": Field("Shortest", SECONDS, (0.0, 0.5), advanced=True),
        "lift_heel": Field("Lift Heel", METRES, (0.0, 0.05), precision=3, advanced=True),
        "lower_pelvis": Field("Move Body", METRES, (0.0, 0.3), precision=3, advanced=True),
    }),
}  # fmt: skip
"""The layers by their names in `targets.parameters.Layers`, in their order."""


def typed(value: float) -> float:
    """The number that was typed, of Blender's 32 bits: 0.3, not 0.30000001192…, of which hashes would be others."""
    return float(str(np.float32(value)))


def same(value: float, other: float) -> bool:
    """Whether Blender can tell two numbers apart."""
    return bool(np.float32(value) == np.float32(other))
