# SPDX-License-Identifier: GPL-3.0-or-later
"""Which file formats this Blender can write, and of what, in words."""

from __future__ import annotations

from typing import Final

import bpy

from ...inference_backend.errors import ExportRefused
from ..core.file_formats import CARRIED, Content, Format
from ..core.form_costs import FORMS, Form

_ADDONS: Final = {
    Format.FBX: ("EXPORT_SCENE_OT_fbx", "FBX format"),
    Format.GLB: ("EXPORT_SCENE_OT_gltf", "glTF 2.0 format"),
}
"""Operators that come with an add-on of Blender's, and the add-on's name."""


def available(file_format: Format) -> str | None:
    """Why this Blender cannot write the format, in words; None where it can. Quick enough for draw()."""
    if file_format in _ADDONS:
        operator, addon = _ADDONS[file_format]
        return None if hasattr(bpy.types, operator) else f'The add-on "{addon}" is switched off in the preferences.'
    built_in = {Format.USD: bpy.app.build_options.usd, Format.ABC: bpy.app.build_options.alembic}
    if not built_in.get(file_format, True):
        return f"This Blender was built without {file_format.label}; the one from blender.org has it."
    return None


def refusal(file_format: Format, form: Form | None, content: Content = "BODY") -> ExportRefused | None:
    """Why the format cannot be written of a body in this form (None: at rest); None where it can. For draw(), too."""
    reason = available(file_format)
    if reason is not None:
        return ExportRefused(reason, hint="Choose another format, or another Blender.", format=file_format.value)
    if content == "SKELETON" and not file_format.has_bones():
        return ExportRefused(
            f"{file_format.label} carries the body, and no bones",
            hint=f"Choose {Format.BVH.label}, {Format.FBX.label} or {Format.GLB.label} for bones.",
            format=file_format.value,
        )
    if not file_format.has_body(content) or form in CARRIED[file_format]:
        return None
    if form is None:
        return ExportRefused("the body does not move", hint="Choose the form of its animation.")
    names = {value: name for value, name, _ in FORMS}
    wanted = CARRIED[file_format][0]
    others = [one.label for one in Format if one.has_body(content) and form in CARRIED[one] and available(one) is None]
    return ExportRefused(
        f"{file_format.label} cannot carry a body in the form {names[form.value]}",
        hint=f"Switch the body to {names[wanted.value]}, or choose {' or '.join([*others, 'the skeleton only'])}.",
        format=file_format.value,
        form=wanted.value,
    )
