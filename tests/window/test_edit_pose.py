"""Edit Target Pose in the window of a real Blender, with its mouse and the real backend. Pictures: out/window."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ..blender.bodies import shipped
from ..blender.takes import make_take
from .conftest import HERE, HIGH, install, log, make_root

FRAMES = 60


@pytest.mark.parametrize("suite", ["sid"])  # "trixie", Blender 4.3, does as well; it takes three minutes more
def test_joints_are_dragged_and_the_body_follows(suite: str, archive: Path) -> None:
    window = replace(install(make_root(suite), archive, f"edit_pose_{suite}"), size=HIGH)
    make_take(window.out / "work" / "walk.take", body=shipped(), frames=FRAMES)
    status = window.run(HERE / "inside_edit_pose.py", limit=600)
    assert status == 0, log(window, "inside_edit_pose")
    assert "Traceback" not in log(window, "inside_edit_pose")
