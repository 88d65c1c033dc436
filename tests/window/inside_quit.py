"""Inside the window: Blender ends in the middle of a job, as the variable HOW says: `quit` or `kill`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import bpy  # noqa: E402
import drive  # noqa: E402


def test() -> drive.Steps:
    session = sys.modules["bl_ext.user_default.pchmr.pchmr_blender.session"].current
    bpy.context.scene.pchmr.clip = "/out/work/demo clip.mp4"
    yield from drive.open_tab("PC-HMR")
    yield from drive.press("bpy.ops.pchmr.reconstruct_clip(")
    yield from drive.wait(lambda: session.activity is None or session.activity.status().fraction, 120, "the job")
    assert session.activity is not None, session.problem
    drive.say("backend", session.backend_pid)
    if os.environ["HOW"] == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    bpy.ops.wm.quit_blender()
    yield 30.0
    raise TimeoutError("Blender did not quit")


drive.run(test)
