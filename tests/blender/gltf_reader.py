"""A reader of binary glTF in numpy: what a viewer does with nodes, skin, morph targets and the one animation."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

_TYPES = {5121: "u1", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_SIZES = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Glb:
    """A file. Positions are given in Blender's axes (z up), metres."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        magic, version, length = struct.unpack_from("<4sII", data)
        assert (magic, version, length) == (b"glTF", 2, len(data))
        size, kind = struct.unpack_from("<I4s", data, 12)
        assert kind == b"JSON"
        self.json: dict[str, Any] = json.loads(data[20 : 20 + size])
        self._binary = data[20 + size + 8 :]

    def accessor(self, index: int) -> np.ndarray:
        """An accessor's rows."""
        entry = self.json["accessors"][index]
        assert "sparse" not in entry
        assert not entry.get("normalized", False)
        view = self.json["bufferViews"][entry["bufferView"]]
        assert "byteStride" not in view
        width, start = _SIZES[entry["type"]], view.get("byteOffset", 0) + entry.get("byteOffset", 0)
        values = np.frombuffer(self._binary, _TYPES[entry["componentType"]], entry["count"] * width, start)
        return values.reshape(entry["count"], *([4, 4] if width == 16 else [width]))

    def node(self, name: str) -> int:
        """Index of a node."""
        return next(index for index, node in enumerate(self.json["nodes"]) if node.get("name") == name)

    @property
    def seconds(self) -> np.ndarray:
        """(T,) all times of the one animation."""
        (animation,) = self.json["animations"]
        return np.unique(np.concatenate([self.accessor(s["input"])[:, 0] for s in animation["samplers"]]))

    def matrices(self, second: float) -> np.ndarray:
        """(nodes, 4, 4) global transforms at a time, glTF's axes."""
        nodes = self.json["nodes"]
        locals_ = np.array([_matrix(node, self._animated(index, second)) for index, node in enumerate(nodes)])
        world = np.zeros_like(locals_)

        def descend(index: int, above: np.ndarray) -> None:
            world[index] = above @ locals_[index]
            for child in nodes[index].get("children", ()):
                descend(child, world[index])

        for root in self.json["scenes"][self.json["scene"]]["nodes"]:
            descend(root, np.eye(4))
        return world

    def joints(self, second: float, names: tuple[str, ...]) -> np.ndarray:
        """(len(names), 3) where nodes are."""
        return _z_up(self.matrices(second)[[self.node(name) for name in names], :3, 3])

    def vertices(self, second: float) -> np.ndarray:
        """(V, 3) the skinned, morphed mesh; a vertex is there more than once where its corners differ."""
        index = next(index for index, node in enumerate(self.json["nodes"]) if "mesh" in node)
        node = self.json["nodes"][index]
        skin = self.json["skins"][node["skin"]]
        (primitive,) = self.json["meshes"][node["mesh"]]["primitives"]
        places = self.accessor(primitive["attributes"]["POSITION"]).astype(float)
        weights = self._animated(index, second).get("weights", ())
        for weight, target in zip(weights, primitive.get("targets", ()), strict=True):
            assert "NORMAL" not in target
            places = places + weight * self.accessor(target["POSITION"])
        world = self.matrices(second)[skin["joints"]]
        moves = world @ self.accessor(skin["inverseBindMatrices"]).swapaxes(-1, -2)  # stored column by column
        joints = self.accessor(primitive["attributes"]["JOINTS_0"])
        influence = self.accessor(primitive["attributes"]["WEIGHTS_0"])
        blended = np.einsum("vi,vijk->vjk", influence, moves[joints])
        return _z_up(np.einsum("vjk,vk->vj", blended, np.c_[places, np.ones(len(places))])[:, :3])

    def morph_weights(self) -> np.ndarray:
        """(T, K) amounts of the morph targets in the animation."""
        (animation,) = self.json["animations"]
        (channel,) = [each for each in animation["channels"] if each["target"]["path"] == "weights"]
        sampler = animation["samplers"][channel["sampler"]]
        return self.accessor(sampler["output"]).reshape(len(self.accessor(sampler["input"])), -1)

    def _animated(self, node: int, second: float) -> dict[str, np.ndarray]:
        """The animated properties of a node at a time."""
        (animation,) = self.json["animations"]
        values = {}
        for channel in animation["channels"]:
            if channel["target"]["node"] == node:
                sampler = animation["samplers"][channel["sampler"]]
                times = self.accessor(sampler["input"])[:, 0]
                rows = self.accessor(sampler["output"]).reshape(len(times), -1).astype(float)
                value = np.array([np.interp(second, times, column) for column in rows.T])
                values[channel["target"]["path"]] = value
        return values


def _matrix(node: dict[str, Any], animated: dict[str, np.ndarray]) -> np.ndarray:
    assert "matrix" not in node
    move = animated.get("translation", node.get("translation", (0, 0, 0)))
    x, y, z, w = np.asarray(animated.get("rotation", node.get("rotation", (0, 0, 0, 1))))
    size = animated.get("scale", node.get("scale", (1, 1, 1)))
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = turn * np.asarray(size), move
    return matrix


def _z_up(points: np.ndarray) -> np.ndarray:
    x, y, z = np.moveaxis(points, -1, 0)
    return np.stack([x, -z, y], -1)
