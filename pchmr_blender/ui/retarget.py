# SPDX-License-Identifier: GPL-3.0-or-later
"""The take's motion on another armature: which one, which of its bones do what, and what became of it."""

from __future__ import annotations

import bpy

from ..core.bone_map import EXPECTED, REQUIRED, label
from ..scene.handles import active_person
from ..scene.rig_maps import preset_files
from .messages import draw_text
from .panels import Tab


class PCHMR_UL_rig_pairs(bpy.types.UIList):
    """A role and its bone"""

    bl_idname = "PCHMR_UL_rig_pairs"

    def draw_item(
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        data: bpy.types.PropertyGroup,
        item: bpy.types.PropertyGroup,
        icon: int,
        active_data: bpy.types.PropertyGroup,
        active_property: str,
    ) -> None:
        row = layout.split(factor=0.4)
        row.label(text=label(item.role))
        bone = row.row()
        armature = data.armature
        if armature is None:
            bone.prop(item, "bone", text="")
            return
        gone = bool(item.bone) and item.bone not in armature.data.bones
        bone.alert = gone or (not item.bone and item.role in REQUIRED)
        bone.prop_search(item, "bone", armature.data, "bones", text="")


class PCHMR_MT_rig_presets(bpy.types.Menu):
    """Makes of rigs"""

    bl_idname = "PCHMR_MT_rig_presets"
    bl_label = "Rig Presets"

    def draw(self, context: bpy.types.Context) -> None:
        for name in sorted(preset_files()):
            self.layout.operator("pchmr.use_rig_preset", text=name.replace("_", " ").title()).name = name
        self.layout.separator()
        self.layout.operator("pchmr.open_rig_preset", icon="FILEBROWSER")
        self.layout.operator("pchmr.save_rig_preset", icon="FILE_TICK")


class PCHMR_PT_retarget(Tab, bpy.types.Panel):
    """Onto another armature"""

    bl_idname = "PCHMR_PT_retarget"
    bl_label = "Retarget"
    bl_parent_id = "PCHMR_PT_takes"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return active_person(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout, fields, width = self.layout, context.scene.pchmr_retarget, context.region.width
        layout.prop(fields, "armature", text="")
        row = layout.row(align=True)
        row.operator("pchmr.guess_bones", icon="VIEWZOOM")
        row.menu("PCHMR_MT_rig_presets", text="", icon="DOWNARROW_HLT")
        if fields.pairs:
            draw_pairs(layout, fields, width)
        options = layout.column()
        options.use_property_split = True
        options.use_property_decorate = False
        options.prop(fields, "root")
        options.prop(fields, "foot_lock")
        follow = options.row()
        follow.enabled = fields.foot_lock
        follow.prop(fields, "hips_follow")
        options.prop(fields, "mute_constraints")
        layout.operator("pchmr.retarget", icon="POSE_HLT")
        for line in fields.report.splitlines():
            draw_text(layout, line, width, "DOT")


def draw_pairs(layout: bpy.types.UILayout, fields: bpy.types.PropertyGroup, width: int) -> None:
    """The list, where it comes from, and what it lacks."""
    layout.label(text=f"Bones: {fields.origin}", translate=False)
    layout.template_list("PCHMR_UL_rig_pairs", "", fields, "pairs", fields, "row", rows=8)
    mapped = {row.role for row in fields.pairs if row.bone}
    lacking = [label(role) for role in EXPECTED if role not in mapped]
    if lacking:
        icon = "ERROR" if any(role not in mapped for role in REQUIRED) else "INFO"
        draw_text(layout, f"Without a bone: {', '.join(lacking)}", width, icon)


CLASSES = (PCHMR_UL_rig_pairs, PCHMR_MT_rig_presets, PCHMR_PT_retarget)
