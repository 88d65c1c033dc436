# SPDX-License-Identifier: GPL-3.0-or-later
"""Each frame's values of the corrective keys, and the error of the posed result, measured on the take itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...inference_backend.errors import BadArgument
from .minimax import Basis
from .posed_clip import Batch, PosedClip

_ROUNDS: Final = 6
"""Weighings of a frame's vertices before it gets a key of its own."""
_HOPELESS: Final = 2.0
"""Times the tolerance: errors that weighing does not mend."""
_STRIDE: Final = 3
"""Every third vertex stands for its neighbours in the least squares, never in the errors."""
_FLOOR: Final = 1e-2
"""The least weight of a vertex, over the largest."""


@dataclass(frozen=True, eq=False)
class Fit:
    """Frames as sums of keys."""

    rows: NDArray[np.float32]
    """(K, 3N) what each key adds to the rest pose: metres, x of all vertices, then y, then z."""
    values: NDArray[np.float32]
    """(F, K)"""
    errors: NDArray[np.float32]
    """(F,) the largest distance of any vertex, posed, from the take's; metres."""

    def beyond(self, tolerance: float) -> NDArray[np.intp]:
        """The frames whose error is above the tolerance; metres."""
        return np.flatnonzero(self.errors > tolerance)

    def near(self, tolerance: float) -> NDArray[np.intp]:
        """Those of them that are not hopeless."""
        return np.flatnonzero((self.errors > tolerance) & (self.errors <= _HOPELESS * tolerance))


def least_squares(clip: PosedClip, basis: Basis, tick: Callable[[int], None]) -> Fit:
    """All frames' values under the vertices' weights of the basis; `tick` is told the frames done."""
    counts = np.tile(basis.weights**2, 3)
    normal = ((basis.rows * counts) @ basis.rows.T).astype(np.float64)
    solver = ((basis.rows * counts).T @ np.linalg.inv(normal)).astype(np.float32)
    values = np.empty((clip.frames, len(basis.rows)), np.float32)
    errors = np.empty(clip.frames, np.float32)
    for rows, batch in clip.batches():
        values[rows] = batch.offsets() @ solver
        errors[rows] = batch.distances(values[rows] @ basis.rows).max(1)
        tick(rows.stop)
    return Fit(basis.rows, values, errors)


def evened(clip: PosedClip, fit: Fit, weights: NDArray[np.float32], tolerance: float, tick: Callable[[], None]) -> Fit:
    """Frames near the tolerance brought within it, where least squares of their own can: by weights on what is off.

    Args:
        clip: the frames.
        fit: as far as it has come.
        weights: (N,) those of the basis.
        tolerance: metres.
        tick: called before each frame.
    """
    values, errors = fit.values.copy(), fit.errors.copy()
    sample = fit.rows.reshape(len(fit.rows), 3, clip.vertex_count)[:, :, ::_STRIDE]
    for frame in fit.near(tolerance):
        tick()
        batch = clip.read(int(frame), int(frame) + 1)
        values[frame], errors[frame] = _minimax(batch, fit.rows, sample, values[frame], weights**2, tolerance)
    return Fit(fit.rows, values, errors)


def with_shared_keys(
    clip: PosedClip, fit: Fit, weights: NDArray[np.float32], tolerance: float, tick: Callable[[], None]
) -> Fit:
    """Keys for the worst of the frames that `evened` left near the tolerance; the others try again with them."""
    while len(near := fit.near(tolerance)):
        worst = near[np.argsort(fit.errors[near])[-max(1, len(near) // 4) :]]
        fit = evened(clip, with_own_keys(clip, fit, worst, tolerance, tick), weights, tolerance, tick)
    return fit


def with_own_keys(
    clip: PosedClip, fit: Fit, frames: NDArray[np.intp], tolerance: float, tick: Callable[[], None]
) -> Fit:
    """A key more for each of these frames, which holds what the others lack there.

    Raises BadArgument where that does not bring it within the tolerance (metres).
    """
    errors, own = fit.errors.copy(), np.empty((len(frames), fit.rows.shape[1]), np.float32)
    alone = np.zeros((clip.frames, len(frames)), np.float32)
    for key, frame in enumerate(frames):
        tick()
        offsets, errors[frame] = _exactly(clip, int(frame), tolerance)
        own[key] = offsets - fit.values[frame] @ fit.rows
        alone[frame, key] = 1
    return Fit(np.concatenate([fit.rows, own]), np.concatenate([fit.values, alone], 1), errors)


def _exactly(clip: PosedClip, frame: int, tolerance: float) -> tuple[NDArray[np.float32], float]:
    """Offsets (3N,) of one frame and what they leave."""
    batch = clip.read(frame, frame + 1)
    try:
        offsets = batch.exact_offsets(tolerance)
        error = float(batch.distances(offsets).max())
    except np.linalg.LinAlgError:
        error = float("inf")
    if not error <= tolerance:
        raise BadArgument(
            f"the body cannot be compressed to {tolerance * 1e3:g} mm: a joint is turned inside out in row {frame}",
            hint="Choose the mesh cache or the absolute keys, which are exact, or mend that frame.",
            row=frame,
            error=error,
        )
    return offsets[0], error


def _minimax(
    frame: Batch,
    rows: NDArray[np.float32],
    sample: NDArray[np.float32],
    values: NDArray[np.float32],
    weights: NDArray[np.float32],
    tolerance: float,
) -> tuple[NDArray[np.float32], np.float32]:
    """Better values (K,) of one frame, and its largest distance with them. `sample` (K, 3, n) is a part of `rows`."""
    offsets = frame.offsets().reshape(3, -1)[:, ::_STRIDE].ravel()
    distances = frame.distances((values @ rows)[None])[0]
    best = values, distances.max()
    for _ in range(_ROUNDS if len(rows) else 0):
        weights = weights * np.maximum(distances / distances.max(), _FLOOR)
        weights /= weights.max()
        weighted = (sample * weights[::_STRIDE]).reshape(len(rows), -1)
        # Weights so far apart may leave keys that nothing holds: those stay small.
        normal = (weighted @ sample.reshape(len(rows), -1).T).astype(np.float64)
        normal += np.eye(len(rows)) * (1e-9 * np.trace(normal) / max(len(rows), 1))
        values = np.linalg.solve(normal, (weighted @ offsets).astype(np.float64)).astype(np.float32)
        distances = frame.distances((values @ rows)[None])[0]
        if distances.max() < best[1]:
            best = values, distances.max()
        if best[1] <= tolerance:
            break
    return best
