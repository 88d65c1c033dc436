"""Reading a take: open, verify, map the arrays. Never writes, so a take on a read-only disk opens too.

What a frame is worth to a reader is decided by `take.json` alone: `done` counts the rows that were on disk before it
was replaced, and `Person.array` shows only those. Arrays with a row a frame are memory-mapped and never replaced once
they are listed; the small ones are read into memory, because they may be replaced, which Windows refuses for a mapped
file. Standard library and numpy only: Blender's add-on imports this module.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ClipNotFound, UnsupportedVideo
from .footage_files import fingerprint
from .take_format import ARRAYS, STAGES, ArraySpec
from .take_info import JSON_NAME, PersonInfo, TakeInfo, corrupt, read_info

_MAX_HEADER = 4096
_HEADER = re.compile(
    r"\{'descr': '(?P<descr>[^']*)', 'fortran_order': (?P<order>True|False), 'shape': \((?P<shape>[\d, ]*)\), \}"
)
"""As numpy writes it."""


@dataclass(frozen=True)
class Person:
    """One person of an opened take."""

    take: Take
    info: PersonInfo

    @property
    def folder(self) -> Path:
        return self.take.folder / f"person_{self.info.index}"

    @property
    def frames(self) -> int:
        """F: frames to solve."""
        return self.info.frames

    def done(self, stage: str) -> int:
        """Finished frames of a stage of `STAGES`."""
        if stage not in STAGES:
            raise ValueError(f"no stage {stage!r}: {', '.join(STAGES)}")
        return self.info.done.get(stage, 0)

    def finished(self, stage: str) -> bool:
        """Whether everything of the stage is written."""
        return stage in self.info.finished

    def has(self, name: str) -> bool:
        """Whether the array is there, with any number of finished rows."""
        return name in (self.info.arrays if _spec(name).scope == "person" else self.take.info.arrays)

    def array(self, name: str) -> NDArray[Any]:
        """An array of this person or, for the names that exist once, of the take; read-only.

        An array with a row a frame is memory-mapped and has as many rows as its stage has finished frames: none
        where it is not there. Raises ValueError for other arrays that are not there: ask `has` first.
        """
        spec = _spec(name)
        shape = spec.sized(self.info.rows, *self.take.info.body.sizes)
        if not self.has(name):
            if not spec.per_frame:
                raise ValueError(f"{name} is not in {self.take.folder}: ask has({name!r}) first")
            return np.zeros((0, *shape[1:]), spec.dtype)
        path = array_path(self.take.folder, spec, self.info.index)
        offset = read_header(path, spec, shape)
        if not spec.per_frame:
            whole = np.frombuffer(path.read_bytes(), spec.dtype, offset=offset).reshape(shape)
            whole.flags.writeable = False
            return whole
        mapped = np.memmap(path, spec.dtype, mode="r", offset=offset, shape=shape)
        return mapped[: self.done(spec.stage)]


@dataclass(frozen=True)
class Take:
    """An opened take as it stood when `take.json` was read; open it again to see what a running job has added."""

    folder: Path
    info: TakeInfo

    @property
    def people(self) -> tuple[Person, ...]:
        return tuple(Person(self, info) for info in self.info.people)

    def person(self, index: int) -> Person:
        """The person of that index; IndexError where there is none."""
        return self.people[index]

    def clip_path(self) -> Path:
        """Where the footage is now: beside the take as it was, or at its old absolute path.

        Raises ClipNotFound where neither holds the same footage.
        """
        clip = self.info.clip
        candidates = [Path(clip.path)]
        if clip.relative:
            candidates.insert(0, self.folder / clip.relative)
        for candidate in candidates:
            with contextlib.suppress(ClipNotFound, UnsupportedVideo):
                if fingerprint(candidate) == clip.fingerprint:
                    return candidate
        raise ClipNotFound(
            f"the footage of {self.folder} is not at {' nor at '.join(map(str, candidates))}, or is another one there",
            hint="Put the footage back, or name its place.",
            tried=[str(candidate) for candidate in candidates],
        )

    def verify(self) -> None:
        """Check every listed array's presence, type, shape and size. Raises TakeCorrupt."""
        path = self.folder / JSON_NAME
        for index, info in enumerate(self.info.people):
            listed = {spec.name for spec in ARRAYS.values() if spec.scope == "person"}
            _expect(info.index == index, path, f"people[{index}].index", info.index, index)
            _expect(1 <= info.frames <= info.rows, path, f"people[{index}].frames", info.frames, f"1 to {info.rows}")
            _expect(set(info.arrays) <= listed, path, f"people[{index}].arrays", list(info.arrays), "known names")
            for stage, done in info.done.items():
                _expect(stage in STAGES, path, f"people[{index}].done", stage, f"one of {', '.join(STAGES)}")
                _expect(0 <= done <= info.frames, path, f"people[{index}].done.{stage}", done, f"0 to {info.frames}")
            for name in info.arrays:
                spec = ARRAYS[name]
                shape = spec.sized(info.rows, *self.info.body.sizes)
                read_header(array_path(self.folder, spec, index), spec, shape)
        listed = {spec.name for spec in ARRAYS.values() if spec.scope == "take"}
        _expect(set(self.info.arrays) <= listed, path, "arrays", list(self.info.arrays), "known names")
        for name in self.info.arrays:
            read_header(
                array_path(self.folder, ARRAYS[name]), ARRAYS[name], ARRAYS[name].sized(0, *self.info.body.sizes)
            )


def open_take(path: str | os.PathLike[str]) -> Take:
    """Open and verify a take.

    Raises TakeVersion where another version of the format wrote it, and TakeCorrupt where `take.json` is missing or
    does not hold what it should, or where an array is missing, cut short, or of another type or shape.
    """
    take = Take(Path(path), read_info(Path(path)))
    take.verify()
    return take


def array_path(folder: Path, spec: ArraySpec, person: int = 0) -> Path:
    """The file of an array; `person` is of no meaning for arrays of the whole take."""
    return folder / f"{spec.name}.npy" if spec.scope == "take" else folder / f"person_{person}" / f"{spec.name}.npy"


def read_header(path: Path, spec: ArraySpec, shape: tuple[int, ...]) -> int:
    """Check that a `.npy` file holds what the table says, in full; returns the offset of its data in bytes.

    The header is compared as a literal, never made into a type: a damaged file can only be refused.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(8)
            length = int.from_bytes(file.read(2 if magic[6:7] == b"\x01" else 4), "little")
            text = file.read(min(length, _MAX_HEADER)).decode("latin1")
            offset = file.tell()
            size = file.seek(0, os.SEEK_END)
    except OSError as error:
        raise corrupt(path, "file", error.strerror, f"{spec.name}, listed in {JSON_NAME}") from error
    _expect(magic[:6] == b"\x93NUMPY", path, "format", magic[:6], "a .npy file")
    wanted = {"descr": spec.dtype, "fortran_order": False, "shape": shape}
    # Not by ast.literal_eval: in Python 3.11 two threads that parse at once may get a SystemError (gh-106905).
    found = _HEADER.fullmatch(text.strip())
    _expect(found is not None, path, "header", text[:80], wanted)
    assert found is not None
    sizes = tuple(int(size) for size in found["shape"].split(",") if size.strip())
    header = {"descr": found["descr"], "fortran_order": found["order"] == "True", "shape": sizes}
    _expect(header == wanted, path, "header", header, wanted)
    full = offset + spec.nbytes(shape)
    _expect(size == full, path, "size in bytes", size, full)
    return offset


def _spec(name: str) -> ArraySpec:
    if name not in ARRAYS:
        raise ValueError(f"no array {name!r} in a take: {', '.join(ARRAYS)}")
    return ARRAYS[name]


def _expect(holds: bool, path: Path, what: str, found: object, expected: object) -> None:
    if not holds:
        raise corrupt(path, what, found, expected)


def describe(take: Take) -> str:
    """A take in a few lines, for the command line: footage, body, people and how far each stage has come."""
    info, clip = take.info, take.info.clip
    stored = sum(person.array(name).nbytes for person in take.people for name in person.info.arrays)
    lines = [
        f"{take.folder}  (format {info.version}, {info.created_by})",
        f"  clip      {clip.path}  {clip.width}×{clip.height}, {clip.fps:.3f} frames/s, turned {clip.rotation}°",
        f"  body      {info.body.name}, {info.body.vertices} vertices",
        f"  settings  {info.settings_hash[:12]}",
        f"  arrays    {stored / 1e6:.1f} MB finished",
    ]
    for person in take.people:
        record = person.info
        span = f"frames {record.first_frame}-{record.last_frame}"
        lines.append(f"  person {record.index}  {record.frames} frames ({span}), {record.height:.2f} m")
        for stage in STAGES:
            state = "finished" if person.finished(stage) else "not started" if not person.done(stage) else "unfinished"
            lines.append(f"    {stage:<10} {person.done(stage):>6} / {record.frames}  {state}")
    lines += [f"  warning: {warning}" for warning in info.warnings]
    return "\n".join(lines)
