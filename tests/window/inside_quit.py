"""Inside the window: Blender ends, as the variable HOW says (`quit` or `kill`), in the state that STATE names.

`idle`: after a job, the backend lives; `job`: in the middle of one; `setup`: a program of the backend's set-up runs;
`import`: a take is half in the scene. The log tells when the end began and, by the script around this, when it came.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from types import ModuleType

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import bpy  # noqa: E402
import drive  # noqa: E402

PACKAGE = "bl_ext.user_default.pchmr"


def ours(name: str) -> ModuleType:
    return sys.modules[f"{PACKAGE}.pchmr_blender.{name}"]


def session() -> object:
    return ours("session").current


def is_idle() -> bool:
    return session().activity is None


def quiet() -> None:
    assert session().problem is None, session().problem


def reconstruct(frames: int = 0) -> drive.Steps:
    settings = bpy.context.scene.pchmr
    settings.clip = "/out/work/demo clip.mp4"
    settings.use_range, settings.start, settings.end = bool(frames), 0, max(frames - 1, 0)
    yield from drive.open_tab("PC-HMR")
    yield from drive.press("bpy.ops.pchmr.reconstruct_clip(")
    yield from drive.wait(lambda: is_idle() or session().activity.status().fraction, 120, "the job")
    quiet()


def idle() -> drive.Steps:
    yield from reconstruct(frames=8)
    yield from drive.wait(is_idle, 300, "the end of the job")
    quiet()
    assert session().backend_pid is not None


def job() -> drive.Steps:
    yield from reconstruct()
    assert not is_idle()


def setup() -> drive.Steps:
    bpy.context.preferences.system.use_online_access = True
    bpy.ops.pchmr.plan_setup("INVOKE_DEFAULT")
    yield from drive.wait(lambda: is_idle() and ours("installation").known().plan, 60, "the plan")
    bpy.ops.pchmr.install_backend("INVOKE_DEFAULT")
    # Without a network the routes with uv fail; pip's begins with a program that takes some seconds.
    at = "Making the environment"
    yield from drive.wait(lambda: is_idle() or session().activity.status().stage == at, 60, at)
    assert not is_idle(), session().problem
    yield 1.0
    assert not is_idle(), session().problem


def importing() -> drive.Steps:
    activities = ours("activities")
    activities.TURN_SECONDS, activities.AT_ONCE = 0.0, 0.1  # one step a turn: slow enough to be met in its middle
    before = len(bpy.data.objects)
    bpy.ops.pchmr.import_take("INVOKE_DEFAULT", directory="/out/work/walk.take")
    yield from drive.wait(lambda: is_idle() or len(bpy.data.objects) > before + 1, 60, "the middle of the import")
    quiet()
    assert not is_idle()


def test() -> drive.Steps:
    states = {"idle": idle, "job": job, "setup": setup, "import": importing}
    yield from states[os.environ["STATE"]]()
    drive.say("backend", session().backend_pid)
    drive.say("ends", f"{time.time():.2f}")
    if os.environ["HOW"] == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    bpy.ops.wm.quit_blender()
    yield 30.0
    raise TimeoutError("Blender did not quit")


drive.run(test)
