# SPDX-License-Identifier: GPL-3.0-or-later
"""Setting the backend up: say what it takes, agree, install, check, remove. All of it in worker threads."""

from __future__ import annotations

from collections.abc import Callable

import bpy

from .. import installation, session
from ..activities import Report, Status, ThreadJob
from ..backend import environment
from ..backend.environment import Check, Environment, Plan, SetupProgress
from ..constants import PACKAGE
from ..preferences import is_set_up, setup_device
from .backend_jobs import begin, launch, require_online
from .reporting import Asking, Reporting, idle


class PCHMR_OT_plan_setup(Reporting, bpy.types.Operator):
    """Say what setting the backend up would download, how large it is and where it goes; downloads nothing yet"""

    bl_idname = "pchmr.plan_setup"
    bl_label = "Set Up Backend"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return idle(cls, context)

    def run(self, context: bpy.types.Context) -> set[str]:
        device = setup_device()
        return begin(
            ThreadJob(
                "Looking at this machine",
                lambda report, cancelled: environment.plan(device=device),
                lambda plan: installation.note(plan=plan),
            )
        )


class PCHMR_OT_install_backend(Reporting, bpy.types.Operator):
    """Download and install what the plan says"""

    bl_idname = "pchmr.install_backend"
    bl_label = "Download and Install"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if installation.known().plan is None:
            cls.poll_message_set("Press Set Up Backend first: it says what will be downloaded")
            return False
        return idle(cls, context)

    def run(self, context: bpy.types.Context) -> set[str]:
        require_online()
        plan = installation.known().plan
        assert plan is not None
        return begin(ThreadJob("Setting up the backend", setup_work(plan), installed))


class PCHMR_OT_dismiss_plan(bpy.types.Operator):
    """Set nothing up"""

    bl_idname = "pchmr.dismiss_plan"
    bl_label = "Not Now"

    def execute(self, context: bpy.types.Context) -> set[str]:
        installation.note(plan=None)
        return {"FINISHED"}


class PCHMR_OT_check_backend(Reporting, bpy.types.Operator):
    """Start the backend, and tell its versions, devices and models"""

    bl_idname = "pchmr.check_backend"
    bl_label = "Check"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not is_set_up():
            cls.poll_message_set("Set the backend up first, or choose an interpreter")
            return False
        return idle(cls, context)

    def run(self, context: bpy.types.Context) -> set[str]:
        interpreter = launch().interpreter
        return begin(
            ThreadJob(
                "Checking the backend",
                lambda report, cancelled: environment.check(interpreter, cancelled=cancelled),
                checked,
            )
        )


class PCHMR_OT_remove_backend(Asking, bpy.types.Operator):
    """Delete the backend's environments and downloads, of all Blenders of this user; models and takes stay"""

    bl_idname = "pchmr.remove_backend"
    bl_label = "Remove"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return idle(cls, context)

    def ask(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_confirm(
            self,
            event,
            title="Remove the backend?",
            message="Its environments and downloads go, for all Blenders of this user. Models and takes stay.",
            confirm_text="Remove",
        )

    def run(self, context: bpy.types.Context) -> set[str]:
        session.current.stop_backend()
        installation.note(environment=None, check=None, plan=None)
        return begin(ThreadJob("Removing the backend", removal, removed))


class PCHMR_OT_show_preferences(Reporting, bpy.types.Operator):
    """Open this extension's preferences"""

    bl_idname = "pchmr.show_preferences"
    bl_label = "Preferences…"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return not bpy.app.background

    def run(self, context: bpy.types.Context) -> set[str]:
        return bpy.ops.preferences.addon_show(module=PACKAGE)


def removal(report: Report, cancelled: Callable[[], bool]) -> int:
    """The thread's work; the bytes that became free. It is not stopped half way: what is left would be of no use."""
    report(Status("Deleting files"))
    return environment.remove()


def setup_work(plan: Plan) -> Callable[[Report, Callable[[], bool]], Environment]:
    """The thread's work."""

    def work(report: Report, cancelled: Callable[[], bool]) -> Environment:
        return environment.install(plan, lambda progress: report(setup_status(progress)), cancelled)

    return work


def setup_status(progress: SetupProgress) -> Status:
    """How far a setup is, for the panel."""
    stage = progress.stage[:1].upper() + progress.stage[1:]
    megabytes = f"{progress.done / 1e6:.0f} of {progress.total / 1e6:.0f} MB" if progress.total > 1_000_000 else ""
    note = progress.note[:1].upper() + progress.note[1:]
    return Status(stage, progress.fraction, None, ". ".join(filter(None, (megabytes, note))))


def installed(made: Environment) -> None:
    """The setup has ended well."""
    session.current.stop_backend()  # the next job shall run in the new environment
    installation.note(environment=made, plan=None, check=None)
    session.current.notice = f"The backend is set up: PyTorch {made.torch}, {', '.join(made.devices)}."


def checked(found: Check) -> None:
    """The check has ended well."""
    installation.note(check=found, models=found.models)


def removed(freed: int) -> None:
    """The environments are gone."""
    installation.look()
    session.current.notice = f"Removed: {freed / 1e9:.1f} GB are free again."


CLASSES = (
    PCHMR_OT_plan_setup,
    PCHMR_OT_install_backend,
    PCHMR_OT_dismiss_plan,
    PCHMR_OT_check_backend,
    PCHMR_OT_remove_backend,
    PCHMR_OT_show_preferences,
)
