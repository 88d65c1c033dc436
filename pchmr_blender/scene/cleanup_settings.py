# SPDX-License-Identifier: GPL-3.0-or-later
"""`Collection.pchmr_cleanup`: the clean-up's parameters as sliders and switches, and the list of foot contact strips.

The parameters are views: each reads and writes its value in `Collection.pchmr_edit.layers`, and keeps none of its own.
What cannot be written is not, and `problem` says why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import bpy
from bpy.props import BoolProperty, CollectionProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

from ...inference_backend.targets.parameters import OPTIONS
from ..core.cleanup_fields import LAYERS, SHARE, Field, same, typed
from .cleanup import layers_or_told, required_layers, told, write_layers
from .strip_rows import StripRow

_HIDDEN: Final = {"HIDDEN"}
_STILL: Final[set[str]] = set()
"""Options of what cannot be animated."""


def _view(layer: str, key: str) -> tuple[Callable[[Any], Any], Callable[[Any, Any], None]]:
    """What reads and writes a parameter; where there are no layers to read, its default is shown."""
    default = OPTIONS[f"{layer}.{key}"].default

    def read(settings: bpy.types.PropertyGroup) -> Any:
        layers = layers_or_told(settings.id_data)
        return default if layers is None else getattr(getattr(layers, layer), key)

    def write(settings: bpy.types.PropertyGroup, value: Any) -> None:
        told(settings.id_data, lambda: _write(settings.id_data, layer, key, value))

    return read, write


def _write(person: bpy.types.Collection, layer: str, key: str, value: Any) -> None:
    layers = required_layers(person)
    section = getattr(layers, layer)
    if isinstance(value, float) and same(value, getattr(section, key)):
        return
    value = typed(value) if isinstance(value, float) else value
    write_layers(person, replace(layers, **{layer: replace(section, **{key: value})}))


def _property(layer: str, key: str, field: Field) -> Any:
    """A parameter as Blender's property."""
    option = OPTIONS[f"{layer}.{key}"]
    read, write = _view(layer, key)
    text = option.text[0].upper() + option.text[1:]
    common = {"name": field.name, "default": option.default, "get": read, "set": write, "options": _STILL}
    if isinstance(option.default, bool):
        return BoolProperty(description=text, **common)
    low, high = field.soft or (option.low, option.high)
    look = {"subtype": SHARE} if field.unit == SHARE else {"unit": field.unit}
    return FloatProperty(
        description=f"{text}. Default: {option.default:g}", min=option.low, max=option.high, soft_min=low,
        soft_max=high, step=1, precision=field.precision, **look, **common,
    )  # fmt: skip


def _group(layer: str) -> type:
    """The property group of one layer."""
    fields = {key: _property(layer, key, field) for key, field in LAYERS[layer].fields.items()}
    name = f"Cleanup{layer.title().replace('_', '')}"
    text = f"The parameters of the layer {LAYERS[layer].name}."
    return type(name, (bpy.types.PropertyGroup,), {"__doc__": text, "__annotations__": fields, "__module__": __name__})


GROUPS: Final[dict[str, type]] = {layer: _group(layer) for layer in LAYERS}
"""The property group of each layer."""


class CleanupSettings(bpy.types.PropertyGroup):
    """Of one person."""

    gap_fill: PointerProperty(type=GROUPS["gap_fill"])  # type: ignore[valid-type]
    outliers: PointerProperty(type=GROUPS["outliers"])  # type: ignore[valid-type]
    smoothing: PointerProperty(type=GROUPS["smoothing"])  # type: ignore[valid-type]
    floor: PointerProperty(type=GROUPS["floor"])  # type: ignore[valid-type]
    foot_contact: PointerProperty(type=GROUPS["foot_contact"])  # type: ignore[valid-type]
    strips: CollectionProperty(type=StripRow, options=_HIDDEN)  # type: ignore[valid-type]
    """A row for each of the artist's strips."""
    strip: IntProperty(name="Strip", options=_HIDDEN)  # type: ignore[valid-type]
    """Which row is chosen."""
    shown: BoolProperty(  # type: ignore[valid-type]
        name="Show in Timeline",
        description="Draw when feet stand in timelines and dope sheets: blue the left, red the right, heels above toes",
        default=True,
        options=_STILL,
    )
    problem: StringProperty(options=_HIDDEN)  # type: ignore[valid-type]
    """Why the last change was refused; empty where it was not."""


CLASSES: Final = (*GROUPS.values(), StripRow, CleanupSettings)
"""To be registered, in this order."""


def add_pointer() -> None:
    """Hang the settings on collections. After `CLASSES` are registered."""
    bpy.types.Collection.pchmr_cleanup = PointerProperty(type=CleanupSettings)


def remove_pointer() -> None:
    """Undo `add_pointer`."""
    del bpy.types.Collection.pchmr_cleanup
