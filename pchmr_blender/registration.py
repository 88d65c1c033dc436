# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender is told of: classes in order, handlers, and what ends with the extension."""

from __future__ import annotations

from typing import Any, Final

import bpy

from . import installation, session
from .operators import clip, export, forms, logs, models, reconstruct, setup, takes
from .preferences import PCHMR_Preferences
from .scene import properties, take_paths
from .ui import export as export_panel
from .ui import menus, panels
from .ui import takes as takes_panel

CLASSES: Final[tuple[type, ...]] = (
    *properties.CLASSES,
    PCHMR_Preferences,
    *reconstruct.CLASSES,
    *setup.CLASSES,
    *models.CLASSES,
    *clip.CLASSES,
    *takes.CLASSES,
    *forms.CLASSES,
    *export.CLASSES,
    *logs.CLASSES,
    *menus.CLASSES,
    *panels.CLASSES,
    *takes_panel.CLASSES,
    *export_panel.CLASSES,
)
"""In this order: what is referred to comes first."""

HANDLERS: Final[tuple[tuple[str, Any], ...]] = (
    ("save_pre", take_paths.before_save),
    ("load_post", take_paths.after_load),
)
"""Names of `bpy.app.handlers`, and what they call."""


def register() -> None:
    """Everything, or nothing and the error."""
    done: list[type] = []
    try:
        for cls in CLASSES:
            bpy.utils.register_class(cls)
            done.append(cls)
        properties.add_pointers()
    except Exception:
        for cls in reversed(done):
            bpy.utils.unregister_class(cls)
        raise
    for name, handler in HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)
    installation.look()


def unregister() -> None:
    """The same backwards. The backend ends first: what it was at may use what goes."""
    session.current.close()
    installation.forget()
    for name, handler in reversed(HANDLERS):
        getattr(bpy.app.handlers, name).remove(handler)
    properties.remove_pointers()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
