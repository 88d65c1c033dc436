# SPDX-License-Identifier: GPL-3.0-or-later
"""What was finished of a clip, and with what: a file beside it, by which a batch goes on where it stopped. No bpy."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final

from ...inference_backend import disk
from ...inference_backend.footage_files import fingerprint
from ..constants import ROOT
from ..core import pc2
from .arguments import Batch

BLEND: Final = "blend"
PREVIEW: Final = "preview"
CACHES: Final = "caches"
"""The mesh caches of the .blend, of which there may be none."""


@dataclass(frozen=True)
class Stamp:
    """The file's content."""

    settings: str
    """`settings_key` of what was asked for."""
    take: str = ""
    """`digest` of the take's record; empty: it was not solved yet."""
    blend: str | None = ""
    """`digest` of the .blend as it was written; empty: it was not, None: it is being written."""
    made: dict[str, list[str]] = field(default_factory=dict)
    """Finished files, as seen from the stamp's folder, by kind: blend, caches, preview, or a format's ending."""


class Ledger:
    """The stamp of one clip, kept true on the disk while the clip is worked on."""

    def __init__(self, path: Path, settings: str | None, *, anew: bool) -> None:
        """Only reads.

        `settings`: what is asked for now; None: whatever the former run was asked for. `anew`: what was finished does
        not count.
        """
        self._path = path
        former = _read(path)
        self._former_blend = "" if former is None else former.blend
        goes_on = former is not None and settings in (None, former.settings) and not anew
        self._stamp = former if former is not None and goes_on else Stamp(settings or "")

    def solved(self, take: str) -> None:
        """The take's record has this digest: what was made of another one does not count."""
        if self._stamp.take != take:
            self._stamp = Stamp(self._stamp.settings, take)

    def is_of(self, take: str) -> bool:
        """Whether what was made was made of the take of this digest."""
        return bool(take) and self._stamp.take == take

    def has(self, kind: str) -> bool:
        """Whether files of a kind are finished and still there."""
        files = self.files(kind)
        return bool(files) and all(file.is_file() for file in files)

    def has_caches(self) -> bool:
        """Whether the .blend's mesh caches are there and whole: else it would show the rest pose."""
        return all(pc2.is_whole(file) for file in self.files(CACHES))

    def files(self, kind: str) -> list[Path]:
        """The finished files of a kind."""
        return [self._path.parent / name for name in self._stamp.made.get(kind, ())]

    def wrote(self, blend: Path) -> bool:
        """Whether a .blend is as a batch has left it, so that nobody's work is in it."""
        return self._former_blend is None or digest(blend) == self._former_blend

    def begin_blend(self) -> None:
        """The .blend is about to be written: should the batch be killed meanwhile, it is no one's work."""
        self._write(replace(self._stamp, blend=None))

    def edited(self, blend: Path, caches: Sequence[Path]) -> None:
        """The .blend was edited and has these mesh caches: what was made of it before does not count.

        It is somebody's work from now on, which no other settings replace. Raises OutputNotWritable, DiskFull.
        """
        made = {BLEND: [self._name(blend)], CACHES: [self._name(file) for file in caches]}
        self._write(replace(self._stamp, made=made))

    def add(self, kind: str, files: Sequence[Path]) -> None:
        """Files are finished. Raises OutputNotWritable, DiskFull."""
        names = [self._name(file) for file in files]
        made = {**self._stamp.made, kind: names}
        blend = digest(files[0]) if kind == BLEND else self._stamp.blend
        self._write(replace(self._stamp, made=made, blend=blend))

    def _name(self, file: Path) -> str:
        """A file as seen from the stamp's folder."""
        return Path(os.path.relpath(file, self._path.parent)).as_posix()

    def _write(self, stamp: Stamp) -> None:
        self._stamp = stamp
        disk.replace_file(self._path, (json.dumps(asdict(stamp), indent=1) + "\n").encode("ascii"))


def settings_key(batch: Batch, clip: Path) -> str:
    """What the .blend and the exports of a clip depend on, as 64 hex digits. Raises ClipNotFound, UnsupportedVideo."""
    values = {
        "clip": fingerprint(clip),
        "people": batch.people,
        "height": batch.height,
        "focal": batch.focal,
        "preset": _content("solve", batch.preset),
        "cleanup": _content("cleanup", batch.cleanup),
        "fps": batch.fps,
        "form": batch.form,
        "tolerance": batch.tolerance_mm,
    }
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _content(kind: str, preset: str) -> str:
    """What a preset says, by its name or its path; the name where there is no file."""
    named = ROOT / "presets" / kind / f"{preset}.toml"
    file = named if named.is_file() else Path(preset)
    return file.read_text("utf-8", "replace") if file.is_file() else preset


def digest(path: Path) -> str:
    """Of a file's content; empty where there is none."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _read(path: Path) -> Stamp | None:
    """What was written; None where there is nothing, or nothing of ours."""
    try:
        return Stamp(**json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None
