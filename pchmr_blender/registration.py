# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender is told of: classes in order, handlers, and what ends with the extension."""

from __future__ import annotations

from typing import Any, Final

import bpy

from . import installation, session
from .operators import clip, export, forms, logs, models, reconstruct, retarget, setup, suspects, takes
from .preferences import PCHMR_Preferences
from .scene import (
    aside,
    camera_follow,
    evidence,
    properties,
    retarget_settings,
    suspect_colours,
    suspect_settings,
    take_paths,
)
from .ui import export as export_panel
from .ui import menus, overlay, panels
from .ui import retarget as retarget_panel
from .ui import suspects as suspects_panel
from .ui import takes as takes_panel

CLASSES: Final[tuple[type, ...]] = (
    *properties.CLASSES,
    *retarget_settings.CLASSES,
    *suspect_settings.CLASSES,
    PCHMR_Preferences,
    *reconstruct.CLASSES,
    *setup.CLASSES,
    *models.CLASSES,
    *clip.CLASSES,
    *takes.CLASSES,
    *forms.CLASSES,
    *suspects.CLASSES,
    *export.CLASSES,
    *retarget.CLASSES,
    *logs.CLASSES,
    *menus.CLASSES,
    *panels.CLASSES,
    *takes_panel.CLASSES,
    *suspects_panel.CLASSES,
    *export_panel.CLASSES,
    *retarget_panel.CLASSES,
)
"""In this order: what is referred to comes first."""

HANDLERS: Final[tuple[tuple[str, Any], ...]] = (
    ("undo_post", aside.after_undo),
    ("redo_post", aside.after_undo),
    ("load_post", aside.disturb),
    ("depsgraph_update_post", camera_follow.after_update),
    ("frame_change_post", suspect_colours.after_frame_change),
    ("save_pre", take_paths.before_save),
    ("save_post", take_paths.after_save),
    ("load_post", take_paths.after_load),
    ("load_post", evidence.forget),
)
"""Names of `bpy.app.handlers`, and what they call."""


COMMAND: Final = "pchmr"
"""`blender -c pchmr …` does what `batch.py -- …` does, where the extension is enabled."""

_commands: Final[list[Any]] = []
"""Blender's handle of the command, while it is registered."""


def register() -> None:
    """Everything, or nothing and the error."""
    done: list[type] = []
    try:
        for cls in CLASSES:
            bpy.utils.register_class(cls)
            done.append(cls)
        properties.add_pointers()
        retarget_settings.add_pointer()
        suspect_settings.add_pointer()
    except Exception:
        for cls in reversed(done):
            bpy.utils.unregister_class(cls)
        raise
    for name, handler in HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)
    _commands.append(bpy.utils.register_cli_command(COMMAND, run_batch))
    overlay.add_drawing()
    installation.look()


def unregister() -> None:
    """The same backwards. The backend ends first: what it was at may use what goes."""
    session.current.close()
    overlay.remove_drawing()
    evidence.forget()
    installation.forget()
    bpy.utils.unregister_cli_command(_commands.pop())
    for name, handler in reversed(HANDLERS):
        getattr(bpy.app.handlers, name).remove(handler)
    suspect_settings.remove_pointer()
    retarget_settings.remove_pointer()
    properties.remove_pointers()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)


def run_batch(words: list[str]) -> int:
    """The command: a batch, by the words that stand behind its name; its exit code."""
    from .headless import command  # with a window nobody needs it

    return command.main(words)
