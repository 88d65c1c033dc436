"""The panel Cleanup in the window of a real Blender: filled, measured, applied, undone. Pictures: out/window."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from .conftest import CLIP, HERE, HIGH, ROOT, install, log, make_root


def test_layers_and_strips_are_changed_measured_applied_and_undone(archive: Path) -> None:
    window = replace(install(make_root("sid"), archive, "cleanup_sid"), size=HIGH)
    work = window.out / "work"
    work.mkdir()
    shutil.copyfile(CLIP, work / "walk.mp4")
    command = [sys.executable, "-m", "inference_backend", "reconstruct", str(work / "walk.mp4"), "--end", "100"]
    subprocess.run([*command, "--out", str(work / "walk.take")], cwd=ROOT, check=True)
    status = window.run(HERE / "inside_cleanup.py", limit=600)
    assert status == 0, log(window, "inside_cleanup")
    assert "Traceback" not in log(window, "inside_cleanup")
