"""A reader of binary FBX in numpy: what a game engine does with models, skin, blend shapes and the one animation."""

from __future__ import annotations

import struct
import zlib
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

SECOND = 46186158000
"""Ticks in which FBX counts time."""

_SCALARS = {"Y": "<h", "C": "<?", "I": "<i", "F": "<f", "D": "<d", "L": "<q"}
_ARRAYS = {"f": "<f4", "d": "<f8", "l": "<i8", "i": "<i4", "b": "|b1"}
_PATHS = ("Lcl Translation", "Lcl Rotation", "Lcl Scaling")


@dataclass(frozen=True, eq=False)
class Record:
    """A node of the file's tree."""

    name: str
    values: list[Any]
    children: list[Record]

    def all(self, name: str) -> list[Record]:
        return [child for child in self.children if child.name == name]

    def one(self, name: str) -> Record:
        (child,) = self.all(name)
        return child

    def settings(self) -> dict[str, list[Any]]:
        """The node's Properties70."""
        return {entry.values[0]: entry.values[4:] for each in self.all("Properties70") for entry in each.children}


class Fbx:
    """A file. Positions are given in Blender's axes (z up), metres."""

    def __init__(self, path: Path) -> None:
        self._data = path.read_bytes()
        assert self._data.startswith(b"Kaydara FBX Binary  \x00\x1a\x00")
        self._wide = struct.unpack_from("<I", self._data, 23)[0] >= 7500
        sections = {record.name: record for record in self._records(27, len(self._data))}
        self.settings = sections["GlobalSettings"].settings()
        assert (self.settings["UpAxis"], self.settings["UpAxisSign"]) == ([1], [1])
        self.objects = {record.values[0]: record for record in sections["Objects"].children}
        self._below: dict[int, list[tuple[int, str]]] = defaultdict(list)
        for link in sections["Connections"].all("C"):
            self._below[link.values[2]].append((link.values[1], link.values[3] if link.values[0] == "OP" else ""))

    def of_kind(self, name: str, kind: str = "") -> dict[int, Record]:
        """Objects by what they are: Model LimbNode, Geometry Shape, …"""
        return {
            own: record
            for own, record in self.objects.items()
            if record.name == name and kind in ("", record.values[2])
        }

    def joints(self, second: float, names: tuple[str, ...]) -> np.ndarray:
        """(len(names), 3) where bones are."""
        world, models = self._world(second), self.of_kind("Model", "LimbNode")
        places = {_name(record): world[own][:3, 3] for own, record in models.items()}
        return self._in_metres(np.array([places[name] for name in names]))

    def blend_values(self, second: float) -> dict[str, float]:
        """Percent of each blend shape."""
        channels = self.of_kind("Deformer", "BlendShapeChannel")
        return {_name(record): self._percent(own, second) for own, record in channels.items()}

    def vertices(self, second: float) -> np.ndarray:
        """(V, 3) the skinned, morphed mesh."""
        ((mesh, record),) = self.of_kind("Geometry", "Mesh").items()
        places = np.array(record.one("Vertices").values[0]).reshape(-1, 3)
        for channel in self._under(mesh, "BlendShapeChannel"):
            amount = self._percent(channel, second) / 100
            assert (self.objects[channel].one("FullWeights").values[0] == 100).all()  # no steps between
            for shape in self._below_of(channel, "Geometry"):
                indices = self.objects[shape].one("Indexes").values[0]
                places[indices] += amount * self.objects[shape].one("Vertices").values[0].reshape(-1, 3)
        world, moved, held = self._world(second), np.zeros_like(places), np.zeros(len(places))
        for cluster in self._under(mesh, "Cluster"):
            record = self.objects[cluster]
            (bone,) = self._below_of(cluster, "Model")
            if not record.all("Indexes"):  # a bone that holds nothing
                continue
            indices, weights = record.one("Indexes").values[0], record.one("Weights").values[0]
            bind = world[bone] @ record.one("Transform").values[0].reshape(4, 4).T
            moved[indices] += weights[:, None] * (places[indices] @ bind[:3, :3].T + bind[:3, 3])
            held[indices] += weights
        return self._in_metres(moved / held[:, None])

    @cached_property
    def times(self) -> np.ndarray:
        """(T,) all seconds at which something is keyed."""
        curves = self.of_kind("AnimationCurve").values()
        return np.unique(np.concatenate([curve.one("KeyTime").values[0] for curve in curves])) / SECOND

    def _in_metres(self, points: np.ndarray) -> np.ndarray:
        x, y, z = np.moveaxis(points * self.settings["UnitScaleFactor"][0] / 100, -1, 0)
        return np.stack([x, -z, y], -1)

    def _below_of(self, above: int, name: str) -> list[int]:
        return [own for own, _ in self._below[above] if own in self.objects and self.objects[own].name == name]

    def _under(self, mesh: int, kind: str) -> list[int]:
        """Clusters of the mesh's skin, or channels of its blend shapes."""
        deformers = [own for above in self._below_of(mesh, "Deformer") for own in self._below_of(above, "Deformer")]
        return [own for own in deformers if self.objects[own].values[2] == kind]

    def _percent(self, channel: int, second: float) -> float:
        value = float(self.objects[channel].one("DeformPercent").values[0])
        return float(self._curves(channel, second).get("DeformPercent", [value])[0])

    def _curves(self, animated: int, second: float) -> dict[str, list[float]]:
        """The animated properties of an object at a time."""
        found = {}
        for node, path in self._below[animated]:
            if node in self.objects and self.objects[node].name == "AnimationCurveNode":
                found[path] = [
                    self._at(self.objects[curve], second)
                    for curve, axis in sorted(self._below[node], key=lambda link: link[1])
                    if axis
                ]
        return found

    def _at(self, curve: Record, second: float) -> float:
        times, values = curve.one("KeyTime").values[0] / SECOND, curve.one("KeyValueFloat").values[0]
        return float(np.interp(second, times, values))

    def _world(self, second: float) -> dict[int, np.ndarray]:
        """Global transforms of the models."""
        world: dict[int, np.ndarray] = {}

        def descend(above: int, matrix: np.ndarray) -> None:
            for own in self._below_of(above, "Model"):
                world[own] = matrix @ self._local(own, second)
                descend(own, world[own])

        descend(0, np.eye(4))
        return world

    def _local(self, model: int, second: float) -> np.ndarray:
        settings, animated = self.objects[model].settings(), self._curves(model, second)
        assert not {"PreRotation", "PostRotation", "RotationPivot", "ScalingPivot"} & set(settings)
        rests = ([0.0] * 3, [0.0] * 3, [1.0] * 3)
        move, turn, size = (
            np.array(animated.get(path, settings.get(path, rest))) for path, rest in zip(_PATHS, rests, strict=True)
        )
        matrix = np.eye(4)
        matrix[:3, :3] = np.linalg.multi_dot([_about(axis, np.radians(turn[axis])) for axis in (2, 1, 0)]) * size
        matrix[:3, 3] = move
        return matrix

    def _records(self, start: int, end: int) -> list[Record]:
        """Nodes one after the other until an empty one."""
        head = "<QQQB" if self._wide else "<IIIB"
        found = []
        while start < end:
            stop, count, _, length = struct.unpack_from(head, self._data, start)
            if not stop:
                break
            start += struct.calcsize(head)
            name = self._data[start : start + length].decode()
            start, values = start + length, []
            for _ in range(count):
                value, start = self._value(start)
                values.append(value)
            found.append(Record(name, values, self._records(start, stop)))
            start = stop
        return found

    def _value(self, start: int) -> tuple[Any, int]:
        kind, start = chr(self._data[start]), start + 1
        if kind in _SCALARS:
            return struct.unpack_from(_SCALARS[kind], self._data, start)[0], start + struct.calcsize(_SCALARS[kind])
        if kind in "SR":
            end = start + 4 + struct.unpack_from("<I", self._data, start)[0]
            text = self._data[start + 4 : end]
            return (text.decode("utf-8") if kind == "S" else text), end
        count, packed, size = struct.unpack_from("<III", self._data, start)
        end = start + 12 + size
        data = self._data[start + 12 : end]
        return np.frombuffer(zlib.decompress(data) if packed else data, _ARRAYS[kind], count), end


def _name(record: Record) -> str:
    return str(record.values[1]).partition("\x00")[0]


def _about(axis: int, angle: float) -> np.ndarray:
    one, other = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.eye(3)
    matrix[[one, other], [one, other]] = np.cos(angle)
    matrix[other, one], matrix[one, other] = np.sin(angle), -np.sin(angle)
    return matrix
