"""When heels and toes stand: from the picture, from how slow they are and from how low, as strips that an artist edits.

Each sign counts alone, so a foot that is hidden may still be seen to stand by its height, and one on a floor that is
off by centimetres by its picture. A foot that holds still in the air is too high for any sign.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter1d

from ..upright import BORNE_HEIGHT
from .feet import Feet
from .motion import Array, SkeletonMotion
from .parameters import PARTS, SIDES, FootContact, Strip
from .source import SOLE_JOINTS, StackSource, sole_points
from .under_feet import heights_under

_REACH: Final = 0.1
"""Seconds before and after over which speeds are taken."""
_GROUND: Final = 1.0
"""Seconds before and after within which the lowest place of the feet is the ground: floors are off by centimetres."""
_SEEN: Final = 0.5
"""Visibility from which the picture counts in full."""
_HIGHEST: Final = 1.5
"""Of the height at which a foot may stand: where none does, whatever it looks like."""
_TILT, _TILTED = 0.03, 0.06
"""Metres above the other end of its foot from which on it speaks against a heel or toe tip, and from which it does not
stand: the foot rests on the other end."""
_ON, _OFF = 0.5, -0.3
"""Of `evidence`: a strip begins above the one and ends below the other."""
_PAUSE: Final = 0.07
"""Seconds: shorter pauses in a strip are noise."""


def detected_strips(motion: SkeletonMotion, source: StackSource, settings: FootContact) -> tuple[Strip, ...]:
    """The strips in which heels and toes stand, in the order of their start; the same motion gives the same strips."""
    signs = evidence(motion, source, settings)
    edges = frame_edges(source.seconds)
    strips = []
    for place in range(4):
        for first, last in _runs(signs[:, place], source.seconds, settings.shortest_seconds):
            side, part = SIDES[place % 2], PARTS[place // 2]
            strips.append(Strip(side, part, float(edges[first]), float(edges[last + 1])))
    return tuple(sorted(strips, key=lambda strip: (strip.start, strip.side, strip.part)))


def strips_of(motion: SkeletonMotion, source: StackSource, settings: FootContact) -> tuple[Strip, ...]:
    """The artist's strips, or the detected ones where there are none."""
    return detected_strips(motion, source, settings) if settings.strips is None else settings.strips


def standing_frames(strips: tuple[Strip, ...], seconds: Array) -> NDArray[np.bool_]:
    """(F, 4) in which frames each sole point stands, in the order of `standing.SOLES`."""
    out = np.zeros((len(seconds), 4), bool)
    for strip in strips:
        place = 2 * PARTS.index(strip.part) + SIDES.index(strip.side)
        out[:, place] |= (seconds >= strip.start) & (seconds <= strip.end)
    return out


def evidence(motion: SkeletonMotion, source: StackSource, settings: FootContact) -> Array:
    """How much speaks for standing. Shape: (F, 4), about -3 to 3, 0 undecided; -inf where it cannot be."""
    soles = sole_points(motion, source.sole_offsets)
    feet = Feet.of(motion.rest_joints, source.sole_offsets)
    seconds = source.seconds
    frames = np.arange(len(seconds))
    before = np.searchsorted(seconds, seconds - _REACH - 1e-9)
    after = np.searchsorted(seconds, seconds + _REACH + 1e-9) - 1
    before, after = np.minimum(before, np.maximum(frames - 1, 0)), np.maximum(after, np.minimum(frames + 1, frames[-1]))
    span = np.maximum(seconds[after] - seconds[before], 1e-6)[:, None]
    speed = np.linalg.norm(soles[after] - soles[before], axis=-1) / span
    step = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 1.0
    above = soles[..., 2] - feet.sole_heights - heights_under(motion, source)[:, None]
    ground = minimum_filter1d(above.min(1), 2 * round(_GROUND / step) + 1, mode="nearest")
    height = above - np.minimum(np.maximum(ground, -settings.height), settings.height)[:, None]
    of_feet = above.reshape(-1, 2, 2)
    tilt = (of_feet - of_feet.min(1, keepdims=True)).reshape(above.shape)
    tilt = minimum_filter1d(tilt, 2 * round(_PAUSE / step) + 1, axis=0, mode="nearest")
    seen = np.minimum(source.seen[:, SOLE_JOINTS] / _SEEN, 1.0)
    picture = seen * (2 * source.standing - 1)
    slow = np.clip(1 - speed / settings.speed, -2, 1)
    low = np.clip(1 - height / settings.height, -2, 1)
    borne = motion.root[:, None, 2] - soles[..., 2] > BORNE_HEIGHT
    tilted = np.maximum(tilt - _TILT, 0) / (_TILTED - _TILT)
    possible = borne & (height < _HIGHEST * settings.height) & (tilted < 1)
    return np.where(possible, picture + slow + 0.7 * low - 2 * tilted, -np.inf)


def frame_edges(seconds: Array) -> Array:
    """Where each frame's time begins and ends: half way to its neighbours. Shape: (F,) → (F + 1,)."""
    if len(seconds) < 2:
        return np.array([seconds[0] - 0.01, seconds[0] + 0.01]) if len(seconds) else np.zeros(1)
    middle = (seconds[1:] + seconds[:-1]) / 2
    return np.concatenate([[2 * seconds[0] - middle[0]], middle, [2 * seconds[-1] - middle[-1]]])


def _runs(signs: Array, seconds: Array, shortest: float) -> list[tuple[int, int]]:
    """First and last frame of each strip: begun by strong evidence, held by weak, none short or broken."""
    weak = signs > _OFF
    edges = np.flatnonzero(np.diff(np.concatenate([[0], weak.astype(np.int8), [0]]))).reshape(-1, 2)
    runs = [(a, b - 1) for a, b in edges.tolist() if (signs[a:b] > _ON).any()]
    joined: list[tuple[int, int]] = []
    for first, last in runs:
        if joined and seconds[first] - seconds[joined[-1][1]] < _PAUSE:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    times = frame_edges(seconds)
    return [(first, last) for first, last in joined if times[last + 1] - times[first] >= shortest]
