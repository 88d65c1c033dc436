# SPDX-License-Identifier: GPL-3.0-or-later
"""The body's compressed animation: skinned to the skeleton, and corrective shape keys with a curve each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import bpy
import numpy as np
from numpy.typing import NDArray

from ..core.compress import Correctives, compress
from ..core.inverse_skinning import Skin, deform_transforms
from ..core.posed_clip import PosedClip
from ..core.skeleton import rest_bones, skeleton_pose
from ..core.takes import PersonView
from ..core.timing import Placing
from .actions import action_of, new_action, write_curves
from .body import skin_weights
from .shape_keys import BASIS

MODIFIER: Final = "Skeleton"


def compressed(
    body: bpy.types.Object, person: PersonView, tolerance_mm: float, tick: Callable[[int, int], None]
) -> Correctives:
    """The keys that a skinned body needs; see `core.compress`. The scene stays as it is."""
    rest = rest_bones(person.rest_joints)
    transforms = deform_transforms(rest, skeleton_pose(rest, person.rotations, person.joints))
    skin = Skin(np.ascontiguousarray(person.rest_vertices.T, np.float32), skin_weights(body))
    return compress(PosedClip(person.vertices, skin, transforms), tolerance_mm, tick)


def add_correctives(
    body: bpy.types.Object,
    skeleton: bpy.types.Object,
    correctives: Correctives,
    person: PersonView,
    placing: Placing,
) -> None:
    """Skin the body to the skeleton and give it the keys and their curves."""
    if len(correctives.offsets):
        _add_keys(body, skeleton, correctives, person, placing)
    # Moved as a whole, body and skeleton must move alike.
    body.parent = skeleton
    modifier = body.modifiers.new(MODIFIER, "ARMATURE")
    modifier.object = skeleton


def _add_keys(
    body: bpy.types.Object,
    skeleton: bpy.types.Object,
    correctives: Correctives,
    person: PersonView,
    placing: Placing,
) -> None:
    body.shape_key_add(name=BASIS, from_mix=False)
    keys = body.data.shape_keys
    # One action for bones and keys: glTF would write two animations for two.
    new_action(keys, body.name, share_with=action_of(skeleton))
    frames = placing.frames(person.seconds)
    for number, (offsets, values) in enumerate(zip(correctives.offsets, correctives.values.T, strict=True), 1):
        key = body.shape_key_add(name=f"Corrective {number:03d}", from_mix=False)
        key.slider_min, key.slider_max = -1.0, 1.0  # values are clamped to the slider
        key.points.foreach_set("co", (person.rest_vertices + offsets).ravel())
        used = _used(values)
        write_curves(keys, f'key_blocks["{key.name}"].value', frames[used], values[used], "Correctives")


def _used(values: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Frames in which a key is not 0, and those beside them. Shape: (F,)."""
    used = values != 0
    used[1:] |= values[:-1] != 0
    used[:-1] |= values[1:] != 0
    return used
