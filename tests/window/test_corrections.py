"""A detection is corrected with the mouse and lifted again, in the window of a real Blender. Pictures: out/window."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from .conftest import CLIP, HERE, HIGH, ROOT, install, log, make_root


def test_a_wrist_is_dragged_and_lifted_again(archive: Path) -> None:
    window = replace(install(make_root("sid"), archive, "corrections_sid"), size=HIGH)
    work = window.out / "work"
    work.mkdir()
    shutil.copyfile(CLIP, work / "demo.mp4")
    command = [sys.executable, "-m", "inference_backend", "reconstruct", str(work / "demo.mp4"), "--end", "100"]
    subprocess.run([*command, "--out", str(work / "demo.take")], cwd=ROOT, check=True)
    status = window.run(HERE / "inside_corrections.py", limit=900)
    assert status == 0, log(window, "inside_corrections")
    assert "Traceback" not in log(window, "inside_corrections")
