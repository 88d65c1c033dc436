"""An edit goes into the body and out of it, in the window of a real Blender. Pictures: out/window."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from .conftest import CLIP, HERE, HIGH, ROOT, install, log, make_root


def test_an_edit_is_recalibrated_undone_redone_saved_loaded_and_reverted(archive: Path) -> None:
    window = replace(install(make_root("sid"), archive, "recalibrate_sid"), size=HIGH)
    work = window.out / "work"
    work.mkdir()
    shutil.copyfile(CLIP, work / "demo.mp4")
    command = [sys.executable, "-m", "inference_backend", "reconstruct", str(work / "demo.mp4"), "--end", "100"]
    subprocess.run([*command, "--out", str(work / "demo.take")], cwd=ROOT, check=True)
    status = window.run(HERE / "inside_recalibrate.py", limit=900)
    assert status == 0, log(window, "inside_recalibrate")
    assert "Traceback" not in log(window, "inside_recalibrate")
