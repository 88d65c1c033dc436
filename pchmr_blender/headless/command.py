# SPDX-License-Identifier: GPL-3.0-or-later
"""A batch from its command line to its exit code: clip after clip, of which one that fails does not stop the others."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import bpy

from ...inference_backend import disk
from ...inference_backend.errors import BackendError, BadArgument, Cancelled
from ..activities import Status
from ..backend.client import Client
from ..backend.process import Launch
from ..constants import ROOT
from ..core.edit_list import EditList, load_edits
from ..core.file_formats import CARRIED
from ..operators.request import out_folder
from ..scene.export_formats import refusal
from .arguments import Batch, parse
from .clip_job import ClipJob
from .clip_work import clip_work, finished
from .console import Console
from .driver import drive
from .interpreter import environment_of, find_interpreter
from .interrupt import Interrupt, interruptible
from .recalibrate_work import recalibrate_work
from .results import ClipResult, exit_code, trouble_of, write_report

LOG_NAME: Final = "backend.log"
"""In the output folder: everything that the backend prints."""


def main(words: Sequence[str]) -> int:
    """Run a batch; its exit code. `words`: what stands after `--`."""
    console = Console()
    try:
        batch = parse(words)
        jobs = _jobs(batch)
        edits = None if batch.recalibrate is None else load_edits(batch.recalibrate)
        if edits is not None:
            edits.require_clips([job.names for job in jobs])
        for file_format in batch.exports:
            refused = refusal(file_format, CARRIED[file_format][0])
            if refused is not None:
                raise refused
        interpreter = find_interpreter(batch.interpreter)
        with disk.writing(batch.out):
            batch.out.mkdir(parents=True, exist_ok=True)
        launch = Launch(interpreter, ROOT, batch.out / LOG_NAME, environment_of(interpreter))
        with interruptible() as interrupt:
            results = _run(jobs, batch, edits, launch, console, interrupt)
    except BackendError as error:
        console.say(str(error))
        return error.exit_code
    return exit_code(results)


def _jobs(batch: Batch) -> list[ClipJob]:
    """Where each clip goes. Raises BadArgument where two would go to one place."""
    jobs = [ClipJob(clip, out_folder(clip, batch.out)) for clip in batch.clips]
    names: dict[str, Path] = {}
    for job in jobs:
        other = names.setdefault(job.name.casefold(), job.clip)  # Windows and macOS tell no case
        if other is not job.clip:
            raise BadArgument(
                f"{other} and {job.clip} would both become {job.name}",
                hint="Rename one, or run them with different --out.",
            )
    return jobs


def _run(
    jobs: Sequence[ClipJob],
    batch: Batch,
    edits: EditList | None,
    launch: Launch,
    console: Console,
    interrupt: Interrupt,
) -> list[ClipResult]:
    """Every clip; the report is true after each. Raises OutputNotWritable, DiskFull (the report)."""
    results = [ClipResult(str(job.clip), job.name, "not begun") for job in jobs]
    _report(results, batch)  # said now, and not after hours, where it cannot be written
    client = Client(launch)
    try:
        for number, job in enumerate(jobs):
            console.begin(f"{number + 1}/{len(jobs)} {job.name}")
            results[number] = _result(job, batch, edits, client, console, interrupt)
            console.say(results[number].line())
            _report(results, batch)
            if results[number].status == "cancelled":
                break
            if client.error is not None:
                # A client waits before it starts another backend, lest it does so for ever; clips come to an end.
                client.close()
                client = Client(launch)
    finally:
        client.close()
    return results


def _report(results: Sequence[ClipResult], batch: Batch) -> None:
    if batch.report is not None:
        write_report(batch.report, results, bpy.app.version_string)


def _result(
    job: ClipJob, batch: Batch, edits: EditList | None, client: Client, console: Console, interrupt: Interrupt
) -> ClipResult:
    """Do one clip, whatever comes of it."""

    def show(status: Status) -> None:
        interrupt.check()
        console.show(status)

    began = time.monotonic()
    clip, take = str(job.clip), str(job.take)
    try:
        interrupt.check()
        made = finished(job, batch) if edits is None else None
        if made is None:
            work = clip_work(client, job, batch, show)
            if edits is not None:
                work = recalibrate_work(client, job, batch, edits, show)
            made = drive(work, client, console, interrupt)
    except Exception as error:
        return ClipResult(
            clip,
            job.name,
            "cancelled" if isinstance(error, Cancelled) else "failed",
            time.monotonic() - began,
            take,
            trouble=trouble_of(error),
        )
    files = tuple(str(file) for file in made.files)
    status: Literal["done", "skipped"] = "done" if made.anew else "skipped"
    return ClipResult(clip, job.name, status, time.monotonic() - began, take, files, made.notes)
