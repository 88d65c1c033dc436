"""Solve presets in files: TOML that names what differs from the defaults, checked against `solve_preset.OPTIONS`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from .preset_files import PresetKind
from .solve_preset import OPTIONS, SECTIONS, SolvePreset

__all__ = [
    "OPTIONS",
    "SOLVE_FOLDER",
    "SolvePreset",
    "dump",
    "load_preset",
    "option_table",
    "override",
    "result_settings",
]

SOLVE_FOLDER: Final = Path(__file__).resolve().parent.parent / "presets" / "solve"
"""Where presets that are asked for by name live: beside the package, in the repository and in the extension."""

_KIND: Final = PresetKind(SolvePreset, OPTIONS, SECTIONS)


def load_preset(name: str | os.PathLike[str]) -> SolvePreset:
    """Read a preset by its name (`default`) or by the path of a `.toml` file. Raises PresetInvalid."""
    return _KIND.load(name, SOLVE_FOLDER)


def override(preset: SolvePreset, values: Mapping[str, object], source: str) -> SolvePreset:
    """A preset with some values changed.

    Args:
        preset: the one to start from.
        values: plain values by dotted key, as `{"fit.iterations": 100}`.
        source: a file's name or "command line", for the error.

    Raises:
        PresetInvalid: an unknown key, a value of the wrong type or out of range.
    """
    return _KIND.override(preset, values, source)


def result_settings(preset: SolvePreset) -> dict[str, Any]:
    """The settings that change the result, nested as in the file: what a take keeps and is compared by."""
    return _nested({key: value for key, value in _KIND.values(preset).items() if OPTIONS[key].changes_result})


def dump(preset: SolvePreset) -> str:
    """The preset as TOML that `load_preset` reads back, each setting with its description above it."""
    return _KIND.dump(preset)


def option_table() -> str:
    """Every setting with its default, what it allows and what it does, for `--help`."""
    rows = [(key, json.dumps(option.default), option.allowed, option.text) for key, option in OPTIONS.items()]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]) for row in rows
    )


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for key, value in values.items():
        *section, name = key.split(".")
        owner = nested.setdefault(section[0], {}) if section else nested
        owner[name] = value
    return nested
