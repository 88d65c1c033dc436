# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done with takes in the scene: bring one in, find a lost one again, show its footage, move it, finish it."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import FloatProperty, StringProperty

from ...inference_backend.errors import SceneChanged
from ...inference_backend.take_info import read_info
from .. import sync
from ..activities import Job, Work
from ..backend.client import Client
from ..core.relocate import TakeAddress, find_take
from ..core.timing import Placing
from ..scene.bake import bake
from ..scene.free_hands import free_hands
from ..scene.handles import Handle, active_person, find_part, group_of, handle_of, people_in, placing_of, resolve
from ..scene.retime import retime
from ..scene.take_paths import mend_paths, remember_take, take_folder
from ..scene.timeline import rate_of
from .backend_jobs import begin, begin_job, push_undo
from .reconstruct import bring_in, import_options, stand_in
from .reporting import Asking, Reporting, idle
from .request import absolute


class OfPerson(Reporting):
    """Mixin of what is done to the person that the panel is about."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if active_person(context) is None:
            cls.poll_message_set("Select a part of a take")  # type: ignore[attr-defined]
            return False
        return idle(cls, context)  # type: ignore[arg-type]


def person_here(context: bpy.types.Context) -> bpy.types.Collection:
    """Whom the panel is about. Raises SceneChanged where that is nobody."""
    person = active_person(context)
    if person is None:
        raise SceneChanged("nothing of a take is selected", hint="Select a part of a take.")
    return person


class PCHMR_OT_import_take(Reporting, bpy.types.Operator):
    """Bring a take that is on the disk into the scene"""

    bl_idname = "pchmr.import_take"
    bl_label = "Import Take…"

    directory: StringProperty(name="Take", description="The take's folder", subtype="DIR_PATH", options={"SKIP_SAVE"})  # type: ignore[valid-type]

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return idle(cls, context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if self.directory:
            return self.execute(context)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def run(self, context: bpy.types.Context) -> set[str]:
        folder, scene = absolute(self.directory), context.scene
        work = bring_in(folder, import_options(scene.pchmr), scene.session_uid, "Import Take")
        begin(Job(f"Importing {folder.name}", work))
        sync.agree_without_window()
        return {"FINISHED"}


class PCHMR_OT_select_person(Reporting, bpy.types.Operator):
    """Select this person's body: the panel is about it then"""

    bl_idname = "pchmr.select_person"
    bl_label = "Select Person"
    bl_options = {"UNDO", "INTERNAL"}

    collection: StringProperty(name="Person", description="Name of the person's collection")  # type: ignore[valid-type]

    def run(self, context: bpy.types.Context) -> set[str]:
        person = next((one for one in people_in(context.scene) if one.name == self.collection), None)
        shown = () if person is None else tuple(one for one in person.objects if one.visible_get())
        body = None if person is None else find_part(person, "BODY")
        chosen = body if body in shown else next(iter(shown), None)
        if chosen is None:
            raise SceneChanged(f"nothing of {self.collection} is visible", hint="Show its collection in the outliner.")
        for item in context.selected_objects:
            item.select_set(False)
        chosen.select_set(True)
        context.view_layer.objects.active = chosen
        return {"FINISHED"}


class PCHMR_OT_relink_take(OfPerson, bpy.types.Operator):
    """Say where the take's folder is now"""

    bl_idname = "pchmr.relink_take"
    bl_label = "Find Take…"
    bl_options = {"UNDO"}

    directory: StringProperty(name="Take", description="The take's folder", subtype="DIR_PATH", options={"SKIP_SAVE"})  # type: ignore[valid-type]

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def run(self, context: bpy.types.Context) -> set[str]:
        person = person_here(context)
        relink(person, absolute(self.directory))
        return {"FINISHED"}


class PCHMR_OT_make_stand_in(OfPerson, bpy.types.Operator):
    """Let the backend make a movie of the footage that Blender can show: upright and at a constant rate"""

    bl_idname = "pchmr.make_stand_in"
    bl_label = "Make Stand-In"

    def run(self, context: bpy.types.Context) -> set[str]:
        person = person_here(context)
        handle, folder = handle_of(person), take_folder(person)
        return begin_job("Making a stand-in", lambda client: standing_in(client, folder, handle))


class PCHMR_OT_retime_take(OfPerson, Asking, bpy.types.Operator):
    """Move the take in time, with its footage and all keys"""

    bl_idname = "pchmr.retime_take"
    bl_label = "Retime"
    bl_options = {"UNDO"}

    start: FloatProperty(name="Start", description="Scene frame of the footage's first moment", default=1.0)  # type: ignore[valid-type]
    speed: FloatProperty(  # type: ignore[valid-type]
        name="Speed",
        description="100% is as it was filmed",
        subtype="PERCENTAGE",
        default=100.0,
        min=1.0,
        soft_max=400.0,
        max=10000.0,
    )

    def ask(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        person = person_here(context)
        placing = placing_of(person)
        self.start, self.speed = placing.start, 100 * rate_of(context.scene) / placing.fps
        return context.window_manager.invoke_props_dialog(self)

    def run(self, context: bpy.types.Context) -> set[str]:
        person = person_here(context)
        retime(person, Placing(rate_of(context.scene) * 100 / self.speed, self.start))
        return {"FINISHED"}


class PCHMR_OT_bake_take(OfPerson, Asking, bpy.types.Operator):
    """The work is finished: remove the controls; body, skeleton and camera keep their keys"""

    bl_idname = "pchmr.bake_take"
    bl_label = "Bake and Remove Controls"
    bl_options = {"UNDO"}

    def ask(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_confirm(self, event)

    def run(self, context: bpy.types.Context) -> set[str]:
        person = person_here(context)
        bake(person)
        return {"FINISHED"}


def relink(person: bpy.types.Collection, folder: Path) -> None:
    """Note where the take of a person, and of those who were imported with it, is now. Raises as `find_take`."""
    own = person.pchmr
    find_take(TakeAddress(str(folder), "", own.fingerprint, own.settings_hash), None)
    info = read_info(folder)
    for one in group_of(person):
        remember_take(one, folder, info)
        mend_paths(one)


def standing_in(client: Client, folder: Path, handle: Handle) -> Work:
    """The work of Make Stand-In."""
    yield from stand_in(client, folder)
    yield from free_hands()
    for person in group_of(resolve(handle)):
        mend_paths(person)
    push_undo("Make Stand-In")


CLASSES = (
    PCHMR_OT_import_take,
    PCHMR_OT_select_person,
    PCHMR_OT_relink_take,
    PCHMR_OT_make_stand_in,
    PCHMR_OT_retime_take,
    PCHMR_OT_bake_take,
)
