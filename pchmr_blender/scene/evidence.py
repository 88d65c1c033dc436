# SPDX-License-Identifier: GPL-3.0-or-later
"""What the take says about a person's doubtful joints, kept in memory: handlers and drawing ask for it all the time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import bpy
import numpy as np
from bpy.app.handlers import persistent
from numpy.typing import NDArray

from ...inference_backend.errors import BackendError
from .take_paths import open_person


@dataclass(frozen=True, eq=False)
class Evidence:
    """Of F rows of a take."""

    seconds: NDArray[np.float64]
    """(F,) time in the footage."""
    suspect: NDArray[np.float32]
    """(F, 24) 0 to 1."""
    causes: NDArray[np.uint8]
    """(F, 24, 6) 0 to 255."""
    keypoints_2d: NDArray[np.float32]
    """(F, 33, 3) x, y in pixels of the upright picture, confidence."""


_kept: Final[dict[tuple[str, ...], Evidence | None]] = {}
"""By person and take; None where the take could not be read, so that it is not tried at every frame."""


def read_evidence(collection: bpy.types.Collection) -> Evidence:
    """Read it anew, and keep it. Raises as `take_paths.open_person`."""
    _, person = open_person(collection)
    read = Evidence(person.seconds, person.suspect, person.suspect_causes, person.keypoints_2d)
    _kept[_key(collection)] = read
    return read


def evidence_of(collection: bpy.types.Collection) -> Evidence | None:
    """What is kept, else what the take says; None where the take cannot be read."""
    key = _key(collection)
    if key not in _kept:
        try:
            return read_evidence(collection)
        except BackendError:  # its panel says so: `take_paths.mend_paths`
            _kept[key] = None
    return _kept[key]


@persistent
def forget(*_: Any) -> None:
    """Handler of `load_post`; and when the extension goes."""
    _kept.clear()


def _key(collection: bpy.types.Collection) -> tuple[str, ...]:
    own = collection.pchmr
    return own.uuid, own.take, own.take_absolute, own.settings_hash, str(own.person)
