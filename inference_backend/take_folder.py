"""The folder where a take shall go: may it be used, and is the take that is there the same work?"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from .disk import TEMPORARY, writing
from .errors import OutputNotWritable, TakeMismatch
from .take_format import ARRAYS
from .take_info import JSON_NAME, LAYERS_NAME, TakeInfo, corrupt, settings_hash

LOCK_NAME: Final = "take.lock"

_PERSON = re.compile(r"person_\d+")
_OF_THE_SYSTEM = {"Thumbs.db", "desktop.ini"}


def refuse_foreign(folder: Path) -> None:
    """Raise OutputNotWritable where the folder is no take and holds files that are none of a take's."""
    with writing(folder):
        if not folder.is_dir() or (folder / JSON_NAME).exists():
            return
        foreign = sorted(entry.name for entry in folder.iterdir() if not _expected(entry))
    if foreign:
        raise OutputNotWritable(
            f"{folder} is no take and holds other things ({', '.join(foreign[:3])}{', …' if len(foreign) > 3 else ''})",
            hint="Name a folder that is empty or does not exist yet.",
            path=str(folder),
            entries=foreign[:20],
        )


def written_at(path: Path) -> int:
    """When a file of a take was written, in nanoseconds.

    Raises TakeCorrupt where it is not there, as of a take that was moved away while it is worked with.
    """
    try:
        return path.stat().st_mtime_ns
    except OSError as error:
        raise corrupt(path, "file", error.strerror, "a file of a take") from error


def gone_on(
    folder: Path, there: TakeInfo, asked: TakeInfo, until_people: Collection[str], remade: Collection[str]
) -> TakeInfo:
    """The record of the take that is there when it goes on as the work that is asked for: see `create_or_resume`.

    Raises TakeMismatch.
    """
    adopted = there if there.people else adopt(there, asked, until_people)
    refuse_other(folder, adopted, keeping(adopted, asked, remade))
    return replace(adopted, clip=asked.clip)  # the same footage, maybe at another place


def refuse_other(folder: Path, there: TakeInfo, asked: TakeInfo) -> None:
    """Raise TakeMismatch, naming each difference, where the take that is there is not the work that is asked for."""
    differences = []
    if there.clip.fingerprint != asked.clip.fingerprint:
        differences.append(f"it is of {there.clip.path}, asked for is {asked.clip.path}")
    if there.settings_hash != asked.settings_hash:
        differences += _differences(there.settings, asked.settings, "")
    differences += _differences(
        {"body": there.body.sha256, "weights": there.weights}, {"body": asked.body.sha256, "weights": asked.weights}, ""
    )
    if differences:
        raise TakeMismatch(
            f"{folder} holds another take: {'; '.join(differences)}",
            hint="Name another folder (--out), or replace the take (--overwrite).",
            path=str(folder),
            differences=differences,
        )


def adopt(there: TakeInfo, asked: TakeInfo, keys: Collection[str]) -> TakeInfo:
    """The take's record with the settings of these dotted keys as they are asked for."""
    settings = _adopted(there.settings, asked.settings, keys, "")
    return replace(there, settings=settings, settings_hash=settings_hash(settings))


def keeping(there: TakeInfo, asked: TakeInfo, keys: Collection[str]) -> TakeInfo:
    """What is asked for with the settings of these keys as the take has them, or without where it has none."""
    settings = {key: value for key, value in asked.settings.items() if key not in keys}
    settings |= {key: there.settings[key] for key in keys if key in there.settings}
    return replace(asked, settings=settings, settings_hash=settings_hash(settings))


def clear(folder: Path) -> None:
    """Delete a take's files, and only those. `take.json` goes first, so that a kill leaves leftovers and no take."""
    with writing(folder):
        (folder / JSON_NAME).unlink(missing_ok=True)
        for file in _files(folder, (".npy", ".npy" + TEMPORARY, JSON_NAME + TEMPORARY, LAYERS_NAME)):
            file.unlink()
        for entry in folder.iterdir():
            if _PERSON.fullmatch(entry.name) and entry.is_dir() and not any(entry.iterdir()):
                entry.rmdir()


def remove_temporaries(folder: Path) -> None:
    """Delete what a killed writer had not renamed yet."""
    with writing(folder):
        for file in _files(folder, (".npy" + TEMPORARY, JSON_NAME + TEMPORARY, LAYERS_NAME + TEMPORARY)):
            file.unlink()


def relative_path(clip: Path, folder: Path) -> str:
    """The clip's path from the take's folder with forward slashes; empty where there is none (another drive)."""
    try:
        return Path(os.path.relpath(clip.resolve(), folder.resolve())).as_posix()
    except ValueError:
        return ""


def _files(folder: Path, endings: tuple[str, ...]) -> list[Path]:
    places = [folder, *(entry for entry in folder.iterdir() if _PERSON.fullmatch(entry.name) and entry.is_dir())]
    files = (entry for place in places for entry in place.iterdir())
    return [
        file for file in files if file.name.split(".")[0] in {*ARRAYS, "take", "layers"} and file.name.endswith(endings)
    ]


def _expected(entry: Path) -> bool:
    name = entry.name
    if name.startswith(".") or name in _OF_THE_SYSTEM or _PERSON.fullmatch(name):
        return True
    return name.removesuffix(TEMPORARY) in {JSON_NAME, LOCK_NAME, *(f"{array}.npy" for array in ARRAYS)}


def _adopted(there: Mapping[str, Any], asked: Mapping[str, Any], keys: Collection[str], prefix: str) -> dict[str, Any]:
    found = dict(there)
    for key, new in asked.items():
        old = there.get(key)
        if f"{prefix}{key}" in keys:
            found[key] = new
        elif isinstance(old, Mapping) and isinstance(new, Mapping):
            found[key] = _adopted(old, new, keys, f"{prefix}{key}.")
    return found


def _differences(there: Mapping[str, Any], asked: Mapping[str, Any], prefix: str) -> list[str]:
    found = []
    for key in sorted({*there, *asked}):
        old, new = there.get(key), asked.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += _differences(old, new, f"{prefix}{key}.")
        elif old != new:
            found.append(f"{prefix}{key} is {old}, asked for is {new}")
    return found
