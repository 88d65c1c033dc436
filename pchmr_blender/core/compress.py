# SPDX-License-Identifier: GPL-3.0-or-later
"""Compression: a skinned body and a few corrective shape keys in place of a mesh a frame, within a maximum error.

1  what skinning leaves of each frame is carried back to the rest pose        `inverse_skinning`, `posed_clip`
2  those offsets are streamed into a space of few dimensions                  `low_rank`
3  the fewest rows of it that keep the error become the keys                  `minimax`
4  each frame's key values are found, and its error measured, posed           `key_values`
5  values become what sliders have, 0 to 1                                    `sliders`
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...inference_backend.errors import BadArgument
from .key_values import evened, least_squares, with_own_keys, with_shared_keys
from .low_rank import LowRank
from .minimax import fewest_rows
from .posed_clip import NEGLIGIBLE, PosedClip
from .sliders import to_sliders

LEAST_TOLERANCE_MM: Final = 0.05
"""Below it Blender's float32 counts."""

_SLACKS: Final = (1.1, 0.95)
"""Of the tolerance: what the search is allowed. The first, because a frame's least squares of its own take as much off
again; where they do not, the second, because the search sees a sample of the vertices."""
_FEW: Final = 0.5
"""Of the keys: how many frames may be left over by the least squares before the next slack is tried."""


@dataclass(frozen=True, eq=False)
class Correctives:
    """Corrective shape keys and what they do."""

    offsets: NDArray[np.float32]
    """(K, N, 3) what each key adds to the rest pose at value 1: metres, rest frame."""
    values: NDArray[np.float32]
    """(F, K) value of each key in each frame, 0 to 1."""
    max_error: float
    """The largest distance of any vertex, posed, from the take's in any frame; metres."""


def compress(clip: PosedClip, tolerance_mm: float, tick: Callable[[int, int], None]) -> Correctives:
    """Compress a clip.

    Args:
        clip: meshes and the skeleton's motion, of the same frames.
        tolerance_mm: millimetres that no vertex of any frame is further off than, posed.
        tick: told steps done and their number, several times a second; what it raises ends the work.

    Raises:
        BadArgument: a tolerance that cannot be kept.
    """
    if not tolerance_mm >= LEAST_TOLERANCE_MM:
        raise BadArgument(
            f"a tolerance of {tolerance_mm:g} mm cannot be kept",
            hint=f"Choose {LEAST_TOLERANCE_MM:g} mm or more; the mesh cache and the absolute keys are exact.",
            tolerance_mm=tolerance_mm,
        )
    tolerance, count = tolerance_mm / 1000, clip.frames
    steps = 2 * count

    space = LowRank(3 * clip.vertex_count, tolerance)
    for rows, batch in clip.batches():
        offsets = batch.offsets()
        # A few frames with a joint turned inside out would fill the space: they get keys of their own.
        space.add(offsets[batch.distances(offsets).max(1) <= NEGLIGIBLE * tolerance])
        tick(rows.stop, steps)
    low_rank = space.finish()
    for slack in _SLACKS:
        basis = fewest_rows(*low_rank, tolerance * slack, lambda: tick(count, steps))
        fit = least_squares(clip, basis, lambda done: tick(count + done, steps))
        fit = evened(clip, fit, basis.weights, tolerance, lambda: tick(2 * count, steps))
        if len(fit.near(tolerance)) <= _FEW * len(basis.rows):
            break
    fit = with_shared_keys(clip, fit, basis.weights, tolerance, lambda: tick(2 * count, steps))
    fit = with_own_keys(clip, fit, fit.beyond(tolerance), tolerance, lambda: tick(2 * count, steps))

    keys, values = to_sliders(fit.rows, fit.values)
    offsets = keys.reshape(len(keys), 3, clip.vertex_count).transpose(0, 2, 1)
    return Correctives(np.ascontiguousarray(offsets), values, float(fit.errors.max()))
