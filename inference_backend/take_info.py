"""The records of `take.json`: what was solved, from which footage, with which settings, and how far.

A record is read strictly: a missing, extra or ill-typed key is TakeCorrupt with its dotted name, another version is
TakeVersion. Standard library only: Blender's add-on imports this module.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Final

from .errors import TakeCorrupt, TakeVersion
from .footage_files import fingerprint

FORMAT: Final = "pchmr-take"
VERSION: Final = 3
"""Readers and writers of another version refuse the take."""

LAYERS_NAME: Final = "layers.json"

JSON_NAME: Final = "take.json"

_OPEN_TRIES = 20 if sys.platform == "win32" else 1


@dataclass(frozen=True)
class ClipInfo:
    """The footage, so that it is known again on another day or machine."""

    path: str
    """Absolute path when the take was last written."""
    relative: str
    """Path from the take's folder, with forward slashes; empty where there is none (another drive)."""
    fingerprint: str
    """`footage_files.fingerprint` of the movie or the images."""
    fps: float
    """Mean frame rate."""
    width: int
    """Of the upright image, pixels."""
    height: int
    """Of the upright image, pixels."""
    rotation: int
    """Degrees clockwise that turn the stored picture upright."""


@dataclass(frozen=True)
class BodyInfo:
    """The body model that gives the meshes their topology."""

    name: str
    sha256: str
    vertices: int
    """N in the table."""
    faces: int = 0
    """M in the table."""
    uvs: int = 0
    """U in the table."""

    @property
    def sizes(self) -> tuple[int, int, int]:
        """N, M and U."""
        return self.vertices, self.faces, self.uvs


@dataclass(frozen=True)
class PersonInfo:
    """One person of the take and how far each stage has come."""

    index: int
    """Place in the list and number of the folder."""
    box: tuple[float, float, float, float]
    """x0, y0, x1, y1 in pixels of the upright image, in the first frame."""
    first_frame: int
    """Index in the footage of the first frame."""
    last_frame: int
    """Index in the footage of the last frame, included."""
    height: float
    """Metres: sets the scale."""
    frames: int
    """F in the table: frames to solve."""
    rows: int = 0
    """Rows in the files: F when they were made; more than F after `TakeWriter.shorten`."""
    done: dict[str, int] = field(default_factory=dict)
    """Finished frames by stage."""
    arrays: tuple[str, ...] = ()
    """Arrays that are there."""
    finished: tuple[str, ...] = ()
    """Stages of which everything is written."""


@dataclass(frozen=True)
class TakeInfo:
    """All of `take.json`."""

    format: str
    version: int
    created_by: str
    """Program and version, without date, so that the same work gives the same bytes."""
    clip: ClipInfo
    settings: dict[str, Any]
    """The settings that change the result, as `presets.result_settings` gives them."""
    settings_hash: str
    """`settings_hash()` of them."""
    body: BodyInfo
    weights: dict[str, str]
    """sha256 of every model that was used, by its role."""
    arrays: tuple[str, ...] = ()
    """Arrays of the whole take that are there."""
    people: tuple[PersonInfo, ...] = ()
    warnings: tuple[str, ...] = ()
    """What a person should know, in order of appearance."""


def settings_hash(settings: Mapping[str, Any]) -> str:
    """sha256 of the settings as JSON with sorted keys."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, allow_nan=False).encode()).hexdigest()


def to_json(info: TakeInfo) -> bytes:
    """The text of `take.json`: ASCII, so that file names that are no valid Unicode survive too."""
    # `vars` of the records as they come: `asdict` would copy all settings at every step of a job.
    return (json.dumps(info, default=vars, indent=1, allow_nan=False) + "\n").encode("ascii")


def normalised(info: TakeInfo) -> TakeInfo:
    """The record as it will be read back: 1 becomes 1.0 where a float is wanted. ValueError where it would not be."""
    try:
        read: TakeInfo = _parse(TakeInfo, json.loads(to_json(info)), Path(JSON_NAME), "")
    except TakeCorrupt as error:
        raise ValueError(error.message) from error
    return read


def read_info(folder: Path) -> TakeInfo:
    """Read `take.json`, without looking at the arrays. Raises TakeCorrupt, TakeVersion."""
    path = folder / JSON_NAME
    try:
        record = json.loads(_read_bytes(path).decode("utf-8"))
    except FileNotFoundError as error:
        raise corrupt(path, "file", "nothing", f"the {JSON_NAME} of a take") from error
    except OSError as error:
        raise corrupt(path, "file", error.strerror, "a readable file") from error
    except (ValueError, RecursionError) as error:
        raise corrupt(path, "text", f"no JSON ({error})", "JSON in UTF-8") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        found = record.get("format") if isinstance(record, dict) else type(record).__name__
        raise corrupt(path, "format", found, FORMAT)
    version = record.get("version")
    if version != VERSION or isinstance(version, bool):
        raise TakeVersion(
            f"{path} has format version {version}; this program reads version {VERSION}",
            hint="Open it with the program version that wrote it, or replace it (--overwrite).",
            path=str(path),
            found=version,
            expected=VERSION,
            created_by=record.get("created_by"),
        )
    info: TakeInfo = _parse(TakeInfo, record, path, "")
    return info


def layers_of(folder: Path, info: TakeInfo, person: int) -> dict[str, Any]:
    """The target stack's parameters, nested, that a person's rows were last asked to be made with.

    They stand beside the person's arrays and not in `take.json`, whose settings say what the sources were made with.
    Raises TakeCorrupt.
    """
    path = layers_path(folder, person)
    try:
        found = json.loads(_read_bytes(path).decode("utf-8"))
    except FileNotFoundError:
        return dict(info.settings.get("layers", {}))
    except (OSError, ValueError, RecursionError) as error:
        raise corrupt(path, "file", f"no JSON ({error})", "the parameters of the target stack") from error
    if not isinstance(found, dict):
        raise corrupt(path, "file", type(found).__name__, "the parameters of the target stack")
    return found


def layers_path(folder: Path, person: int) -> Path:
    """Where `layers_of` are kept."""
    return folder / f"person_{person}" / LAYERS_NAME


def corrupt(path: Path, what: str, found: object, expected: object) -> TakeCorrupt:
    """The error that `what` in a take's file is not as expected."""
    return TakeCorrupt(
        f"{path}: {what}: found {found}, expected {expected}",
        hint="Restore the take from a copy, or reconstruct the clip again in its place (--overwrite).",
        path=str(path),
        what=what,
        found=str(found),
        expected=str(expected),
    )


def identify(path: str | os.PathLike[str], *, fps: float, width: int, height: int, rotation: int) -> ClipInfo:
    """The record of a clip; see `ClipInfo` for the values. Raises as `footage_files.fingerprint`."""
    return ClipInfo(str(Path(path).absolute()), "", fingerprint(path), fps, width, height, rotation)


def _read_bytes(path: Path) -> bytes:
    # Windows refuses to open a file in the instant in which another process replaces it.
    for _ in range(_OPEN_TRIES - 1):
        try:
            return path.read_bytes()
        except PermissionError:
            time.sleep(0.05)
    return path.read_bytes()


def _parse(wanted: Any, value: Any, path: Path, key: str) -> Any:
    """`value` as the type `wanted`: a dataclass, a dict or tuple of such, a plain type or Any."""
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if wanted is Any:
        return value
    if isinstance(wanted, type) and is_dataclass(wanted) and isinstance(value, dict):
        names = {entry.name for entry in fields(wanted)}
        if set(value) != names:
            found = sorted(set(value) ^ names)
            raise corrupt(path, key or "keys", f"missing or unknown: {', '.join(found)}", "every key once")
        hints = typing.get_type_hints(wanted)
        return wanted(**{name: _parse(hints[name], value[name], path, f"{key}.{name}".lstrip(".")) for name in names})
    if origin is dict and isinstance(value, dict):
        return {name: _parse(arguments[1], entry, path, f"{key}.{name}") for name, entry in value.items()}
    if origin is tuple and isinstance(value, list):
        kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else list(arguments)
        if len(kinds) == len(value):
            return tuple(_parse(k, v, path, f"{key}[{i}]") for i, (k, v) in enumerate(zip(kinds, value, strict=True)))
    if wanted is float and type(value) in (int, float):
        return float(value)
    if type(value) is wanted:
        return value
    raise corrupt(path, key, json.dumps(value)[:80], getattr(wanted, "__name__", str(wanted)))
