# SPDX-License-Identifier: GPL-3.0-or-later
"""Model files: which there are, under which licence; adding one of the user's own, which is looked at first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import bpy
from bpy.props import BoolProperty, StringProperty

from ...inference_backend.errors import WeightsMissing
from .. import installation, session
from ..activities import ThreadJob
from ..backend import environment
from ..backend.environment import ModelFile
from ..backend.programs import TimedOut, ask
from ..constants import ROOT
from ..preferences import is_set_up
from .backend_jobs import begin, launch, require_online
from .reporting import Reporting, idle

DOWNLOAD_SECONDS: Final = 1800.0
"""How long the models' download may take."""


class _NeedsBackend(Reporting):
    """Mixin of what asks the backend."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not is_set_up():
            cls.poll_message_set("Set the backend up first, or choose an interpreter")  # type: ignore[attr-defined]
            return False
        return idle(cls, context)  # type: ignore[arg-type]


class PCHMR_OT_list_models(_NeedsBackend, bpy.types.Operator):
    """List the model files, with their licences, and what you may add"""

    bl_idname = "pchmr.list_models"
    bl_label = "List Models"

    def run(self, context: bpy.types.Context) -> set[str]:
        interpreter = launch().interpreter
        return begin(
            ThreadJob(
                "Listing the models",
                lambda report, cancelled: environment.list_models(interpreter, cancelled=cancelled),
                lambda models: installation.note(models=models),
            )
        )


class PCHMR_OT_install_models(_NeedsBackend, bpy.types.Operator):
    """Download the files that find people and their joints (BlazePose, Apache-2.0, 77 MB from PyPI and npm)"""

    bl_idname = "pchmr.install_models"
    bl_label = "Get the Models"

    def run(self, context: bpy.types.Context) -> set[str]:
        require_online()
        interpreter = launch().interpreter
        return begin(
            ThreadJob(
                "Getting the models",
                lambda report, cancelled: fetch_models(interpreter, cancelled),
                lambda models: installation.note(models=models),
            )
        )


class PCHMR_OT_inspect_model(_NeedsBackend, bpy.types.Operator):
    """Choose a licensed body model or a public checkpoint that you have; its licence is shown before it is added"""

    bl_idname = "pchmr.inspect_model"
    bl_label = "Add File…"

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})  # type: ignore[valid-type]
    filter_glob: StringProperty(default="*.pkl;*.npz;*.bin;*.pt;*.pth;*.tar", options={"HIDDEN"})  # type: ignore[valid-type]

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def run(self, context: bpy.types.Context) -> set[str]:
        interpreter, file = launch().interpreter, Path(bpy.path.abspath(self.filepath))
        return begin(
            ThreadJob(
                f"Looking at {file.name}",
                lambda report, cancelled: environment.inspect_model(interpreter, file, cancelled=cancelled),
                lambda found: installation.note(candidate=(file, found)),
            )
        )


class PCHMR_OT_add_model(_NeedsBackend, bpy.types.Operator):
    """Agree to the licence that is shown, and copy the file to where the backend finds it"""

    bl_idname = "pchmr.add_model"
    bl_label = "I Have This Licence: Add"

    replace: BoolProperty(  # type: ignore[valid-type]
        name="Replace", description="In place of another file that is there", options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return installation.known().candidate is not None and super().poll(context)

    def run(self, context: bpy.types.Context) -> set[str]:
        candidate = installation.known().candidate
        assert candidate is not None
        interpreter, file, replace = launch().interpreter, candidate[0], self.replace
        return begin(
            ThreadJob(
                f"Adding {file.name}",
                lambda report, cancelled: environment.add_model(
                    interpreter, file, replace=replace, cancelled=cancelled
                ),
                added,
            )
        )


class PCHMR_OT_dismiss_model(bpy.types.Operator):
    """Add nothing"""

    bl_idname = "pchmr.dismiss_model"
    bl_label = "Not Now"

    def execute(self, context: bpy.types.Context) -> set[str]:
        installation.note(candidate=None)
        return {"FINISHED"}


def fetch_models(interpreter: Path, cancelled: Callable[[], bool]) -> tuple[ModelFile, ...]:
    """Let the backend install the models that are not the user's; all of them then. For a worker thread.

    Raises WeightsMissing with what the installer said.
    """
    command: list[str | Path] = [interpreter, "-m", "inference_backend", "models", "--install"]
    try:
        done = ask(command, timeout=DOWNLOAD_SECONDS, folder=ROOT, cancelled=cancelled, long=True)
        trouble = done.stderr[-2000:]
    except (OSError, TimedOut) as error:
        trouble = str(error) or f"not within {DOWNLOAD_SECONDS:.0f} s"
    models = environment.list_models(interpreter, cancelled=cancelled)
    lacking = [one.name for one in models if one.source == "installed" and one.state != "installed"]
    if lacking:
        hint = "Check the connection to the internet, and try again. The preset fast does without the heavy one."
        raise WeightsMissing(f"Could not be had: {', '.join(lacking)}", hint=hint, output=trouble)
    return models


def added(model: ModelFile) -> None:
    """The file is where the backend finds it."""
    listed = {one.name: one for one in installation.known().models}
    installation.note(candidate=None, models=tuple({**listed, model.name: model}.values()))
    session.current.stop_backend()  # it has looked for models already
    session.current.notice = f"Added {model.name}: {model.purpose}."


CLASSES = (
    PCHMR_OT_list_models,
    PCHMR_OT_install_models,
    PCHMR_OT_inspect_model,
    PCHMR_OT_add_model,
    PCHMR_OT_dismiss_model,
)
