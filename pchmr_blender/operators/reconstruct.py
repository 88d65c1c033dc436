# SPDX-License-Identifier: GPL-3.0-or-later
"""Reconstruct Clip: footage → take → scene, in the background; and Cancel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import bpy
from bpy.props import BoolProperty

from ...inference_backend.errors import BackendError, Cancelled, UnsupportedVideo
from ...inference_backend.take_info import read_info
from .. import session, sync
from ..activities import Work
from ..backend.client import Client
from ..core.form_costs import Form
from ..core.panel_words import in_panel_words
from ..core.relocate import find_clip
from ..core.takes import open_view
from ..scene.clip_settings import SceneSettings
from ..scene.footage import find_source, proxy_path
from ..scene.import_take import ImportOptions, importing
from ..scene.take_paths import blend_folder
from .backend_jobs import begin_job, push_undo
from .reporting import Reporting, idle
from .request import Request, request_of


class PCHMR_OT_reconstruct_clip(Reporting, bpy.types.Operator):
    """Reconstruct the people of the clip, and bring them into the scene"""

    bl_idname = "pchmr.reconstruct_clip"
    bl_label = "Reconstruct Clip"

    overwrite: BoolProperty(  # type: ignore[valid-type]
        name="Replace the Take", description="Delete the take that is there, and start anew", options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not context.scene.pchmr.clip:
            cls.poll_message_set("Choose a clip first")
            return False
        return idle(cls, context)

    def run(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.pchmr
        request = request_of(settings, overwrite=self.overwrite)
        begin_job(
            f"Reconstructing {request.clip.name}",
            reconstruction(request, import_options(settings), context.scene.session_uid),
        )
        sync.agree_without_window()
        return {"FINISHED"}


class PCHMR_OT_cancel(bpy.types.Operator):
    """Stop what is under way; what is finished is kept"""

    bl_idname = "pchmr.cancel"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        activity = session.current.activity
        return activity is not None and not activity.cancelling

    def execute(self, context: bpy.types.Context) -> set[str]:
        assert session.current.activity is not None
        session.current.activity.cancel()
        return {"FINISHED"}


def import_options(settings: SceneSettings) -> ImportOptions:
    """How the scene's fields want a take to be imported."""
    return ImportOptions(
        form=None if settings.form == "AUTO" else Form(settings.form),
        tolerance_mm=settings.tolerance_mm,
        footage_offset=settings.footage_offset or None,
    )


def reconstruction(request: Request, options: ImportOptions, scene_uid: int) -> Callable[[Client], Work]:
    """The work of the operator."""

    def work(client: Client) -> Work:
        result = yield client.call("reconstruct", request.params())
        folder = Path(result["take"])
        try:
            yield from stand_in(client, folder)
        except Cancelled:
            raise
        except BackendError as error:
            print(error)  # the take is as good without its footage: the import tells what is wrong with that
        yield from bring_in(folder, options, scene_uid, "Reconstruct Clip")

    return work


def stand_in(client: Client, folder: Path) -> Work:
    """Let the backend make a stand-in for footage that Blender cannot show as it is: it knows of more cases than
    the take tells. Raises ClipNotFound, and what the backend's `footage_proxy` raises.
    """
    view = open_view(folder)
    out, shown = proxy_path(folder, view.info), True
    try:
        find_source(view, blend_folder())
    except UnsupportedVideo:
        shown = False
    if not (shown and out.is_file()):
        clip = find_clip(view.info.clip, folder, blend_folder())
        rate = view.info.settings.get("clip", {}).get("fps")
        params = {"clip": str(clip), "out": str(out), "fps": rate, "if_needed": shown}
        yield client.call("footage_proxy", params)


def bring_in(folder: Path, options: ImportOptions, scene_uid: int, undo: str) -> Work:
    """Import a finished take, and say so; one step of that name undoes it.

    The take may have rows that another .blend, or the command line, has edited: soon those are what this one says.

    Raises what `importing` raises; the errors name the take.
    """
    try:
        collections = yield from importing(folder, options, scene_uid)
    except Cancelled as error:
        hint = "The scene is as it was; the take is finished, and Import Take brings it in."
        raise Cancelled(error.message, hint=hint, take=str(folder)) from error
    except BackendError as error:
        error.facts.setdefault("take", str(folder))
        raise
    who = collections[0].name if len(collections) == 1 else f"{len(collections)} people of {folder.stem}"
    session.current.notice = " ".join([f"Imported {who}.", *map(in_panel_words, read_info(folder).warnings)])
    push_undo(undo)
    sync.after_change()


CLASSES = (PCHMR_OT_reconstruct_clip, PCHMR_OT_cancel)
