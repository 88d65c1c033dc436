"""The vertices' part of calibration as machine code, for the CPU where no gradient is wanted.

A vertex has a few of the 28 segments. Dense matrix products over all of them, the fastest form that torch offers, spend
their time on zeros and on writing a 3 × 4 matrix per vertex to memory. Here each weight is read once for `LANES`
frames, whose numbers lie side by side and fill the processor's vector registers.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LANES: Final = 16
"""Frames in a block. Of 8, 16 and 32 tried on AVX-512: 8 is half as fast, 32 gains a fifth but wastes more on the last
block. A single frame costs as much as a block: a quarter of a millisecond at N = 6,890."""

_TILE: Final = 32
"""Vertices turned into lanes and back at a time; 16 to 64 are alike, at 256 they no longer fit the first cache."""


def calibrate_vertices(
    vertices: Tensor, rows: Tensor, first: Tensor, segment: Tensor, weight: Tensor, weight_along: Tensor
) -> Tensor:
    """Σ_i A_ji (Ψ_i V_j + T_i) + A_ji W_ji Δ_i over the stored weights of each vertex (equations 12 and 13).

    Blocks of frames are shared out over as many threads as torch uses. `calibration.calibrate_plain` is the readable
    twin.

    Args:
        vertices: (B, N, 3), floating, in any memory order.
        rows: (B, S, 15) of each segment Ψ row by row, T, Δ.
        first: (N + 1,) int32: the weights of vertex j are those from first[j] up to first[j + 1].
        segment: (E,) int32 segment of each weight.
        weight: (E,) A.
        weight_along: (E,) A W.

    Returns:
        (B, N, 3), contiguous.
    """
    out = torch.empty(vertices.shape, dtype=vertices.dtype)
    blocks = -(-len(vertices) // LANES)
    laned = rows.new_zeros(blocks * LANES, *rows.shape[1:])
    laned[: len(rows)] = rows
    laned = laned.view(blocks, LANES, *rows.shape[1:]).permute(0, 2, 3, 1).contiguous()
    arrays = [tensor.detach().numpy() for tensor in (vertices, laned, first, segment, weight, weight_along, out)]
    loop = _compiled()
    threads = min(torch.get_num_threads(), blocks)
    if threads <= 1:
        loop(*arrays, 0, blocks)
        return out

    def part(number: int) -> None:
        loop(*arrays, blocks * number // threads, blocks * (number + 1) // threads)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(part, range(threads)))
    return out


def calibrate_frame(
    vertices: NDArray[np.float32], rows: NDArray[np.float32], weights: tuple[NDArray[Any], ...]
) -> NDArray[np.float32]:
    """The same for one frame, for which a block of lanes would be wasted.

    Shape: (N, 3), (28, 15), `first`, `segment`, `weight` and `weight_along` as above → (N, 3).
    """
    out = np.empty_like(vertices)
    _compiled_frame()(vertices, rows, *weights, out)
    return out


@cache
def _compiled() -> Any:
    return _fast(_loop)


@cache
def _compiled_frame() -> Any:
    return _fast(_frame)


def _fast(function: Callable[..., None]) -> Any:
    # The import takes half a second, which a process that never calibrates on its CPU need not spend.
    import numba

    # Not all of fast-math: a vertex that is not a number must stay one.
    return numba.njit(nogil=True, fastmath={"contract", "reassoc"}, error_model="numpy", cache=True)(function)


def _frame(vertices: Any, rows: Any, first: Any, segment: Any, weight: Any, weight_along: Any, out: Any) -> None:
    for j in range(len(vertices)):
        x, y, z = vertices[j, 0], vertices[j, 1], vertices[j, 2]
        out_x = out_y = out_z = np.float32(0)
        for e in range(first[j], first[j + 1]):
            i, a, aw = segment[e], weight[e], weight_along[e]
            out_x += a * (rows[i, 0] * x + rows[i, 1] * y + rows[i, 2] * z + rows[i, 9]) + aw * rows[i, 12]
            out_y += a * (rows[i, 3] * x + rows[i, 4] * y + rows[i, 5] * z + rows[i, 10]) + aw * rows[i, 13]
            out_z += a * (rows[i, 6] * x + rows[i, 7] * y + rows[i, 8] * z + rows[i, 11]) + aw * rows[i, 14]
        out[j, 0], out[j, 1], out[j, 2] = out_x, out_y, out_z


def _loop(
    vertices: Any,
    rows: Any,
    first: Any,
    segment: Any,
    weight: Any,
    weight_along: Any,
    out: Any,
    begin: int,
    end: int,
) -> None:
    """Blocks `begin` up to `end`. rows: (blocks, S, 15, LANES)."""
    frames, count = vertices.shape[:2]
    tile_in = np.zeros((_TILE, 3, LANES), vertices.dtype)
    tile_out = np.zeros((_TILE, 3, LANES), vertices.dtype)
    for block in range(begin, end):
        b0 = block * LANES
        lanes = min(LANES, frames - b0)
        for j0 in range(0, count, _TILE):
            j1 = min(j0 + _TILE, count)
            for lane in range(lanes):
                source = vertices[b0 + lane]
                for j in range(j0, j1):
                    for k in range(3):
                        tile_in[j - j0, k, lane] = source[j, k]
            for j in range(j0, j1):
                x, y, z = tile_in[j - j0, 0], tile_in[j - j0, 1], tile_in[j - j0, 2]
                tile_out[j - j0] = 0
                for e in range(first[j], first[j + 1]):
                    row, a, aw = rows[block, segment[e]], weight[e], weight_along[e]
                    for k in range(3):
                        result = tile_out[j - j0, k]
                        r_x, r_y, r_z, t, d = row[3 * k], row[3 * k + 1], row[3 * k + 2], row[9 + k], row[12 + k]
                        for lane in range(LANES):
                            moved = r_x[lane] * x[lane] + r_y[lane] * y[lane] + r_z[lane] * z[lane] + t[lane]
                            result[lane] += a * moved + aw * d[lane]
            for lane in range(lanes):
                target = out[b0 + lane]
                for j in range(j0, j1):
                    for k in range(3):
                        target[j, k] = tile_out[j - j0, k, lane]
