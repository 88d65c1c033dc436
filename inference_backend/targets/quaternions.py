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
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    aw, ax, ay, az = a[..., 0], a[..., 1], a[..., 2], a[..., 3]
    bw, bx, by, bz = b[..., 0], b[..., 1], b[..., 2], b[..., 3]
    w = aw * bw - ax * bx - ay * by - az * bz
    out = np.empty((*w.shape, 4))
    out[..., 0] = w
    out[..., 1] = aw * bx + ax * bw + ay * bz - az * by
    out[..., 2] = aw * by - ax * bz + ay * bw + az * bx
    out[..., 3] = aw * bz + ax * by - ay * bx + az * bw
    return out


def conjugate(q: ArrayLike) -> Array:
    """The rotation back. Shape: (..., 4)."""
    return np.asarray(q, np.float64) * [1.0, -1.0, -1.0, -1.0]


def normalised(q: ArrayLike) -> Array:
    """Of unit length; the identity where there is no length. Shape: (..., 4)."""
    array = np.asarray(q, np.float64)
    length = _length(array)
    return np.where(length > 1e-12, array / np.maximum(length, 1e-12), IDENTITY)


def turned(q: ArrayLike, vectors: ArrayLike) -> Array:
    """The vectors, turned. Shape: (..., 4), (..., 3), broadcast → (..., 3)."""
    q, v = np.asarray(q, np.float64), np.asarray(vectors, np.float64)
    twice = 2 * np.cross(q[..., 1:], v)
    return np.asarray(v + q[..., :1] * twice + np.cross(q[..., 1:], twice))


def from_vector(vector: ArrayLike) -> Array:
    """The quaternion of a rotation vector (axis times angle). Shape: (..., 3) → (..., 4)."""
    vector = np.asarray(vector, np.float64)
    half = 0.5 * _length(vector)
    out = np.empty((*vector.shape[:-1], 4))
    out[..., :1] = np.cos(half)
    # np.sinc(x) is sin πx / πx, finite at 0.
    out[..., 1:] = 0.5 * np.sinc(half / np.pi) * vector
    return out


def to_vector(q: ArrayLike) -> Array:
    """The rotation vector, of at most π radians. Shape: (..., 4) → (..., 3)."""
    q = np.asarray(q, np.float64)
    q = np.where(q[..., :1] < 0, -q, q)
    sine = _length(q[..., 1:])
    angle = 2 * np.arctan2(sine, q[..., :1])
    return np.asarray(np.where(sine > 1e-12, angle / np.maximum(sine, 1e-12), 2.0) * q[..., 1:])


def angle_between(a: ArrayLike, b: ArrayLike) -> Array:
    """Radians from one rotation to the other, 0 to π. Shape: (..., 4) twice, broadcast → (...)."""
    difference = product(conjugate(a), b)
    return np.asarray(2 * np.arctan2(_length(difference[..., 1:])[..., 0], np.abs(difference[..., 0])))


def between(a: ArrayLike, b: ArrayLike, share: ArrayLike) -> Array:
    """From a (share 0) to b (share 1) along the shortest turn. Shape: (..., 4) twice, share (...) → (..., 4)."""
    a = np.asarray(a, np.float64)
    vector = to_vector(product(conjugate(a), b))
    return product(a, from_vector(np.asarray(share, np.float64)[..., None] * vector))


def to_matrix(q: ArrayLike) -> Array:
    """Shape: (..., 4) of any length but 0 → (..., 3, 3)."""
    q = normalised(q)
    w, x, y, z = (np.ascontiguousarray(q[..., part]) for part in range(4))
    out = np.empty((*q.shape[:-1], 3, 3))
    for row, values in enumerate(
        (
            (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
            (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
            (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
        )
    ):
        for column, value in enumerate(values):
            out[..., row, column] = value
    return out


def from_matrix(matrix: ArrayLike) -> Array:
    """Shape: (..., 3, 3) rotations → (..., 4), w ≥ 0."""
    m = np.asarray(matrix, np.float64)
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    wx, wy, wz = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    xy, xz, yz = m[..., 0, 1] + m[..., 1, 0], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 2] + m[..., 2, 1]
    squares = (1 + xx + yy + zz, 1 + xx - yy - zz, 1 - xx + yy - zz, 1 - xx - yy + zz)
    # Each row is the quaternion times four of its own components: the row of the largest component loses no digits.
    rows = (
        (squares[0], wx, wy, wz), (wx, squares[1], xy, xz), (wy, xy, squares[2], yz), (wz, xz, yz, squares[3]),
    )  # fmt: skip
    row, most = np.empty((*m.shape[:-2], 4)), squares[0]
    for part, value in enumerate(rows[0]):
        row[..., part] = value
    for square, values in zip(squares[1:], rows[1:], strict=True):
        larger = square > most
        most = np.where(larger, square, most)
        for part, value in enumerate(values):
            np.copyto(row[..., part], value, where=larger)
    row = normalised(row)
    return np.where(row[..., :1] < 0, -row, row)


def continuous(q: ArrayLike) -> Array:
    """The same rotations with signs such that none lies opposite the one before it. Shape: (F, ..., 4)."""
    array = np.asarray(q, np.float64)
    turns = np.where(np.sum(array[1:] * array[:-1], -1) < 0, -1.0, 1.0)
    signs = np.cumprod(np.concatenate([np.ones_like(array[:1, ..., 0]), turns]), 0)
    return np.asarray(array * signs[..., None])


def _length(vectors: Array) -> Array:
    """As numpy's norm, which takes three times as long along so short an axis. Shape: (..., n) → (..., 1)."""
    parts = [vectors[..., part : part + 1] for part in range(vectors.shape[-1])]
    return np.sqrt(sum(part * part for part in parts))
