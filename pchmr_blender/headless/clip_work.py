# SPDX-License-Identifier: GPL-3.0-or-later
"""One clip of a batch, from the footage to the last file:

1  reconstruct        the backend, into the take                  → NAME.take
2  import             into an empty .blend                        → NAME.blend
3  preview            the body over the footage                   → NAME.preview.mp4
4  export             for other programs                          → NAME.usd, NAME.fbx …

What of step 4 needs another form of the body is made last, and that form is not saved. What an earlier run has
finished with the same settings is left alone; the stamp beside it tells.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from ...inference_backend.errors import OutputNotWritable
from ...inference_backend.take_info import JSON_NAME
from ..activities import Status, Work
from ..backend.client import Client
from ..core.file_formats import CARRIED, ExportOptions, Format
from ..core.relocate import cache_folder
from ..core.takes import TakeView, open_view
from ..operators.reconstruct import stand_in
from ..scene.body_forms import form_of, set_form
from ..scene.exports import export
from ..scene.handles import part_of, placing_of
from ..scene.import_take import ImportOptions, import_take
from ..scene.mesh_cache import cache_files
from ..scene.preview import PreviewOptions, render_preview
from .arguments import Batch
from .blend_file import look_through_camera, new_file, save
from .stamps import BLEND, CACHES, PREVIEW, Ledger, digest, settings_key

_MOVIE = "preview.mp4"
"""Not mp4 alone: that may be the footage itself, where clips are reconstructed beside it."""

Show = Callable[[Status], None]
"""Told how far the work is; what it raises ends it."""


@dataclass(frozen=True)
class ClipJob:
    """One clip, and where everything of it goes."""

    clip: Path
    take: Path
    """Folder of its take; all else lies beside it and is called the same."""

    @property
    def name(self) -> str:
        """What everything made of it is called."""
        return self.take.name.removesuffix(".take")

    def file(self, ending: str, person: str = "") -> Path:
        """A file that is made of it."""
        return self.take.with_name(f"{self.name}{person}.{ending}")

    def hidden(self, ending: str) -> Path:
        """Something that is there only while it is made, with a short name: the clip's may be as long as names go."""
        key = hashlib.blake2b(self.name.encode("utf-8", "surrogateescape"), digest_size=4).hexdigest()
        return self.take.with_name(f".pchmr-{key}.{ending}")


@dataclass(frozen=True)
class ClipMade:
    """What there is when a clip is finished."""

    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()


def finished(job: ClipJob, batch: Batch) -> ClipMade | None:
    """What an earlier run has made, where that is all that is asked for. Raises ClipNotFound, UnsupportedVideo."""
    ledger = _ledger(job, batch)
    there = all(ledger.has(kind) for kind in _kinds(batch)) and ledger.has_caches()
    if there and ledger.is_of(digest(job.take / JSON_NAME)):
        return ClipMade(_files(ledger, batch))
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
    yield from stand_in(client, view.folder)
    yield "Importing"
    with new_file(job.hidden("blend")):
        people = _import(view, batch, show)
        notes = [*view.info.warnings, *(person.pchmr.problem for person in people)]
        if not ledger.has(BLEND):
            _save(job, batch, people, ledger)
        if batch.preview and not ledger.has(PREVIEW):
            yield "Looking for what can draw"
            notes.append((yield from _preview(client, job, people, view, show)))
            ledger.add(PREVIEW, [job.file(_MOVIE)])
        for file_format in sorted(batch.exports, key=lambda one: -len(CARRIED[one])):
            if not ledger.has(file_format.value):
                yield f"Writing {file_format.label}"
                ledger.add(file_format.value, _export(job, batch, people, view, file_format, show))
    return ClipMade(_files(ledger, batch), tuple(dict.fromkeys(filter(None, notes))))


def _ledger(job: ClipJob, batch: Batch) -> Ledger:
    return Ledger(job.file("batch.json"), settings_key(batch, job.clip), anew=batch.overwrite)


def _kinds(batch: Batch) -> list[str]:
    return [BLEND, *([PREVIEW] if batch.preview else []), *(one.value for one in batch.exports)]


def _files(ledger: Ledger, batch: Batch) -> tuple[Path, ...]:
    return tuple(file for kind in _kinds(batch) for file in ledger.files(kind))


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
        "settings": {} if batch.focal is None else {"camera.focal": batch.focal},
        "device": batch.device,
        "fps": batch.fps,
        "overwrite": batch.overwrite,
    }


def _import(view: TakeView, batch: Batch, show: Show) -> list[bpy.types.Collection]:
    options = ImportOptions(form=batch.form, tolerance_mm=batch.tolerance_mm)
    return import_take(view.folder, options, bpy.context.scene, show)


def _save(job: ClipJob, batch: Batch, people: Sequence[bpy.types.Collection], ledger: Ledger) -> None:
    _require_own_blend(job, batch, ledger)  # again: hours may have passed, or the take may be another one
    look_through_camera()
    ledger.begin_blend()
    save(job.file("blend"))
    ledger.add(CACHES, [file for person in people for file in cache_files(part_of(person, "BODY"))])
    ledger.add(BLEND, [job.file("blend")])


def _preview(client: Client, job: ClipJob, people: Sequence[bpy.types.Collection], view: TakeView, show: Show) -> Work:
    """Make the movie; returns what a person should know of it."""
    pictures = job.hidden("preview")
    shutil.rmtree(pictures, ignore_errors=True)  # of a batch that was killed
    try:
        made = render_preview(people, view, pictures, PreviewOptions(), _teller("Rendering the preview", show))
        yield client.call("footage_proxy", {"clip": str(pictures), "out": str(job.file(_MOVIE)), "fps": made.rate})
    finally:
        shutil.rmtree(pictures, ignore_errors=True)
    return made.engine.notice


def _export(
    job: ClipJob,
    batch: Batch,
    people: Sequence[bpy.types.Collection],
    view: TakeView,
    file_format: Format,
    show: Show,
) -> list[Path]:
    """A file a person, in a form that the format carries."""
    files = []
    for person in people:
        body, carried = part_of(person, "BODY"), CARRIED[file_format]
        if form_of(body) not in carried:
            set_form(
                body,
                part_of(person, "SKELETON"),
                view.people[person.pchmr.person],
                placing_of(person),
                carried[0],
                tolerance_mm=batch.tolerance_mm,
                cache_folder=cache_folder(view.folder),
                show=show,
            )
        number = f"_{person.pchmr.person}" if len(people) > 1 else ""
        files.append(job.file(file_format.value, number))
        export(person, files[-1], file_format, ExportOptions())
    return files


def _teller(stage: str, show: Show) -> Callable[[int, int], None]:
    return lambda done, total: show(Status(stage, done / max(total, 1), detail=f"{done} of {total}"))
