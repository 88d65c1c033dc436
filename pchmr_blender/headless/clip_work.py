# SPDX-License-Identifier: GPL-3.0-or-later
"""One clip of a batch, from the footage to the last file:

1  reconstruct        the backend, into the take                  → NAME.take
2  import             into an empty .blend, nothing edited        → NAME.blend
   or open            the .blend that an earlier run has made, with what was edited in it since
3  preview            the body over the footage                   → NAME.preview.mp4
4  export             for other programs                          → NAME.usd, NAME.fbx …

What of step 4 needs another form of the body is made last, and that form is not saved. What an earlier run has
finished with the same settings is left alone; the stamp beside it tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy

from ...inference_backend.errors import OutputNotWritable
from ...inference_backend.take_info import JSON_NAME
from ..activities import Work
from ..backend.client import Client
from ..core.takes import TakeView, open_view
from ..edit_script import made_again, require_people
from ..operators.reconstruct import stand_in
from ..scene.handles import find_part, handle_of, part_of
from ..scene.import_take import ImportOptions, import_take
from ..scene.mesh_cache import cache_files, restore_caches
from ..scene.take_paths import open_person
from .arguments import Batch
from .blend_file import look_through_camera, new_file, opened_file, save
from .clip_job import ClipJob, ClipMade, Show
from .outputs import kinds, made_files, make_outputs
from .stamps import BLEND, CACHES, Ledger, digest, settings_key


def finished(job: ClipJob, batch: Batch) -> ClipMade | None:
    """What an earlier run has made, where that is all that is asked for. Raises ClipNotFound, UnsupportedVideo."""
    ledger = _ledger(job, batch)
    there = all(ledger.has(kind) for kind in kinds(batch)) and ledger.has_caches()
    if there and ledger.is_of(digest(job.take / JSON_NAME)):
        return ClipMade(made_files(ledger, batch), anew=False)
    return None


def clip_work(client: Client, job: ClipJob, batch: Batch, show: Show) -> Work:
    """The work; it returns a `ClipMade`.

    Raises what the backend, `import_take`, `render_preview` and `export` raise; OutputNotWritable where it would
    replace a .blend that somebody has changed.
    """
    ledger = _ledger(job, batch)
    _require_own_blend(job, batch, ledger)
    result = yield client.call("reconstruct", _params(job, batch))
    view = open_view(Path(result["take"]))
    ledger.solved(digest(view.folder / JSON_NAME))
    blend, there = job.file("blend"), ledger.has(BLEND)
    yield from stand_in(client, view.folder)
    yield f"Opening {blend.name}" if there else "Importing"
    with opened_file(blend) if there else new_file(job.hidden("blend")):
        people = require_people(blend, job.take) if there else _import(view, batch, show)
        if there:
            _restore_caches(people)
        again = yield from _as_the_blend_says(client, people, blend)
        notes = [*view.info.warnings, *(person.pchmr.problem for person in people), *again]
        if not there:
            _save(job, batch, people, ledger)
        notes.append((yield from make_outputs(client, job, batch, people, view, ledger, show)))
    return ClipMade(made_files(ledger, batch), tuple(dict.fromkeys(filter(None, notes))))


def _ledger(job: ClipJob, batch: Batch) -> Ledger:
    return Ledger(job.file("batch.json"), settings_key(batch, job.clip), anew=batch.overwrite)


def _require_own_blend(job: ClipJob, batch: Batch, ledger: Ledger) -> None:
    blend = job.file("blend")
    if blend.exists() and not (ledger.has(BLEND) or batch.overwrite or ledger.wrote(blend)):
        raise OutputNotWritable(
            f"{blend} is there, and is not as a batch has left it",
            hint="Move it, or choose another --out; --overwrite replaces it.",
            path=str(blend),
        )


def _params(job: ClipJob, batch: Batch) -> dict[str, Any]:
    """Of the backend's `reconstruct`."""
    return {
        "clip": str(job.clip),
        "out": str(job.take),
        "people": batch.people,
        "height": batch.height,
        "preset": batch.preset,
        "cleanup": batch.cleanup,
        "settings": {} if batch.focal is None else {"camera.focal": batch.focal},
        "device": batch.device,
        "fps": batch.fps,
        "overwrite": batch.overwrite,
    }


def _import(view: TakeView, batch: Batch, show: Show) -> list[bpy.types.Collection]:
    options = ImportOptions(form=batch.form, tolerance_mm=batch.tolerance_mm)
    return import_take(view.folder, options, bpy.context.scene, show)


def _as_the_blend_says(client: Client, people: Sequence[bpy.types.Collection], blend: Path) -> Work:
    """Make rows that another .blend, or the command line, has edited what this .blend says: a new one has no edits.

    Edits are a .blend's; the other one makes its own again when it is opened. Returns what a person should know of it.
    """
    notes = []
    for person in people:
        again = yield from made_again(handle_of(person), client)
        if again:
            frames = "1 frame" if len(again) == 1 else f"{len(again)} frames"
            why = "had edits of another file, or an older clean-up"
            notes.append(f"{person.name}: {frames} of the take {why}, and were made again as {blend.name} has them.")
    return notes


def _restore_caches(people: Sequence[bpy.types.Collection]) -> None:
    """Of a .blend whose mesh caches are gone or damaged. Raises DiskFull, OutputNotWritable."""
    for person in people:
        body = find_part(person, "BODY")
        if body is not None and restore_caches(body, open_person(person)[1]):
            person.pchmr.problem = person.pchmr.problem_kind = ""


def _save(job: ClipJob, batch: Batch, people: Sequence[bpy.types.Collection], ledger: Ledger) -> None:
    _require_own_blend(job, batch, ledger)  # again: hours may have passed, or the take may be another one
    look_through_camera()
    ledger.begin_blend()
    save(job.file("blend"))
    ledger.add(CACHES, [file for person in people for file in cache_files(part_of(person, "BODY"))])
    ledger.add(BLEND, [job.file("blend")])
