# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be drawn over the result to compare it with: read from the take, and never put into the scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import bpy
import numpy as np
from bpy.app.handlers import persistent
from numpy.typing import NDArray

from ...inference_backend.errors import BackendError
from ..core.picture_overlay import row_at
from ..core.takes import PersonView, TakeView
from .handles import placing_of
from .take_paths import open_person

Shown = Literal["CALIBRATED", "MESH_STREAM", "LIFTED", "TARGET"]

_ARRAYS: Final = {"MESH_STREAM": "vertices_hmr", "LIFTED": "joints_lifted", "TARGET": "joints_target"}


@dataclass(frozen=True, eq=False)
class Compared:
    """One row of what is compared."""

    shown: Shown
    points: NDArray[np.float32]
    """(N, 3) vertices of the mesh stream, or (24, 3) joints; metres, world."""
    triangles: NDArray[np.int32]
    """(T, 3) vertices; none for joints."""


_views: Final[dict[tuple[str, ...], tuple[TakeView, PersonView] | None]] = {}
"""By person and take; None where the take could not be read: its panel says so."""


def compared(person: bpy.types.Collection, frame: float) -> Compared | None:
    """What is drawn over a person at a scene frame: None where nothing is, outside of the take, and without the take.

    Only reads.
    """
    shown, opened = person.pchmr_edit.shown, _opened(person)
    if shown == "CALIBRATED" or opened is None:
        return None
    view, own = opened
    row = row_at(own.seconds, float(placing_of(person).seconds(frame)))
    if row is None:
        return None
    triangles = _triangles(view) if shown == "MESH_STREAM" else np.zeros((0, 3), np.int32)
    return Compared(shown, own.places(_ARRAYS[shown], row), triangles)


@persistent
def forget(*_: Any) -> None:
    """Handler of `load_post`; and when the extension goes."""
    _views.clear()


def _opened(person: bpy.types.Collection) -> tuple[TakeView, PersonView] | None:
    own = person.pchmr
    key = own.uuid, own.take, own.take_absolute, own.settings_hash, str(own.person)
    if key not in _views:
        try:
            _views[key] = open_person(person)
        except BackendError:
            _views[key] = None
    return _views[key]


def _triangles(view: TakeView) -> NDArray[np.int32]:
    """The body's faces. Shape: (T, 3)."""
    faces = view.topology.faces
    quads = faces[faces[:, 3] != faces[:, 2]]
    return np.concatenate([faces[:, :3], quads[:, [0, 2, 3]]]).astype(np.int32)
