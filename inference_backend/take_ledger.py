"""`take.json` as its writer keeps it: several threads change it, one after the other, each change on disk when made.

Two stages may be written side by side. Their rows lie in files of their own; here is all that they share.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

from .disk import replace_file
from .take_format import in_order
from .take_info import JSON_NAME, PersonInfo, TakeInfo, to_json


class Ledger:
    """What a take says of itself."""

    def __init__(self, folder: Path, info: TakeInfo) -> None:
        """`info`: what the folder's `take.json` says, or shall say first."""
        self._path = folder / JSON_NAME
        self._lock = threading.Lock()
        self.info = info
        """What `take.json` says."""

    def write(self) -> None:
        """Write the first one. Raises DiskFull, OutputNotWritable, as every change."""
        replace_file(self._path, to_json(self.info))

    def change(self, changed: Callable[[TakeInfo], TakeInfo]) -> None:
        """Replace the record by what `changed` makes of it: of the last one, whoever wrote it."""
        with self._lock:
            info = changed(self.info)
            if info != self.info:
                replace_file(self._path, to_json(info))
                self.info = info

    def add_arrays(self, names: Collection[str], person: int | None = None) -> None:
        """Say that arrays are there: the take's, or somebody's."""
        if person is None:
            self.change(lambda info: replace(info, arrays=in_order(info.arrays, names)))
        else:
            self.change_person(person, lambda info: replace(info, arrays=in_order(info.arrays, names)))

    def person(self, index: int) -> PersonInfo:
        """Somebody's part. ValueError where there is nobody of that index."""
        return _person(self.info, index)

    def change_person(self, index: int, changed: Callable[[PersonInfo], PersonInfo]) -> None:
        """As `change`, for somebody's part. ValueError where there is nobody of that index."""

        def with_changed(info: TakeInfo) -> TakeInfo:
            people = list(info.people)
            people[index] = changed(_person(info, index))
            return replace(info, people=tuple(people))

        self.change(with_changed)


def _person(info: TakeInfo, index: int) -> PersonInfo:
    if not 0 <= index < len(info.people):
        raise ValueError(f"no person {index} in this take, which has {len(info.people)}")
    return info.people[index]
