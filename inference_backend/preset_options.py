"""What a setting means and allows, told once, on its dataclass field. Files, `--help` and panels follow from it.

Standard library only: Blender's add-on imports the settings that it shows.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Option:
    """What one setting means and allows; hangs on its dataclass field as metadata."""

    text: str
    """What it does, with its unit."""
    default: bool | int | float | str
    words: tuple[str, ...] = ()
    """Words it may be."""
    number: type[int] | type[float] | None = None
    """The kind of number it may be."""
    low: float = 0.0
    """Least number allowed."""
    high: float = 0.0
    """Greatest number allowed."""
    changes_result: bool = True
    """Whether a take made with another value is another take."""

    @property
    def allowed(self) -> str:
        """What it allows, as a person reads it."""
        if isinstance(self.default, bool):
            return "true, false"
        kind = "whole number" if self.number is int else "number"
        numbers = [f"{kind} {self.low:g} to {self.high:g}"] if self.number else []
        return ", ".join([*map(json.dumps, self.words), *numbers])

    def accepts(self, value: object) -> bool:
        """Whether the setting may have this value. A whole number is a number; true is not 1."""
        if isinstance(self.default, bool) or isinstance(value, bool):
            return isinstance(self.default, bool) and isinstance(value, bool)
        if isinstance(value, str):
            return value in self.words
        kinds = (int,) if self.number is int else (int, float) if self.number else ()
        return isinstance(value, kinds) and self.low <= value <= self.high


def flag(default: bool, text: str) -> Any:
    """A field that is on or off."""
    return _field(Option(text, default))


def word(default: str, words: tuple[str, ...], text: str, *, changes_result: bool = True) -> Any:
    """A field that is one of some words."""
    return _field(Option(text, default, words, changes_result=changes_result))


def whole(default: int | str, low: int, high: int, text: str, *, changes_result: bool = True) -> Any:
    """A field that is a whole number, or the word that is its default."""
    words = (default,) if isinstance(default, str) else ()
    return _field(Option(text, default, words, int, low, high, changes_result))


def number(default: float | str, low: float, high: float, text: str, *, changes_result: bool = True) -> Any:
    """A field that is a number, or the word that is its default."""
    words = (default,) if isinstance(default, str) else ()
    return _field(Option(text, default, words, float, low, high, changes_result))


def sections_of(owner: type) -> Mapping[str, Any]:
    """The sections of a preset's dataclass and what makes each with its defaults."""
    return {
        entry.name: entry.default_factory
        for entry in dataclasses.fields(owner)
        if entry.default_factory is not dataclasses.MISSING
    }


def options_of(owner: type) -> Mapping[str, Option]:
    """Every setting of a preset's dataclass by its dotted key, in the order of the files."""
    sections = sections_of(owner)
    return {
        prefix + entry.name: entry.metadata["option"]
        for prefix, part in {"": owner, **{f"{name}.": part for name, part in sections.items()}}.items()
        for entry in dataclasses.fields(part)
        if "option" in entry.metadata
    }


def _field(option: Option) -> Any:
    return field(default=option.default, metadata={"option": option})
