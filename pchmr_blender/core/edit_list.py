# SPDX-License-Identifier: GPL-3.0-or-later
"""Edits of target poses in a file, for batches and scripts: JSON that says which joint of which frames is where.

    {"cleanup": "gentle",
     "edits": [
       {"clip": "dance.mp4", "person": 0, "frames": "12-40,55", "joint": "left_wrist", "offset": [0, 0.05, 0]},
       {"frames": 90, "joint": "elbow.L", "to": [0.4, -0.1, 1.2], "stretch": 1, "falloff": [6, 12]},
       {"frames": "0-89", "joint": "head", "turn": [0, 20, 0], "strength": 0.5}]}

A list of edits alone will do. `edit_fields.FIELDS` says what each key means. What an edit names is set, not added: a
file that is applied again changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...inference_backend.errors import BadArgument
from .edit_fields import FIELDS, READERS, is_list, nearest

MEANT: Final = ("offset", "to", "turn", "stretch", "strength")
"""What an edit can ask for."""

Clip = Sequence[str]
"""What a clip is called: what everything made of it is, its own file, its take."""

_CORRECT: Final = "Correct the file; nothing was changed."
_ZIP: Final = b"PK"
_NPZ: Final = (
    "Say the edits in a .json, as --help has it. An .npz goes into the take alone: "
    "python -m inference_backend calibrate TAKE --person N --edits FILE."
)


@dataclass(frozen=True)
class ListedEdit:
    """One edit of a file. What is None is left as it is."""

    place: str
    """Where it stands, for errors: `edits.json: edits[3]`."""
    frames: tuple[tuple[int, int], ...]
    """Runs [start, stop) of footage frames."""
    joint: int
    """Of `JOINTS`."""
    clip: str | None = None
    """As it is named; None: the only one."""
    person: int | None = None
    """Index in the take; None: the only one."""
    offset: tuple[float, ...] | None = None
    """(3,) metres, joint's axes; the pelvis': world."""
    to: tuple[float, ...] | None = None
    """(3,) metres, world."""
    turn: tuple[float, ...] | None = None
    """(4,) w, x, y, z, of length 1, joint's axes."""
    stretch: float | None = None
    """0 to 1."""
    strength: float | None = None
    """0 to 1."""
    falloff: tuple[float, float] | None = None
    """Scene frames before and after; None: as the person's edits have it."""

    def rows(self, frames: NDArray[np.int64]) -> NDArray[np.int64]:
        """The take's rows of these footage frames.

        Args:
            frames: (F,) footage frame of each row, rising, as `PersonView.frames`.

        Raises:
            BadArgument: frames that the person does not have.
        """
        found = [np.flatnonzero((frames >= start) & (frames < stop)) for start, stop in self.frames]
        for (start, stop), rows in zip(self.frames, found, strict=True):
            if len(rows) != stop - start:
                text = str(start) if stop == start + 1 else f"{start}-{stop - 1}"
                hint = f"The person is there in frames {frames[0]} to {frames[-1]} of the footage. Nothing was changed."
                raise self.refused("frames", f"{text} is outside of the take", hint)
        return np.unique(np.concatenate(found))

    def is_of(self, clip: Clip) -> bool:
        """Whether it is about a clip."""
        return self.clip is None or Path(self.clip).name.casefold() in {name.casefold() for name in clip}

    def refused(self, field: str, problem: str, hint: str = _CORRECT) -> BadArgument:
        """What to raise where it cannot be applied."""
        return BadArgument(f"{self.place}.{field}: {problem}", hint=hint, entry=self.place, field=field)


@dataclass(frozen=True)
class EditList:
    """What a file asks for."""

    name: str
    """The file's, for errors."""
    edits: tuple[ListedEdit, ...]
    """In their order: later ones win."""
    cleanup: str | Mapping[str, Any] | None = None
    """A clean-up preset's name or .toml file, or tables of the settings that change; None: as the .blend has them."""

    def of_clip(self, clip: Clip) -> tuple[ListedEdit, ...]:
        """The edits of a clip."""
        return tuple(edit for edit in self.edits if edit.is_of(clip))

    def require_clips(self, clips: Sequence[Clip]) -> None:
        """Raise BadArgument for an edit of none of these clips, or of any of several."""
        there = f"Clips here: {', '.join(names[0] for names in clips)}."
        for edit in self.edits:
            if edit.clip is None and len(clips) > 1:
                raise edit.refused("clip", "missing, and there are several clips", f"{there} {_CORRECT}")
            if not any(edit.is_of(clip) for clip in clips):
                raise edit.refused("clip", f"no clip is called {edit.clip}", f"{there} {_CORRECT}")


def load_edits(path: Path) -> EditList:
    """Read a file. Raises BadArgument: not there, no JSON, or what `read_edits` raises."""
    try:
        content = path.read_bytes()
        if content.startswith(_ZIP):
            raise BadArgument(f"{path} is an .npz: numbers of rows, from which no keys are made", hint=_NPZ)
        # utf-8-sig: some editors begin a file with a byte order mark.
        values = json.loads(content.decode("utf-8-sig"))
    except OSError as error:
        raise BadArgument(f"{path}: {error.strerror}", hint="Check the path.", path=str(path)) from error
    except (ValueError, RecursionError) as error:
        raise BadArgument(f"{path} is no JSON: {error}", hint=_CORRECT, path=str(path)) from error
    edits = read_edits(values, path.name)
    if isinstance(edits.cleanup, str) and edits.cleanup.endswith(".toml"):
        edits = replace(edits, cleanup=str(path.parent / edits.cleanup))
    return edits


def read_edits(values: object, name: str = "edits") -> EditList:
    """Edits from the plain values of such a file; `name` is what errors call it.

    Raises:
        BadArgument: names the edit, its key, and what is allowed.
    """
    cleanup: Any = None
    if isinstance(values, Mapping):
        unknown = set(values) - {"cleanup", "edits"}
        if unknown:
            raise _refused(name, f"{min(unknown, key=str)!r} is no key", "There are cleanup and edits.")
        cleanup, values = values.get("cleanup"), values.get("edits", [])
        if not isinstance(cleanup, (str, Mapping, type(None))):
            raise _refused(f"{name}: cleanup", f"found {cleanup!r}", "It is a preset's name, or tables of settings.")
    if not is_list(values):
        hint = 'It is a list of edits, or {"cleanup": …, "edits": […]}.'
        raise _refused(name, f"found {type(values).__name__}", hint)
    assert isinstance(values, Sequence)
    return EditList(name, tuple(_edit(f"{name}: edits[{i}]", value) for i, value in enumerate(values)), cleanup)


def _edit(place: str, values: object) -> ListedEdit:
    if not isinstance(values, Mapping):
        raise _refused(place, f"found {values!r}", f"An edit has the keys {', '.join(FIELDS)}.")
    for key in values:
        if key not in FIELDS:
            hint = f"{nearest(str(key), FIELDS)}There are {', '.join(FIELDS)}."
            raise _refused(f"{place}.{key}", "no such key", hint)
    read: dict[str, Any] = {}
    for key, value in values.items():
        try:
            read[key] = READERS[key](value)
        except ValueError as error:
            raise _refused(f"{place}.{key}", str(error), _meaning(key)) from error
    for key in ("frames", "joint"):
        if key not in read:
            raise _refused(f"{place}.{key}", "missing", _meaning(key))
    if "offset" in read and "to" in read:
        raise _refused(f"{place}.to", "offset is there too", "Say one of them.")
    if not set(read) & set(MEANT):
        raise _refused(place, "asks for nothing", f"Say one of {', '.join(MEANT)}.")
    return ListedEdit(place, **read)


def _meaning(key: str) -> str:
    """As a sentence."""
    return f"{FIELDS[key][0].upper()}{FIELDS[key][1:]}."


def _refused(place: str, problem: str, hint: str) -> BadArgument:
    return BadArgument(f"{place}: {problem}", hint=hint, place=place)
