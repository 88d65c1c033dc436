# SPDX-License-Identifier: GPL-3.0-or-later
"""What is made of the people in the open .blend: the movie of the body over the footage, and files for other programs.

What needs another form of the body is made last, and that form is not saved.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import bpy

from ..activities import Status, Work
from ..backend.client import Client
from ..core.file_formats import CARRIED, ExportOptions, Format
from ..core.relocate import cache_folder
from ..core.takes import TakeView
from ..scene.body_forms import form_of, set_form
from ..scene.exports import export
from ..scene.handles import part_of, placing_of
from ..scene.preview import PreviewOptions, render_preview
from .arguments import Batch
from .clip_job import ClipJob, Show
from .stamps import BLEND, PREVIEW, Ledger

_MOVIE = "preview.mp4"
"""Not mp4 alone: that may be the footage itself, where clips are reconstructed beside it."""


def kinds(batch: Batch) -> list[str]:
    """What is asked for, as the ledger calls it."""
    return [BLEND, *([PREVIEW] if batch.preview else []), *(one.value for one in batch.exports)]


def made_files(ledger: Ledger, batch: Batch) -> tuple[Path, ...]:
    """The files of what is asked for, .blend first."""
    return tuple(file for kind in kinds(batch) for file in ledger.files(kind))


def make_outputs(
    client: Client,
    job: ClipJob,
    batch: Batch,
    people: Sequence[bpy.types.Collection],
    view: TakeView,
    ledger: Ledger,
    show: Show,
) -> Work:
    """Make what is asked for and not there yet; returns what a person should know of it, or nothing.

    Raises what `render_preview` and `export` raise.
    """
    notice = ""
    if batch.preview and not ledger.has(PREVIEW):
        yield "Looking for what can draw"
        notice = yield from _preview(client, job, people, view, show)
        ledger.add(PREVIEW, [job.file(_MOVIE)])
    for file_format in sorted(batch.exports, key=lambda one: -len(CARRIED[one])):
        if not ledger.has(file_format.value):
            yield f"Writing {file_format.label}"
            ledger.add(file_format.value, _export(job, batch, people, view, file_format, show))
    return notice


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
