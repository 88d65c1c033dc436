# SPDX-License-Identifier: GPL-3.0-or-later
"""Which joints follow the target pose, and which are left to the mesh stream: the presets of Strength."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...inference_backend.skeletons import JOINTS

_STEMS: Final = tuple(joint.removeprefix("left_").removeprefix("right_") for joint in JOINTS)
_LOWER: Final = frozenset({"pelvis", "hip", "knee", "ankle", "foot"})


@dataclass(frozen=True)
class StrengthPreset:
    """Which joints get the strength that is asked for; the others get 0."""

    label: str
    text: str
    free: frozenset[str]
    """Stems of the joints that the mesh stream moves: `wrist` for both."""

    def strengths(self, value: float) -> NDArray[np.float64]:
        """Of all joints. Shape: (24,), 0 to 1."""
        return np.array([0.0 if stem in self.free else value for stem in _STEMS])


PRESETS: Final = {
    "ALL": StrengthPreset("Whole Body", "All joints alike", frozenset()),
    "UPPER": StrengthPreset("Upper Body Only", "Pelvis and legs stay with the mesh stream", _LOWER),
    "LOWER": StrengthPreset(
        "Lower Body Only", "Spine, arms and head stay with the mesh stream", frozenset(_STEMS) - _LOWER
    ),
    "HANDS_FREE": StrengthPreset(
        "Hands Free", "Wrists and hands stay with the mesh stream", frozenset({"wrist", "hand"})
    ),
    "HEAD_FREE": StrengthPreset("Head Free", "Neck and head stay with the mesh stream", frozenset({"neck", "head"})),
    "FEET_FREE": StrengthPreset("Feet Free", "Ankles and feet stay with the mesh stream", frozenset({"ankle", "foot"})),
}
"""By the name that the .blend and scripts know."""
