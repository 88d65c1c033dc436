"""Batches as people start them: Blender without a window, a backend, files that come out, and exit codes.

Most of them have a stub for a backend (`tests/blender/stub_backend.py`), behind a program that looks like a Python.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from inference_backend.errors import KINDS
from inference_backend.video import VideoSource, probe, read
from inference_backend.video_writer import Mp4Writer

from ..blender.clips import make_movie
from ..blender.takes import make_take
from .demo_job import CLIP, needs_models
from .farm import LIMIT, POSIX, ROOT, SERIES, Farm, farm, needs_blender, python_of
from .processes import LINUX, PATIENCE, children, gone

__all__ = ["farm"]

pytestmark = needs_blender


# Arguments


def test_help_and_mistakes(farm: Farm) -> None:
    assert farm.run("--help")[0] == 0
    for words, message in (
        (["--people", "few", "x.mp4"], "--people few"),
        (["--export", "fbx,obj", "x.mp4"], "'obj' is no format"),
        (["a/x.mp4", "b/X.mov"], "would both become"),
        ([], "required: CLIP"),
    ):
        code, told = farm.run(*words)
        assert (code, message in told) == (KINDS["BadArgument"].exit_code, True), told


def test_an_interpreter_that_is_none(farm: Farm) -> None:
    code, told = Farm(farm.folder, farm.folder / "nothing").run(farm.clip("good"))
    assert code == KINDS["EnvironmentInvalid"].exit_code
    assert "no such program" in told


def test_an_output_folder_that_is_a_file(farm: Farm) -> None:
    farm.out.write_bytes(b"")
    code, told = farm.run(make_movie(farm.folder / "x.avi", 2))
    assert code == KINDS["OutputNotWritable"].exit_code
    assert "OutputNotWritable" in told


# A batch


@POSIX
@pytest.mark.parametrize("series", SERIES)
def test_one_failed_clip_does_not_stop_the_others(farm: Farm, series: str) -> None:
    farm = Farm(farm.folder, farm.interpreter, series)
    clips = [farm.clip("NoPersonFound"), farm.clip("good", 4), farm.folder / "clips" / "gone.mp4"]
    code, told = farm.run(*clips, "--export", "fbx,glb,usd,abc,bvh", "--preview", "--form", "pc2")
    assert code == KINDS["NoPersonFound"].exit_code, told
    failed, good, gone_clip = farm.report()
    assert (failed["status"], failed["trouble"]["hint"]) == ("failed", "This is the hint of NoPersonFound.")
    assert (gone_clip["status"], gone_clip["trouble"]["kind"]) == ("failed", "ClipNotFound")
    assert (good["status"], good["trouble"]) == ("done", None)
    endings = ("blend", "preview.mp4", "fbx", "glb", "usd", "abc", "bvh")
    assert good["files"] == [str(farm.out / f"good.{ending}") for ending in endings]
    assert farm.made() == {f"good.{ending}" for ending in (*endings, "batch.json")}
    assert not [path for path in farm.out.iterdir() if path.name.startswith(".")]
    assert "[2/3 good]" in told
    assert "Finding people" in told
    info = probe(farm.out / "good.preview.mp4")
    assert (info.frame_count, info.fps, info.width, info.height) == (4, pytest.approx(30), 640, 360)


CHECK_BLEND = """
import json, sys, bpy
bpy.ops.wm.open_mainfile(filepath=sys.argv[1])
areas = [area for screen in bpy.data.screens for area in screen.areas if area.type == "VIEW_3D"]
print(json.dumps({
    "objects": sorted(item.name for item in bpy.data.objects if item.type != "MESH" or item.data.shape_keys),
    "scenes": len(bpy.data.scenes),
    "camera": bpy.context.scene.camera.name,
    "frames": [bpy.context.scene.frame_start, bpy.context.scene.frame_end],
    "images": [image.filepath for image in bpy.data.images if image.filepath],
    "caches": [m.filepath for item in bpy.data.objects for m in item.modifiers if m.type == "MESH_CACHE"],
    "through": sorted({area.spaces.active.region_3d.view_perspective for area in areas}),
}), flush=True)
"""


def opened(farm: Farm, name: str) -> dict[str, Any]:
    """What another Blender finds in a .blend."""
    command = [str(python_of(farm.series)), "-c", CHECK_BLEND, str(farm.out / name)]
    told = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=LIMIT, check=False)
    values: dict[str, Any] = json.loads(next(line for line in told.stdout.splitlines() if line.startswith("{")))
    return values


@POSIX
def test_the_blend_finds_everything_from_where_it_lies(farm: Farm) -> None:
    assert farm.run(farm.clip("good", 4), "--form", "pc2", "--export", "fbx")[0] == 0
    found = opened(farm, "good.blend")
    assert found["images"] == ["//../clips/good.avi"]
    (cache,) = found["caches"]  # the conversion for FBX was not saved
    assert cache.startswith("//good.take.cache")
    assert (found["scenes"], found["camera"], found["frames"]) == (1, "good Camera", [1, 4])
    assert found["through"] == ["CAMERA"]


@POSIX
def test_running_again_goes_on(farm: Farm) -> None:
    clip = farm.clip("good", 4)
    assert farm.run(clip, "--export", "bvh")[0] == 0
    blend = farm.out / "good.blend"
    before = blend.read_bytes(), blend.stat().st_mtime_ns

    assert farm.run(clip, "--export", "bvh")[0] == 0
    assert [one["status"] for one in farm.report()] == ["skipped"]
    assert farm.report()[0]["files"] == [str(blend), str(farm.out / "good.bvh")]

    (farm.out / "good.bvh").unlink()
    assert farm.run(clip, "--export", "bvh,abc")[0] == 0
    assert [one["status"] for one in farm.report()] == ["done"]
    assert {"good.bvh", "good.abc"} <= farm.made()
    assert (blend.read_bytes(), blend.stat().st_mtime_ns) == before  # what is finished is left alone


@POSIX
def test_the_work_of_an_artist_is_not_replaced(farm: Farm) -> None:
    clip, blend = farm.clip("good", 4), farm.out / "good.blend"
    assert farm.run(clip)[0] == 0
    assert farm.run(clip, "--height", "1.8")[0] == 0  # other settings, but nobody has touched it
    assert [one["status"] for one in farm.report()] == ["done"]
    blend.write_bytes(blend.read_bytes() + b"somebody's work")
    assert farm.run(clip, "--height", "1.8")[0] == 0
    assert [one["status"] for one in farm.report()] == ["skipped"]
    code, told = farm.run(clip, "--height", "1.9")
    assert code == KINDS["OutputNotWritable"].exit_code
    assert "--overwrite" in told
    assert blend.read_bytes().endswith(b"somebody's work")
    assert farm.run(clip, "--height", "1.9", "--overwrite")[0] == 0
    assert not blend.read_bytes().endswith(b"somebody's work")


@POSIX
def test_a_stranger_s_blend_is_not_replaced(farm: Farm) -> None:
    clip = farm.clip("good", 4)
    (farm.out / "good.blend").write_bytes(b"BLENDER")
    assert farm.run(clip)[0] == KINDS["OutputNotWritable"].exit_code
    assert (farm.out / "good.blend").read_bytes() == b"BLENDER"


@POSIX
def test_several_people_get_files_of_their_own(farm: Farm) -> None:
    clip = make_movie(farm.folder / "clips" / "good.avi", 4)
    make_take(farm.out / "good.take", frames=4, people=2, clip=clip)
    assert farm.run(clip, "--people", "all", "--export", "bvh")[0] == 0
    assert farm.made() == {"good.blend", "good.batch.json", "good_0.bvh", "good_1.bvh"}


@POSIX
def test_footage_that_blender_cannot_show_gets_a_stand_in(farm: Farm) -> None:
    clip = make_movie(farm.folder / "clips" / "good.avi", 4)
    make_take(farm.out / "good.take", frames=4, rotation=180, clip=clip)
    code, told = farm.run(clip, "--preview")
    assert code == 0, told
    (stand_in,) = farm.out.glob("good.take.footage-*.mp4")
    assert opened(farm, "good.blend")["images"] == [f"//{stand_in.name}"]
    assert "good.preview.mp4" in farm.made()


@POSIX
def test_beside_the_footage_the_footage_is_safe(farm: Farm) -> None:
    farm.out.mkdir()
    clip = make_movie(farm.out / "good.avi", 3).rename(farm.out / "good.mp4")
    data = clip.read_bytes()
    make_take(farm.out / "good.take", frames=3, clip=clip)
    assert farm.run(clip, "--preview", "--export", "bvh")[0] == 0
    assert clip.read_bytes() == data
    assert {"good.mp4", "good.preview.mp4", "good.blend"} <= farm.made()


@POSIX
def test_a_name_of_two_hundred_characters(farm: Farm) -> None:
    name = "lang " * 39 + "ü.v2"
    assert farm.run(farm.clip(name, 3), "--export", "fbx,bvh", "--preview")[0] == 0, farm.report()
    assert farm.made() == {f"{name}.{ending}" for ending in ("blend", "preview.mp4", "fbx", "bvh", "batch.json")}


@POSIX
def test_a_backend_that_dies_is_started_again_for_the_next_clip(farm: Farm) -> None:
    code, _ = farm.run(farm.clip("dies"), farm.clip("good", 4))
    assert code == KINDS["BackendDied"].exit_code
    died, good = farm.report()
    assert "the stub's last words" in died["trouble"]["output"]
    assert good["status"] == "done"


# Stopping


def ask_to_stop(batch: subprocess.Popen[str], word: str, number: int) -> str:
    """Send a signal when the batch says a word; all that it said."""
    assert batch.stderr is not None
    told = ""
    for line in batch.stderr:
        told += line
        if word in line:
            break
    batch.send_signal(number)
    return told + batch.communicate(timeout=PATIENCE)[1]


@LINUX
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_in_the_middle_of_a_reconstruction(farm: Farm, number: int) -> None:
    batch = farm.start(farm.clip("slow"), farm.clip("good", 4))
    began = time.monotonic()
    while not (below := children(batch.pid)) and time.monotonic() - began < PATIENCE:
        time.sleep(0.02)
    told = ask_to_stop(batch, "Finding people", number)
    assert batch.returncode == KINDS["Cancelled"].exit_code, told
    assert [one["status"] for one in farm.report()] == ["cancelled", "not begun"]
    assert gone({batch.pid, *below})
    assert farm.made() == set()


@LINUX
def test_ctrl_c_in_the_middle_of_a_preview(farm: Farm) -> None:
    clip = farm.clip("good", 200)
    told = ask_to_stop(farm.start(clip, "--preview", "--form", "pc2"), "Rendering", signal.SIGINT)
    assert [one["status"] for one in farm.report()] == ["cancelled"], told
    assert farm.made() == {"good.blend", "good.batch.json"}
    assert not [path.name for path in farm.out.iterdir() if path.name.startswith(".")]
    assert farm.run(clip, "--form", "pc2")[0] == 0
    assert [one["status"] for one in farm.report()] == ["skipped"]


@LINUX
def test_a_batch_that_was_killed_goes_on(farm: Farm) -> None:
    clip = farm.clip("good", 200)
    batch = farm.start(clip, "--preview", "--form", "pc2")
    ask_to_stop(batch, "Rendering", signal.SIGKILL)
    assert farm.run(clip, "--form", "pc2", "--export", "bvh")[0] == 0
    assert [one["status"] for one in farm.report()] == ["done"]
    assert {"good.blend", "good.bvh"} <= farm.made()


# Installed, and the whole way

ENABLE = """
import os, bpy
name = "bl_ext.user_default.pchmr"
bpy.ops.preferences.addon_enable(module=name)
bpy.ops.wm.save_userpref()
os._exit(name not in bpy.context.preferences.addons)
"""


@POSIX
@pytest.mark.parametrize("enabled", [False, True])
def test_it_runs_as_an_installed_extension(farm: Farm, enabled: bool) -> None:
    installed = farm.folder / "user" / "extensions" / "user_default" / "pchmr"
    for name in ("pchmr_blender", "inference_backend", "presets"):
        shutil.copytree(ROOT / name, installed / name, ignore=shutil.ignore_patterns("__pycache__", "*.pt", "*.npz"))
    for name in ("__init__.py", "blender_manifest.toml"):
        shutil.copy(ROOT / name, installed / name)
    if enabled:
        environment = {**os.environ, "BLENDER_USER_RESOURCES": str(farm.folder / "user")}
        subprocess.run([str(python_of(farm.series)), "-c", ENABLE], env=environment, check=True, timeout=LIMIT)
    program = installed / "pchmr_blender" / "batch.py"
    farm = Farm(farm.folder, farm.interpreter, farm.series, program)
    code_, told = farm.run(farm.clip("good", 4), "--export", "bvh")
    assert code_ == 0, told
    assert farm.made() == {"good.blend", "good.bvh", "good.batch.json"}


COMMAND = """
import sys
sys.path.insert(0, sys.argv[1])
import conftest, pchmr
pchmr.register()
from pchmr.pchmr_blender.registration import run_batch
code = run_batch(sys.argv[sys.argv.index("--") + 1:])
pchmr.unregister()
sys.exit(code)
"""


@POSIX
def test_an_enabled_extension_has_it_as_a_command_of_blender_s(farm: Farm) -> None:
    program = farm.folder / "command.py"
    program.write_text(COMMAND.replace("sys.argv[1]", repr(str(ROOT / "tests"))), "utf-8")
    farm = Farm(farm.folder, farm.interpreter, farm.series, program)
    code, told = farm.run(farm.clip("good", 4), farm.folder / "clips" / "gone.mp4", "--export", "bvh")
    assert code == KINDS["ClipNotFound"].exit_code, told
    assert [one["status"] for one in farm.report()] == ["done", "failed"]
    assert farm.made() == {"good.blend", "good.bvh", "good.batch.json"}


@pytest.fixture
def short_clip(tmp_path: Path) -> Path:
    """A second of the demo clip."""
    clip = tmp_path / "Läufe 1" / "demo kurz.mp4"
    clip.parent.mkdir()
    with Mp4Writer(clip, Fraction(30), (960, 720)) as movie:
        for frame in islice(read(VideoSource(CLIP)), 60, 75):
            movie.write(frame.image)
    return clip


@needs_models
def test_from_footage_to_files(tmp_path: Path, short_clip: Path) -> None:
    farm = Farm(tmp_path, Path(sys.executable))
    code, told = farm.run(short_clip, "--export", "fbx,glb,usd,abc,bvh", "--preview", "--height", "1.7")
    assert code == 0, told
    (clip,) = farm.report()
    assert (clip["status"], len(clip["files"])) == ("done", 7)
    assert all(Path(file).stat().st_size > 1000 for file in clip["files"])
    info = probe(farm.out / "demo kurz.preview.mp4")
    assert (info.frame_count, info.width, info.height) == (15, 960, 720)
