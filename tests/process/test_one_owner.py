"""One owner: whatever is edited, undone, redone, saved, loaded and recalibrated, in every frame the mesh, the skeleton,
the base bones and the take agree with what the .blend's bones say. See `walk.py`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from inference_backend.recalibrate import Wanted, recalibrate
from inference_backend.take_writer import TakeWriter
from inference_backend.targets.parameters import Layers

from ..blender.bodies import shipped
from ..blender.takes import make_take
from .demo_job import needs_models
from .farm import LIMIT, SERIES, needs_blender, python_of

pytestmark = [needs_blender, needs_models]

FRAMES = 10
SEED = int(os.environ.get("PCHMR_WALK_SEED", "1"))
STEPS = int(os.environ.get("PCHMR_WALK_STEPS", "200"))
BROKEN_STEPS = 60
"""Within these the walk notices what is left out on purpose."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a take whose derived rows the backend has made, so that they are made alike when they are made again."""
    clip, take = tmp_path / "walk.mp4", tmp_path / "walk.take"
    clip.write_bytes(b"footage")
    make_take(take, body=shipped(), frames=FRAMES, clip=clip)
    with TakeWriter.open(take) as writer:
        writer.invalidate(0, "target", 0, FRAMES)
    recalibrate(take, 0, Wanted.unedited(Layers.off()))
    shutil.copytree(take, tmp_path / "pristine.take")
    return tmp_path


def walk(folder: Path, series: str, *words: object) -> tuple[int, str]:
    """Exit code of a walk, and what it told."""
    script = Path(__file__).with_name("walk.py")
    command = [str(python_of(series)), str(script), str(folder), sys.executable, *map(str, words)]
    folders = {"BLENDER_USER_RESOURCES": str(folder / "user"), "PCHMR_BACKEND": str(folder / "cache")}
    done = subprocess.run(
        command, env={**os.environ, **folders}, capture_output=True, text=True, encoding="utf-8", timeout=2 * LIMIT,
        check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("series", list(dict.fromkeys([*SERIES[:1], *SERIES[-1:]])))
def test_a_random_walk(folder: Path, series: str) -> None:
    code, told = walk(folder, series, SEED, STEPS)
    assert code == 0, told
    assert f"walked {STEPS} steps" in told


@pytest.mark.parametrize("what", ["sync", "refresh", "notes"])
def test_the_walk_notices_what_is_broken(folder: Path, what: str) -> None:
    code, told = walk(folder, SERIES[-1], SEED, BROKEN_STEPS, what)
    assert code == 1, told
    assert "AssertionError" in told
