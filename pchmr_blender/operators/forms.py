# SPDX-License-Identifier: GPL-3.0-or-later
"""Changing how the body's animation is kept, with what each form costs said before."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty, FloatProperty

from ...inference_backend.errors import Cancelled
from .. import session
from ..activities import Job, Work
from ..core.form_costs import FORMS, Form, form_cost
from ..core.pc2 import CacheCorrupt
from ..core.relocate import cache_folder
from ..scene.body_forms import Subject, change_form
from ..scene.handles import Handle, handle_of, part_of, placing_of, resolve
from ..scene.take_paths import mend_paths, open_person
from .backend_jobs import begin, push_undo
from .reporting import Asking
from .takes import OfPerson, person_here


class PCHMR_OT_set_form(OfPerson, Asking, bpy.types.Operator):
    """Keep the body's animation in another form; says before how large it gets"""

    bl_idname = "pchmr.set_form"
    bl_label = "Change Body Form"

    form: EnumProperty(name="Form", items=FORMS)  # type: ignore[valid-type]
    tolerance_mm: FloatProperty(  # type: ignore[valid-type]
        name="Tolerance",
        description="Largest error of the compressed form, in millimetres",
        default=1.0,
        min=0.05,
        max=50.0,
        precision=2,
    )

    def ask(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        person = person_here(context)
        _, view = open_person(person)
        self.form, self.tolerance_mm = person.pchmr.form, person.pchmr.tolerance_mm or 1.0
        self.size = view.frame_count, view.vertex_count
        return context.window_manager.invoke_props_dialog(self, width=560)

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        for value, name, _ in FORMS:
            row = layout.split(factor=0.25)
            row.prop_enum(self, "form", value, text=name)
            row.label(text=cost_text(Form(value), *self.size, self.tolerance_mm))
        row = layout.row()
        row.enabled = self.form == Form.COMPRESSED.value
        row.prop(self, "tolerance_mm", text="Largest Error (mm)")

    def run(self, context: bpy.types.Context) -> set[str]:
        person = person_here(context)
        return begin(Job(f"Changing {person.name}", changing(handle_of(person), Form(self.form), self.tolerance_mm)))


def changing(handle: Handle, form: Form, tolerance_mm: float) -> Work:
    """Give a person's body another form, and say so. Raises what `open_person` and `change_form` raise."""
    take, view = open_person(resolve(handle))

    def find() -> Subject:
        person = resolve(handle)
        return Subject(part_of(person, "BODY"), part_of(person, "SKELETON"), placing_of(person))

    try:
        yield from change_form(find, view, form, tolerance_mm=tolerance_mm, cache_folder=cache_folder(take.folder))
    except Cancelled as error:
        raise Cancelled(error.message, hint="The body is as it was.") from error
    person = resolve(handle)
    person.pchmr.form, person.pchmr.tolerance_mm = form.value, tolerance_mm
    if person.pchmr.problem_kind == CacheCorrupt.__name__:  # which this has mended
        mend_paths(person)
    label = next(name for value, name, _ in FORMS if value == form.value)
    session.current.notice = f"{person.name} has its body as {label}."
    push_undo("Change Body Form")


def cost_text(form: Form, frames: int, vertices: int, tolerance_mm: float) -> str:
    """What a form costs, in a line."""
    cost = form_cost(form, frames, vertices, tolerance_mm)
    about = "about " if cost.estimated else ""
    parts = [f"{about}{megabytes(cost.blend)} in the .blend", f"{about}{megabytes(cost.memory)} of memory"]
    if cost.disk:
        parts.append(f"{megabytes(cost.disk)} beside the take")
    return ", ".join(parts)


def megabytes(size: int) -> str:
    """Bytes as people read them."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


CLASSES = (PCHMR_OT_set_form,)
