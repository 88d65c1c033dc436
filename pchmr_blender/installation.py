# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of the backend's installation: read once, and again when an operator changes it. No bpy.

Panels are drawn many times a second and must not look at the disk: they read `known`.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final

from .backend.environment import Check, Environment, ModelFile, Plan, cache_folder, find
from .constants import ROOT

_OLD_SECONDS: Final = 7 * 24 * 3600.0


@dataclass(frozen=True)
class Installation:
    """Everything the preferences show. Replaced, never changed."""

    environment: Environment | None = None
    """The one that Set Up Backend has made."""
    plan: Plan | None = None
    """What setting it up would do, while nobody has agreed yet."""
    check: Check | None = None
    """What the last Check has found, and Models: with which interpreter."""
    models: tuple[ModelFile, ...] = ()
    """Model files, as far as they were listed."""
    candidate: tuple[Path, ModelFile] | None = None
    """A file of the user's and what it is: right, and waiting for the user to agree to its licence."""


_known = Installation()


def known() -> Installation:
    """What is known now. Reads memory only."""
    return _known


def note(**changes: object) -> None:
    """Change fields of what is known."""
    global _known
    _known = replace(_known, **changes)  # type: ignore[arg-type]


def look() -> None:
    """Look for the environment again; a millisecond."""
    note(environment=find())


def forget() -> None:
    """Know nothing: the extension is being disabled."""
    global _known
    _known = Installation()


def log_folder() -> Path:
    """Where the backend's logs lie: beside the environments, whose folder is setup's own."""
    folder = cache_folder()
    return folder.with_name(f"{folder.name}-logs")


def log_path() -> Path:
    """The log of this Blender's backend."""
    return log_folder() / f"backend-{os.getpid()}.log"


def remove_old_logs() -> None:
    """Delete logs of Blenders that are long gone."""
    folder = log_folder()
    if not folder.is_dir():
        return
    for log in folder.glob("backend-*.log"):
        if time.time() - log.stat().st_mtime > _OLD_SECONDS:
            log.unlink(missing_ok=True)


@cache
def preset_names() -> tuple[str, ...]:
    """The presets that come with the extension, `default` first."""
    names = sorted(path.stem for path in (ROOT / "presets" / "solve").glob("*.toml"))
    return tuple(sorted(names, key=lambda name: name != "default"))
