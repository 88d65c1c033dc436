# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding a take and its footage again: after Save As, after both were moved, on another machine.

A path is kept twice: from the .blend's folder, with `//` as Blender writes it, and whole. What lies at a place counts
only if it is the same work: the footage by its fingerprint, the take by its footage and its settings.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...inference_backend.errors import (
    BackendError,
    ClipNotFound,
    TakeCorrupt,
    TakeMismatch,
    TakeNotFound,
    TakeVersion,
    UnsupportedVideo,
)
from ...inference_backend.footage_files import fingerprint, is_pattern
from ...inference_backend.take_info import JSON_NAME, ClipInfo, TakeInfo, read_info

_RELATIVE = "//"


@dataclass(frozen=True)
class TakeAddress:
    """What a .blend knows of a take."""

    stored: str
    """Its folder, as `stored_path` gives it."""
    absolute: str
    """Its folder's whole path, on the machine that wrote the .blend."""
    fingerprint: str
    """Of its footage."""
    settings_hash: str
    """Of what it was solved with."""


def address_of(folder: Path, info: TakeInfo, blend_folder: Path | None) -> TakeAddress:
    """What to keep of a take. `blend_folder`: where the .blend lies; None where it was never saved."""
    whole = folder.absolute()
    return TakeAddress(stored_path(whole, blend_folder), str(whole), info.clip.fingerprint, info.settings_hash)


def stored_path(path: Path, blend_folder: Path | None) -> str:
    """A path as a .blend keeps it: `//` and forward slashes; whole where there is no way to it from `blend_folder`."""
    if blend_folder is None:
        return str(path.absolute())
    try:
        return _RELATIVE + Path(os.path.relpath(path.absolute(), blend_folder.absolute())).as_posix()
    except ValueError:  # another drive
        return str(path.absolute())


def resolved_path(stored: str, blend_folder: Path | None) -> Path | None:
    """The inverse of `stored_path`; None where it is relative and there is no .blend."""
    if not stored.startswith(_RELATIVE):
        return Path(stored) if stored else None
    if blend_folder is None:
        return None
    # Older files and other tools on Windows write backslashes.
    return Path(os.path.normpath(blend_folder.absolute() / stored[len(_RELATIVE) :].replace("\\", "/")))


def find_take(address: TakeAddress, blend_folder: Path | None) -> Path:
    """The take's folder: from the .blend, at its old place, or beside the .blend under its name.

    Raises:
        TakeNotFound: none of them holds it.
        TakeMismatch: one of them holds a take of the same footage that was solved with other settings.
        TakeVersion: one of them holds a take of another version of the format.
        TakeCorrupt: one of them holds a take that is damaged.
    """
    tried: dict[Path, BackendError | None] = {}
    for folder in _distinct(_take_places(address, blend_folder)):
        tried[folder] = _why_not(folder, address)
        if tried[folder] is None:
            return folder
    # A take that is there and cannot be used says more than one that is gone.
    telling = [
        error
        for folder, error in tried.items()
        if isinstance(error, (TakeMismatch, TakeVersion))
        or (isinstance(error, TakeCorrupt) and (folder / JSON_NAME).is_file())
    ]
    if telling:
        raise telling[0]
    raise TakeNotFound(
        f"the take {_name(address.absolute)} is not at {' nor at '.join(map(str, tried)) or 'any known place'}",
        hint="Put its folder back or beside the .blend file, or say where it is now.",
        tried=[str(folder) for folder in tried],
        reasons=[str(error.message) for error in tried.values() if error is not None],
    )


def find_clip(clip: ClipInfo, take_folder: Path, blend_folder: Path | None) -> Path:
    """The take's footage: seen from the take, at its old place, or beside the take or the .blend under its name.

    Raises ClipNotFound where none of them holds the same footage.
    """
    name = _name(clip.path)
    places = [take_folder / clip.relative] if clip.relative else []
    places += [Path(clip.path), take_folder.parent / name]
    places += [blend_folder / name] if blend_folder is not None else []
    tried = list(_distinct(iter(places)))
    for place in tried:
        if is_clip(place, clip.fingerprint):
            return place
    raise ClipNotFound(
        f"the footage {name} is not at {' nor at '.join(map(str, tried))}, or is another one there",
        hint="Put the footage back, or beside the take or the .blend file.",
        tried=[str(place) for place in tried],
    )


def is_clip(path: Path, wanted: str) -> bool:
    """Whether the footage of that fingerprint lies at the path. Reads 2 MiB at most."""
    try:
        return fingerprint(path) == wanted
    except (ClipNotFound, UnsupportedVideo):
        return False


def same_place(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file or folder, which is there."""
    try:
        return one.samefile(other)
    except OSError:
        return False


def clip_title(clip: str, take_folder: Path) -> str:
    """What people call a clip: its name without ending; the take's where the clip is a pattern of images."""
    name = _name(clip)
    return take_folder.stem if not name or is_pattern(Path(name)) else Path(name).stem


def cache_folder(take_folder: Path) -> Path:
    """Where mesh caches of a take go: beside it, since only the backend writes into a take."""
    return take_folder.with_name(f"{take_folder.name}.cache")


def _take_places(address: TakeAddress, blend_folder: Path | None) -> Iterator[Path]:
    from_blend = resolved_path(address.stored, blend_folder)
    if from_blend is not None:
        yield from_blend
    if address.absolute:
        yield Path(address.absolute)
        if blend_folder is not None:
            yield blend_folder / _name(address.absolute)


def _why_not(folder: Path, address: TakeAddress) -> BackendError | None:
    """Why the folder is not the take; None where it is."""
    try:
        info = read_info(folder)
    except (TakeCorrupt, TakeVersion) as error:
        return error
    if info.clip.fingerprint != address.fingerprint:
        return TakeNotFound(
            f"{folder / JSON_NAME} is of other footage", hint="Say where the take is now.", path=str(folder)
        )
    if info.settings_hash != address.settings_hash:
        return TakeMismatch(
            f"{folder} was solved again, with other settings than when it was imported",
            hint="Import it again to see what it holds now.",
            path=str(folder),
        )
    return None


def _distinct(places: Iterator[Path]) -> Iterator[Path]:
    seen: set[str] = set()
    for place in places:
        key = os.path.normcase(place.absolute())
        if key not in seen:
            seen.add(key)
            yield place


def _name(path: str) -> str:
    """The last part of a path that may come from another system."""
    return re.split(r"[\\/]", path.rstrip("\\/"))[-1]
