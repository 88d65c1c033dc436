# SPDX-License-Identifier: GPL-3.0-or-later
"""Presets of the user's: files in Blender's own folder for scripts, so that they outlive an update of the extension."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import bpy

from ...inference_backend.errors import BadArgument

SUFFIX: Final = ".toml"


def own_folder(kind: str, *, create: bool = False) -> Path:
    """Where the user's presets of a kind are, `rigs` or `cleanup`: beside those of Blender's operators."""
    return Path(bpy.utils.user_resource("SCRIPTS", path=f"presets/pchmr/{kind}", create=create))


def file_name(name: str) -> str:
    """The file of a preset that a user has named. Raises BadArgument where nothing is left of the name."""
    stem = bpy.path.clean_name(name.strip()).strip("_").lower()
    if not stem:
        raise BadArgument("the preset has no name", hint="Give it a name of letters or digits.")
    return f"{stem}{SUFFIX}"
