"""Presets in files: TOML that names what differs from the defaults, checked against the options of its dataclass.

Standard library only: Blender's add-on reads presets too.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from .errors import PresetInvalid
from .preset_options import Option, options_of, sections_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

P = TypeVar("P")


@dataclass(frozen=True)
class PresetKind(Generic[P]):
    """One kind of preset: a frozen dataclass whose fields are options, or sections of options."""

    owner: type[P]
    """The dataclass; made without arguments it is the default."""
    options: Mapping[str, Option]
    """Every setting by its dotted key, in the order of the files."""
    sections: Mapping[str, Any]
    """The sections and what makes each with its defaults."""

    @classmethod
    def of(cls, owner: type[P]) -> PresetKind[P]:
        """The kind that a dataclass tells."""
        return cls(owner, options_of(owner), sections_of(owner))

    def load(self, name: str | os.PathLike[str], folder: Path) -> P:
        """Read a preset by its name in `folder` or by the path of a `.toml` file. Raises PresetInvalid."""
        path = Path(name)
        if path.suffix != ".toml":
            known = preset_names(folder)
            if str(name) not in known:
                near = _nearest(str(name), known)
                hint = f"Presets there: {', '.join(known) or 'none'}. A file of yours ends in .toml."
                if near:
                    hint = f"Did you mean {near}? {hint}"
                raise PresetInvalid(f"no preset {name} in {folder}", hint=hint, preset=str(name), known=known)
            path = folder / f"{name}.toml"
        try:
            # utf-8-sig: some editors begin a file with a byte order mark.
            values = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
        except OSError as error:
            raise PresetInvalid(f"{path}: {error.strerror}", hint="Check the path.", file=str(path)) from error
        except ValueError as error:  # not TOML or not UTF-8
            raise PresetInvalid(f"{path}: {error}", hint="Correct the file: TOML in UTF-8.", file=str(path)) from error
        return self.override(self.owner(), self._flattened(values), str(path))

    def override(self, preset: P, values: Mapping[str, object], source: str) -> P:
        """A preset with some values changed.

        Args:
            preset: the one to start from.
            values: plain values by dotted key, as `{"fit.iterations": 100}`.
            source: a file's name or "command line", for the error.

        Raises:
            PresetInvalid: an unknown key, a value of the wrong type or out of range.
        """
        options = self.options
        for key, value in values.items():
            if key not in options:
                near = _nearest(key, list(options))
                hint = f"Settings: {', '.join(options)}."
                if near:
                    hint = f"Did you mean {near}? It allows {options[near].allowed}."
                problem = "is a section, not a setting" if key in self.sections else "is no setting"
                raise PresetInvalid(
                    f"{source}: {key} = {value!r}: {key} {problem}",
                    hint=hint, file=source, key=key, value=repr(value), nearest=near,
                )  # fmt: skip
            option = options[key]
            if not option.accepts(value):
                raise PresetInvalid(
                    f"{source}: {key} = {value!r} is not allowed",
                    hint=f"Allowed: {option.allowed}.",
                    file=source, key=key, value=repr(value), allowed=option.allowed,
                )  # fmt: skip
            *section, name = key.split(".")
            change: dict[str, Any] = {
                name: float(value) if isinstance(value, int) and option.number is float else value
            }
            if section:
                change = {section[0]: dataclasses.replace(getattr(preset, section[0]), **change)}
            preset = dataclasses.replace(preset, **change)  # type: ignore[type-var]
        return preset

    def values(self, preset: P) -> dict[str, bool | int | float | str]:
        """The preset's values by dotted key."""
        values = {}
        for key in self.options:
            owner: Any = preset
            for name in key.split("."):
                owner = getattr(owner, name)
            values[key] = owner
        return values

    def dump(self, preset: P) -> str:
        """The preset as TOML that `load` reads back, each setting with its description above it."""
        lines = []
        section = ""
        for key, value in self.values(preset).items():
            *owner, name = key.split(".")
            if owner and owner[0] != section:
                section = owner[0]
                lines += [f"[{section}]"]
            option = self.options[key]
            lines += [f"# {option.text}. Allowed: {option.allowed}.", f"{name} = {json.dumps(value)}", ""]
        return "\n".join(lines)

    def _flattened(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Nested tables as dotted keys. An empty table stays, unless it is a known section, so that it is refused."""
        flat: dict[str, Any] = {}
        for name, value in values.items():
            if isinstance(value, Mapping) and (value or name in self.sections):
                flat |= {f"{name}.{key}": entry for key, entry in self._flattened(value).items()}
            else:
                flat[name] = value
        return flat


def preset_names(folder: Path) -> list[str]:
    """The presets in a folder, by name."""
    return sorted(file.stem for file in folder.glob("*.toml"))


def _nearest(word: str, known: list[str]) -> str | None:
    """The known word that is nearest to `word`, as a whole or by the part behind the dot."""
    by_end = {entry.rpartition(".")[2]: entry for entry in known}
    near = difflib.get_close_matches(word, known, 1)
    near_end = difflib.get_close_matches(word.rpartition(".")[2], list(by_end), 1)
    return next(iter([*near, *(by_end[end] for end in near_end)]), None)
