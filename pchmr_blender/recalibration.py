# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's mesh made to agree with the .blend: what its layers and committed edits want, the backend makes, in those
rows alone, and the scene shows them.

The take keeps what the backend has made, and each row says what it was made from. So work that was stopped, or failed,
loses nothing: what is done stays, and the next recalibration goes on with the rest.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..inference_backend.errors import SceneChanged
from . import session
from .activities import Work
from .backend.client import Client
from .core.edit_rows import EditRows
from .core.takes import PersonView
from .operators.backend_jobs import begin_job
from .scene.cleanup import keep_effects
from .scene.edit_state import Wanted, layers_of, wanted
from .scene.edits import row_frames
from .scene.handles import Handle, find_part, handle_of, part_of, resolve
from .scene.refresh import refresh
from .scene.shown_rows import differing
from .scene.take_paths import open_person


@dataclass(frozen=True, eq=False)
class Recalibration:
    """What was done."""

    rows: NDArray[np.int64]
    """(n,) of the take, that are shown anew; increasing."""
    reports: tuple[Mapping[str, Any], ...]
    """What each layer does, as the backend's `LayerReport`s; empty where the take had all rows already."""


def start_recalibration(person: bpy.types.Collection, title: str = "") -> None:
    """Begin `recalibration` as the session's activity; without a window, wait for its end.

    Raises EnvironmentInvalid where there is no backend; without a window, what `recalibration` raises.
    """
    handle = handle_of(person)
    begin_job(title or f"Recalibrating {person.name}", lambda client: _told(handle, client))


def recalibration(handle: Handle, client: Client) -> Work:
    """Make the rows again that are not what the .blend wants, and show them; returns a `Recalibration`.

    A person whose targets were baked is left alone.

    Raises:
        SceneChanged: the person or a part is gone, or the base bones are those of another take.
        BadArgument: an edit that nobody can mean; or what `refresh` says of the body.
        TakeNotFound, TakeMismatch, TakeVersion, TakeCorrupt: the take cannot be read.
        OutputNotWritable, DiskFull: the take, or the mesh cache, cannot be written.
        BackendDied, Cancelled and what else a call to the backend may end with.
    """
    person = resolve(handle)
    if find_part(person, "TARGETS") is None:
        return Recalibration(np.zeros(0, np.int64), ())
    view, one = open_person(person)
    _require_rows(person, one)
    want, reports = wanted(person, one.frame_count), ()
    if (one.row_hashes != want.hashes).any():
        with tempfile.TemporaryDirectory(prefix="pchmr-", ignore_cleanup_errors=True) as folder:
            params = _params(view.folder, person, want, Path(folder))
            result = yield client.call("recalibrate", params)
        reports = tuple(result["layers"])
        one = open_person(resolve(handle))[1]
    rows = np.flatnonzero(differing(part_of(resolve(handle), "BODY"), one.row_hashes))
    yield from refresh(handle, rows)
    if reports:
        keep_effects(resolve(handle), params["layers"], result)
    return Recalibration(rows, reports)


def _told(handle: Handle, client: Client) -> Work:
    """As an activity: what was done stands in the panel."""
    done = yield from recalibration(handle, client)
    frames = "1 frame" if len(done.rows) == 1 else f"{len(done.rows)} frames"
    session.current.notice = (
        f"{handle.name}: {frames} recalibrated." if len(done.rows) else _NOTHING.format(handle.name)
    )


_NOTHING = "{}: every frame is already what its edits and layers say."


def _require_rows(person: bpy.types.Collection, view: PersonView) -> None:
    """Raise SceneChanged where the take has other frames than the base bones."""
    found = len(row_frames(person))
    if found != view.frame_count:
        raise SceneChanged(
            f"the base bones of {person.name} have {found} keys, its take {view.frame_count} frames",
            hint="Undo what changed the base bones' keys, or import the take again.",
            found=found,
            expected=view.frame_count,
        )


def _params(take: Path, person: bpy.types.Collection, want: Wanted, folder: Path) -> dict[str, Any]:
    """Of the backend's `recalibrate`; the edits go into a file in the folder."""
    params: dict[str, Any] = {"take": str(take), "person": person.pchmr.person, "layers": layers_of(person)}
    if len(want.rows):
        path = folder / "edits.npz"
        np.savez(path, rows=want.rows, **{field.name: getattr(want.edits, field.name) for field in fields(EditRows)})
        params["edits"] = str(path)
    return params
