"""Global rotations of turned joints, and the way back of their gradient, as machine code.

The fit's inner loop: on a few hundred frames torch spends its time between the operations, not in them. Here a
frame's 24 joints are one pass forward and one back.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .body_points import compose
from .geometry import axis_angle_to_matrix


def turned_plain(turn: Tensor, local: Tensor, parents: tuple[int, ...]) -> Tensor:
    """The readable twin of `turned`."""
    return compose(local @ axis_angle_to_matrix(turn), parents)


def turned(turn: Tensor, local: Tensor, parents: tuple[int, ...]) -> Tensor:
    """Global rotations of joints whose local ones are turned further; differentiable in `turn`.

    R_j = R_parent(j) · local_j · exp [turn_j]× (equation 7).

    Shape: turn (F, J, 3) radians, local (F, J, 3, 3), float32 on the CPU → (F, J, 3, 3).
    """
    result: Tensor = _Turned.apply(turn, local, np.array(parents))  # type: ignore[no-untyped-call]
    return result


class _Turned(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, turn: Tensor, local: Tensor, parents: Any) -> Tensor:
        rotations = torch.empty(local.shape)
        vectors, matrices = turn.detach().contiguous(), local.detach().contiguous()
        _compiled()[0](vectors.numpy(), matrices.numpy(), parents, rotations.numpy())
        ctx.save_for_backward(vectors, matrices, rotations)
        ctx.parents = parents
        return rotations

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None, None]:
        vectors, matrices, rotations = ctx.saved_tensors
        gradient = torch.empty_like(vectors)
        # The pass adds what a joint gets from its children: not into what is torch's.
        own = gradients[0].contiguous().clone()
        arrays = (vectors, matrices, rotations, own, gradient)
        _compiled()[1](ctx.parents, *(tensor.numpy() for tensor in arrays))
        return gradient, None, None


@cache
def _compiled() -> tuple[Any, Any]:
    import numba

    fast = numba.njit(nogil=True, fastmath={"contract", "reassoc"}, error_model="numpy", cache=True)
    return fast(_forward), fast(_backward)


def _forward(turn: Any, local: Any, parents: Any, rotations: Any) -> None:
    """Fills `rotations` (F, J, 3, 3)."""
    exp, above = np.empty((3, 3), np.float32), np.empty((3, 3), np.float32)
    for f in range(len(turn)):
        for j in range(turn.shape[1]):
            x, y, z = turn[f, j]
            s = x * x + y * y + z * z
            if s < 1e-6:
                a, b = 1 - s / 6, 0.5 - s / 24
            else:
                angle = math.sqrt(s)
                a, b = math.sin(angle) / angle, 2 * math.sin(angle / 2) ** 2 / s
            exp[0, 0], exp[0, 1], exp[0, 2] = 1 - b * (y * y + z * z), b * x * y - a * z, b * x * z + a * y
            exp[1, 0], exp[1, 1], exp[1, 2] = b * x * y + a * z, 1 - b * (x * x + z * z), b * y * z - a * x
            exp[2, 0], exp[2, 1], exp[2, 2] = b * x * z - a * y, b * y * z + a * x, 1 - b * (x * x + y * y)
            own, out, parent = local[f, j], rotations[f, j], parents[j]
            for row in range(3):
                for column in range(3):
                    if parent < 0:
                        above[row, column] = own[row, column]
                    else:
                        up = rotations[f, parent]
                        above[row, column] = (
                            up[row, 0] * own[0, column] + up[row, 1] * own[1, column] + up[row, 2] * own[2, column]
                        )
            for row in range(3):
                for column in range(3):
                    out[row, column] = (
                        above[row, 0] * exp[0, column] + above[row, 1] * exp[1, column] + above[row, 2] * exp[2, column]
                    )


def _backward(parents: Any, turn: Any, local: Any, rotations: Any, gradient: Any, out: Any) -> None:
    """Fills `out` (F, J, 3) from the `gradient` (F, J, 3, 3) of the rotations, which is used up.

    With P = R_parent and M = P · local: R = M E, so dE = Mᵀ dR, dM = dR Eᵀ = dR Rᵀ M, and dP = dM localᵀ = dR Rᵀ P.
    """
    above, inner = np.empty((3, 3), np.float32), np.empty((3, 3), np.float32)
    for f in range(len(turn)):
        for j in range(turn.shape[1] - 1, -1, -1):
            own, parent, g = local[f, j], parents[j], gradient[f, j]
            if parent >= 0:
                up, end, g_up = rotations[f, parent], rotations[f, j], gradient[f, parent]
                for row in range(3):  # dR Rᵀ
                    for column in range(3):
                        inner[row, column] = (
                            g[row, 0] * end[column, 0] + g[row, 1] * end[column, 1] + g[row, 2] * end[column, 2]
                        )
                for row in range(3):
                    for column in range(3):
                        g_up[row, column] += (
                            inner[row, 0] * up[0, column]
                            + inner[row, 1] * up[1, column]
                            + inner[row, 2] * up[2, column]
                        )
                        above[row, column] = (
                            up[row, 0] * own[0, column] + up[row, 1] * own[1, column] + up[row, 2] * own[2, column]
                        )
            else:
                above[:] = own
            for row in range(3):  # dE = Mᵀ dR
                for column in range(3):
                    inner[row, column] = (
                        above[0, row] * g[0, column] + above[1, row] * g[1, column] + above[2, row] * g[2, column]
                    )
            # E = I + a [v]× + b (v vᵀ - s I), s = |v|².
            x, y, z = turn[f, j]
            s = x * x + y * y + z * z
            if s < 1e-6:
                a, b = 1 - s / 6, 0.5 - s / 24
                da, db = -1 / 6 + s / 60, -1 / 24 + s / 360
            else:
                angle = math.sqrt(s)
                a, b = math.sin(angle) / angle, 2 * math.sin(angle / 2) ** 2 / s
                da, db = (math.cos(angle) - a) / (2 * s), (a / 2 - b) / s
            u, v, w = inner[2, 1] - inner[1, 2], inner[0, 2] - inner[2, 0], inner[1, 0] - inner[0, 1]
            trace = inner[0, 0] + inner[1, 1] + inner[2, 2]
            p = 2 * inner[0, 0] * x + (inner[0, 1] + inner[1, 0]) * y + (inner[0, 2] + inner[2, 0]) * z
            q = (inner[0, 1] + inner[1, 0]) * x + 2 * inner[1, 1] * y + (inner[1, 2] + inner[2, 1]) * z
            r = (inner[0, 2] + inner[2, 0]) * x + (inner[1, 2] + inner[2, 1]) * y + 2 * inner[2, 2] * z
            along = da * (u * x + v * y + w * z) + db * ((p * x + q * y + r * z) / 2 - s * trace)
            out[f, j, 0] = a * u + b * (p - 2 * trace * x) + 2 * along * x
            out[f, j, 1] = a * v + b * (q - 2 * trace * y) + 2 * along * y
            out[f, j, 2] = a * w + b * (r - 2 * trace * z) + 2 * along * z
