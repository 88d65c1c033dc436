# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a rig's hips go so that its legs reach feet that stand, and point as the source's do nonetheless.

A foot that is held asks its leg to be another one than the source's. Hips that go along with it spare the leg that, and
of two feet that stand they go along with the one whose leg would turn more: a leg that is nearly straight turns by ten
degrees where it is made a hundredth shorter, a bent one by one. Up and down they always do; along the floor only where
that is asked for, as they leave the source's path by centimetres.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

BLEND: Final = 0.2
"""Seconds that hips take to come down, and feet to come to a stand."""
_STEADY: Final = 1 / 30
"""Seconds over which the hips' way along the floor is evened out, twice: feet that stand on average let it shake."""
_STRAIGHTEST: Final = 0.2
"""Lengths of the leg that the knee of a straight one is taken to stand out by."""
_NONE: Final = 1e-9


def along(
    legs: Sequence[tuple[Array, Array, Array]],
    offsets: Sequence[Array],
    stands: Sequence[Array],
    seconds: Array,
    *,
    level: bool,
) -> tuple[Array, list[Array]]:
    """Let the hips go along with feet that stand.

    Args:
        legs: (F, 3) hip, knee and ankle of each on their free way, metres, z up.
        offsets: (F, 3) of each, how far its ankle is to leave that.
        stands: (F,) how much it stands, from 0 to 1.
        seconds: (F,) rising.
        level: along the floor, too; else up and down only.

    Returns:
        (F, 3) how far the hips leave their way; (F, 3) of each leg what its ankle is to leave its way from there.
    """
    stiff, asked = np.zeros((len(seconds), 3, 3)) + _NONE * np.eye(3), np.zeros((len(seconds), 3))
    for leg, offset, stand in zip(legs, offsets, stands, strict=True):
        cost = _cost(*leg)
        stiff += stand[:, None, None] * cost
        asked += np.einsum("fij,fj->fi", cost, offset)  # an offset is as large as its foot stands
    share = np.minimum(np.sum(stands, 0), 1.0)[:, None]
    moved = share * np.linalg.solve(stiff, asked[..., None])[..., 0]
    evened = _evened(_evened(moved[:, :2], seconds), seconds) if level else np.zeros_like(moved[:, :2])
    # The height at which the legs turn least from there: what their stiffness makes of the difference.
    moved[:, 2] -= np.sum(stiff[:, 2, :2] * (evened - moved[:, :2]), -1) / stiff[:, 2, 2]
    moved[:, :2] = evened
    shares = [stand[:, None] / np.maximum(share, _NONE) for stand in stands]
    return moved, [offset - part * moved for offset, part in zip(offsets, shares, strict=True)]


def _cost(hip: Array, knee: Array, ankle: Array) -> Array:
    """(F, 3, 3) how a leg's bones turn for an offset of its ankle: a quadratic form, 1 to its side."""
    way = ankle - hip
    length = np.linalg.norm(way, axis=-1, keepdims=True)
    axis = way / np.maximum(length, _NONE)
    thigh = knee - hip
    aside = np.linalg.norm(thigh - np.sum(thigh * axis, -1, keepdims=True) * axis, axis=-1, keepdims=True)
    whole = np.linalg.norm(thigh, axis=-1, keepdims=True) + np.linalg.norm(ankle - knee, axis=-1, keepdims=True)
    # Along its axis bones turn by 1 / (2 aside) for a metre, to its side by 1 / length.
    ratio = (length / (2 * np.maximum(aside, _STRAIGHTEST * whole)))[..., None] ** 2
    return np.asarray(np.eye(3) + ratio * axis[:, :, None] * axis[:, None, :])


def _evened(ways: Array, seconds: Array) -> Array:
    """(F, n) means over `_STEADY` before and after, of a frame at least."""
    if len(ways) < 2:
        return ways
    reach = max(1, round(_STEADY / float(np.median(np.diff(seconds)))))
    padded = np.pad(ways, ((reach, reach), (0, 0)), mode="edge")
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0).mean(-1))


def smooth_above(values: Array, seconds: Array) -> Array:
    """A smooth curve that is nowhere below the values. Shape: (F,)."""
    if len(values) < 2 or not values.any():
        return values
    reach = max(1, round(BLEND / float(np.median(np.diff(seconds)))))
    for gather in (np.max, np.mean):
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(values, reach, mode="edge"), 2 * reach + 1)
        values = gather(windows, axis=-1)
    return values
