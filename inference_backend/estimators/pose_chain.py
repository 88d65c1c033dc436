"""One person's possible poses in consecutive frames, and the cheapest path through them.

The poses are the states of a chain, whose cheapest path is kept (Viterbi's algorithm): -ln(presence) for every pose,
and `MOTION` times the way that the landmarks go between two frames. Sure frames before and after belong to the chain
with the one pose that they have.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from .blazepose_detector import ROI_SCALE, Roi
from .blazepose_landmarks import PoseLandmarks

MOTION: Final = 10.0
"""Cost of all landmarks going one body circle's diameter. From 3 to 30 the result is the same."""

FARTHEST: Final = 0.5
"""A landmark's way counts no more than so many diameters: somewhere else is somewhere else."""

SAME: Final = 0.03
"""Poses whose landmarks are closer than this, in diameters of the body circle, are one."""

RIVALS: Final = 3
"""How many paths besides the cheapest are followed with regions of their own."""

MARGIN: Final = 3.0
"""How much more they may cost."""


def same_pose(a: PoseLandmarks, b: PoseLandmarks) -> bool:
    """Whether two poses of one frame are as good as one."""
    way = np.linalg.norm(a.landmarks[:, :2] - b.landmarks[:, :2], axis=1).mean()
    return float(way) < SAME * b.roi.size / ROI_SCALE


@dataclass(frozen=True)
class _Link:
    """One frame of a chain."""

    index: int
    poses: Sequence[PoseLandmarks]
    costs: npt.NDArray[np.float64]
    """(P,) of the cheapest path to each of the poses."""
    before: npt.NDArray[np.int64]
    """(P,) the pose of the frame before from which that comes."""


class Chain:
    """Consecutive frames with several poses each, of which one path is kept."""

    def __init__(self, size: float) -> None:
        """`size`: diameter of the body circle, px."""
        self._size = size
        self._links: list[_Link] = []

    def __len__(self) -> int:
        return len(self._links)

    def add(self, index: int, poses: Sequence[PoseLandmarks]) -> tuple[PoseLandmarks, bool]:
        """The clip's next frame with at least one pose.

        Returns:
            the end of the cheapest path so far, and whether that path is not the one that was cheapest before.
        """
        costs = -np.log([max(pose.presence, 1e-4) for pose in poses])
        before = np.zeros(len(poses), np.int64)
        if self._links:
            last = self._links[-1]
            total = last.costs[:, None] + MOTION * ways(last.poses, poses, self._size)
            before = total.argmin(axis=0)
            costs = costs + total.min(axis=0)
        jumped = bool(self._links) and int(before[costs.argmin()]) != int(self._links[-1].costs.argmin())
        self._links.append(_Link(index, poses, costs, before))
        return poses[int(costs.argmin())], jumped

    def rivals(self) -> list[Roi]:
        """Where the best of the other paths expect the person next."""
        last = self._links[-1]
        order = [int(k) for k in np.argsort(last.costs, kind="stable")]
        kept: list[PoseLandmarks] = []
        for k in order:
            close = last.costs[k] < last.costs[order[0]] + MARGIN
            if close and len(kept) <= RIVALS and not any(same_pose(last.poses[k], other) for other in kept):
                kept.append(last.poses[k])
        return [pose.next_roi for pose in kept[1:]]

    def path(self) -> Iterator[tuple[int, PoseLandmarks]]:
        """Index and pose of each frame on the cheapest path, from the last to the first."""
        state = int(self._links[-1].costs.argmin()) if self._links else 0
        for link in reversed(self._links):
            yield link.index, link.poses[state]
            state = int(link.before[state])


def ways(a: Sequence[PoseLandmarks], b: Sequence[PoseLandmarks], size: float) -> npt.NDArray[np.float64]:
    """Mean over the landmarks of the way from each pose (A) to each (B), in `size` px, at most `FARTHEST`: (A, B)."""
    start, end = (np.stack([pose.landmarks[:, :2] for pose in poses]).astype(np.float64) for poses in (a, b))
    way: npt.NDArray[Any] = np.linalg.norm(start[:, None] - end[None], axis=-1) / size
    return np.asarray(np.minimum(way, FARTHEST).mean(axis=-1), np.float64)
