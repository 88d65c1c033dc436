# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a row of the take is what the .blend says, so that it can be shown without asking anybody."""

from __future__ import annotations

import bpy

from ...inference_backend.targets.parameters import read_layers
from ..core.edit_rows import EditRows
from ..core.takes import PersonView
from ..scene import edit_state, edits
from .request import changed_joints


def is_calibrated(person: bpy.types.Collection, view: PersonView, row: int, held: EditRows) -> bool:
    """Edits that were not recalibrated included. `held`: by the controls; one row. Raises as `edits.sample`."""
    sampled = edits.sample(person, [row])
    if changed_joints(sampled, held):
        return False  # unkeyed, or the scene's frame is between two rows
    layers = read_layers(edit_state.layers_of(person)).canonical()
    return bool(sampled.hashes(layers)[0] == view.row_hashes[row])
