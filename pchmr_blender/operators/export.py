# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing a person to a file for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty

from ..scene.exports import ExportOptions, Format, export
from .reporting import Asking
from .request import absolute
from .takes import OfPerson, person_here

_MODES: Final = ("OBJECT", "POSE")
"""In others some exporters fail, and what is edited is not in the data yet."""


class PCHMR_OT_export_person(OfPerson, Asking, bpy.types.Operator):
    """Write this person to a file, by Blender's own exporter"""

    bl_idname = "pchmr.export_person"
    bl_label = "Export"

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})  # type: ignore[valid-type]
    format: EnumProperty(name="Format", items=[(one.value, one.label, "") for one in Format])  # type: ignore[valid-type]
    skeleton_only: BoolProperty(name="Skeleton Only", description="Bones without the body")  # type: ignore[valid-type]
    check_existing: BoolProperty(default=True, options={"HIDDEN"})  # type: ignore[valid-type]
    filter_glob: StringProperty(options={"HIDDEN", "SKIP_SAVE"})  # type: ignore[valid-type]

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if context.mode not in _MODES:
            cls.poll_message_set("Go to Object Mode or Pose Mode first")
            return False
        return super().poll(context)

    def ask(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        person = person_here(context)
        folder = Path(bpy.data.filepath).parent if bpy.data.filepath else Path.home()
        self.filepath = str(folder / f"{bpy.path.clean_name(person.name)}.{self.format}")
        self.filter_glob = f"*.{self.format}"
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def run(self, context: bpy.types.Context) -> set[str]:
        person = person_here(context)
        path = absolute(self.filepath).with_suffix(f".{self.format}")
        content = "SKELETON" if self.skeleton_only else "BODY"
        export(person, path, Format(self.format), ExportOptions(content=content))
        self.report({"INFO"}, f"Wrote {path}")  # type: ignore[attr-defined]
        return {"FINISHED"}


CLASSES = (PCHMR_OT_export_person,)
