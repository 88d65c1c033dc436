# SPDX-License-Identifier: GPL-3.0-or-later
"""Corrected detections become edits: the frames around them are lifted again, keyed, and recalibrated."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import session
from .activities import Work
from .backend.client import Client
from .core.edit_rows import EditRows
from .operators.backend_jobs import push_undo
from .recalibration import recalibration
from .scene.corrections import corrections_of, key_lifted
from .scene.edit_state import layers_of
from .scene.free_hands import free_hands
from .scene.handles import Handle, resolve
from .scene.take_paths import take_folder


@dataclass(frozen=True, eq=False)
class Lifted:
    """What the backend made of corrections."""

    rows: NDArray[np.int64]
    """(n,) of the take, increasing."""
    edits: EditRows
    """Of these rows."""
    joints: tuple[int, ...]
    """Those that are edited."""
    keyed: NDArray[np.bool_]
    """(n,) the rows that get keys; the others' edits are what the curves hold there."""


def lifting(client: Client, handle: Handle) -> Work:
    """The work of Lift Again: one call, one step of undo, and the recalibration of the frames that changed.

    Raises what the backend's `correct` raises, before anything is changed, and what `recalibration` raises.
    """
    lifted = Lifted(np.zeros(0, np.int64), EditRows.none(0), (), np.zeros(0, bool))
    if corrections_of(resolve(handle)):
        with tempfile.TemporaryDirectory(prefix="pchmr-", ignore_cleanup_errors=True) as folder:
            out = Path(folder) / "lifted.npz"
            result = yield client.call("correct", params_of(handle, out))
            lifted = read_lifted(out, result["joints"], result["keyed"])
    yield from free_hands()
    person = resolve(handle)
    key_lifted(person, lifted.rows, lifted.edits, lifted.joints, lifted.keyed)
    push_undo("Lift Again")
    yield from recalibration(handle, client)
    session.current.notice = f"{handle.name} was lifted again: {_in_words(lifted)}."


def params_of(handle: Handle, out: Path) -> dict[str, Any]:
    """The parameters of the backend's `correct`. Raises SceneChanged, and as `take_folder`."""
    person = resolve(handle)
    return {
        "take": str(take_folder(person)),
        "person": person.pchmr.person,
        "layers": layers_of(person),
        "corrections": [asdict(one) for one in corrections_of(person)],
        "out": str(out),
    }


def read_lifted(file: Path, joints: list[int], keyed: list[int]) -> Lifted:
    """What `correct` has written."""
    with np.load(file, allow_pickle=False) as arrays:
        edits = EditRows(**{field.name: arrays[field.name] for field in fields(EditRows)})
        return Lifted(arrays["rows"], edits, tuple(joints), np.isin(arrays["rows"], keyed))


def _in_words(lifted: Lifted) -> str:
    """What has changed."""
    joints, frames = len(lifted.joints), len(lifted.rows)
    if not frames:
        return "no joint is edited"
    keys = int(lifted.keyed.sum())
    said = f"{joints} joint{'s are' if joints > 1 else ' is'} edited in {frames} frame{'s' * (frames > 1)}"
    return f"{said}, by keys on {keys}"
