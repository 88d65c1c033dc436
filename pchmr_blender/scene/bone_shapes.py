# SPDX-License-Identifier: GPL-3.0-or-later
"""The control bones' custom shape: a ball of three circles, seen and grabbed from any side."""

from __future__ import annotations

from math import cos, sin, tau
from typing import Final

import bpy

_MARK: Final = "pchmr_shape"
_CORNERS: Final = 24


def control_shape() -> bpy.types.Object:
    """The ball, of radius 1: one for all controls of the file, in no collection, so that it shows only on bones."""
    for existing in bpy.data.objects:
        if existing.get(_MARK) == "ball" and existing.library is None and existing.data is not None:
            return existing
    circle = [(cos(tau * i / _CORNERS), sin(tau * i / _CORNERS)) for i in range(_CORNERS)]
    points = [(x, y, 0.0) for x, y in circle] + [(0.0, x, y) for x, y in circle] + [(y, 0.0, x) for x, y in circle]
    edges = [
        (ring + i, ring + (i + 1) % _CORNERS) for ring in range(0, 3 * _CORNERS, _CORNERS) for i in range(_CORNERS)
    ]
    mesh = bpy.data.meshes.new("PC-HMR Control")
    mesh.from_pydata(points, edges, [])
    ball = bpy.data.objects.new("PC-HMR Control", mesh)
    ball[_MARK] = "ball"
    return ball
