"""`batch.py … --recalibrate edits.json`: edits of a file reach .blend, take and exports; mistakes change nothing."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference_backend.edit_jobs import wanted
from inference_backend.errors import KINDS
from inference_backend.recalibrate import Wanted
from inference_backend.recalibrate import recalibrate as recalibrate_take
from inference_backend.skeletons import JOINTS
from inference_backend.take import open_take
from inference_backend.take_info import layers_of
from inference_backend.targets.parameters import Layers, read_layers

from ..blender.bodies import shipped
from ..blender.clips import make_movie
from ..blender.takes import make_take
from .farm import LIMIT, POSIX, ROOT, Farm, farm, needs_blender, python_of

__all__ = ["farm"]

pytestmark = [needs_blender, POSIX]

FRAMES = 20
WRIST = JOINTS.index("left_wrist")
UP = {"frames": "10-12", "joint": "left_wrist", "offset": [0, 0.15, 0], "stretch": 1, "falloff": 3}


def reconstructed(farm: Farm, people: int = 1, name: str = "good") -> Path:
    """A clip whose .blend an earlier batch has made; returns the .blend."""
    clip = make_movie(farm.folder / "clips" / f"{name}.avi", FRAMES)
    make_take(farm.out / f"{name}.take", body=shipped(), frames=FRAMES, people=people, clip=clip)
    code, told = farm.run(clip, "--people", "all" if people > 1 else "largest", "--form", "pc2")
    assert code == 0, told
    return farm.out / f"{name}.blend"


def recalibrate(farm: Farm, edits: Any, *words: str, name: str = "good") -> tuple[int, str]:
    """Exit code and stderr."""
    path = farm.folder / "edits.json"
    path.write_text(edits if isinstance(edits, str) else json.dumps(edits), "utf-8")
    return farm.run(farm.folder / "clips" / f"{name}.avi", "--recalibrate", path, *words)


def target(farm: Farm, person: int = 0, name: str = "good") -> dict[str, np.ndarray]:
    found = open_take(farm.out / f"{name}.take").person(person)
    return {one: np.array(found.array(one)) for one in ("joints_target", "joints_base", "vertices", "target_hash")}


def changed(before: dict[str, np.ndarray], after: dict[str, np.ndarray], name: str) -> list[int]:
    return [row for row in range(FRAMES) if before[name][row].tobytes() != after[name][row].tobytes()]


def everything(farm: Farm) -> dict[str, bytes]:
    """All files that a batch has made, but what it says."""
    found = [path for path in farm.out.rglob("*") if path.is_file() and path.name not in ("backend.log", ".lock")]
    return {str(path): path.read_bytes() for path in found}


def test_edits_reach_take_blend_and_exports(farm: Farm) -> None:
    blend, before = reconstructed(farm), target(farm)
    saved = blend.read_bytes()
    code, told = recalibrate(farm, [UP], "--export", "bvh")
    assert code == 0, told
    (clip,) = farm.report()
    assert (clip["status"], clip["files"]) == ("done", [str(blend), str(farm.out / "good.bvh")])
    assert clip["notes"] == ["7 frames made again"]
    assert blend.read_bytes() != saved
    after = target(farm)
    for name in ("joints_target", "vertices", "target_hash"):
        assert changed(before, after, name) == list(range(8, 15)), name
    moved = np.linalg.norm(after["joints_target"] - before["joints_target"], axis=-1)
    assert moved[10:13, WRIST] == pytest.approx([0.15] * 3, abs=1e-4)
    assert moved[11, JOINTS.index("right_wrist")] < 1e-6


def test_the_same_file_again_changes_nothing(farm: Farm) -> None:
    reconstructed(farm)
    place = [0.4, -0.3, 1.4]
    edits = {
        "cleanup": {"smoothing": {"enabled": True, "strength": 0.5}},
        "edits": [UP, {"frames": 15, "joint": "wrist.R", "to": place, "stretch": 1, "clip": "good.avi", "person": 0}],
    }
    assert recalibrate(farm, edits, "--export", "bvh")[0] == 0
    # All by the layers, from which the place is reached; some of them a second time by the edits.
    assert farm.report()[0]["notes"] == [f"{FRAMES} frames made again"]
    world = np.array(open_take(farm.out / "good.take").person(0).array("world"))
    made = target(farm)["joints_target"][15, JOINTS.index("right_wrist")]
    assert made @ world[:3, :3].T + world[:3, 3] == pytest.approx(place, abs=1e-4)
    before = everything(farm)
    code, told = recalibrate(farm, edits, "--export", "bvh")
    assert (code, farm.report()[0]["status"]) == (0, "skipped"), told
    assert farm.report()[0]["notes"] == ["nothing to change"]
    after = everything(farm)
    assert {path for path in {*before, *after} if before.get(path) != after.get(path)} == set()


def test_an_edited_blend_is_somebody_s_work(farm: Farm) -> None:
    blend = reconstructed(farm)
    assert recalibrate(farm, [UP], "--export", "bvh")[0] == 0
    saved, clip = blend.read_bytes(), farm.folder / "clips" / "good.avi"
    assert farm.run(clip, "--form", "pc2", "--export", "bvh")[0] == 0
    assert farm.report()[0]["status"] == "skipped"
    code, told = farm.run(clip, "--height", "1.9")
    assert code == KINDS["OutputNotWritable"].exit_code, told
    assert blend.read_bytes() == saved


SHOW = """
import json, sys
sys.path.insert(0, sys.argv[1])
import conftest, pchmr, bpy, numpy
pchmr.register()
bpy.ops.wm.open_mainfile(filepath=sys.argv[2])
from pchmr.pchmr_blender.scene.edit_state import stale
from pchmr.pchmr_blender.scene.handles import part_of, people_in
from pchmr.pchmr_blender.scene.take_paths import open_person
person = people_in(bpy.context.scene)[0]
view, body = open_person(person)[1], part_of(person, "BODY")
bpy.context.scene.frame_set(int(sys.argv[3]) + 1)
mesh = body.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
found = numpy.empty(len(mesh.vertices) * 3, numpy.float32)
mesh.vertices.foreach_get("co", found)
off = numpy.abs(found.reshape(-1, 3) - view.vertices(int(sys.argv[3]), int(sys.argv[3]) + 1)[0]).max()
print(json.dumps({"stale": stale(person, view).tolist(), "off": float(off)}), flush=True)
import os
os._exit(0)
"""


def test_the_blend_shows_the_edited_take(farm: Farm) -> None:
    blend = reconstructed(farm)
    assert recalibrate(farm, [UP])[0] == 0
    command = [str(python_of(farm.series)), "-c", SHOW, str(ROOT / "tests"), str(blend), "11"]
    environment = {**os.environ, "BLENDER_USER_RESOURCES": str(farm.folder / "user")}
    told = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=LIMIT, check=False)
    found = json.loads(next(line for line in told.stdout.splitlines() if line.startswith("{")))
    assert found["stale"] == [], told.stderr
    assert found["off"] < 1e-5


@pytest.mark.parametrize(
    ("edits", "kind", "message"),
    [
        ("[{", "BadArgument", "edits.json is no JSON"),
        ([{**UP, "frames": "18-20"}], "BadArgument", "edits[0].frames: 18-20 is outside of the take"),
        ([UP, {**UP, "joint": "left_rist"}], "BadArgument", "edits[1].joint: 'left_rist' is no joint"),
        (
            '[{"frames": 3, "joint": "head", "offset": [NaN, 0, 0]}]',
            "BadArgument",
            "edits[0].offset: nan is not finite",
        ),
        ([{**UP, "offset": [0, 100, 0]}], "BadArgument", "edits[0].offset: moved by 100 m"),
        ([{**UP, "colour": "red"}], "BadArgument", "edits[0].colour: no such key"),
        ([{**UP, "clip": "dance"}], "BadArgument", "edits[0].clip: no clip is called dance"),
        ([UP, {**UP, "person": 1}], "BadArgument", "edits[1].person: the .blend shows no person 1"),
        ({"cleanup": {"smoothing": {"strength": 7}}, "edits": [UP]}, "BadArgument", "smoothing.strength"),
        ({"cleanup": "gentel", "edits": [UP]}, "PresetInvalid", "no preset gentel"),
    ],
)
def test_mistakes_are_named_and_nothing_is_changed(farm: Farm, edits: Any, kind: str, message: str) -> None:
    reconstructed(farm)
    before = everything(farm)
    code, told = recalibrate(farm, edits)
    assert code == KINDS[kind].exit_code, told
    assert message in told
    assert everything(farm) == before


def test_what_is_missing_is_said(farm: Farm) -> None:
    blend = reconstructed(farm)
    assert farm.run(farm.folder / "clips" / "good.avi", "--recalibrate", farm.folder / "gone.json")[0] == 2
    assert recalibrate(farm, [UP], "--overwrite")[0] == 2
    (farm.out / "good.take").rename(farm.out / "away.take")
    code, told = recalibrate(farm, [UP])
    assert code == KINDS["TakeCorrupt"].exit_code, told
    (farm.out / "away.take").rename(farm.out / "good.take")
    blend.unlink()
    code, told = recalibrate(farm, [UP])
    assert (code, "without --recalibrate first" in told) == (KINDS["TakeNotFound"].exit_code, True)
    blend.write_bytes(b"no blend")
    assert recalibrate(farm, [UP])[0] == KINDS["TakeCorrupt"].exit_code
    assert blend.read_bytes() == b"no blend"


def test_people_have_edits_of_their_own(farm: Farm) -> None:
    reconstructed(farm, people=2)
    before = [target(farm, person) for person in range(2)]
    assert recalibrate(farm, [{**UP, "person": 1}], "--export", "bvh")[0] == 0
    after = [target(farm, person) for person in range(2)]
    assert [changed(before[person], after[person], "vertices") for person in range(2)] == [[], list(range(8, 15))]
    assert {"good_0.bvh", "good_1.bvh"} <= farm.made()


def test_a_take_that_another_file_has_edited_is_imported_without_its_edits(farm: Farm) -> None:
    """The edits are the other .blend's; this one has none, so its body has none either, and it is said."""
    clip, take = make_movie(farm.folder / "clips" / "good.avi", FRAMES), farm.out / "good.take"
    make_take(take, body=shipped(), frames=FRAMES, clip=clip)
    assert farm.run(clip, "--form", "pc2")[0] == 0
    assert farm.report()[0]["notes"] == []
    before = target(farm)
    offset = np.zeros((3, 24, 3))
    offset[:, WRIST, 1] = 0.15
    np.savez(farm.folder / "edits.npz", rows=[10, 11, 12], offset=offset, stretch=np.ones((3, 24)))
    info = open_take(take).info
    layers = read_layers(layers_of(take, info, 0) or Layers.off().values())
    recalibrate_take(take, 0, replace(wanted({}, farm.folder / "edits.npz"), layers=layers))
    assert changed(before, target(farm), "vertices") == [10, 11, 12]
    # Other settings: the .blend is made anew.
    code, told = farm.run(clip, "--form", "absolute", "--export", "bvh")
    assert code == 0, told
    (note,) = farm.report()[0]["notes"]
    assert "3 frames of the take had edits of another file" in note
    assert changed(before, target(farm), "target_hash") == []
    command = [str(python_of(farm.series)), "-c", SHOW, str(ROOT / "tests"), str(farm.out / "good.blend"), "11"]
    environment = {**os.environ, "BLENDER_USER_RESOURCES": str(farm.folder / "user")}
    told = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=LIMIT, check=False)
    found = json.loads(next(line for line in told.stdout.splitlines() if line.startswith("{")))
    assert (found["stale"], found["off"] < 1e-5) == ([], True), told.stderr


def test_an_export_that_comes_later_shows_the_blend(farm: Farm) -> None:
    """Its edits, though another file has taken them out of the take meanwhile; and the .blend is not saved for it."""
    blend = reconstructed(farm)
    assert recalibrate(farm, [UP])[0] == 0
    saved, edited, take = blend.read_bytes(), target(farm), farm.out / "good.take"
    layers = read_layers(layers_of(take, open_take(take).info, 0) or Layers.off().values())
    recalibrate_take(take, 0, Wanted.unedited(layers))
    assert changed(edited, target(farm), "vertices") == list(range(8, 15))

    code, told = farm.run(farm.folder / "clips" / "good.avi", "--form", "pc2", "--export", "bvh")
    assert (code, farm.report()[0]["status"]) == (0, "done"), told
    (note,) = farm.report()[0]["notes"]
    assert "7 frames of the take had edits of another file" in note
    for name in edited:
        assert changed(edited, target(farm), name) == []
    assert blend.read_bytes() == saved
    assert "good.bvh" in farm.made()
