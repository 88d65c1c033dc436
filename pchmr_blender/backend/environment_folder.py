# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of the backend's environments: one for all Blenders of a user, outside of their settings.

    <folder>/CACHEDIR.TAG                      says that the folder is ours, and tells backups to leave it out
    <folder>/<lock>-<device>-<token>/          one environment: venv/, python/ where uv brought one, and its stamp
    <folder>/downloads/  setup.log  setup.lock  removed-<token>/

An environment is there when its stamp is, which is written last. What has none was given up. Its folder's name is used
once: a program that outlives its setup cannot write into the next one. No bpy.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from ...inference_backend.disk import replace_file, writing
from ...inference_backend.errors import BadArgument, OutputNotWritable
from ...inference_backend.folder_lock import FolderLock
from .folders import delete_folder, folder_size
from .setup_table import Device, lock_digest, platform_name

ROOT: Final = Path(__file__).resolve().parents[2]
"""The folder that holds `inference_backend` and `requirements`."""
FOLDER_ENV: Final = "PCHMR_BACKEND"
"""Environment variable that names the folder of the environments, instead of the per-user one."""
DOWNLOADS: Final = "downloads"
LOG: Final = "setup.log"
LOCK: Final = "setup.lock"

_STAMP: Final = "environment.json"
_TAG: Final = "CACHEDIR.TAG"
_TAG_TEXT: Final = "Signature: 8a477f597d28d172789f06886806bc55\n# Made by the PC-HMR extension; it can be deleted.\n"
_ENVIRONMENT: Final = re.compile(r"[0-9a-f]{10}-(cpu|cuda|mps)-[0-9a-f]{6}")
_REMOVED: Final = re.compile(r"removed-[0-9a-f]{6}")


@dataclass(frozen=True)
class Environment:
    """A finished environment."""

    folder: Path
    """Where it lies."""
    interpreter: Path
    """What starts the backend."""
    lock: str
    """`lock_digest` of what was installed."""
    device: Device
    """What it was made for."""
    devices: tuple[str, ...]
    """What torch found when it was made, the fastest first: cuda, mps, cpu."""
    python: str
    """Version of Python."""
    torch: str
    """Version of torch, with its build: 2.13.0+cpu."""
    tool: str
    """What made it: uv or pip."""
    platform: str
    """`platform_name` of the machine."""
    made: str
    """When, in UTC, as 2026-01-31T12:00:00."""

    @property
    def lacks_device(self) -> bool:
        """Whether torch found nothing of what it was made for, as where pip's index has another build, or no driver."""
        return self.device.value not in self.devices


def cache_folder() -> Path:
    """The per-user folder of the environments, which need not exist."""
    if override := os.environ.get(FOLDER_ENV):
        return Path(override).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "pchmr" / "backend"


def find(folder: Path | None = None, *, root: Path = ROOT) -> Environment | None:
    """The newest finished environment that was made for this version of the backend, on a machine like this one.

    Only reads, in well under a millisecond: fit for poll() and draw(). `folder`: None: `cache_folder()`.
    """
    try:
        digest = lock_digest(root / "requirements")
    except OSError:
        return None
    return next((one for one in environments(folder) if one.lock == digest and one.platform == platform_name()), None)


def environments(folder: Path | None = None) -> tuple[Environment, ...]:
    """All finished environments, those of other versions of the backend included; the newest first."""
    found = [one for path in _ours(folder or cache_folder(), _ENVIRONMENT) if (one := _read(path)) is not None]
    return tuple(sorted(found, key=lambda one: one.made, reverse=True))


def claim(folder: Path) -> None:
    """Make the folder of the environments, and mark it as ours.

    Raises:
        BadArgument: it holds other things, which backups would leave out for our tag.
        OutputNotWritable, DiskFull: it cannot be made.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if is_ours(folder):
            return
        if any(folder.iterdir()):
            raise BadArgument(
                f"{folder} holds other things", hint="Choose an empty folder, or a new one.", path=str(folder)
            )
        (folder / _TAG).write_text(_TAG_TEXT, "utf-8")


def begin(folder: Path, digest: str, device: Device) -> Path:
    """An empty folder for a new environment. Raises OutputNotWritable or DiskFull."""
    path = folder / f"{digest}-{device.value}-{secrets.token_hex(3)}"
    with writing(path):
        path.mkdir()
    return path


def finish(environment: Environment) -> None:
    """Write the stamp: from now on `find` knows it. Raises OutputNotWritable or DiskFull."""
    values = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(environment).items()}
    del values["folder"]  # known by where the stamp lies
    replace_file(environment.folder / _STAMP, json.dumps(values, indent=1).encode())


def discard(path: Path) -> None:
    """Give up an environment, or the downloads: at once out of the way, deleted in the background.

    What cannot be deleted, as on Windows while a program of it runs, goes with the next `sweep`.
    """
    (path / _STAMP).unlink(missing_ok=True)
    aside = path.with_name(f"removed-{secrets.token_hex(3)}")
    try:
        path.rename(aside)
    except OSError:
        aside = path
    # A daemon: Blender may quit meanwhile.
    threading.Thread(target=delete_folder, args=(aside,), daemon=True, name="pchmr-discard").start()


def sweep(folder: Path) -> None:
    """Delete what was given up: environments without a stamp, and what is half removed. For the holder of the lock."""
    for path in [*_ours(folder, _REMOVED), *_ours(folder, _ENVIRONMENT)]:
        if not (path / _STAMP).is_file():
            delete_folder(path)


def remove(folder: Path | None = None) -> int:
    """Delete all environments and downloads; the bytes that became free. Takes seconds: for a worker thread.

    Only what setup has made goes, by name, and only where its tag lies; the models, which lie elsewhere, stay.

    Raises:
        OutputNotWritable: a setup is running, or something is in use. No environment is found any more by then.
    """
    folder = folder or cache_folder()
    if not is_ours(folder):
        return 0
    lock = FolderLock(folder / LOCK)
    try:
        parts = [*_ours(folder, _ENVIRONMENT), *_ours(folder, _REMOVED), folder / DOWNLOADS]
        for path in parts:
            (path / _STAMP).unlink(missing_ok=True)
        before = sum(folder_size(path) for path in parts)
        left = [path for path in parts if not delete_folder(path)]
        if left:
            raise OutputNotWritable(
                f"{left[0]} cannot be deleted: a program still uses it",
                hint="Close other Blenders, wait a moment, and press Remove again.",
                path=str(left[0]),
            )
    finally:
        lock.release()
    # The lock too: whoever waits for it will find no environment, and make a folder of its own.
    for name in (LOG, LOCK, _TAG):
        (folder / name).unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()
    return before


def is_ours(folder: Path) -> bool:
    """Whether setup has made the folder."""
    tag = folder / _TAG
    return tag.is_file() and tag.read_text("utf-8", "replace") == _TAG_TEXT


def _ours(folder: Path, name: re.Pattern[str]) -> Iterator[Path]:
    """Sub-folders of that name; none where the folder is not there. A link is nothing of ours."""
    if folder.is_dir():
        yield from (
            path for path in folder.iterdir() if name.fullmatch(path.name) and path.is_dir() and not path.is_symlink()
        )


def _read(path: Path) -> Environment | None:
    """What the stamp says; None where there is none, or none of this version, or where the interpreter has gone."""
    try:
        values: dict[str, Any] = json.loads((path / _STAMP).read_text("utf-8"))
        values = {field.name: values[field.name] for field in fields(Environment) if field.name != "folder"}
        device, interpreter = Device(values.pop("device")), Path(values.pop("interpreter"))
        devices = tuple(values.pop("devices"))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not interpreter.is_file():
        return None
    return Environment(folder=path, device=device, interpreter=interpreter, devices=devices, **values)
