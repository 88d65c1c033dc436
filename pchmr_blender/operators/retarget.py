# SPDX-License-Identifier: GPL-3.0-or-later
"""Moving another armature by a take: its bones guessed, from a preset or from a file, and the bake."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import StringProperty

from ...inference_backend.errors import BadArgument
from ..core.rig_presets import read_preset
from ..scene.retarget import check_armature, retarget_person
from ..scene.retarget_settings import is_foreign_armature, map_in, settings_in, show_map
from ..scene.rig_maps import guess_map, preset_files, preset_map, save_preset
from .reporting import Asking, Reporting, idle
from .request import absolute
from .takes import OfPerson, person_here


def armature_here(context: bpy.types.Context) -> bpy.types.Object:
    """The armature that was chosen, else the one that is selected. Raises BadArgument where that is not one."""
    chosen = context.scene.pchmr_retarget.armature
    if chosen is None:
        selected = [
            item for item in context.selected_objects if is_foreign_armature(context.scene.pchmr_retarget, item)
        ]
        if len(selected) > 1:
            raise BadArgument(
                f"{len(selected)} armatures are selected: {', '.join(item.name for item in selected[:4])}",
                hint="Choose one in the field Armature, or select only one.",
                armatures=[item.name for item in selected],
            )
        chosen = selected[0] if selected else None
    check_armature(chosen)
    return chosen


class OfArmature(Reporting):
    """Mixin of what is done with the armature that the panel is about."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return idle(cls, context)  # type: ignore[arg-type]


class PCHMR_OT_guess_bones(OfArmature, bpy.types.Operator):
    """Find out which bones of the armature do what: by the presets, by names, by the shape of its rest pose"""

    bl_idname = "pchmr.guess_bones"
    bl_label = "Guess Bones"
    bl_options = {"UNDO"}

    def run(self, context: bpy.types.Context) -> set[str]:
        armature = armature_here(context)
        chosen = guess_map(armature)
        show_map(context.scene.pchmr_retarget, chosen, chosen.preset or "Guessed")
        self.report({"INFO"}, f"{len(chosen.bones)} bones: {chosen.preset or 'guessed'}")  # type: ignore[attr-defined]
        return {"FINISHED"}


class PCHMR_OT_use_rig_preset(OfArmature, bpy.types.Operator):
    """Take the bones from this preset"""

    bl_idname = "pchmr.use_rig_preset"
    bl_label = "Use Rig Preset"
    bl_options = {"UNDO", "INTERNAL"}

    name: StringProperty(name="Preset", description="Name of the preset's file")  # type: ignore[valid-type]

    def run(self, context: bpy.types.Context) -> set[str]:
        files = preset_files()
        if self.name not in files:
            raise BadArgument(
                f"there is no rig preset {self.name}", hint=f"Presets: {', '.join(sorted(files))}.", known=sorted(files)
            )
        chosen = preset_map(files[self.name], armature_here(context))
        show_map(context.scene.pchmr_retarget, chosen, chosen.preset)
        return {"FINISHED"}


class PCHMR_OT_open_rig_preset(OfArmature, bpy.types.Operator):
    """Take the bones from a preset's file"""

    bl_idname = "pchmr.open_rig_preset"
    bl_label = "Open Rig Preset…"
    bl_options = {"UNDO"}

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})  # type: ignore[valid-type]
    filter_glob: StringProperty(default="*.toml", options={"HIDDEN"})  # type: ignore[valid-type]

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def run(self, context: bpy.types.Context) -> set[str]:
        file = absolute(self.filepath)
        chosen = preset_map(file, armature_here(context))
        show_map(context.scene.pchmr_retarget, chosen, read_preset(file).name)
        return {"FINISHED"}


class PCHMR_OT_save_rig_preset(OfArmature, Asking, bpy.types.Operator):
    """Keep these bones as a preset of your own"""

    bl_idname = "pchmr.save_rig_preset"
    bl_label = "Save Rig Preset…"

    name: StringProperty(name="Name", description="What the preset is called")  # type: ignore[valid-type]

    def ask(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self.name = self.name or armature_here(context).name
        return set(context.window_manager.invoke_props_dialog(self))

    def run(self, context: bpy.types.Context) -> set[str]:
        chosen = map_in(context.scene.pchmr_retarget, armature_here(context))
        file: Path = save_preset(self.name, chosen)
        self.report({"INFO"}, f"Wrote {file}")  # type: ignore[attr-defined]
        return {"FINISHED"}


class PCHMR_OT_retarget(OfPerson, bpy.types.Operator):
    """Bake the take's motion onto the armature, as an action of its own; one of the same take is replaced"""

    bl_idname = "pchmr.retarget"
    bl_label = "Retarget"
    bl_options = {"UNDO"}

    def run(self, context: bpy.types.Context) -> set[str]:
        fields, person = context.scene.pchmr_retarget, person_here(context)
        armature = armature_here(context)
        guessed = None if fields.pairs else guess_map(armature)
        chosen = guessed or map_in(fields, armature)
        outcome = retarget_person(
            person,
            armature,
            chosen,
            settings_in(fields),
            context.scene,
            mute_constraints=fields.mute_constraints,
        )
        if guessed is not None:
            show_map(fields, guessed, guessed.preset or "Guessed")
        fields.report = "\n".join(outcome.lines())
        self.report({"INFO"}, outcome.lines()[0])  # type: ignore[attr-defined]
        return {"FINISHED"}


CLASSES = (
    PCHMR_OT_guess_bones,
    PCHMR_OT_use_rig_preset,
    PCHMR_OT_open_rig_preset,
    PCHMR_OT_save_rig_preset,
    PCHMR_OT_retarget,
)
