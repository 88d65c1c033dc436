# SPDX-License-Identifier: GPL-3.0-or-later
"""Which render engine a preview can have.

Workbench draws with the graphics card, or with a driver that imitates one. Where there is neither, Blender does not say
so: it crashes. So another Blender is asked first.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from typing import Final

import bpy

from ...inference_backend.errors import ExportRefused

_SECONDS: Final = 120.0
"""How long the other Blender may take: drivers compile their shaders at the first start."""

_TRIAL: Final = """
import bpy, sys
bpy.ops.wm.read_factory_settings()
scene = bpy.context.scene
scene.render.engine = "BLENDER_WORKBENCH"
scene.render.resolution_x = scene.render.resolution_y = 16
bpy.ops.render.render()
import gpu
print("PCHMR DRAWN BY", gpu.platform.device_type_get(), flush=True)
"""


@dataclass(frozen=True)
class Engine:
    """How pictures are made."""

    name: str
    """BLENDER_WORKBENCH or CYCLES."""
    smooth: bool = True
    """Whether edges are smoothed: without a graphics card it takes most of the time."""
    notice: str = ""
    """Why it is not the usual one, in words."""


@cache
def find_engine() -> Engine:
    """Workbench; where this machine cannot draw, Cycles, which is slow. Some seconds, once in a session.

    Raises ExportRefused where there is no Cycles either.
    """
    drawn_by, reason = _try_workbench()
    if drawn_by is not None:
        return Engine("BLENDER_WORKBENCH", smooth=drawn_by != "SOFTWARE")
    if not hasattr(bpy.types.Scene, "cycles"):
        raise ExportRefused(
            f"Blender cannot draw here ({reason}), and has no Cycles",
            hint="Switch the add-on Cycles on, install a graphics driver (OpenGL, EGL), or make no preview.",
            reason=reason,
        )
    return Engine("CYCLES", notice=f"Workbench cannot draw here ({reason}): Cycles renders the preview, which is slow")


def _try_workbench() -> tuple[str | None, str]:
    """What draws in another Blender, NVIDIA or SOFTWARE and the like; None and why where nothing does."""
    if bpy.app.binary_path:
        command = [bpy.app.binary_path, "-b", "--factory-startup", "--python-exit-code", "1", "--python-expr", _TRIAL]
    else:  # Blender as a module
        command = [sys.executable, "-c", _TRIAL]
    try:
        ended = subprocess.run(
            command, capture_output=True, stdin=subprocess.DEVNULL, timeout=_SECONDS, text=True, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, str(error).splitlines()[0]
    told = [line.rpartition(" ")[2] for line in ended.stdout.splitlines() if line.startswith("PCHMR DRAWN BY")]
    if told:
        # Some drivers crash as they are left, with everything done.
        return told[0], ""
    said = [line for line in ended.stderr.splitlines() if line.strip()]
    return None, said[-1].strip() if said else f"a trial ended with {ended.returncode}"
