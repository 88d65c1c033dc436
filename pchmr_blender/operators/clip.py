# SPDX-License-Identifier: GPL-3.0-or-later
"""Filling in the panel's fields: a clip that is open already, a preset, a device."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty, StringProperty

from ...inference_backend.errors import SceneChanged
from ..scene.open_footage import KINDS, numbered, open_footage
from .reporting import Reporting

__all__ = ["CLASSES", "numbered"]


class PCHMR_OT_use_movie_clip(Reporting, bpy.types.Operator):
    """Take footage that is open in this file"""

    bl_idname = "pchmr.use_movie_clip"
    bl_label = "Use Open Footage"
    bl_options = {"UNDO", "INTERNAL"}

    kind: EnumProperty(name="Kind", description="Where it is open", items=KINDS)  # type: ignore[valid-type]
    name: StringProperty(name="Name", description="Of the movie clip, the image or the strip")  # type: ignore[valid-type]

    def run(self, context: bpy.types.Context) -> set[str]:
        there = open_footage(context.scene)
        footage = next((one for one in there if (one.kind, one.name) == (self.kind, self.name)), None)
        if footage is None:
            kind = next(title for kind, title, *_ in KINDS if kind == self.kind).lower()
            raise SceneChanged(f"there is no {kind} {self.name}", hint="Choose another, or a file.")
        context.scene.pchmr.clip = footage.path
        return {"FINISHED"}


class PCHMR_OT_use_preset(Reporting, bpy.types.Operator):
    """Solve with this preset"""

    bl_idname = "pchmr.use_preset"
    bl_label = "Use Preset"
    bl_options = {"UNDO", "INTERNAL"}

    name: StringProperty(name="Name", description="Of the preset")  # type: ignore[valid-type]

    def run(self, context: bpy.types.Context) -> set[str]:
        context.scene.pchmr.preset = self.name
        return {"FINISHED"}


class PCHMR_OT_use_clip_cleanup(Reporting, bpy.types.Operator):
    """Clean takes up with this preset when they are made"""

    bl_idname = "pchmr.use_clip_cleanup"
    bl_label = "Use Clean-up"
    bl_options = {"UNDO", "INTERNAL"}

    name: StringProperty(name="Name", description="Of the preset")  # type: ignore[valid-type]

    def run(self, context: bpy.types.Context) -> set[str]:
        context.scene.pchmr.cleanup = self.name
        return {"FINISHED"}


class PCHMR_OT_choose_preset(Reporting, bpy.types.Operator):
    """Solve with a preset of yours, in a .toml file"""

    bl_idname = "pchmr.choose_preset"
    bl_label = "Preset File…"
    bl_options = {"UNDO", "INTERNAL"}

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})  # type: ignore[valid-type]
    filter_glob: StringProperty(default="*.toml", options={"HIDDEN"})  # type: ignore[valid-type]

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def run(self, context: bpy.types.Context) -> set[str]:
        context.scene.pchmr.preset = self.filepath
        return {"FINISHED"}


class PCHMR_OT_choose_output(Reporting, bpy.types.Operator):
    """Choose the folder that takes are written to"""

    bl_idname = "pchmr.choose_output"
    bl_label = "Choose Output Folder…"
    bl_options = {"UNDO", "INTERNAL"}

    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE"})  # type: ignore[valid-type]
    filter_folder: StringProperty(default="", options={"HIDDEN"})  # type: ignore[valid-type]

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def run(self, context: bpy.types.Context) -> set[str]:
        context.scene.pchmr.out = self.directory
        return {"FINISHED"}


class PCHMR_OT_choose_clip(Reporting, bpy.types.Operator):
    """Choose a movie, or a folder of images"""

    bl_idname = "pchmr.choose_clip"
    bl_label = "Choose Clip…"
    bl_options = {"UNDO", "INTERNAL"}

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})  # type: ignore[valid-type]

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def run(self, context: bpy.types.Context) -> set[str]:
        context.scene.pchmr.clip = self.filepath
        return {"FINISHED"}


class PCHMR_OT_use_cpu(Reporting, bpy.types.Operator):
    """Compute on the processor, which has more memory and is slower"""

    bl_idname = "pchmr.use_cpu"
    bl_label = "Use the CPU"
    bl_options = {"UNDO", "INTERNAL"}

    def run(self, context: bpy.types.Context) -> set[str]:
        context.scene.pchmr.device = "CPU"
        return {"FINISHED"}


CLASSES = (
    PCHMR_OT_use_movie_clip,
    PCHMR_OT_use_preset,
    PCHMR_OT_use_clip_cleanup,
    PCHMR_OT_choose_preset,
    PCHMR_OT_choose_output,
    PCHMR_OT_choose_clip,
    PCHMR_OT_use_cpu,
)
