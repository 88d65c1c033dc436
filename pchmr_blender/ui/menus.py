# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists to choose from: movie clips that are open, presets."""

from __future__ import annotations

import bpy

from .. import installation


class PCHMR_MT_movie_clips(bpy.types.Menu):
    """Movie clips that are open in this file"""

    bl_idname = "PCHMR_MT_movie_clips"
    bl_label = "Movie Clips"

    def draw(self, context: bpy.types.Context) -> None:
        for clip in bpy.data.movieclips:
            self.layout.operator(
                "pchmr.use_movie_clip", text=clip.name, icon="TRACKER", translate=False
            ).name = clip.name


class PCHMR_MT_presets(bpy.types.Menu):
    """How to solve"""

    bl_idname = "PCHMR_MT_presets"
    bl_label = "Presets"

    def draw(self, context: bpy.types.Context) -> None:
        for name in installation.preset_names():
            self.layout.operator("pchmr.use_preset", text=name.replace("_", " ").title()).name = name
        self.layout.separator()
        self.layout.operator("pchmr.choose_preset", icon="FILEBROWSER")


CLASSES = (PCHMR_MT_movie_clips, PCHMR_MT_presets)
