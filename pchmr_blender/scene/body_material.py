# SPDX-License-Identifier: GPL-3.0-or-later
"""What the body looks like: matt clay, in another hue for each person of a take."""

from __future__ import annotations

from typing import Final

import bpy

_COLOURS: Final = (
    (0.60, 0.47, 0.39), (0.35, 0.48, 0.62), (0.45, 0.58, 0.37), (0.62, 0.40, 0.48), (0.56, 0.54, 0.36),
    (0.43, 0.40, 0.60),
)  # fmt: skip
_ROUGHNESS: Final = 0.65


def create_material(name: str, person: int) -> bpy.types.Material:
    """A material for the person of that index, in renders and in the solid viewport."""
    material = bpy.data.materials.new(name)
    if material.node_tree is None:
        material.use_nodes = True
    colour = (*_COLOURS[person % len(_COLOURS)], 1.0)
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = colour
    shader.inputs["Roughness"].default_value = _ROUGHNESS
    material.diffuse_color, material.roughness = colour, _ROUGHNESS
    return material
