# SPDX-License-Identifier: GPL-3.0-or-later
"""Conversions of axes and of rotations, in pairs. Quaternions are w, x, y, z, as in Blender."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...inference_backend.targets import quaternions


def y_up_to_blender(points: ArrayLike) -> NDArray[np.float64]:
    """y up, facing +z (SMPL's rest frame, BVH) → z up, facing -y; +x stays the body's left. Shape: (..., 3)."""
    x, y, z = np.moveaxis(_ends_in(points, 3), -1, 0)
    return np.stack([x, -z, y], -1)


def blender_to_y_up(points: ArrayLike) -> NDArray[np.float64]:
    """z up, facing -y → y up, facing +z. Shape: (..., 3)."""
    x, y, z = np.moveaxis(_ends_in(points, 3), -1, 0)
    return np.stack([x, z, -y], -1)


def quaternions_to_matrices(turns: ArrayLike) -> NDArray[np.float64]:
    """Rotation matrices of quaternions of any length but 0. Shape: (..., 4) → (..., 3, 3)."""
    return quaternions.to_matrix(_ends_in(turns, 4))


def matrices_to_quaternions(matrices: ArrayLike) -> NDArray[np.float64]:
    """Unit quaternions of rotation matrices, w ≥ 0. Shape: (..., 3, 3) → (..., 4)."""
    return quaternions.from_matrix(_ends_in(matrices, 3, 3))


def continuous(turns: ArrayLike) -> NDArray[np.float64]:
    """The same rotations with signs such that no quaternion lies opposite the one before it along the first axis.

    Curves interpolate components, so a change of sign between two keys would be a somersault. Shape: (F, ..., 4).
    """
    return quaternions.continuous(_ends_in(turns, 4))


def continuous_between(
    turns: ArrayLike, before: NDArray[np.float64] | None, after: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """The same between two neighbours that stay as they are, where there are any.

    Where signs that run on from the one would not lead to the other, they change between the two that are nearest to
    half a turn apart: from there either way is as long.

    Shape: (n, 4); (4,) → (n, 4).
    """
    ends = [np.zeros((1, 4)) if one is None else np.asarray(one, np.float64)[None] for one in (before, after)]
    array = continuous(np.concatenate([ends[0], _ends_in(turns, 4), ends[1]]))
    if array[-1] @ ends[1][0] < 0:
        # Without a neighbour before there is no way from it: its product with the first is 0, the least.
        change = np.argmin(np.abs((array[1:] * array[:-1]).sum(-1))) + 1
        array[change:] *= -1
    return array[1:-1]


def _ends_in(value: ArrayLike, *sizes: int) -> NDArray[np.float64]:
    array = np.asarray(value, np.float64)
    if array.shape[-len(sizes) :] != sizes:
        raise ValueError(f"wanted a shape that ends in {sizes}, found {array.shape}")
    return array
