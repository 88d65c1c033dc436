# SPDX-License-Identifier: GPL-3.0-or-later
"""The body's compressed animation: skinned to the skeleton, and corrective shape keys with a curve each."""

from __future__ import annotations

from typing import Final

import bpy
import numpy as np
from numpy.typing import NDArray

from ..core.compress import Correctives
from ..core.sliders import bends
from ..steps import Status, Steps
from .actions import new_action, write_curves
from .shape_keys import BASIS

MODIFIER: Final = "Skeleton"
STAGE: Final = "Adding corrective keys"


def add_correctives(
    holder: bpy.types.Object,
    correctives: Correctives,
    rest_vertices: NDArray[np.float32],
    frames: NDArray[np.float64],
    share_with: bpy.types.Action | None = None,
) -> Steps[None]:
    """Give an object's mesh, which has none, the keys and their curves.

    Args:
        holder: the body, or what holds its new mesh for now.
        correctives: K keys of F frames.
        rest_vertices: (N, 3) metres.
        frames: (F,) scene frames.
        share_with: the action to share where actions have slots, best the skeleton's; else there is a new one.
    """
    count = len(correctives.offsets)
    if not count:
        return
    holder.shape_key_add(name=BASIS, from_mix=False)
    # One action for bones and keys: glTF would write two animations for two.
    new_action(holder.data.shape_keys, holder.name, share_with)
    for number, (offsets, values) in enumerate(zip(correctives.offsets, correctives.values.T, strict=True), 1):
        key = holder.shape_key_add(name=f"Corrective {number:03d}", from_mix=False)
        key.points.foreach_set("co", (rest_vertices + offsets).ravel())
        used, path = bends(values), f'key_blocks["{key.name}"].value'
        write_curves(holder.data.shape_keys, path, frames[used], values[used], "Correctives")
        yield Status(STAGE, number / count, detail=f"{number} of {count}")


def skin(body: bpy.types.Object, skeleton: bpy.types.Object) -> None:
    """Let the body follow the skeleton's bones, and be moved with it as a whole."""
    body.parent = skeleton
    modifier = body.modifiers.new(MODIFIER, "ARMATURE")
    modifier.object = skeleton
