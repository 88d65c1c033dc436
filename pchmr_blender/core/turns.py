# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotations that carry one direction onto another, and rotations between two. float64, finite in every case."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .axes import matrices_to_quaternions, quaternions_to_matrices

Array = NDArray[np.float64]

_TINY = 1e-12


def unit(vectors: ArrayLike) -> Array:
    """Vectors of length 1; those of length 0 stay. Shape: (..., 3)."""
    array = np.asarray(vectors, np.float64)
    return np.asarray(array / np.maximum(np.linalg.norm(array, axis=-1, keepdims=True), _TINY))


def turned(matrices: ArrayLike, vectors: ArrayLike) -> Array:
    """Vectors under matrices. Shapes: (..., 3, 3), (..., 3) → (..., 3)."""
    return np.asarray((np.asarray(matrices) @ np.asarray(vectors, np.float64)[..., None])[..., 0])


def swing(start: ArrayLike, end: ArrayLike) -> Array:
    """The smallest rotation that turns one direction into another; the identity where either has no length.

    Opposite directions are turned about an axis square to them. Shapes: (..., 3), (..., 3) → (..., 3, 3).
    """
    a, b = np.broadcast_arrays(unit(start), unit(end))
    cosine = np.sum(a * b, -1)[..., None, None]
    cross = _cross_matrix(np.cross(a, b))
    near = cosine > -1 + 1e-9
    rotation = np.eye(3) + cross + cross @ cross / np.where(near, 1 + cosine, 1.0)
    # The least component of the direction tells an axis that is not along it.
    axis = unit(np.cross(a, np.eye(3)[np.argmin(np.abs(a), -1)]))
    half_turn = 2 * axis[..., :, None] * axis[..., None, :] - np.eye(3)
    lengthless = (np.sum(a * a, -1) < 0.5) | (np.sum(b * b, -1) < 0.5)
    return np.asarray(np.where(lengthless[..., None, None], np.eye(3), np.where(near, rotation, half_turn)))


def between(first: ArrayLike, second: ArrayLike, share: float) -> Array:
    """The rotation on the short way from one (0) to another (1). Shapes: (..., 3, 3), (..., 3, 3) → (..., 3, 3)."""
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    q = matrices_to_quaternions(a.swapaxes(-1, -2) @ b)
    q *= np.where(q[..., :1] < 0, -1.0, 1.0)
    sine = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    half = np.arctan2(sine, q[..., :1]) * share
    axis = q[..., 1:] / np.maximum(sine, _TINY)
    return np.asarray(a @ quaternions_to_matrices(np.concatenate([np.cos(half), axis * np.sin(half)], -1)))


def _cross_matrix(vectors: Array) -> Array:
    """(..., 3) → (..., 3, 3): the matrix whose product with w is v × w."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    o = np.zeros_like(x)
    return np.stack([np.stack([o, -z, y], -1), np.stack([z, o, -x], -1), np.stack([-y, x, o], -1)], -2)
