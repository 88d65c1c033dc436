"""Writing a take, and going on with one that a job left unfinished.

What is finished is decided by `take.json` alone, and it is replaced in one step after what it tells of has been
flushed to disk. So a kill, a full disk or a power cut at any moment leaves a valid take:

- An array with a row a frame is made at full length under its final name when its stage begins (a file of holes,
  which takes space as it fills) and its rows are written in place. Rows behind `done` are of no meaning; the next
  job writes them again. Neither memory nor the cost of a batch grows with the clip.
- A small array is written whole and renamed; it counts once `take.json` lists it.
- Finished rows of a source stage (what the networks saw) are never written again. Those of a derived stage (target,
  calibrate) are, when an edit changes them: first their hashes become 0, "not made", then the rows change, then the
  hashes are set. A torn row is thus known as one to make again.
- Files that readers map are never replaced and those that may be replaced are never mapped: Windows allows no other.

One process writes at a time (`folder_lock.py`), any number read; two of its threads may write two stages. Two jobs of
the same work leave the same bytes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .disk import replace_file, writing
from .folder_lock import FolderLock
from .take import Take, open_take
from .take_folder import LOCK_NAME, clear, gone_on, refuse_foreign, relative_path, remove_temporaries
from .take_format import ARRAYS, HASH_OF_STAGE
from .take_info import (
    FORMAT,
    JSON_NAME,
    VERSION,
    BodyInfo,
    ClipInfo,
    PersonInfo,
    TakeInfo,
    layers_of,
    layers_path,
    normalised,
    settings_hash,
)
from .take_ledger import Ledger
from .take_rows import checked_rows, make_files, with_done, with_finished, write_part, write_parts, write_whole


class TakeWriter:
    """The one writer of a take; a context manager that ends by `close()`.

    Every method raises DiskFull or OutputNotWritable where the disk refuses; what was finished before stays, and the
    same command goes on from there. Wrong names, shapes or orders of calls are mistakes of the program: ValueError.
    Threads may call at once, but for the same stage or array of the same person.
    """

    def __init__(self, folder: Path, info: TakeInfo, lock: FolderLock, *, resumed: bool) -> None:
        self.folder = folder
        self.resumed = resumed
        """Whether the take was there before."""
        self._ledger = Ledger(folder, info)
        self._lock = lock

    @classmethod
    def create_or_resume(
        cls,
        path: str | os.PathLike[str],
        *,
        clip: ClipInfo,
        settings: Mapping[str, Any],
        body: BodyInfo,
        weights: Mapping[str, str],
        created_by: str,
        until_people: Collection[str] = (),
        remade: Collection[str] = (),
        overwrite: bool = False,
    ) -> TakeWriter:
        """Begin a take, or go on with the one of the same footage, settings, body and weights.

        Args:
            path: the take's folder; its parents are made too.
            clip: the footage, from `identify`; `relative` is set here.
            settings: plain values that JSON can hold, only those that change the result.
            body: the body model.
            weights: sha256 of each model, by its role.
            created_by: program and version.
            until_people: dotted keys of settings that may change as long as the take does not know its people, since
                nothing in it depends on them before.
            remade: keys of settings that may be others than the take's, which keeps its own: the caller makes again
                what depends on them.
            overwrite: delete the take that is there, whatever is in it.

        Raises:
            TakeMismatch: a take of other footage, settings, body or weights is there.
            TakeCorrupt, TakeVersion: a take is there that cannot be read.
            OutputNotWritable: no permission, a file or a folder with other things in the way, or another writer.
        """
        folder = Path(path)
        clip = replace(clip, relative=relative_path(Path(clip.path), folder))
        new = TakeInfo(FORMAT, VERSION, created_by, clip, dict(settings), settings_hash(settings), body, dict(weights))
        new = normalised(new)
        refuse_foreign(folder)
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        lock = FolderLock(folder / LOCK_NAME)
        try:
            if overwrite or not (folder / JSON_NAME).exists():
                clear(folder)
                writer = cls(folder, new, lock, resumed=False)
                writer._ledger.write()
                return writer
            info = open_take(folder).info
            adopted = gone_on(folder, info, new, until_people, remade)
            remove_temporaries(folder)
            writer = cls(folder, info, lock, resumed=True)
            writer._ledger.change(lambda _: adopted)
            return writer
        except BaseException:
            lock.release()
            raise

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> TakeWriter:
        """Go on with a take whatever it was made from, as for edits. Raises as `open_take`, and OutputNotWritable."""
        folder = open_take(path).folder
        lock = FolderLock(folder / LOCK_NAME)
        try:
            info = open_take(folder).info  # again: another writer may have ended in between
            remove_temporaries(folder)
        except BaseException:
            lock.release()
            raise
        return cls(folder, info, lock, resumed=True)

    def __enter__(self) -> TakeWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let others write. Nothing is left to flush."""
        self._lock.release()

    @property
    def info(self) -> TakeInfo:
        """What `take.json` says."""
        return self._ledger.info

    @property
    def take(self) -> Take:
        """The take as it stands, to read the finished rows of earlier stages."""
        return Take(self.folder, self.info)

    def set_people(self, people: Sequence[PersonInfo]) -> None:
        """Say once who is in the take, all at a time, so that a take either knows everybody or nobody yet."""
        if self.info.people:
            raise ValueError(f"{self.folder} has its {len(self.info.people)} people already")
        for index, person in enumerate(people):
            if person.index != index or person.frames < 1 or person.done or person.arrays or person.finished:
                raise ValueError(f"people[{index}]: wanted index {index}, frames and nothing done, found {person}")
        known = tuple(replace(person, rows=person.frames) for person in people)
        self._ledger.change(lambda info: normalised(replace(info, people=known)))

    def shorten(self, person: int, frames: int, last_frame: int) -> None:
        """The footage ended before its header promised: solve `frames` frames only, up to `last_frame`."""
        info = self._ledger.person(person)
        least = max([1, *info.done.values()])
        if not least <= frames <= info.frames:
            raise ValueError(f"wanted {least} to {info.frames} frames, found {frames}")
        self._ledger.change_person(person, lambda info: replace(info, frames=frames, last_frame=last_frame))

    def write_rows(
        self, person: int, stage: str, start: int, rows: Mapping[str, ArrayLike], *, finish: bool = False
    ) -> None:
        """Write finished frames of a stage; when this returns they survive a power cut.

        Each call flushes a handful of files: hand over tens of frames at a time.

        Args:
            person: index.
            stage: one of `STAGES`.
            start: first row; at most `done`, since rows are finished in order. Less than `done` only in derived
                stages, to make rows again.
            rows: (n, ...) arrays by name, all of this stage, of the table's shapes, of a type that its type can hold.
                The first call of a stage decides which of them the take has; derived stages need their hash.
            finish: these are the last ones, see `finish`.
        """
        info = self._ledger.person(person)
        done = info.done.get(stage, 0)
        sizes = self.info.body.sizes
        values = checked_rows(info, stage, start, rows, sizes)
        end = start + len(next(iter(values.values())))
        there = {name for name in info.arrays if ARRAYS[name].stage == stage and ARRAYS[name].per_frame}
        if not there:
            make_files(self.folder, info, list(values), sizes)
        elif there != set(values):
            raise ValueError(f"stage {stage} of this take writes {sorted(there)}, found {sorted(values)}")
        hashes = HASH_OF_STAGE.get(stage)
        if hashes and start < done:
            write_part(self.folder, info, hashes, start, np.zeros_like(values[hashes]), sizes)
        write_parts(self.folder, info, start, {k: v for k, v in values.items() if k != hashes}, sizes)
        if hashes:  # last: until then the rows count as not made
            write_part(self.folder, info, hashes, start, values[hashes], sizes)

        def written(info: PersonInfo) -> PersonInfo:
            info = with_done(info, stage, end, values) if end > done else info
            return with_finished(info, stage) if finish else info

        self._ledger.change_person(person, written)

    def invalidate(self, person: int, stage: str, start: int, stop: int) -> None:
        """Say that rows of a derived stage are to be made again: what they are made from changes."""
        hashes, info = ARRAYS[HASH_OF_STAGE[stage]], self._ledger.person(person)
        if not 0 <= start < stop <= info.done.get(stage, 0):
            raise ValueError(f"rows {start} to {stop} of stage {stage} are not made yet")
        zeros = np.zeros(stop - start, hashes.dtype)
        write_part(self.folder, info, hashes.name, start, zeros, self.info.body.sizes)

    def write_array(self, name: str, value: ArrayLike, person: int | None = None) -> None:
        """Write one of `write_arrays`."""
        self.write_arrays({name: value}, person)

    def write_arrays(self, values: Mapping[str, ArrayLike], person: int | None = None) -> None:
        """Write arrays that have no row a frame; `person` is their owner, or None for arrays of the take."""
        owner = None if person is None else self._ledger.person(person).index
        write_whole(self.folder, values, owner, self.info.body.sizes)
        self._ledger.add_arrays(values, owner)

    def note_layers(self, person: int, layers: str) -> None:
        """Say with which parameters of the target stack, as JSON, the person's rows are made from now on."""
        path = layers_path(self.folder, self._ledger.person(person).index)
        if layers_of(self.folder, self.info, person) != json.loads(layers):
            replace_file(path, layers.encode())

    def finish(self, person: int, stage: str) -> None:
        """Say that everything of a stage is written. Its frames must all be done."""
        self._ledger.change_person(person, lambda info: with_finished(info, stage))

    def warn(self, text: str) -> None:
        """Keep a warning for whoever opens the take; once, however often a job is continued."""
        self._ledger.change(
            lambda info: info if text in info.warnings else replace(info, warnings=(*info.warnings, text))
        )
