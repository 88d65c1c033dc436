"""What every job of the server is given: its parameters, checked, and how it speaks with whoever asked for it."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from .errors import BadArgument
from .progress import Progress

T = TypeVar("T")

_HINTS: dict[type, Mapping[str, Any]] = {}
"""The types of each dataclass' fields. Finding them takes longer than reading them, and a preview is read at every move
of the mouse."""


@dataclass(frozen=True)
class Context:
    """How a job speaks with whoever asked for it."""

    report: Callable[[Progress], None]
    """Gets the progress."""
    cancelled: Callable[[], bool]
    """Whether to stop; to be asked at every step, as `Meter` does."""


def read_params(kind: type[T], params: Mapping[str, Any]) -> T:
    """Parameters from the wire as a dataclass. Raises BadArgument for what is missing, unknown or of another type.

    Paths must be absolute: the server runs in another folder than its client.
    """
    if kind not in _HINTS:
        _HINTS[kind] = typing.get_type_hints(kind)
    hints = _HINTS[kind]
    known = {entry.name: entry for entry in fields(kind)}  # type: ignore[arg-type]
    for name in params:
        if name not in known:
            raise BadArgument(f"no parameter {name}", hint=f"Parameters: {', '.join(known) or 'none'}.", name=name)
    values = {}
    for name, entry in known.items():
        if name in params:
            values[name] = _value(name, hints[name], params[name])
        elif entry.default is MISSING and entry.default_factory is MISSING:
            raise BadArgument(f"the parameter {name} is missing", hint="Give it.", name=name)
    return kind(**values)


def _value(name: str, hint: Any, value: object) -> Any:
    """A parameter's value in its own type."""
    allowed = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    for one in allowed:
        if one is Path and isinstance(value, str) and Path(value).is_absolute():
            return Path(value)
        if one is float and type(value) in (int, float):
            return float(value)  # type: ignore[arg-type]
        if one in (int, str, bool, types.NoneType) and type(value) is one:
            return value
        if typing.get_origin(one) is Mapping and isinstance(value, Mapping):
            return value
        if typing.get_origin(one) is tuple and isinstance(value, list):
            kind = typing.get_args(one)[0]
            if kind is float and all(type(v) in (int, float) for v in value):
                return tuple(float(v) for v in value)
            if typing.get_origin(kind) is Mapping and all(isinstance(v, Mapping) for v in value):
                return tuple(value)
            if all(type(v) is kind for v in value):
                return tuple(value)
    wanted = " or ".join("an absolute path" if one is Path else getattr(one, "__name__", str(one)) for one in allowed)
    raise BadArgument(f"{name}: {value!r} is not {wanted}", hint="Correct the value.", name=name)
