"""What the commands' options share: the parser, the types of values, and inputs that another command makes."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from ..errors import BadArgument

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[Any]
    """What `add_subparsers` gives."""

DATA: Final = Path("build")
"""Where trainings and evaluations keep what they make, unless told otherwise."""


class Parser(argparse.ArgumentParser):
    """argparse, with mistakes as our own kind of error."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        """Raise BadArgument instead of ending the process."""
        raise BadArgument(message, hint=f"See: {self.prog} --help")


def whole(least: int) -> Callable[[str], int]:
    """The type of a whole number of at least `least`."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None
        if value < least:
            raise argparse.ArgumentTypeError(f"{text} is below {least}")
        return value

    return parse


def positive(text: str) -> float:
    """The type of a number above 0."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def positives(text: str) -> tuple[float, ...]:
    """The type of numbers above 0 with commas between them."""
    return tuple(positive(part.strip()) for part in text.split(","))


def needed(path: Path, made_by: str) -> Path:
    """The path of an input, which must be there; `made_by` is the command that makes it. Raises BadArgument."""
    if not path.exists():
        hint = f"Make it with: python -m inference_backend {made_by}"
        raise BadArgument(f"there is no {path}", hint=hint, path=str(path))
    return path
