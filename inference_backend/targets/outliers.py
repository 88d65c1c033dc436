"""Outliers: limbs taken for the other side's are exchanged, bones that leap away for some frames are put back.

Frames in which nothing is wrong are left exactly as they come.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from . import quaternions
from .filling import bridged, guided
from .leaps import Leaps, clearest
from .motion import Array, SkeletonMotion, local_quaternions
from .parameters import Outliers
from .source import StackSource
from .swaps import ARMS, LEGS, exchanged, swapped

LEAST_TURN: Final = np.radians(6.0)
LEAST_WAY: Final = 0.03
"""Radians of a bone and metres of the root: no leap is shorter."""

BRIDGED_SECONDS: Final = 0.15
"""Shorter leaps are bridged from their neighbours; longer ones follow the mesh stream."""

BLEND_SECONDS: Final = 0.1
"""Beside a longer leap: over this long the mesh stream is fastened to the motion."""

_PARTS: Final = (
    (0, 3, 6, 9, 12, 15), (1, 4, 7, 10), (2, 5, 8, 11), (13, 16, 18, 20, 22), (14, 17, 19, 21, 23),
)  # fmt: skip
"""Trunk and limbs: where one bone leaps, those of its part that leap half as clearly have leapt with it."""


def layer(motion: SkeletonMotion, source: StackSource, settings: Outliers) -> SkeletonMotion:
    """The motion without its outliers."""
    mended = motion
    if settings.swaps:
        for limbs in (LEGS, ARMS):
            rows = swapped(mended, limbs, source.seconds, settings.longest_seconds)
            if rows.any():
                mended = exchanged(mended, limbs, rows)
    if settings.spikes:
        mended = _put_back(mended, source, settings)
    return motion.blended(mended, settings.strength)


def _put_back(motion: SkeletonMotion, source: StackSource, settings: Outliers) -> SkeletonMotion:
    """Leaps of the root and of bones, the shortest first, so that a longer one is judged beside frames that hold."""
    seconds, count = source.seconds, len(motion)
    mesh_root = source.mesh_stream.root[:, None]
    root = Leaps(motion.root[:, None].copy(), seconds, settings.threshold, LEAST_WAY)
    bones = Leaps(quaternions.from_matrix(motion.globals()), seconds, settings.threshold, LEAST_TURN)
    mended = np.zeros(count, bool)
    longest = int(settings.longest_seconds / float(np.median(np.diff(seconds)))) if count > 1 else 0
    for frames in range(1, min(longest, count - 4) + 1):
        for start in clearest(root.clearness(frames)[:, 0], frames):
            root.put(start, _filled(root.values, mesh_root, seconds, start, frames))
        clear = bones.clearness(frames)
        for part in _PARTS:
            for start in clearest(clear[:, part].max(1), frames):
                joints = [joint for joint in part if clear[start, joint] >= 0.5]
                filled = bones.values[start : start + frames].copy()
                guide = source.steady_mesh_globals[:, joints]
                filled[:, joints] = _filled(bones.values[:, joints], guide, seconds, start, frames)
                bones.put(start, filled)
                mended[start : start + frames] = True
    rotations = motion.rotations.copy()
    rotations[mended] = local_quaternions(quaternions.to_matrix(bones.values[mended]))
    return motion.changed(root=root.values[:, 0], rotations=rotations)


def _filled(values: Array, guide: Array, seconds: Array, start: int, frames: int) -> Array:
    """A short stretch bridged, a longer one following the guide. Shape: (F, K, C) twice → (frames, K, C)."""
    stop = start + frames
    if seconds[stop] - seconds[start - 1] <= BRIDGED_SECONDS:
        return bridged(values, seconds, start, stop)
    return guided(values, guide, seconds, start, stop, BLEND_SECONDS)
