# SPDX-License-Identifier: GPL-3.0-or-later
"""One undo step for a drag: Blender's transform has pushed its own, before anything else could be done to the scene.

That step holds controls that were moved and not keyed. It is taken back, which leads to the state before the drag; what
the drag has made is written into that, and pushed. So one Ctrl-Z takes back all of it, and a redo brings all of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import bpy

_replacing = False


def transforming() -> bool:
    """Whether the user moves, turns or scales something."""
    if bpy.app.background:
        return False
    running = [one for window in bpy.context.window_manager.windows for one in window.modal_operators]
    return any(one.bl_idname.startswith("TRANSFORM_OT_") for one in running)


def replacing() -> bool:
    """Whether an undo is this module's own, so that nobody need look what has changed."""
    return _replacing


@contextmanager
def one_step(name: str) -> Iterator[None]:
    """Takes back the last step; what is done meanwhile is pushed as one of that name.

    References into Blender's data are dead inside. Where the user has no undo, it is done all the same.
    """
    global _replacing
    window = bpy.context.window or next(iter(bpy.context.window_manager.windows), None)
    undoes = bpy.context.preferences.edit.use_global_undo and window is not None and not bpy.app.background
    if not undoes:
        yield
        return
    _replacing = True
    try:
        with bpy.context.temp_override(window=window):
            if bpy.ops.ed.undo.poll():
                bpy.ops.ed.undo()
    finally:
        _replacing = False
    yield
    with bpy.context.temp_override(window=window):
        bpy.ops.ed.undo_push(message=name)
