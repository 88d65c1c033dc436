"""Image sequences that Blender can play: numbered without a gap, as it counts them. Standard library only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

_LAST_NUMBER = re.compile(r"(.*?)(\d+)(\D*)", re.DOTALL)


def first_number(files: Sequence[Path]) -> int | None:
    """The number of the first image where the others follow it one by one, else None.

    Blender finds the n-th image by writing n in place of the last number in the name, with as many digits as the first
    image's at least. Args: files: at least one, in the order of the footage, in one folder.
    """
    found = _LAST_NUMBER.fullmatch(files[0].stem)
    if found is None:
        return None
    head, digits, tail = found.groups()
    first = int(digits)
    named = (f"{head}{first + index:0{len(digits)}d}{tail}{files[0].suffix}" for index in range(len(files)))
    return first if all(file.name == name for file, name in zip(files, named, strict=True)) else None
