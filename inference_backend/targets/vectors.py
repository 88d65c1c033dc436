"""3-vectors and rotation matrices in numpy, quick for a handful of them: what inverse kinematics is made of.

numpy's own cross product, norm and trace cost more than the sums in them when there is one frame only, and while a
joint is dragged there is one frame only. Matrices turn column vectors.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_YZX: Final = np.array([1, 2, 0])
_ZXY: Final = np.array([2, 0, 1])
_EYE: Final = np.eye(3)
_TINY: Final = 1e-12


def cross(a: Array, b: Array) -> Array:
    """Shape: (..., 3) twice, broadcast → (..., 3)."""
    out: Array = a[..., _YZX] * b[..., _ZXY] - a[..., _ZXY] * b[..., _YZX]
    return out


def dot(a: Array, b: Array) -> Array:
    """Shape: (..., 3) twice, broadcast → (..., 1): the last axis stays, so that it multiplies vectors."""
    return np.asarray(np.einsum("...i,...i->...", a, b))[..., None]


def length(vector: Array) -> Array:
    """Shape: (..., 3) → (..., 1)."""
    return np.sqrt(dot(vector, vector))


def unit(vector: Array, instead: Array) -> Array:
    """Of length 1; where there is no length, `instead`. Shape: (..., 3) twice → (..., 3)."""
    size = length(vector)
    if (size > _TINY).all():
        return np.asarray(vector / size)
    return np.where(size > _TINY, vector / np.maximum(size, _TINY), instead)


def square_to(vector: Array) -> Array:
    """Some unit vector at right angles. Shape: (..., 3), not 0 → (..., 3)."""
    smallest = _EYE[np.abs(vector).argmin(-1)]
    return unit(cross(vector, smallest), smallest)


def turned(matrix: Array, vector: Array) -> Array:
    """Shape: (..., 3, 3), (..., 3) → (..., 3)."""
    out: Array = (matrix @ vector[..., None])[..., 0]
    return out


def transposed(matrix: Array) -> Array:
    """The rotation back. Shape: (..., 3, 3)."""
    return matrix.swapaxes(-1, -2)


def cross_matrix(vector: Array) -> Array:
    """The matrix [v]× with [v]× u = v × u. Shape: (..., 3) → (..., 3, 3)."""
    out = np.zeros((*vector.shape, 3))
    x, y, z = vector[..., 0], vector[..., 1], vector[..., 2]
    out[..., 2, 1], out[..., 0, 2], out[..., 1, 0] = x, y, z
    out[..., 1, 2], out[..., 2, 0], out[..., 0, 1] = -x, -y, -z
    return out


def swing(source: Array, target: Array) -> Array:
    """The smallest rotation that turns direction `source` onto `target`.

    Half a turn, whose axis is undefined, goes about an axis square to `source`; where a vector has no length it is the
    identity. Shape: (..., 3) twice → (..., 3, 3).
    """
    size_s, size_t = length(source), length(target)
    none = (size_s <= _TINY) | (size_t <= _TINY)
    if none.any():
        source, target = (np.where(none, _EYE[0], vector) for vector in (source, target))
        size_s, size_t = (np.where(none, 1.0, size) for size in (size_s, size_t))
    s, t = source / size_s, target / size_t
    cosine = dot(s, t)
    opposite = cosine < -0.999
    if not opposite.any():
        return _small_swing(s, t, cosine)
    # Half a turn leads s to -s, from where the rest is a small swing.
    axis = square_to(s)
    flip = 2 * axis[..., :, None] * axis[..., None, :] - _EYE
    turn = _small_swing(np.where(opposite, -s, s), t, np.where(opposite, -cosine, cosine))
    return np.where(opposite[..., None], turn @ flip, turn)


def raised(vector: Array, by: Array) -> Array:
    """The rotations that raise the ends of vectors by some metres, as far as they go. Shape: (..., 3), (...) →
    (..., 3, 3)."""
    size = np.linalg.norm(vector, axis=-1)
    height = np.clip(vector[..., 2] + by, -size, size)
    flat = np.maximum(np.linalg.norm(vector[..., :2], axis=-1), 1e-9)
    aside = np.sqrt(np.maximum(size**2 - height**2, 0.0)) / flat
    return swing(vector, np.concatenate([vector[..., :2] * aside[..., None], height[..., None]], -1))


def _small_swing(s: Array, t: Array, cosine: Array) -> Array:
    """As `swing`, for vectors of length 1 that do not point against each other."""
    K = cross_matrix(cross(s, t))
    turn: Array = _EYE + K + K @ K / (1 + cosine)[..., None]
    return turn


def turn_about(axis: Array, angle: Array) -> Array:
    """Shape: (..., 3) of length 1, (...) radians → (..., 3, 3)."""
    K = cross_matrix(axis)
    sine, cosine = np.sin(angle)[..., None, None], np.cos(angle)[..., None, None]
    out: Array = _EYE + sine * K + (1 - cosine) * (K @ K)
    return out


def angle_about(axis: Array, source: Array, target: Array) -> Array:
    """The turn about `axis` that leads one direction onto another, seen along the axis; 0 where one is parallel to it.

    Shape: (..., 3) of length 1, (..., 3) twice → (...) radians, -π to π.
    """
    flat = dot(source, target) - dot(source, axis) * dot(target, axis)
    return np.arctan2(dot(cross(source, target), axis), flat)[..., 0]
