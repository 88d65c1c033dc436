# SPDX-License-Identifier: GPL-3.0-or-later
"""One clip of a batch: where everything of it goes, and what was made. No bpy."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..activities import Status

Show = Callable[[Status], None]
"""Told how far the work is; what it raises ends it."""


@dataclass(frozen=True)
class ClipJob:
    """One clip, and where everything of it goes."""

    clip: Path
    take: Path
    """Folder of its take; all else lies beside it and is called the same."""

    @property
    def name(self) -> str:
        """What everything made of it is called."""
        return self.take.name.removesuffix(".take")

    @property
    def names(self) -> tuple[str, ...]:
        """What a file of edits may call it."""
        return self.name, self.clip.name, self.take.name

    def file(self, ending: str, person: str = "") -> Path:
        """A file that is made of it."""
        return self.take.with_name(f"{self.name}{person}.{ending}")

    def hidden(self, ending: str) -> Path:
        """Something that is there only while it is made, with a short name: the clip's may be as long as names go."""
        key = hashlib.blake2b(self.name.encode("utf-8", "surrogateescape"), digest_size=4).hexdigest()
        return self.take.with_name(f".pchmr-{key}.{ending}")


@dataclass(frozen=True)
class ClipMade:
    """What there is when a clip is finished."""

    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()
    anew: bool = True
    """Whether any of it was made in this run."""
