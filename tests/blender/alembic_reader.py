"""A reader of Alembic's Ogawa files in numpy: what another program does with the one mesh, where it stands, and when.

An Ogawa file is a tree of groups (a count, then places of children) and data (a size, then bytes); the top bit of a
child's place tells which it is. Objects and compound properties are groups whose last child names the others.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

_DATA = 1 << 63
_KEY = 16
"""Bytes of a sample's hash before its values."""
_PODS = ("?", "u1", "i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8", "<f2", "<f4", "<f8")
_COMPOUND, _SCALAR = 0, 1
_WIDTHS = ("<B", "<H", "<I")


@dataclass(frozen=True)
class Property:
    """A property's header; where its samples are."""

    kind: int
    place: int
    dtype: str = ""
    extent: int = 1
    count: int = 0
    """Samples, the repeated ones too."""
    changes: tuple[int, int] = (0, 0)
    """The first and last sample that differ from the one before."""
    sampling: int = 0
    """Index of its time sampling."""


class Alembic:
    """A file. Positions are given in Blender's axes (z up), metres."""

    def __init__(self, path: Path) -> None:
        self._bytes = path.read_bytes()
        assert self._bytes[:6] == b"Ogawa\xff", "not an Ogawa file, or not finished"
        archive = self._children(struct.unpack_from("<Q", self._bytes, 8)[0])
        self._top, self._times = archive[2], self._samplings(self._data(archive[4]))
        (self._mesh,) = [chain for chain in self._objects(self._top, ()) if ".geom" in self._properties(chain[-1])]

    @cached_property
    def seconds(self) -> np.ndarray:
        """(T,) of the mesh's samples."""
        points = self._inside(self._mesh[-1], ".geom")["P"]
        first, step = self._times[points.sampling]
        return first + step * np.arange(points.count)

    @cached_property
    def faces(self) -> tuple[np.ndarray, np.ndarray]:
        """Corners of each face, and the vertices at them."""
        inside = self._inside(self._mesh[-1], ".geom")
        return self._sample(inside[".faceCounts"], 0)[:, 0], self._sample(inside[".faceIndices"], 0)[:, 0]

    def vertices(self, index: int) -> np.ndarray:
        """(N, 3) a sample's, in the world."""
        points = self._sample(self._inside(self._mesh[-1], ".geom")["P"], index).astype(float)
        for place in reversed(self._mesh[:-1]):
            matrix = self._matrix(place, index)  # of row vectors
            points = points @ matrix[:3, :3] + matrix[3, :3]
        return np.stack([points[:, 0], -points[:, 2], points[:, 1]], -1)

    def _matrix(self, place: int, index: int) -> np.ndarray:
        """An object's transform at a sample; that of one without is none."""
        if ".xform" not in self._properties(place):
            return np.eye(4)
        inside = self._inside(place, ".xform")
        if ".vals" not in inside:
            return np.eye(4)
        operations = self._sample(inside[".ops"], 0)
        assert [int(code) >> 4 for code in operations.ravel()] == [3], "another operation than a matrix"
        return self._sample(inside[".vals"], index).reshape(4, 4)

    # Objects and properties

    def _objects(self, place: int, above: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        """Each object with those above it."""
        chain = (*above, place)
        yield chain
        for child in self._children(place)[1:-1]:
            yield from self._objects(child, chain)

    def _inside(self, place: int, name: str) -> dict[str, Property]:
        """The properties in an object's compound property."""
        return self._compound(self._properties(place)[name].place)

    def _properties(self, place: int) -> dict[str, Property]:
        children = self._children(place)
        return self._compound(children[0]) if children and not children[0] & _DATA else {}

    def _compound(self, place: int) -> dict[str, Property]:
        children = self._children(place)
        if not children:
            return {}
        header, at, found = self._data(children[-1]), 0, {}
        for child in children[:-1]:
            info = struct.unpack_from("<I", header, at)[0]
            width, at = _WIDTHS[info >> 2 & 3], at + 4

            def number(width: str = width) -> int:
                nonlocal at
                (value,) = struct.unpack_from(width, header, at)
                at += struct.calcsize(width)
                return int(value)

            item = Property(info & 3, child)
            if item.kind != _COMPOUND:
                count = number()
                changes = (number(), number()) if info & 0x200 else (0, 0) if info & 0x800 else (1, count - 1)
                sampling = number() if info & 0x100 else 0
                item = Property(item.kind, child, _PODS[info >> 4 & 15], info >> 12 & 255, count, changes, sampling)
            size = number()
            name, at = header[at : at + size].decode(), at + size
            if info >> 20 & 255 == 255:
                size = number()
                at += size
            found[name] = item
        return found

    def _sample(self, item: Property, index: int) -> np.ndarray:
        """(rows, extent) values of a sample; a scalar property has one row."""
        first, last = item.changes
        stored = 0 if index < first or first == last == 0 else min(index, last) - first + 1
        stored *= 1 if item.kind == _SCALAR else 2  # an array's dimensions lie beside it
        values = np.frombuffer(self._data(self._children(item.place)[stored])[_KEY:], item.dtype)
        return values.reshape(-1, item.extent)

    # The tree

    def _children(self, place: int) -> tuple[int, ...]:
        if not place:
            return ()
        (count,) = struct.unpack_from("<Q", self._bytes, place)
        return struct.unpack_from(f"<{count}Q", self._bytes, place + 8)

    def _data(self, place: int) -> bytes:
        at = place & ~_DATA
        if not at:
            return b""
        (size,) = struct.unpack_from("<Q", self._bytes, at)
        return self._bytes[at + 8 : at + 8 + size]

    def _samplings(self, data: bytes) -> list[tuple[float, float]]:
        """First second and step of each time sampling."""
        found, at = [], 0
        while at < len(data):
            _, step, count = struct.unpack_from("<IdI", data, at)
            times = struct.unpack_from(f"<{count}d", data, at + 16)
            found.append((times[0], step))
            at += 16 + 8 * count
        return found
