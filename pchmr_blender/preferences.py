# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's preferences: what belongs to this machine and not to a scene."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import EnumProperty, StringProperty

from . import installation
from .backend.environment import Device
from .backend.interpreters import program_in
from .constants import PACKAGE
from .ui import preferences_panel


class PCHMR_Preferences(bpy.types.AddonPreferences):
    """Which Python runs the backend, and how it is set up."""

    bl_idname = PACKAGE

    interpreter: StringProperty(  # type: ignore[valid-type]
        name="Interpreter",
        description="A Python of yours that has the backend's packages, or the folder of its environment. "
        "Empty: what Set Up Backend makes",
        subtype="FILE_PATH",
    )
    setup_device: EnumProperty(  # type: ignore[valid-type]
        name="Set Up For",
        description="What the backend is set up for",
        items=(
            ("AUTO", "Automatic", "What this machine seems to have"),
            (Device.CPU.name, "CPU", "The processor: the smallest download"),
            (Device.CUDA.name, "CUDA", "NVIDIA graphics cards"),
            (Device.MPS.name, "MPS", "Apple's graphics"),
        ),
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Only reads."""
        preferences_panel.draw(self, self.layout)


def preferences() -> PCHMR_Preferences | None:
    """The preferences; None where the extension was not enabled by Blender, but registered by a script."""
    addon = bpy.context.preferences.addons.get(PACKAGE)
    return None if addon is None else addon.preferences


def chosen_interpreter() -> Path | None:
    """The interpreter that the preferences name, there or not."""
    own = preferences()
    if own is None or not own.interpreter:
        return None
    return program_in(Path(bpy.path.abspath(own.interpreter)))


def find_interpreter() -> Path | None:
    """What runs the backend: the interpreter that was chosen, else the environment's; None where there is neither."""
    environment = installation.known().environment
    return chosen_interpreter() or (environment.interpreter if environment else None)


def is_set_up() -> bool:
    """Whether there is something to run the backend with, as far as is known. For poll and draw: reads memory only."""
    own = preferences()
    return installation.known().environment is not None or bool(own and own.interpreter)


def setup_device() -> Device | None:
    """What to set the backend up for; None: what the machine seems to have."""
    own = preferences()
    return None if own is None or own.setup_device == "AUTO" else Device[own.setup_device]
