# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender is told of: classes in order, handlers, and what ends with the extension."""

from __future__ import annotations

from typing import Any, Final

import bpy

from . import installation, session, sync
from .live import mode as edit_mode
from .operators import (
    cleanup,
    clip,
    contact_strips,
    correct_detections,
    edit_pose,
    export,
    forms,
    logs,
    models,
    recalibrate,
    reconstruct,
    retarget,
    setup,
    suspects,
    takes,
)
from .preferences import PCHMR_Preferences
from .scene import (
    aside,
    camera_follow,
    cleanup_settings,
    compare,
    correction_settings,
    edit_settings,
    evidence,
    properties,
    retarget_settings,
    suspect_colours,
    suspect_settings,
    take_paths,
)
from .ui import cleanup as cleanup_panel
from .ui import compare as compare_drawing
from .ui import contact_strips as contact_strips_panel
from .ui import corrections as corrections_panel
from .ui import edit as edit_panel
from .ui import edit_overlay, menus, overlay, panels, strip_lanes
from .ui import edit_pose as edit_pose_panel
from .ui import export as export_panel
from .ui import retarget as retarget_panel
from .ui import suspects as suspects_panel
from .ui import takes as takes_panel

CLASSES: Final[tuple[type, ...]] = (
    *properties.CLASSES,
    *edit_settings.CLASSES,
    *cleanup_settings.CLASSES,
    *retarget_settings.CLASSES,
    *suspect_settings.CLASSES,
    *correction_settings.CLASSES,
    PCHMR_Preferences,
    *reconstruct.CLASSES,
    *setup.CLASSES,
    *models.CLASSES,
    *clip.CLASSES,
    *takes.CLASSES,
    *forms.CLASSES,
    *suspects.CLASSES,
    *correct_detections.CLASSES,
    *cleanup.CLASSES,
    *contact_strips.CLASSES,
    *recalibrate.CLASSES,
    *edit_pose.CLASSES,
    *export.CLASSES,
    *retarget.CLASSES,
    *logs.CLASSES,
    *menus.CLASSES,
    *panels.CLASSES,
    *takes_panel.CLASSES,
    *suspects_panel.CLASSES,
    *corrections_panel.CLASSES,
    *edit_pose_panel.CLASSES,
    *edit_panel.CLASSES,
    *cleanup_panel.CLASSES,
    *contact_strips_panel.CLASSES,
    *export_panel.CLASSES,
    *retarget_panel.CLASSES,
)
"""In this order: what is referred to comes first."""

HANDLERS: Final[tuple[tuple[str, Any], ...]] = (
    ("undo_post", aside.after_undo),
    ("redo_post", aside.after_undo),
    ("undo_post", edit_mode.after_undo),
    ("redo_post", edit_mode.after_undo),
    ("load_post", aside.disturb),
    ("depsgraph_update_post", camera_follow.after_update),
    ("depsgraph_update_post", edit_mode.after_update),
    ("frame_change_post", edit_mode.after_frame_change),
    ("frame_change_post", suspect_colours.after_frame_change),
    ("load_post", edit_mode.after_load),
    ("save_pre", edit_mode.before_save),
    ("save_post", edit_mode.after_save),
    ("save_post_fail", edit_mode.after_save),
    ("save_pre", take_paths.before_save),
    ("save_post", take_paths.after_save),
    ("load_post", take_paths.after_load),
    ("load_post", evidence.forget),
    ("load_post", compare.forget),
    ("undo_post", sync.after_change),
    ("redo_post", sync.after_change),
    ("load_post", sync.after_change),
    ("save_post", sync.after_change),
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
        edit_settings.add_pointers()
        cleanup_settings.add_pointer()
        retarget_settings.add_pointer()
        suspect_settings.add_pointer()
        correction_settings.add_pointer()
    except Exception:
        for cls in reversed(done):
            bpy.utils.unregister_class(cls)
        raise
    for name, handler in HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)
    _commands.append(bpy.utils.register_cli_command(COMMAND, run_batch))
    overlay.add_drawing()
    strip_lanes.add_drawing()
    edit_overlay.add_drawing()
    compare_drawing.add_drawing()
    installation.look()


def unregister() -> None:
    """The same backwards. The backend ends first: what it was at may use what goes."""
    edit_mode.stop()
    session.current.close()
    sync.forget()
    compare_drawing.remove_drawing()
    edit_overlay.remove_drawing()
    strip_lanes.remove_drawing()
    overlay.remove_drawing()
    compare.forget()
    evidence.forget()
    installation.forget()
    bpy.utils.unregister_cli_command(_commands.pop())
    for name, handler in reversed(HANDLERS):
        getattr(bpy.app.handlers, name).remove(handler)
    correction_settings.remove_pointer()
    suspect_settings.remove_pointer()
    retarget_settings.remove_pointer()
    cleanup_settings.remove_pointer()
    edit_settings.remove_pointers()
    properties.remove_pointers()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)


def run_batch(words: list[str]) -> int:
    """The command: a batch, by the words that stand behind its name; its exit code."""
    from .headless import command  # with a window nobody needs it

    return command.main(words)
