"""Frames filled in between others: a curve from their neighbours in time, or a guide's motion fastened to them.

Values are rotations, (F, K, 4) quaternions, or places, (F, K, 3) metres: the number of components tells which.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from . import quaternions
from .motion import Array


def gaps(held: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Stretches [start, stop) of False. Shape: (F,)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], held, [True]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def difference(a: Array, b: Array) -> Array:
    """From a to b: a rotation vector in the axes of a, or a way. Shape: (..., 4) or (..., 3) twice → (..., 3)."""
    return quaternions.to_vector(quaternions.product(quaternions.conjugate(a), b)) if a.shape[-1] == 4 else b - a


def moved(a: Array, change: Array) -> Array:
    """The inverse of `difference`. Shape: (..., 4) or (..., 3), (..., 3) → as a."""
    return quaternions.product(a, quaternions.from_vector(change)) if a.shape[-1] == 4 else a + change


def distance(a: Array, b: Array) -> Array:
    """Radians or metres. Shape: (..., 4) or (..., 3) twice → (...)."""
    return np.asarray(np.linalg.norm(difference(a, b), axis=-1))


def across(values: Array, seconds: Array, start: NDArray[np.integer], frames: int) -> Callable[[int], Array]:
    """Hermite's curve over stretches of some frames, at the speeds just before and just after.

    Args:
        values: (F, K, 4) or (F, K, 3).
        seconds: (F,)
        start: (n,) first frame of each stretch, from 1; a frame follows each.
        frames: length of the stretches.

    Returns:
        A function of k, from 0 to frames - 1, that gives the curves at frame start + k: (n, K, 4) or (n, K, 3).
    """
    before, after = start - 1, start + frames
    rows = np.maximum(before - 1, 0), before, after, np.minimum(after + 1, len(seconds) - 1)
    earlier, first, last, later = (seconds[row][:, None, None] for row in rows)
    span = last - first
    # Where there is only one frame beside the stretch, the curve leaves it at rest: a way of 0, whatever it took.
    speed_in = -difference(values[before], values[rows[0]]) * (span / np.where(first > earlier, first - earlier, 1.0))
    whole = difference(values[before], values[after])
    way_out = difference(values[before], values[rows[3]]) - whole
    speed_out = way_out * (span / np.where(later > last, later - last, 1.0))

    def at(k: int) -> Array:
        x = (seconds[start + k][:, None, None] - first) / span
        path = (x**3 - 2 * x**2 + x) * speed_in + (3 * x**2 - 2 * x**3) * whole + (x**3 - x**2) * speed_out
        return moved(values[before], path)

    return at


def bridged(values: Array, seconds: Array, start: int, stop: int) -> Array:
    """`across` one gap [start, stop) that has a frame on either side. Shape: (F, K, C) → (n, K, C)."""
    curve = across(values, seconds, np.array([start]), stop - start)
    return np.concatenate([curve(k) for k in range(stop - start)])


def guided(values: Array, guide: Array, seconds: Array, start: int, stop: int, blend: float) -> Array:
    """The guide's motion in the gap [start, stop), moved so that it meets the frames beside it.

    By how much it is moved is the mean over `blend` seconds beside the gap, fading from one side's to the other's; what
    the very last frame differs by from that mean fades out over as long inside. A gap at an end of the clip is fastened
    on its one side.

    Shape: (F, K, C) twice → (n, K, C). Raises ValueError for a gap that is the whole clip.
    """
    if start == 0 and stop == len(values):
        raise ValueError("the gap is the whole clip: nothing to fasten the guide to")
    t = seconds[start:stop, None]
    offsets = _offsets(guide, values)
    sides = []
    if start > 0:
        sides.append((start - 1, slice(int(np.searchsorted(seconds, seconds[start - 1] - blend)), start)))
    if stop < len(values):
        sides.append((stop, slice(stop, int(np.searchsorted(seconds, seconds[stop] + blend, side="right")))))
    means = [
        moved(offsets[edge], difference(np.broadcast_to(offsets[edge], offsets[rows].shape), offsets[rows]).mean(0))
        for edge, rows in sides
    ]
    share = smooth_step((t - seconds[start - 1]) / (seconds[stop] - seconds[start - 1])) if len(sides) == 2 else 0.0 * t
    offset = moved(means[0], share[..., None] * difference(means[0], means[-1]))
    for (edge, _), mean in zip(sides, means, strict=True):
        fade = 1 - smooth_step(np.abs(t - seconds[edge]) / blend) if blend > 0 else 0.0 * t
        offset = moved(offset, fade[..., None] * difference(mean, offsets[edge]))
    guide = guide[start:stop]
    return quaternions.product(guide, offset) if guide.shape[-1] == 4 else guide + offset


def smooth_step(x: Array) -> Array:
    """From 0 at 0 to 1 at 1, level at both ends. Any shape."""
    x = np.clip(x, 0, 1)
    return np.asarray(x * x * (3 - 2 * x))


def _offsets(guide: Array, values: Array) -> Array:
    """What the guide lacks: a rotation, in its own axes, or a way."""
    return quaternions.product(quaternions.conjugate(guide), values) if values.shape[-1] == 4 else values - guide
