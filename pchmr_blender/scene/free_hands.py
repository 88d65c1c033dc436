# SPDX-License-Identifier: GPL-3.0-or-later
"""When the data may be changed that Blender's user works with: not in a render or a drag, nor in a mode of its own."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final

import bpy

_FREE: Final = {"OBJECT", "POSE"}
"""Modes without an undo of their own."""


def free_hands() -> Generator[str, Any, bool]:
    """Wait until the scene may be changed; whether there was a mode to wait for, in which meshes may have changed."""
    edited = False
    while hands_full():
        edited = edited or _in_a_mode()
        yield "Ready, and waiting for you to finish, in object mode"
    return edited


def hands_full() -> bool:
    """Whether the user is at something that the scene must not change under."""
    if bpy.app.background:
        return False
    if any(bpy.app.is_job_running(job) for job in ("RENDER", "OBJECT_BAKE")):
        return True  # it reads the scene in a thread of its own
    windows = bpy.context.window_manager.windows
    running = [operator.bl_idname for window in windows for operator in window.modal_operators]
    return any(name.startswith("TRANSFORM_OT_") for name in running) or _in_a_mode()


def _in_a_mode() -> bool:
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        return bpy.context.mode not in _FREE
