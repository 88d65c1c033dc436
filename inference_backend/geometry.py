"""Rotations and rigid alignments in torch, batched over leading dimensions.

All are finite in value, and in gradient too but for `kabsch` and `procrustes`, whose docstrings say where.
Quaternions are (w, x, y, z). Matrices act on column vectors. 6D is the first two columns, one after the other
(Zhou et al. 2019, not SPIN's interleaved layout).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_TINY = 1e-12


def _check(name: str, tensor: Tensor, *shape: int) -> None:
    """Raise ValueError unless the last dimensions are these."""
    if tensor.shape[-len(shape) :] != shape:
        wanted = ", ".join(map(str, shape))
        raise ValueError(f"{name}: found {tuple(tensor.shape)}, want (..., {wanted})")


def cross_matrix(vector: Tensor) -> Tensor:
    """The matrix [v]× with [v]× u = v × u. Shape: (..., 3) → (..., 3, 3)."""
    _check("vector", vector, 3)
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*vector.shape, 3)


def axis_angle_to_matrix(axis_angle: Tensor) -> Tensor:
    """Rodrigues' formula (equation 7). Shape: (..., 3) radians → (..., 3, 3)."""
    _check("axis_angle", axis_angle, 3)
    x, y, z = axis_angle.unbind(-1)
    square = x * x + y * y + z * z
    small = square < 1e-6
    safe = torch.where(small, torch.ones_like(square), square)
    angle = safe.sqrt()
    # sin θ / θ and (1 - cos θ) / θ² by their series near zero, where the quotients lose their gradient.
    a = torch.where(small, 1 - square / 6 + square.square() / 120, angle.sin() / angle)
    b = torch.where(small, 0.5 - square / 24 + square.square() / 720, 2 * (angle / 2).sin().square() / safe)
    # I + a [v]× + b (v vᵀ - v² I), entry by entry: faster by half than with 3×3 products, and the fit is full of it.
    ax, ay, az, bx, by, bz = a * x, a * y, a * z, b * x, b * y, b * z
    xx, yy, zz, xy, xz, yz = bx * x, by * y, bz * z, bx * y, bx * z, by * z
    entries = [1 - yy - zz, xy - az, xz + ay, xy + az, 1 - xx - zz, yz - ax, xz - ay, yz + ax, 1 - xx - yy]
    return torch.stack(entries, -1).reshape(*axis_angle.shape, 3)


def matrix_to_quaternion(matrix: Tensor) -> Tensor:
    """Unit quaternion with w ≥ 0, from the largest of the four equivalent forms (Shepperd 1978).

    Shape: (..., 3, 3) → (..., 4).
    """
    _check("matrix", matrix, 3, 3)
    m = matrix
    d = torch.diagonal(m, dim1=-2, dim2=-1)
    x2, y2, z2 = d.unbind(-1)
    squares = torch.stack([1 + x2 + y2 + z2, 1 + x2 - y2 - z2, 1 - x2 + y2 - z2, 1 - x2 - y2 + z2], -1)
    wx, wy, wz = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    xy, xz, yz = m[..., 0, 1] + m[..., 1, 0], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 2] + m[..., 2, 1]
    rows = torch.stack(
        [
            torch.stack([squares[..., 0], wx, wy, wz], -1),
            torch.stack([wx, squares[..., 1], xy, xz], -1),
            torch.stack([wy, xy, squares[..., 2], yz], -1),
            torch.stack([wz, xz, yz, squares[..., 3]], -1),
        ],
        -2,
    )
    best = squares.argmax(-1)[..., None, None].expand(*squares.shape[:-1], 1, 4)
    quaternion = F.normalize(rows.gather(-2, best).squeeze(-2), dim=-1)
    return torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)


def quaternion_to_matrix(quaternion: Tensor) -> Tensor:
    """Shape: (..., 4), any length but zero → (..., 3, 3)."""
    _check("quaternion", quaternion, 4)
    unit = F.normalize(quaternion, dim=-1)
    w, K = unit[..., :1, None], cross_matrix(unit[..., 1:])
    return torch.eye(3, dtype=K.dtype, device=K.device) + 2 * (w * K + K @ K)


def matrix_to_axis_angle(matrix: Tensor) -> Tensor:
    """Axis-angle of at most π radians. Shape: (..., 3, 3) → (..., 3)."""
    quaternion = matrix_to_quaternion(matrix)
    w, v = quaternion[..., :1], quaternion[..., 1:]
    square = v.square().sum(-1, keepdim=True)
    small = square < 1e-8
    sine = torch.where(small, torch.ones_like(square), square).sqrt()
    angle = 2 * torch.atan2(torch.where(small, torch.zeros_like(sine), sine), w)
    return torch.where(small, 2 * v, v * (angle / sine))


def sixd_to_matrix(sixd: Tensor) -> Tensor:
    """Gram-Schmidt of two columns. Shape: (..., 6) → (..., 3, 3)."""
    _check("sixd", sixd, 6)
    a, b = sixd[..., :3], sixd[..., 3:]
    x = F.normalize(a, dim=-1)
    y = F.normalize(b - (x * b).sum(-1, keepdim=True) * x, dim=-1)
    return torch.stack([x, y, torch.linalg.cross(x, y)], -1)


def matrix_to_sixd(matrix: Tensor) -> Tensor:
    """The first two columns. Shape: (..., 3, 3) → (..., 6)."""
    _check("matrix", matrix, 3, 3)
    return torch.cat([matrix[..., 0], matrix[..., 1]], -1)


def swing(source: Tensor, target: Tensor) -> Tensor:
    """The smallest rotation that turns direction `source` onto `target` (equations 6 and 7, without arccos).

    Ψ = I + [s×t]× + [s×t]×² / (1 + s·t) for unit s, t. Near s = -t, where the axis is undefined, the turn goes by
    way of an axis perpendicular to s; where a vector has no length, it is the identity. Shape: (..., 3) → (..., 3, 3).
    """
    _check("source", source, 3)
    _check("target", target, 3)
    length_s, length_t = source.norm(dim=-1, keepdim=True), target.norm(dim=-1, keepdim=True)
    none = (length_s < 1e-8) | (length_t < 1e-8)
    x_axis = torch.zeros_like(source)
    x_axis[..., 0] = 1
    s = F.normalize(torch.where(none, x_axis, source), dim=-1)
    t = F.normalize(torch.where(none, x_axis, target), dim=-1)
    cosine = (s * t).sum(-1, keepdim=True)
    opposite = cosine < -0.999
    # Half a turn about any axis square to s takes s to -s, from where the rest is a small swing.
    smallest = F.one_hot(s.abs().argmin(-1), 3).to(s)
    axis = F.normalize(torch.linalg.cross(s, smallest), dim=-1)
    flip = 2 * axis[..., :, None] * axis[..., None, :] - torch.eye(3, dtype=s.dtype, device=s.device)
    start = torch.where(opposite, -s, s)
    K = cross_matrix(torch.linalg.cross(start, t))
    denominator = (1 + (start * t).sum(-1)).clamp_min(1e-3)[..., None, None]
    turn = torch.eye(3, dtype=s.dtype, device=s.device) + K + K @ K / denominator
    return torch.where(opposite[..., None], turn @ flip, turn)


def kabsch(source: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """The rotation R (no reflection) that minimises Σ w |R s - t|² about the origin (Kabsch 1976).

    For values: its gradient goes by way of the singular vectors, and is infinite or NaN where two singular values are
    equal, as for vectors of one length at right angles. `calibration_align.align` has the gradient of R itself.

    Shape: (..., K, 3) twice, weights (..., K) → (..., 3, 3).
    """
    _check("source", source, 3)
    _check("target", target, *source.shape[-2:])
    weighted = source if weights is None else source * weights[..., None]
    U, _, Vh = torch.linalg.svd(target.transpose(-1, -2) @ weighted)
    sign = torch.det(U @ Vh).sign()
    fix = torch.stack([torch.ones_like(sign), torch.ones_like(sign), sign], -1)
    rotation: Tensor = (U * fix[..., None, :]) @ Vh
    return rotation


def procrustes(source: Tensor, target: Tensor) -> Tensor:
    """`source` moved onto `target` by the best similarity transform, as PA-MPJPE wants it (Gower 1975).

    A metric, for values: its gradient is `kabsch`'s. Shape: (..., K, 3) twice → (..., K, 3).
    """
    _check("target", target, *source.shape[-2:])
    mean_s, mean_t = source.mean(-2, keepdim=True), target.mean(-2, keepdim=True)
    s, t = source - mean_s, target - mean_t
    R = kabsch(s, t)
    turned = s @ R.transpose(-1, -2)
    scale = (turned * t).sum((-1, -2)) / s.square().sum((-1, -2)).clamp_min(_TINY)
    return scale[..., None, None] * turned + mean_t


def angle_between(rotation_a: Tensor, rotation_b: Tensor) -> Tensor:
    """Angle of the rotation from one to the other, radians. Shape: (..., 3, 3) twice → (...)."""
    angle: Tensor = matrix_to_axis_angle(rotation_a.transpose(-1, -2) @ rotation_b).norm(dim=-1)
    return angle
