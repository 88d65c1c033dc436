"""Solve presets in files: TOML that names what differs from the defaults, checked against `solve_preset.OPTIONS`."""

from __future__ import annotations

import dataclasses
import difflib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from .errors import PresetInvalid
from .solve_preset import OPTIONS, SECTIONS, SolvePreset

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

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


def load_preset(name: str | os.PathLike[str]) -> SolvePreset:
    """Read a preset by its name (`default`) or by the path of a `.toml` file. Raises PresetInvalid."""
    path = Path(name)
    if path.suffix != ".toml":
        known = sorted(file.stem for file in SOLVE_FOLDER.glob("*.toml"))
        if str(name) not in known:
            near = _nearest(str(name), known)
            hint = f"Presets there: {', '.join(known) or 'none'}. A file of yours ends in .toml."
            if near:
                hint = f"Did you mean {near}? {hint}"
            raise PresetInvalid(f"no preset {name} in {SOLVE_FOLDER}", hint=hint, preset=str(name), known=known)
        path = SOLVE_FOLDER / f"{name}.toml"
    try:
        # utf-8-sig: some editors begin a file with a byte order mark.
        values = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise PresetInvalid(f"{path}: {error.strerror}", hint="Check the path.", file=str(path)) from error
    except ValueError as error:  # not TOML or not UTF-8
        raise PresetInvalid(f"{path}: {error}", hint="Correct the file: TOML in UTF-8.", file=str(path)) from error
    return override(SolvePreset(), _flattened(values), str(path))


def override(preset: SolvePreset, values: Mapping[str, object], source: str) -> SolvePreset:
    """A preset with some values changed.

    Args:
        preset: the one to start from.
        values: plain values by dotted key, as `{"fit.iterations": 100}`.
        source: a file's name or "command line", for the error.

    Raises:
        PresetInvalid: an unknown key, a value of the wrong type or out of range.
    """
    for key, value in values.items():
        if key not in OPTIONS:
            near = _nearest(key, list(OPTIONS))
            hint = f"Settings: {', '.join(OPTIONS)}."
            if near:
                hint = f"Did you mean {near}? It allows {OPTIONS[near].allowed}."
            problem = "is a section, not a setting" if key in SECTIONS else "is no setting"
            raise PresetInvalid(
                f"{source}: {key} = {value!r}: {key} {problem}",
                hint=hint, file=source, key=key, value=repr(value), nearest=near,
            )  # fmt: skip
        option = OPTIONS[key]
        if not option.accepts(value):
            raise PresetInvalid(
                f"{source}: {key} = {value!r} is not allowed",
                hint=f"Allowed: {option.allowed}.",
                file=source, key=key, value=repr(value), allowed=option.allowed,
            )  # fmt: skip
        *section, name = key.split(".")
        change: dict[str, Any] = {name: float(value) if isinstance(value, int) and option.number is float else value}
        if section:
            change = {section[0]: dataclasses.replace(getattr(preset, section[0]), **change)}
        preset = dataclasses.replace(preset, **change)
    return preset


def result_settings(preset: SolvePreset) -> dict[str, Any]:
    """The settings that change the result, nested as in the file: what a take keeps and is compared by."""
    return _nested({key: value for key, value in _values(preset).items() if OPTIONS[key].changes_result})


def dump(preset: SolvePreset) -> str:
    """The preset as TOML that `load_preset` reads back, each setting with its description above it."""
    lines = []
    section = ""
    for key, value in _values(preset).items():
        *owner, name = key.split(".")
        if owner and owner[0] != section:
            section = owner[0]
            lines += [f"[{section}]"]
        option = OPTIONS[key]
        lines += [f"# {option.text}. Allowed: {option.allowed}.", f"{name} = {json.dumps(value)}", ""]
    return "\n".join(lines)


def option_table() -> str:
    """Every setting with its default, what it allows and what it does, for `--help`."""
    rows = [(key, json.dumps(option.default), option.allowed, option.text) for key, option in OPTIONS.items()]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]) for row in rows
    )


def _values(preset: SolvePreset) -> dict[str, bool | int | float | str]:
    values = {}
    for key in OPTIONS:
        owner: Any = preset
        for name in key.split("."):
            owner = getattr(owner, name)
        values[key] = owner
    return values


def _flattened(values: Mapping[str, Any]) -> dict[str, Any]:
    """Nested tables as dotted keys. An empty table stays, unless it is a known section, so that it is refused."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and (value or name in SECTIONS):
            flat |= {f"{name}.{key}": entry for key, entry in _flattened(value).items()}
        else:
            flat[name] = value
    return flat


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for key, value in values.items():
        *section, name = key.split(".")
        owner = nested.setdefault(section[0], {}) if section else nested
        owner[name] = value
    return nested


def _nearest(word: str, known: list[str]) -> str | None:
    """The known word that is nearest to `word`, as a whole or by the part behind the dot."""
    by_end = {entry.rpartition(".")[2]: entry for entry in known}
    near = difflib.get_close_matches(word, known, 1)
    near_end = difflib.get_close_matches(word.rpartition(".")[2], list(by_end), 1)
    return next(iter([*near, *(by_end[end] for end in near_end)]), None)
