"""Where a foot stands while it is held, and how firmly: one footprint for each stretch of strips without a pause.

A footprint is a flat foot: heel and ball on the floor, pointing one way. Heel and toes have strips of their own, so
that a heel may strike first and a toe leave last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .feet import Feet, flat_rotation, yaw_of
from .ik import smooth_step
from .motion import Array
from .parameters import PARTS, Strip
from .vectors import turned


@dataclass(frozen=True, eq=False)
class Footprints:
    """One foot over F frames. Metres, world."""

    heel: Array
    """(F,) how firmly the heel is held, 0 to 1."""
    toe: Array
    """(F,) how firmly ball and toes are held, 0 to 1."""
    ankle: Array
    """(F, 3) the ankle of the foot that stands flat on its footprint."""
    yaw: Array
    """(F,) radians from x to y: where the footprint points."""
    nearest: NDArray[np.intp]
    """(F, 3) the nearest frame in which the heel stands, the toe does, both do; the frame itself where nothing does.
    What is corrected there is corrected here, as far as the part is held."""
    ground: Array
    """(F,) the height of what is under the feet."""


@dataclass(frozen=True)
class _Stretch:
    """Strips that touch or overlap."""

    start: float
    end: float
    strips: tuple[Strip, ...]


def footprints(
    strips: Sequence[Strip],
    ankle: Array,
    rotation: Array,
    ground: Array,
    seconds: Array,
    feet: Feet,
    foot: int,
    blend: float,
) -> Footprints:
    """The footprints of one foot.

    Args:
        strips: those of this foot that are locked.
        ankle: (F, 3) the ankle as it comes.
        rotation: (F, 3, 3) the foot as it comes, rest frame → world.
        ground: (F,) the height of what is under the feet.
        seconds: (F,)
        feet: the body's.
        foot: 0 left, 1 right.
        blend: seconds over which a foot is led to its footprint, and let go; less where the next is near.
    """
    frames = len(seconds)
    own = np.tile(np.arange(frames)[:, None], 3)
    out = Footprints(np.zeros(frames), np.zeros(frames), ankle.copy(), np.zeros(frames), own, ground)
    stretches = _stretches(strips)
    for index, stretch in enumerate(stretches):
        before = stretch.start - stretches[index - 1].end if index else np.inf
        after = stretches[index + 1].start - stretch.end if index + 1 < len(stretches) else np.inf
        ramp_in, ramp_out = min(blend, before / 2), min(blend, after / 2)
        parts = [[strip for strip in stretch.strips if strip.part == part] for part in PARTS]
        weights = [_firmness(strips, stretch, seconds, (ramp_in, ramp_out), blend) for strips in parts]
        near = (weights[0] > 0) | (weights[1] > 0)
        stands = np.stack(weights, 1) >= 1
        if not stands.any():
            continue  # between two frames
        yaw = _yaw(rotation, stands)
        place = _flat_ankle(ankle, rotation, stands, yaw, feet, foot)
        place[2] += np.median(ground[stands.any(1)])
        out.heel[near], out.toe[near] = weights[0][near], weights[1][near]
        out.ankle[near], out.yaw[near] = place, yaw
        for column, rows in enumerate((stands[:, 0], stands[:, 1], stands.all(1))):
            if rows.any():
                out.nearest[near, column] = _nearest(np.flatnonzero(rows), seconds)[near]
    return out


def _nearest(rows: NDArray[np.intp], seconds: Array) -> NDArray[np.intp]:
    """Of some rows, the one nearest in time to each frame. Shape: (n,), n > 0 → (F,)."""
    after = np.minimum(np.searchsorted(rows, np.arange(len(seconds))), len(rows) - 1)
    before = np.maximum(after - 1, 0)
    nearer = np.abs(seconds[rows[before]] - seconds) < np.abs(seconds[rows[after]] - seconds)
    return np.asarray(np.where(nearer, rows[before], rows[after]))


def _stretches(strips: Sequence[Strip]) -> list[_Stretch]:
    out: list[_Stretch] = []
    for strip in sorted(strips, key=lambda strip: strip.start):
        if out and strip.start <= out[-1].end:
            last = out[-1]
            out[-1] = _Stretch(last.start, max(last.end, strip.end), (*last.strips, strip))
        else:
            out.append(_Stretch(strip.start, strip.end, (strip,)))
    return out


def _firmness(
    strips: Sequence[Strip], stretch: _Stretch, seconds: Array, ramps: tuple[float, float], blend: float
) -> Array:
    """1 in the strips, fading before and after them; at the stretch's own ends within its ramps. Shape: (F,)."""
    out = np.zeros(len(seconds))
    for strip in strips:
        ramp_in = ramps[0] if strip.start <= stretch.start else blend
        ramp_out = ramps[1] if strip.end >= stretch.end else blend
        early = (strip.start - seconds) / max(ramp_in, 1e-9)
        late = (seconds - strip.end) / max(ramp_out, 1e-9)
        out = np.maximum(out, smooth_step(1 - np.maximum(np.maximum(early, late), 0.0)))
    # Not before another footprint's time, however long this strip's own ramp is.
    out[(seconds < stretch.start - ramps[0]) | (seconds > stretch.end + ramps[1])] = 0.0
    return out


def _yaw(rotation: Array, stands: NDArray[np.bool_]) -> float:
    """The mean direction of a foot while it stands; what it does flat counts most."""
    yaw = yaw_of(rotation)
    weight = stands.sum(1) ** 3.0
    return float(np.arctan2((weight * np.sin(yaw)).sum(), (weight * np.cos(yaw)).sum()))


def _flat_ankle(ankle: Array, rotation: Array, stands: NDArray[np.bool_], yaw: float, feet: Feet, foot: int) -> Array:
    """The ankle of the flat foot on z = 0 whose heel and ball are, on average, where those stood. Shape: (3,)."""
    flat = flat_rotation(np.asarray(yaw))
    estimates = []
    for part, offset in enumerate((feet.heel[foot], feet.ball[foot])):
        rows = stands[:, part]
        estimates.append(ankle[rows] + turned(rotation[rows], offset) - flat @ offset)
    place: Array = np.concatenate(estimates).mean(0)
    place[2] = feet.heights[foot, 1] - (flat @ feet.ball[foot])[2]
    return place
