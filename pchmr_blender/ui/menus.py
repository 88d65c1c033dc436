# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists to choose from: footage that is open, presets."""

from __future__ import annotations

from typing import Final

import bpy

from .. import installation
from ..scene.cleanup_presets import preset_files
from ..scene.open_footage import KINDS, open_footage

_ICONS: Final = {kind: icon for kind, _, _, icon, _ in KINDS}


class PCHMR_MT_movie_clips(bpy.types.Menu):
    """Footage that is open in this file"""

    bl_idname = "PCHMR_MT_movie_clips"
    bl_label = "Open Footage"

    def draw(self, context: bpy.types.Context) -> None:
        for footage in open_footage(context.scene):
            button = self.layout.operator(
                "pchmr.use_movie_clip", text=footage.name, icon=_ICONS[footage.kind], translate=False
            )
            button.kind, button.name = footage.kind, footage.name


class PCHMR_MT_presets(bpy.types.Menu):
    """How to solve"""

    bl_idname = "PCHMR_MT_presets"
    bl_label = "Presets"

    def draw(self, context: bpy.types.Context) -> None:
        for name in installation.preset_names():
            self.layout.operator("pchmr.use_preset", text=name.replace("_", " ").title()).name = name
        self.layout.separator()
        self.layout.operator("pchmr.choose_preset", icon="FILEBROWSER")


class PCHMR_MT_clip_cleanup(bpy.types.Menu):
    """What is done to the pose of a new take"""

    bl_idname = "PCHMR_MT_clip_cleanup"
    bl_label = "Clean-up"

    def draw(self, context: bpy.types.Context) -> None:
        for name in sorted(preset_files(), key=lambda name: (name != "default", name == "off", name)):
            self.layout.operator("pchmr.use_clip_cleanup", text=name.replace("_", " ").title()).name = name


CLASSES = (PCHMR_MT_movie_clips, PCHMR_MT_presets, PCHMR_MT_clip_cleanup)
