"""Reads BVH motion into global rotations and joint positions. The only file that knows the format."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import UnsupportedVideo

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Bvh:
    """One clip, in the file's own axes and unit."""

    names: tuple[str, ...]
    """The joints' names, parents first; end sites are left out."""
    parents: tuple[int, ...]
    """Parent of each joint, -1 at the root."""
    offsets: Array
    """(J, 3) each joint's offset from its parent."""
    rotations: Array
    """(F, J, 3, 3) global rotation of each joint; the identity everywhere is the file's zero pose."""
    root: Array
    """(F, 3) position of the root joint."""

    def positions(self, rotations: Array | None = None) -> Array:
        """Joint positions. Shape: (F, J, 3)."""
        R = self.rotations if rotations is None else rotations
        out = np.zeros((*R.shape[:2], 3))
        out[:, 0] = self.root[: len(R)] if rotations is None else 0
        for joint, parent in enumerate(self.parents[1:], 1):
            out[:, joint] = out[:, parent] + R[:, parent] @ self.offsets[joint]
        return out


def read_bvh(path: Path) -> Bvh:
    """Reads `.bvh` or `.bvh.gz`.

    Raises:
        UnsupportedVideo: the file has no HIERARCHY and MOTION, or a row of the wrong length.
    """
    packed = path.read_bytes()
    raw = (gzip.decompress(packed) if path.suffix == ".gz" else packed).decode()
    head, found, tail = raw.partition("MOTION")
    if not found or "HIERARCHY" not in head:
        raise UnsupportedVideo(f"{path.name} is not a BVH file", hint="Give a motion file with HIERARCHY and MOTION.")
    names, parents, offsets, channels = _hierarchy(head.split())
    rows = tail.split()
    start = rows.index("Time:") + 2
    values = np.array(rows[start:], float)
    width = sum(len(c) for c in channels)
    if len(values) % width:
        raise UnsupportedVideo(f"{path.name}: a motion row is not {width} long", hint="The file is cut short.")
    values = values.reshape(-1, width)

    frames, column = len(values), 0
    rotations = np.zeros((frames, len(names), 3, 3))
    root = np.zeros((frames, 3))
    for joint, joint_channels in enumerate(channels):
        local = np.tile(np.eye(3), (frames, 1, 1))
        for channel in joint_channels:
            if channel.endswith("rotation"):
                local = local @ _axis_rotation("XYZ".index(channel[0]), np.deg2rad(values[:, column]))
            elif joint == 0:
                root[:, "XYZ".index(channel[0])] = values[:, column]
            column += 1
        rotations[:, joint] = local if parents[joint] < 0 else rotations[:, parents[joint]] @ local
    return Bvh(tuple(names), tuple(parents), np.array(offsets), rotations, root)


def _hierarchy(words: list[str]) -> tuple[list[str], list[int], list[list[float]], list[list[str]]]:
    """Names, parents, offsets and channels of the joints."""
    names: list[str] = []
    parents: list[int] = []
    offsets: list[list[float]] = []
    channels: list[list[str]] = []
    stack: list[int] = []
    i = 1
    while i < len(words):
        word = words[i]
        if word in ("ROOT", "JOINT"):
            parents.append(stack[-1] if stack else -1)
            names.append(words[i + 1])
            offsets.append([0.0, 0.0, 0.0])
            channels.append([])
            stack.append(len(names) - 1)
            i += 3
        elif word == "End":
            stack.append(-2)
            i += 3
        elif word == "OFFSET":
            if stack[-1] >= 0:
                offsets[stack[-1]] = [float(x) for x in words[i + 1 : i + 4]]
            i += 4
        elif word == "CHANNELS":
            count = int(words[i + 1])
            channels[stack[-1]] = words[i + 2 : i + 2 + count]
            i += 2 + count
        elif word == "}":
            stack.pop()
            i += 1
        else:
            i += 1
    return names, parents, offsets, channels


def _axis_rotation(axis: int, angle: Array) -> Array:
    """Rotation about a coordinate axis. Shape: (F,) radians → (F, 3, 3)."""
    c, s = np.cos(angle), np.sin(angle)
    out = np.tile(np.eye(3), (len(angle), 1, 1))
    a, b = (axis + 1) % 3, (axis + 2) % 3
    out[:, a, a], out[:, a, b], out[:, b, a], out[:, b, b] = c, -s, s, c
    return out
