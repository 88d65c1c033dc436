# SPDX-License-Identifier: GPL-3.0-or-later
"""Conversions of axes and of rotations, in pairs. Quaternions are w, x, y, z, as in Blender."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def y_up_to_blender(points: ArrayLike) -> NDArray[np.float64]:
    """y up, facing +z (SMPL's rest frame, BVH) → z up, facing -y; +x stays the body's left. Shape: (..., 3)."""
    x, y, z = np.moveaxis(_ends_in(points, 3), -1, 0)
    return np.stack([x, -z, y], -1)


def blender_to_y_up(points: ArrayLike) -> NDArray[np.float64]:
    """z up, facing -y → y up, facing +z. Shape: (..., 3)."""
    x, y, z = np.moveaxis(_ends_in(points, 3), -1, 0)
    return np.stack([x, z, -y], -1)


def quaternions_to_matrices(quaternions: ArrayLike) -> NDArray[np.float64]:
    """Rotation matrices of quaternions of any length but 0. Shape: (..., 4) → (..., 3, 3)."""
    array = _ends_in(quaternions, 4)
    w, x, y, z = np.moveaxis(array / np.linalg.norm(array, axis=-1, keepdims=True), -1, 0)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return np.stack([np.stack(row, -1) for row in rows], -2)


def matrices_to_quaternions(matrices: ArrayLike) -> NDArray[np.float64]:
    """Unit quaternions of rotation matrices, of either sign. Shape: (..., 3, 3) → (..., 4)."""
    m = _ends_in(matrices, 3, 3)
    (xx, yy, zz), sums, turns = (m[..., i, i] for i in range(3)), m + m.swapaxes(-1, -2), m - m.swapaxes(-1, -2)
    wx, wy, wz = turns[..., 2, 1], turns[..., 0, 2], turns[..., 1, 0]
    xy, xz, yz = sums[..., 0, 1], sums[..., 0, 2], sums[..., 1, 2]
    # Each row is the quaternion times four of its own components: the row of the largest component loses no digits.
    rows = np.stack(
        [
            np.stack([1 + xx + yy + zz, wx, wy, wz], -1),
            np.stack([wx, 1 + xx - yy - zz, xy, xz], -1),
            np.stack([wy, xy, 1 - xx + yy - zz, yz], -1),
            np.stack([wz, xz, yz, 1 - xx - yy + zz], -1),
        ],
        -2,
    )
    largest = np.argmax(np.stack([rows[..., i, i] for i in range(4)], -1), -1)
    row = np.take_along_axis(rows, largest[..., None, None], -2)[..., 0, :]
    return np.asarray(row / np.linalg.norm(row, axis=-1, keepdims=True))


def continuous(quaternions: ArrayLike) -> NDArray[np.float64]:
    """The same rotations with signs such that no quaternion lies opposite the one before it along the first axis.

    Curves interpolate components, so a change of sign between two keys would be a somersault. Shape: (F, ..., 4).
    """
    array = _ends_in(quaternions, 4)
    turns = np.where(np.sum(array[1:] * array[:-1], -1) < 0, -1.0, 1.0)
    signs = np.cumprod(np.concatenate([np.ones_like(array[:1, ..., 0]), turns]), 0)
    return np.asarray(array * signs[..., None])


def _ends_in(value: ArrayLike, *sizes: int) -> NDArray[np.float64]:
    array = np.asarray(value, np.float64)
    if array.shape[-len(sizes) :] != sizes:
        raise ValueError(f"wanted a shape that ends in {sizes}, found {array.shape}")
    return array
