# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bones the artist has stretched, and by how much. No bpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...inference_backend.skeletons import PARENTS

_LEAST: Final = 0.005
"""Of a bone's length: what is less is not shown."""


@dataclass(frozen=True)
class Stretched:
    """A bone that is longer or shorter than the person's."""

    joint: int
    """Where it ends."""
    share: float
    """How much longer, of its length; shorter: below 0."""


def stretched_bones(
    places: NDArray[np.float64], base: NDArray[np.float64], stretch: NDArray[np.float64]
) -> list[Stretched]:
    """The bones that may leave their length, and have.

    Args:
        places: (24, 3) of the controls, metres. base: (24, 3) of the base pose, whose bones have their lengths.
        stretch: (24,) what the controls hold, 0 to 1.
    """
    found = []
    for joint, parent in enumerate(PARENTS):
        if parent < 0 or stretch[joint] <= 0:
            continue
        length = np.linalg.norm(base[joint] - base[parent])
        share = float(np.linalg.norm(places[joint] - places[parent]) / max(length, 1e-6) - 1)
        if abs(share) > _LEAST:
            found.append(Stretched(joint, share))
    return found
