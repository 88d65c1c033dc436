# SPDX-License-Identifier: GPL-3.0-or-later
"""The clean-up: presets, the layers with their parameters, and what each does as numbers."""

from __future__ import annotations

from typing import Final

import bpy

from ..core.cleanup_fields import LAYERS
from ..core.layer_effects import changes, lines
from ..scene.cleanup import frames_behind, is_outdated, layers_or_told, measured_of, trouble
from ..scene.cleanup_presets import is_used, preset_files
from ..scene.handles import active_person
from .messages import draw_text
from .panels import Tab


class PCHMR_MT_cleanup_presets(bpy.types.Menu):
    """Parameters for kinds of motion"""

    bl_idname = "PCHMR_MT_cleanup_presets"
    bl_label = "Preset"

    def draw(self, context: bpy.types.Context) -> None:
        person = active_person(context)
        for name, file in sorted(preset_files().items()):
            icon = "CHECKMARK" if person is not None and is_used(person, file) else "BLANK1"
            title = name.replace("_", " ").title()
            self.layout.operator("pchmr.use_cleanup_preset", text=title, icon=icon).name = name
        self.layout.separator()
        self.layout.operator("pchmr.open_cleanup_preset", icon="FILEBROWSER")
        self.layout.operator("pchmr.save_cleanup_preset", icon="FILE_TICK")


class OfCleanup(Tab):
    """Mixin of the panels below Cleanup."""

    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        person = active_person(context)
        return person is not None and not person.pchmr.baked and layers_or_told(person) is not None


class PCHMR_PT_cleanup(Tab, bpy.types.Panel):
    """What is made of the fitted pose before the artist's edits"""

    bl_idname = "PCHMR_PT_cleanup"
    bl_label = "Cleanup"
    bl_parent_id = "PCHMR_PT_takes"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return active_person(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout, person, width = self.layout, active_person(context), context.region.width
        if person is None:
            return
        if person.pchmr.baked:
            draw_text(layout, "The targets were baked: import the take again to clean it up.", width, "INFO")
            return
        wrong = trouble(person)
        if wrong:
            draw_text(layout, wrong, width, "ERROR")
        if layers_or_told(person) is None:
            layout.operator("pchmr.adopt_cleanup", icon="IMPORT")
            return
        layout.menu("PCHMR_MT_cleanup_presets", icon="PRESET")
        row = layout.row(align=True)
        row.scale_y = 1.3
        row.operator("pchmr.apply_cleanup", icon="CHECKMARK")
        row.operator("pchmr.measure_cleanup", icon="DRIVER_DISTANCE")
        behind = frames_behind(person)
        if behind is not None and behind[0]:
            draw_text(layout, f"{behind[0]} of {behind[1]} frames are not made with this yet.", width, "ERROR")
        draw_measured(layout, person, width)


def draw_measured(layout: bpy.types.UILayout, person: bpy.types.Collection, width: int) -> None:
    """What all layers do together."""
    measured = measured_of(person)
    if measured is None or not measured.effects:
        draw_text(layout, "Measure shows what the layers do, as numbers.", width, "INFO")
        return
    draw_numbers(layout, person, lines(measured.effects[0].before, measured.effects[-1].after))
    if is_outdated(person):
        draw_text(layout, "These are of other parameters.", width, "INFO")


def draw_numbers(layout: bpy.types.UILayout, person: bpy.types.Collection, shown: list[tuple[str, str]]) -> None:
    """Names and numbers, faint where they are of other parameters."""
    column = layout.column(align=True)
    column.active = not is_outdated(person)
    for name, number in shown:
        row = column.split(factor=0.4)
        row.label(text=name)
        row.label(text=number, translate=False)


def draw_fields(layout: bpy.types.UILayout, person: bpy.types.Collection, layer: str, *, advanced: bool) -> None:
    """The parameters of a layer, either the usual ones or the others."""
    own = getattr(person.pchmr_cleanup, layer)
    layout.use_property_split = True
    layout.use_property_decorate = False
    layout.active = own.enabled
    for key, field in LAYERS[layer].fields.items():
        if field.advanced == advanced and key != "enabled":
            layout.prop(own, key)


def _layer_panel(layer: str) -> type:
    """The panel of one layer."""

    def draw_header(self: bpy.types.Panel, context: bpy.types.Context) -> None:
        person = active_person(context)
        if person is not None:
            self.layout.prop(getattr(person.pchmr_cleanup, layer), "enabled", text="")

    def draw(self: bpy.types.Panel, context: bpy.types.Context) -> None:
        person = active_person(context)
        if person is None:
            return
        draw_fields(self.layout.column(), person, layer, advanced=False)
        measured = measured_of(person)
        effect = measured.of(layer) if measured is not None else None
        if effect is not None and getattr(person.pchmr_cleanup, layer).enabled:
            draw_numbers(self.layout, person, changes(effect))

    name = f"PCHMR_PT_cleanup_{layer}"
    return type(name, (OfCleanup, bpy.types.Panel), {
        "__doc__": f"The layer {LAYERS[layer].name}", "__module__": __name__, "bl_idname": name,
        "bl_label": LAYERS[layer].name, "bl_parent_id": "PCHMR_PT_cleanup", "draw_header": draw_header, "draw": draw,
    })  # fmt: skip


def _advanced_panel(layer: str) -> type:
    """The folded panel of a layer's other parameters."""

    def draw(self: bpy.types.Panel, context: bpy.types.Context) -> None:
        person = active_person(context)
        if person is not None:
            draw_fields(self.layout.column(), person, layer, advanced=True)

    name = f"PCHMR_PT_cleanup_{layer}_advanced"
    return type(name, (OfCleanup, bpy.types.Panel), {
        "__doc__": f"More of the layer {LAYERS[layer].name}", "__module__": __name__, "bl_idname": name,
        "bl_label": "Advanced", "bl_parent_id": f"PCHMR_PT_cleanup_{layer}", "draw": draw,
    })  # fmt: skip


PANELS: Final = tuple(panel for layer in LAYERS for panel in (_layer_panel(layer), _advanced_panel(layer)))
"""Of the layers, in their order."""

CLASSES = (PCHMR_MT_cleanup_presets, PCHMR_PT_cleanup, *PANELS)
