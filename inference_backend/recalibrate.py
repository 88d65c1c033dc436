"""Rows of a take made again: where the target stack's parameters or the artist's edits are others than they were.

    sources of the take → layers → artist's edits → target rows → calibration → mesh rows        (design: target stack)

What should be is told by the caller, who owns parameters and edits; what is, by the take's `target_hash`. Rows that
agree are not touched. A job that dies leaves rows whose hash is 0, which the next one makes again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from .calibrate_rows import Calibrator
from .errors import BadArgument, TakeCorrupt
from .mesh_ahead import BATCH
from .person_stack import PersonStack, Sources, hashes_of
from .progress import Meter, Progress
from .take import Person, Take, open_take
from .take_folder import written_at
from .take_info import layers_of
from .take_writer import TakeWriter
from .targets.edits import Edits
from .targets.parameters import Layers, Strip, read_layers
from .targets.stack import LayerReport


@dataclass(frozen=True, eq=False)
class Wanted:
    """What a person's rows are to be made from."""

    layers: Layers
    """Of the whole take."""
    rows: NDArray[np.int64]
    """(n,) the edited rows, increasing; the others have no edit."""
    edits: Edits
    """Of those n rows."""

    @classmethod
    def unedited(cls, layers: Layers) -> Wanted:
        """No row is edited."""
        return cls(layers, np.zeros(0, np.int64), Edits.none(0))

    def hashes(self, frames: int) -> NDArray[np.uint64]:
        """What `target_hash` of F rows must be. Shape: (F,)."""
        hashes = np.repeat(hashes_of(self.layers, Edits.none(1)), frames)
        hashes[self.rows] = hashes_of(self.layers, self.edits)
        return hashes

    def edits_of(self, rows: NDArray[np.int64]) -> Edits:
        """The edits of any rows."""
        taken = Edits.none(len(rows))
        _, here, there = np.intersect1d(rows, self.rows, return_indices=True)
        for field in fields(Edits):
            getattr(taken, field.name)[here] = getattr(self.edits, field.name)[there]
        return taken


@dataclass(frozen=True)
class Recalibrated:
    """What a job did."""

    spans: tuple[tuple[int, int], ...]
    """[start, stop) of the rows that were made again, increasing."""
    reports: tuple[LayerReport, ...]
    """What each layer does to the clip."""
    strips: tuple[Strip, ...]
    """When feet stand: the wanted strips, or the detected ones where there are none."""


def recalibrate(
    folder: Path,
    person: int,
    wanted: Wanted,
    report: Callable[[Progress], None] = lambda _: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Recalibrated:
    """Makes a person's rows agree with what is wanted. The other rows stay as they are, byte by byte.

    Raises:
        BadArgument: no such person, or rows outside the take.
        TakeCorrupt, TakeVersion, TakeNotFound: no finished take of this version.
        OutputNotWritable, DiskFull: the take cannot be written, or another job writes it.
        Cancelled: rows that were finished before stay.
    """
    stack = open_stack(folder, person)
    check(wanted, len(stack))
    with TakeWriter.open(folder) as writer:
        known = writer.take.person(person)
        stale = np.flatnonzero(known.array("target_hash") != wanted.hashes(len(stack)))
        stale = np.union1d(stale, np.flatnonzero(known.array("calibrated_hash") == 0))
        writer.note_layers(person, wanted.layers.canonical())
        meter = Meter(report, cancelled)
        calibrator = Calibrator(writer.info.settings)
        stacked = stack.stacked(wanted.layers)
        meter.stage("calibrate", 0, len(stale))
        made = 0
        for start, stop in spans_of(stale):
            for first in range(start, stop, BATCH):
                _make(writer, stack, calibrator, person, wanted, np.arange(first, min(first + BATCH, stop)))
                made += min(first + BATCH, stop) - first
                meter.stage("calibrate", made, len(stale))
    return Recalibrated(tuple(spans_of(stale)), stacked.reports, stacked.strips)


def clean_up(
    folder: Path,
    layers: Layers,
    report: Callable[[Progress], None] = lambda _: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> None:
    """Makes the rows again of those in a finished take who were cleaned up otherwise; nothing in them is edited then.

    Where the layers come to nothing the take says so, and has none, as in a reconstruction. Raises as `recalibrate`.
    """
    info = open_take(folder).info
    for person in range(len(info.people)):
        if read_layers(layers_of(folder, info, person) or Layers.off().values()) == layers:
            continue
        wanted = layers
        try:
            open_stack(folder, person).base(layers)
        except BadArgument as error:
            with TakeWriter.open(folder) as writer:
                writer.warn(f"Person {person} is not cleaned up: {error.message}.")
            wanted = Layers.off()
        recalibrate(folder, person, Wanted.unedited(wanted), report, cancelled)


def _make(
    writer: TakeWriter, stack: PersonStack, calibrator: Calibrator, person: int, wanted: Wanted, rows: NDArray[np.int64]
) -> None:
    """One batch of rows in a run, of both derived stages."""
    start, stop = int(rows[0]), int(rows[-1]) + 1
    target = stack.rows(wanted.layers, rows, wanted.edits_of(rows))
    kept = writer.take.person(person)
    with torch.no_grad():
        calibrated = calibrator.rows(kept, start, stop, target)
    # From here to the end of the last write, the mesh rows count as not made.
    writer.invalidate(person, "calibrate", start, stop)
    writer.write_rows(person, "target", start, target)
    writer.write_rows(person, "calibrate", start, calibrated)


_STACKS: dict[tuple[str, int], tuple[object, PersonStack]] = {}


def open_stack(folder: Path, person: int) -> PersonStack:
    """A person's stack; the last few are kept, as long as their take's sources stay as they were."""
    take = open_take(folder)
    one = finished_person(take, person)
    stamp = take.info.settings_hash, take.info.clip.fingerprint, written_at(one.folder / "pose_fitted.npy")
    key = str(folder), person
    known = _STACKS.pop(key, None)
    stack = known[1] if known is not None and known[0] == stamp else PersonStack(Sources.of(one))
    _STACKS[key] = stamp, stack
    while len(_STACKS) > 4:
        _STACKS.pop(next(iter(_STACKS)))
    return stack


def finished_person(take: Take, person: int) -> Person:
    """A person with all stages. Raises BadArgument, TakeCorrupt."""
    if not 0 <= person < len(take.people):
        raise BadArgument(
            f"{take.folder.name} has no person {person}", hint=f"It holds {len(take.people)}, counted from 0."
        )
    one = take.person(person)
    if not one.finished("calibrate"):
        raise TakeCorrupt(
            f"the reconstruction of {take.folder} has not finished",
            hint="Reconstruct the clip again with the same settings: the job goes on where it stopped.",
            path=str(take.folder),
        )
    return one


def check(wanted: Wanted, frames: int) -> None:
    """Raise BadArgument for rows outside the take."""
    rows = wanted.rows
    if len(rows) and not (rows[0] >= 0 and rows[-1] < frames and (np.diff(rows) > 0).all()):
        raise BadArgument(
            f"edited rows {rows.min()} to {rows.max()} of a take with {frames} frames",
            hint="Edit frames that the take has, each once.",
            frames=frames,
        )
    if len(wanted.edits) != len(rows):
        raise BadArgument(f"{len(wanted.edits)} edits for {len(rows)} rows", hint="Give each row its edit.")


def spans_of(rows: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Increasing row numbers as runs [start, stop)."""
    if len(rows):
        ends = np.flatnonzero(np.diff(rows) > 1)
        for run in np.split(rows, ends + 1):
            yield int(run[0]), int(run[-1]) + 1
