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
PREFIX: Final = "Corrective "
"""What the names of the keys begin with; an artist's keys have others."""
GROUP: Final = "Correctives"
"""Channel group of their curves."""


def add_correctives(
    holder: bpy.types.Object,
    correctives: Correctives,
    rest_vertices: NDArray[np.float32],
    frames: NDArray[np.float64],
    share_with: bpy.types.Action | None = None,
) -> Steps[None]:
    """Give an object's mesh, which has none, the keys and their curves; at least the rest pose.

    So the data-block that holds keys is there from now on. Rows are shown anew without a step of undo, and Blender may
    crash in an undo after a data-block came or went without one.

    Args:
        holder: the body, or what holds its new mesh for now.
        correctives: K keys of F frames.
        rest_vertices: (N, 3) metres.
        frames: (F,) scene frames.
        share_with: the action to share where actions have slots, best the skeleton's; else there is a new one.
    """
    count = len(correctives.offsets)
    holder.shape_key_add(name=BASIS, from_mix=False)
    # One action for bones and keys: glTF would write two animations for two.
    new_action(holder.data.shape_keys, holder.name, share_with)
    for number, (offsets, values) in enumerate(zip(correctives.offsets, correctives.values.T, strict=True), 1):
        add_corrective(holder, number, rest_vertices + offsets, frames, values)
        yield Status(STAGE, number / count, detail=f"{number} of {count}")


def add_corrective(
    holder: bpy.types.Object,
    number: int,
    points: NDArray[np.float32],
    frames: NDArray[np.float64],
    values: NDArray[np.float32],
) -> None:
    """One key more, and its curve. Shape: points (N, 3) metres, values (F,) of 0 to 1 at `frames`."""
    key = holder.shape_key_add(name=f"{PREFIX}{number:03d}", from_mix=False)
    key.points.foreach_set("co", points.ravel())
    write_values(holder.data.shape_keys, key.name, frames, values)


def write_values(keys: bpy.types.Key, name: str, frames: NDArray[np.float64], values: NDArray[np.float32]) -> None:
    """Give a key its value in each frame: keys of the curve only where it bends."""
    used = bends(values)
    write_curves(keys, value_path(name), frames[used], values[used], GROUP)


def value_path(name: str) -> str:
    """The property of a key's value, seen from the mesh's shape keys."""
    return f'key_blocks["{name}"].value'


def skin(body: bpy.types.Object, skeleton: bpy.types.Object) -> None:
    """Let the body follow the skeleton's bones, and be moved with it as a whole."""
    body.parent = skeleton
    modifier = body.modifiers.new(MODIFIER, "ARMATURE")
    modifier.object = skeleton
