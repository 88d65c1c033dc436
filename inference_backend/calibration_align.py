"""The rotation that best turns some vectors onto others, with a gradient that is finite wherever it is smooth."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor

_RANK: Final = 1e-4
"""Of the largest singular value: less than this across the vectors' main line is no second direction."""


class _Align(torch.autograd.Function):
    """The rotation R that maximises tr(Rᵀ M) (Kabsch 1976), with the gradient of the rotation itself.

    A gradient by way of the singular vectors is infinite wherever two singular values are equal, as they are for two
    vectors of one length at a right angle. R is smooth there: for M = P R with P symmetric, a change dR = Ω R obeys
    ΩP + PΩ = dM Rᵀ - R dMᵀ, which in the basis of P is a division by sums of its eigenvalues.
    """

    @staticmethod
    def forward(ctx: Any, M: Tensor) -> tuple[Tensor, Tensor]:
        U, S, Vh = torch.linalg.svd(M)
        x, y, z = (U @ Vh).unbind(-1)
        # torch's det would do for the sign, but it wakes all threads for matrices this small.
        sign = (torch.linalg.cross(x, y) * z).sum(-1).sign()
        signs = torch.stack([torch.ones_like(sign), torch.ones_like(sign), sign], -1)
        P, R = S * signs, (U * signs[..., None, :]) @ Vh
        # Where this sum is 0, R is free about an axis: all vectors lie on one line, or there are none.
        unique = P[..., 1] + P[..., 2] > _RANK * P[..., 0]
        ctx.save_for_backward(U, P, R)
        ctx.mark_non_differentiable(unique)
        return R, unique

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_R: Tensor, _: Tensor) -> Tensor:
        U, P, R = ctx.saved_tensors
        H = U.mT @ grad_R @ R.mT @ U
        sums = torch.maximum(P[..., :, None] + P[..., None, :], _RANK * P[..., :1, None] + 1e-12)
        gradient: Tensor = U @ ((H - H.mT) / sums) @ U.mT @ R
        return gradient


def align(source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """The rotation R (no reflection) that minimises Σ |R s - t|² about the origin, finite in value and gradient.

    `geometry.kabsch` is its readable twin. Shape: (..., K, 3) twice → (..., 3, 3), and (...) bool: whether the vectors
    determine R.
    """
    rotation, unique = _Align.apply(target.mT @ source)  # type: ignore[no-untyped-call]
    return rotation, unique
