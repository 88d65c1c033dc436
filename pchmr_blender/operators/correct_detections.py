# SPDX-License-Identifier: GPL-3.0-or-later
"""Detections put right by hand: drag landmarks on the picture, lift the frames around them again, or forget it."""

from __future__ import annotations

from typing import Final

import bpy
from bpy.props import EnumProperty, FloatProperty, StringProperty

from ...inference_backend.errors import BadArgument
from ...inference_backend.skeletons import LANDMARKS
from ..core.landmarks import IN_WORDS
from ..lifting import lifting
from ..scene.corrections import Shown, correct, forget_corrections, shown_at
from ..scene.evidence import read_evidence
from ..scene.handles import active_person, handle_of, part_of
from ..scene.landmark_drag import LandmarkDrag, mouse
from .backend_jobs import begin_job, push_undo
from .reporting import told
from .takes import OfPerson, person_here

_GIVEN: Final = {"SKIP_SAVE", "HIDDEN"}

HELP: Final = "Drag a landmark to where it is in the picture | Arrow keys, wheel: as always | Enter or Esc: done"
"""What the status bar says while landmarks may be dragged."""


class PCHMR_OT_correct_detections(OfPerson, bpy.types.Operator):
    """Drag landmarks to where they are in the picture, in the view through the take's camera; hands go along with
    wrists, feet with ankles"""

    bl_idname = "pchmr.correct_detections"
    bl_label = "Correct Detections"

    # What a script gives in place of the mouse.
    landmark: StringProperty(name="Landmark", description="As left_wrist", options=_GIVEN)  # type: ignore[valid-type]
    x: FloatProperty(name="X", description="Pixels from the picture's left edge", options=_GIVEN)  # type: ignore[valid-type]
    y: FloatProperty(name="Y", description="Pixels from the picture's upper edge", options=_GIVEN)  # type: ignore[valid-type]

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if mouse.at_work:
            cls.poll_message_set("Landmarks are being dragged: Enter or Esc ends that")
            return False
        return super().poll(context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return told(self, lambda: self.begin(context))

    def run(self, context: bpy.types.Context) -> set[str]:
        if self.landmark not in LANDMARKS:
            raise BadArgument(f"no landmark {self.landmark!r}", hint=f"There are {', '.join(LANDMARKS)}.")
        person = person_here(context)
        row, landmark = shown_here(context, person).row, LANDMARKS.index(self.landmark)
        correct(person, row, {landmark: (self.x, self.y)})
        push_undo(f"Correct {IN_WORDS[landmark]}")
        return {"FINISHED"}

    def begin(self, context: bpy.types.Context) -> set[str]:
        """Look through the camera with the detections on, and follow the mouse from now on."""
        person = person_here(context)
        read_evidence(person)
        area = view_through_camera(context, person)
        if not person.pchmr_suspects.detections:
            person.pchmr_suspects.detections = True
            push_undo("Show Detections")
        self._drag = LandmarkDrag(handle_of(person), area)
        context.workspace.status_text_set(HELP)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        done = told(self, lambda: self.follow(context, event))
        if done & {"FINISHED", "CANCELLED"}:
            self.cancel(context)
        return done

    def cancel(self, context: bpy.types.Context) -> None:
        """Also for Blender: another file is loaded, say."""
        self._drag.end()
        context.workspace.status_text_set(None)

    def follow(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """One event."""
        drag = self._drag
        if event.type in {"RET", "NUMPAD_ENTER", "ESC", "RIGHTMOUSE"} and event.value == "PRESS":
            if event.type in {"ESC", "RIGHTMOUSE"} and drag.let_go():
                return {"RUNNING_MODAL"}
            return {"FINISHED"}
        pressed = event.type == "LEFTMOUSE" and event.value == "PRESS"
        if pressed or event.type in {"MOUSEMOVE", "INBETWEEN_MOUSEMOVE"}:
            drag.move(context, (event.mouse_x, event.mouse_y))  # before a press too: the frame may have changed
        if pressed and drag.take_hold():
            return {"RUNNING_MODAL"}
        if event.type == "LEFTMOUSE" and event.value == "RELEASE" and drag.holding:
            row, landmark, places = drag.put_down()
            if places:
                correct(drag.person(), row, places)
                push_undo(f"Correct {IN_WORDS[landmark]}")
            return {"RUNNING_MODAL"}
        return {"RUNNING_MODAL"} if drag.holding else {"PASS_THROUGH"}


class PCHMR_OT_lift_again(OfPerson, bpy.types.Operator):
    """Lift the frames around all corrections again and recalibrate them. What that changes becomes keys on the
    controls, in place of what was keyed the last time, and of edits of these joints in these frames"""

    bl_idname = "pchmr.lift_again"
    bl_label = "Lift Again"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not super().poll(context):
            return False
        own = active_person(context).pchmr_corrections
        if not own.landmarks and not own.lifted_rows:
            cls.poll_message_set("Nothing is corrected")
            return False
        return True

    def run(self, context: bpy.types.Context) -> set[str]:
        handle = handle_of(person_here(context))
        return begin_job("Lifting again", lambda client: lifting(client, handle))


class PCHMR_OT_clear_corrections(OfPerson, bpy.types.Operator):
    """Forget corrections; what was keyed for them goes with the next Lift Again"""

    bl_idname = "pchmr.clear_corrections"
    bl_label = "Clear Corrections"
    bl_options = {"UNDO"}

    scope: EnumProperty(  # type: ignore[valid-type]
        name="Frames",
        items=(("FRAME", "This Frame", "Those of the frame that is shown"), ("ALL", "All", "All of this person")),
    )

    def run(self, context: bpy.types.Context) -> set[str]:
        person = person_here(context)
        row = shown_here(context, person).row if self.scope == "FRAME" else None
        forgotten = forget_corrections(person, row)
        self.report({"INFO"}, "1 correction forgotten" if forgotten == 1 else f"{forgotten} corrections forgotten")
        return {"FINISHED"}


def shown_here(context: bpy.types.Context, person: bpy.types.Collection) -> Shown:
    """The picture that is shown. Raises BadArgument where it is none of the take's."""
    shown = shown_at(person, context.scene.frame_current_final)
    if shown is None:
        raise BadArgument("no picture of this person is shown", hint="Go to one of the take's frames.")
    return shown


def view_through_camera(context: bpy.types.Context, person: bpy.types.Collection) -> bpy.types.Area:
    """The 3D view, looking through the take's camera from now on.

    Raises:
        BadArgument: there is none, or it belongs to another camera.
        SceneChanged: the camera is gone.
    """
    area, camera = context.area, part_of(person, "CAMERA")
    if area is None or area.type != "VIEW_3D":
        raise BadArgument("landmarks are dragged in a 3D view", hint="Press the button in a 3D view's sidebar.")
    space = area.spaces.active
    if (space.camera if space.use_local_camera else context.scene.camera) != camera:
        hint = f"Make {camera.name} the scene's camera: select it, then View › Cameras › Set Active Object as Camera."
        raise BadArgument("this view looks through another camera", hint=hint)
    space.region_3d.view_perspective = "CAMERA"
    space.overlay.show_overlays = True
    return area


CLASSES = (PCHMR_OT_correct_detections, PCHMR_OT_lift_again, PCHMR_OT_clear_corrections)
