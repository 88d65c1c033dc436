"""Clean-up presets: the layers' parameters in `presets/cleanup/*.toml`, which name what differs from the defaults."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ..preset_files import PresetKind, preset_names
from .parameters import OPTIONS, SECTIONS, Layers

CLEANUP_FOLDER: Final = Path(__file__).resolve().parent.parent.parent / "presets" / "cleanup"
"""Where presets that are asked for by name live: beside the package, in the repository and in the extension."""

_KIND: Final = PresetKind(Layers, OPTIONS, SECTIONS)


def load_cleanup(name: str | os.PathLike[str]) -> Layers:
    """Read a preset by its name (`default`) or by the path of a `.toml` file. Raises PresetInvalid."""
    return _KIND.load(name, CLEANUP_FOLDER)


def cleanup_names() -> list[str]:
    """The shipped presets."""
    return preset_names(CLEANUP_FOLDER)


def override(layers: Layers, values: Mapping[str, object], source: str) -> Layers:
    """Layers with some values changed, by dotted key as `smoothing.seconds`; the strips stay. Raises PresetInvalid."""
    return _KIND.override(layers, values, source)


def dump(layers: Layers) -> str:
    """The layers as TOML that `load_cleanup` reads back, but for the strips, which belong to one take."""
    return _KIND.dump(layers)
