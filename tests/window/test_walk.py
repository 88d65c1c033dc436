"""One owner, in a window: see tests/process/test_one_owner.py, whose Blender has no window and so another undo."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from inference_backend.recalibrate import Wanted, recalibrate
from inference_backend.take_writer import TakeWriter
from inference_backend.targets.parameters import Layers

from ..blender.bodies import shipped
from ..blender.takes import make_take
from .conftest import HERE, ROOT, install, log, make_root

FRAMES = 10


@pytest.mark.parametrize("suite", ["sid", "trixie"])
def test_a_random_walk(archive: Path, suite: str) -> None:
    window = install(make_root(suite), archive, f"walk_{suite}")
    work = window.out / "work"
    work.mkdir()
    (work / "walk.mp4").write_bytes(b"footage")
    make_take(work / "walk.take", body=shipped(), frames=FRAMES, clip=work / "walk.mp4")
    with TakeWriter.open(work / "walk.take") as writer:
        writer.invalidate(0, "target", 0, FRAMES)
    recalibrate(work / "walk.take", 0, Wanted.unedited(Layers.off()))
    shutil.copytree(work / "walk.take", work / "pristine.take")
    for name in ("walk.py", "judge.py"):
        shutil.copyfile(ROOT / "tests" / "process" / name, work / name)
    status = window.run(HERE / "inside_walk.py", limit=500)
    assert status == 0, log(window, "inside_walk")
    assert "Traceback" not in log(window, "inside_walk")
