# SPDX-License-Identifier: GPL-3.0-or-later
"""The clean-up of a person: presets, what it would do, and into the mesh."""

from __future__ import annotations

import bpy
from bpy.props import StringProperty

from ...inference_backend.errors import BadArgument
from ..cleanup_jobs import measuring
from ..recalibration import start_recalibration
from ..scene.cleanup import adopt_layers, is_outdated, required_layers
from ..scene.cleanup_presets import preset_files, save_preset, use_preset
from ..scene.edit_state import stale
from ..scene.handles import handle_of
from ..scene.take_paths import open_person
from .backend_jobs import begin_job
from .reporting import Asking
from .request import absolute
from .takes import OfPerson, person_here


class PCHMR_OT_use_cleanup_preset(OfPerson, bpy.types.Operator):
    """Take the parameters from this preset; foot contact strips of yours stay"""

    bl_idname = "pchmr.use_cleanup_preset"
    bl_label = "Use Cleanup Preset"
    bl_options = {"UNDO", "INTERNAL"}

    name: StringProperty(name="Preset", description="Name of the preset's file")  # type: ignore[valid-type]

    def run(self, context: bpy.types.Context) -> set[str]:
        files = preset_files()
        if self.name not in files:
            raise BadArgument(
                f"there is no clean-up preset {self.name}",
                hint=f"Presets: {', '.join(sorted(files))}.",
                known=sorted(files),
            )
        use_preset(person_here(context), files[self.name])
        return {"FINISHED"}


class PCHMR_OT_open_cleanup_preset(OfPerson, bpy.types.Operator):
    """Take the parameters from a preset's file"""

    bl_idname = "pchmr.open_cleanup_preset"
    bl_label = "Open Cleanup Preset…"
    bl_options = {"UNDO"}

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})  # type: ignore[valid-type]
    filter_glob: StringProperty(default="*.toml", options={"HIDDEN"})  # type: ignore[valid-type]

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def run(self, context: bpy.types.Context) -> set[str]:
        use_preset(person_here(context), absolute(self.filepath))
        return {"FINISHED"}


class PCHMR_OT_save_cleanup_preset(OfPerson, Asking, bpy.types.Operator):
    """Keep these parameters as a preset of your own; foot contact strips belong to the take and are left out"""

    bl_idname = "pchmr.save_cleanup_preset"
    bl_label = "Save Cleanup Preset…"

    name: StringProperty(name="Name", description="What the preset is called")  # type: ignore[valid-type]

    def ask(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return set(context.window_manager.invoke_props_dialog(self))

    def run(self, context: bpy.types.Context) -> set[str]:
        file = save_preset(person_here(context), self.name)
        self.report({"INFO"}, f"Wrote {file}")  # type: ignore[attr-defined]
        return {"FINISHED"}


class PCHMR_OT_adopt_cleanup(OfPerson, bpy.types.Operator):
    """Take the parameters over from the take, as it was reconstructed with"""

    bl_idname = "pchmr.adopt_cleanup"
    bl_label = "Take Over From Take"
    bl_options = {"UNDO"}

    def run(self, context: bpy.types.Context) -> set[str]:
        adopt_layers(person_here(context))
        return {"FINISHED"}


class PCHMR_OT_measure_cleanup(OfPerson, bpy.types.Operator):
    """Ask the backend what these parameters would do, as numbers; the mesh stays as it is"""

    bl_idname = "pchmr.measure_cleanup"
    bl_label = "Measure"

    def run(self, context: bpy.types.Context) -> set[str]:
        person = person_here(context)
        required_layers(person)
        return measure(person)


class PCHMR_OT_apply_cleanup(OfPerson, bpy.types.Operator):
    """Let the mesh follow these parameters: every frame that was made from others is made again"""

    bl_idname = "pchmr.apply_cleanup"
    bl_label = "Apply Cleanup"
    bl_options = {"UNDO"}

    def run(self, context: bpy.types.Context) -> set[str]:
        person = person_here(context)
        required_layers(person)
        _, view = open_person(person)
        differ = len(stale(person, view))
        told = f"{differ} of {view.frame_count} frames are made again" if differ else "Every frame is up to date"
        self.report({"INFO"}, told)  # type: ignore[attr-defined]
        if differ:
            start_recalibration(person, f"Cleaning up {person.name}")
        elif is_outdated(person):
            measure(person)
        return {"FINISHED"}


def measure(person: bpy.types.Collection) -> set[str]:
    """Begin to measure. Raises EnvironmentInvalid where there is no backend."""
    handle = handle_of(person)
    return begin_job(f"Measuring {person.name}", lambda client: measuring(handle, client))


CLASSES = (
    PCHMR_OT_use_cleanup_preset,
    PCHMR_OT_open_cleanup_preset,
    PCHMR_OT_save_cleanup_preset,
    PCHMR_OT_adopt_cleanup,
    PCHMR_OT_measure_cleanup,
    PCHMR_OT_apply_cleanup,
)
