# SPDX-License-Identifier: GPL-3.0-or-later
"""What the artist does to the selected controls, as the backend is asked for it."""

from __future__ import annotations

import numpy as np

from ..core.edit_rows import EditAxes
from ..scene.live_controls import Held, LiveControls
from .request import Wish


def wishes_of(controls: LiveControls, held: Held, rest: Held, axes: EditAxes) -> tuple[Wish, ...]:
    """The selected controls that hold something else than at rest; parents come before their children in `JOINTS`."""
    moved, turned = held.moved(rest), held.turned(rest)
    row = held.edits(axes) if turned.any() else None
    return tuple(
        Wish(
            int(joint),
            controls.place(joint, held, rest) if moved[joint] else None,
            row.turn[0, joint] if row is not None and turned[joint] else None,
        )
        for joint in np.flatnonzero(controls.selected() & (moved | turned))
    )
