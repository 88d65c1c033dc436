"""A reader of BVH files that knows nothing of the writer: the format's definition, and column vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .people import turned


class Bvh:
    """A file, as the format's definition reads it: matrices multiplied down the chain, column vectors."""

    def __init__(self, path: Path) -> None:
        words = iter(path.read_text("utf-8").split())
        self.names: list[str] = []
        self.parents: list[int] = []
        self.offsets: list[np.ndarray] = []
        self.channels: list[list[str]] = []
        self.ends: dict[str, np.ndarray] = {}
        above: list[int] = []
        assert next(words) == "HIERARCHY"
        for word in words:
            if word in ("ROOT", "JOINT"):
                self.names.append(next(words))
                self.parents.append(above[-1] if above else -1)
                self.offsets.append(np.zeros(3))
                self.channels.append([])
            elif word == "{":
                above.append(len(self.names) - 1)
            elif word == "}":
                above.pop()
            elif word == "OFFSET":
                self.offsets[above[-1]] = np.array([float(next(words)) for _ in range(3)])
            elif word == "CHANNELS":
                self.channels[above[-1]] = [next(words) for _ in range(int(next(words)))]
            elif word == "End":
                assert [next(words) for _ in range(3)] == ["Site", "{", "OFFSET"]
                self.ends[self.names[-1]] = np.array([float(next(words)) for _ in range(3)])
                assert next(words) == "}"
            elif word == "MOTION":
                break
        assert next(words) == "Frames:"
        count = int(next(words))
        assert [next(words) for _ in range(2)] == ["Frame", "Time:"]
        self.frame_time = float(next(words))
        self.rows = np.array([float(word) for word in words]).reshape(count, sum(map(len, self.channels)))

    def pose(self) -> tuple[np.ndarray, np.ndarray]:
        """Joints (F, J, 3) and their turns (F, J, 3, 3), in the file's axes and unit."""
        count = len(self.rows)
        places, turns = np.zeros((count, len(self.names), 3)), np.zeros((count, len(self.names), 3, 3))
        column = 0
        for joint, parent in enumerate(self.parents):
            turn, place = np.tile(np.eye(3), (count, 1, 1)), np.tile(self.offsets[joint], (count, 1))
            for channel in self.channels[joint]:
                axis, values = "XYZ".index(channel[0]), self.rows[:, column]
                if channel.endswith("position"):
                    place[:, axis] = values
                else:
                    turn = turn @ turned(np.eye(3)[axis], np.radians(values))
                column += 1
            if parent < 0:
                places[:, joint], turns[:, joint] = place, turn
            else:
                places[:, joint] = places[:, parent] + (turns[:, parent] @ place[..., None])[..., 0]
                turns[:, joint] = turns[:, parent] @ turn
        return places, turns


def y_up(points: np.ndarray) -> np.ndarray:
    """Blender's z up, facing -y → y up, facing +z."""
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], -1)
