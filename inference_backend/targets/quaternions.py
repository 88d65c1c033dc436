"""Quaternions and rotation vectors in numpy, float64: the rotations that the target stack works on.

Quaternions are w, x, y, z of unit length; q and -q are the same rotation. A rotation vector is axis times angle in
radians, at most π long. Products turn column vectors: `product(a, b)` turns by b first.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

IDENTITY: Final = np.array([1.0, 0.0, 0.0, 0.0])
"""The quaternion that turns nothing."""


def product(a: ArrayLike, b: ArrayLike) -> Array:
    """The rotation b, then a. Shape: (..., 4) twice, broadcast → (..., 4)."""
    aw, ax, ay, az = np.moveaxis(np.asarray(a, np.float64), -1, 0)
    bw, bx, by, bz = np.moveaxis(np.asarray(b, np.float64), -1, 0)
    return np.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        -1,
    )


def conjugate(q: ArrayLike) -> Array:
    """The rotation back. Shape: (..., 4)."""
    return np.asarray(q, np.float64) * [1.0, -1.0, -1.0, -1.0]


def normalised(q: ArrayLike) -> Array:
    """Of unit length; the identity where there is no length. Shape: (..., 4)."""
    array = np.asarray(q, np.float64)
    length = np.linalg.norm(array, axis=-1, keepdims=True)
    return np.where(length > 1e-12, array / np.maximum(length, 1e-12), IDENTITY)


def turned(q: ArrayLike, vectors: ArrayLike) -> Array:
    """The vectors, turned. Shape: (..., 4), (..., 3), broadcast → (..., 3)."""
    q, v = np.asarray(q, np.float64), np.asarray(vectors, np.float64)
    twice = 2 * np.cross(q[..., 1:], v)
    return np.asarray(v + q[..., :1] * twice + np.cross(q[..., 1:], twice))


def from_vector(vector: ArrayLike) -> Array:
    """The quaternion of a rotation vector (axis times angle). Shape: (..., 3) → (..., 4)."""
    vector = np.asarray(vector, np.float64)
    half = 0.5 * np.linalg.norm(vector, axis=-1, keepdims=True)
    # np.sinc(x) is sin πx / πx, finite at 0.
    return np.concatenate([np.cos(half), 0.5 * np.sinc(half / np.pi) * vector], -1)


def to_vector(q: ArrayLike) -> Array:
    """The rotation vector, of at most π radians. Shape: (..., 4) → (..., 3)."""
    q = np.asarray(q, np.float64)
    q = np.where(q[..., :1] < 0, -q, q)
    sine = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, q[..., :1])
    return np.asarray(np.where(sine > 1e-12, angle / np.maximum(sine, 1e-12), 2.0) * q[..., 1:])


def angle_between(a: ArrayLike, b: ArrayLike) -> Array:
    """Radians from one rotation to the other, 0 to π. Shape: (..., 4) twice, broadcast → (...)."""
    difference = product(conjugate(a), b)
    return np.asarray(2 * np.arctan2(np.linalg.norm(difference[..., 1:], axis=-1), np.abs(difference[..., 0])))


def between(a: ArrayLike, b: ArrayLike, share: ArrayLike) -> Array:
    """From a (share 0) to b (share 1) along the shortest turn. Shape: (..., 4) twice, share (...) → (..., 4)."""
    a = np.asarray(a, np.float64)
    vector = to_vector(product(conjugate(a), b))
    return product(a, from_vector(np.asarray(share, np.float64)[..., None] * vector))


def to_matrix(q: ArrayLike) -> Array:
    """Shape: (..., 4) of any length but 0 → (..., 3, 3)."""
    w, x, y, z = np.moveaxis(normalised(q), -1, 0)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return np.stack([np.stack(row, -1) for row in rows], -2)


def from_matrix(matrix: ArrayLike) -> Array:
    """Shape: (..., 3, 3) rotations → (..., 4), w ≥ 0."""
    m = np.asarray(matrix, np.float64)
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
    row = normalised(np.take_along_axis(rows, largest[..., None, None], -2)[..., 0, :])
    return np.where(row[..., :1] < 0, -row, row)


def continuous(q: ArrayLike) -> Array:
    """The same rotations with signs such that none lies opposite the one before it. Shape: (F, ..., 4)."""
    array = np.asarray(q, np.float64)
    turns = np.where(np.sum(array[1:] * array[:-1], -1) < 0, -1.0, 1.0)
    signs = np.cumprod(np.concatenate([np.ones_like(array[:1, ..., 0]), turns]), 0)
    return np.asarray(array * signs[..., None])
