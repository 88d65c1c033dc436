# SPDX-License-Identifier: GPL-3.0-or-later
"""USD and Alembic: the body's vertices frame by frame, whatever moves them, by Blender's own exporters."""

from __future__ import annotations

from pathlib import Path

import bpy


def write_usd(path: Path) -> None:
    """USD of the meshes on the stage: z up, metres. Raises RuntimeError."""
    bpy.ops.wm.usd_export(
        filepath=str(path),
        check_existing=False,
        export_animation=True,
        # Points and not a rig: the other forms have none that USD knows.
        export_armatures=False,
        export_shapekeys=False,
        export_hair=False,
        # Smooth is what readers make of a mesh without normals; with them the file is five times as large.
        export_normals=False,
        convert_orientation=False,
        convert_world_material=False,
    )


def write_abc(path: Path, stage: bpy.types.Scene) -> None:
    """Alembic of the meshes on the stage: y up, as always in Alembic; metres. Raises RuntimeError."""
    bpy.ops.wm.alembic_export(
        filepath=str(path),
        check_existing=False,
        start=stage.frame_start,
        end=stage.frame_end,
        as_background_job=False,
        export_hair=False,
        export_particles=False,
    )
