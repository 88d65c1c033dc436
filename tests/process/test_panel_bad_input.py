"""Bad input in the panel: what is wrong stands there in words, with the button that mends it; pressed, it does."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np

from ..blender.takes import make_take
from .farm import LIMIT, POSIX, Farm, farm, needs_blender, python_of
from .read_only import read_only

__all__ = ["farm"]

pytestmark = [needs_blender, POSIX]

SCRIPT = Path(__file__).with_name("press_buttons.py")
RECONSTRUCT = {"operator": "pchmr.reconstruct_clip"}


def panel(farm: Farm, *steps: dict[str, Any], before: tuple[str, ...] = ()) -> list[SimpleNamespace]:
    """What the panel says after each step; see `press_buttons.py`."""
    command = [*before, str(python_of(farm.series)), str(SCRIPT), str(farm.interpreter), json.dumps(steps)]
    folders = {"BLENDER_USER_RESOURCES": str(farm.folder / "user"), "PCHMR_BACKEND": str(farm.folder / "cache")}
    done = subprocess.run(
        command, env={**os.environ, **folders}, capture_output=True, text=True, encoding="utf-8", timeout=LIMIT,
        check=False,
    )  # fmt: skip
    told = [SimpleNamespace(**json.loads(line)) for line in done.stdout.splitlines() if line.startswith("{")]
    assert len(told) == len(steps), done.stderr
    return told


def mended(farm: Farm, clip: Path, kind: str, button: str, words: dict[str, Any]) -> SimpleNamespace:
    """A clip that fails with a kind, and a button after which it does not, at once or when it is started again."""
    chosen = {"set": {"clip": str(clip), "out": str(farm.out)}}
    _, failed, pressed, again = panel(farm, chosen, RECONSTRUCT, {"press": button, "words": words}, RECONSTRUCT)
    assert failed.kind == kind, failed
    assert failed.message in failed.said
    assert failed.hint
    assert "--" not in failed.hint
    assert not failed.people
    assert pressed.said == again.said == ""
    assert (again.kind, again.people) == ("", [again.people[0]])
    return failed


def test_a_path_that_does_not_exist(farm: Farm) -> None:
    clip, good = farm.folder / "not thère" / "picture.mp4", farm.clip("good", 4)
    failed = mended(farm, clip, "ClipNotFound", "Choose Another Clip…", {"filepath": str(good)})
    assert "not thère" in failed.message


def test_a_picture_instead_of_a_movie(farm: Farm) -> None:
    picture, good = farm.folder / "clips" / "picture.png", farm.clip("good", 4)
    assert cv2.imwrite(str(picture), np.zeros((48, 64, 3), np.uint8))
    failed = mended(farm, picture, "UnsupportedVideo", "Choose Another Clip…", {"filepath": str(good)})
    assert "single picture" in failed.message


def test_a_take_from_a_newer_version(farm: Farm) -> None:
    clip = farm.clip("good", 4)
    take = farm.out / "good.take" / "take.json"
    take.write_text(json.dumps({**json.loads(take.read_text("utf-8")), "version": 99}), "utf-8")
    failed = mended(farm, clip, "TakeVersion", "Replace the Take", {})
    assert "version 99" in failed.message


def test_a_read_only_output_folder(farm: Farm) -> None:
    clip, elsewhere = farm.clip("good", 4), farm.folder / "elsewhere"
    make_take(elsewhere / "good.take", frames=4, clip=clip)
    chosen = {"set": {"clip": str(clip), "out": str(farm.out)}}
    press = {"press": "Choose Another Folder…", "words": {"directory": str(elsewhere)}}
    steps = (chosen, RECONSTRUCT, press, RECONSTRUCT)
    _, failed, pressed, again = panel(farm, *steps, before=tuple(read_only(farm.out)))
    assert failed.kind == "OutputNotWritable", failed
    assert not failed.people
    assert pressed.out == str(elsewhere)
    assert (again.said, again.kind, again.people) == ("", "", ["good"])


def test_a_long_way_with_spaces_and_unicode(farm: Farm) -> None:
    folder = farm.folder / "Aufnahmen für «Tänze» 日本" / ("tief " * 20).strip() / ("Ordner ü " * 10).strip()
    farm = Farm(folder, farm.interpreter)
    clip = farm.clip("lang " * 36 + "名 ü.v2", 4)
    chosen = {"set": {"clip": str(clip), "out": str(farm.out), "form": "PC2"}}
    blend = {"save": str(farm.out / "Szene ü 1.blend")}
    made, saved = panel(farm, chosen, {**RECONSTRUCT}, blend)[1:]
    assert (made.said, made.kind, made.frames) == ("", "", [1, 4])
    assert (saved.people, saved.lost) == (made.people, [""])


def test_a_mesh_cache_that_is_cut_short(farm: Farm) -> None:
    clip, blend = farm.clip("good", 4), str(farm.folder / "a.blend")
    chosen = {"set": {"clip": str(clip), "out": str(farm.out), "form": "PC2"}}
    panel(farm, chosen, RECONSTRUCT, {"save": blend})
    (cache,) = (farm.out / "good.take.cache").glob("*.pc2")
    whole = cache.read_bytes()
    cache.write_bytes(whole[:-100])
    export = {"operator": "pchmr.export_person", "words": {"filepath": str(farm.folder / "x.abc"), "format": "abc"}}
    loaded = {"operator": "wm.open_mainfile", "words": {"filepath": blend}}
    press = {"press": "Make the Mesh Cache Again…", "words": {"form": "PC2"}}
    opened, failed, pressed, again = panel(farm, loaded, export, press, {"save": blend})
    assert ".pc2" in opened.lost[0]
    assert opened.mends == [["Make the Mesh Cache Again…"]]
    assert failed.kind == "CacheCorrupt", failed
    assert (pressed.said, pressed.lost, again.lost) == ("", [""], [""])
    assert cache.read_bytes() == whole


def test_only_the_take_of_the_chosen_clip_is_offered_to_be_replaced(farm: Farm) -> None:
    chosen = {"set": {"clip": str(farm.clip("good", 4)), "out": str(farm.out)}}
    other = farm.clip("other", 4)
    (farm.out / "other.take" / "take.json").write_text("{}", "utf-8")
    imported = {"operator": "pchmr.import_take", "words": {"directory": str(farm.out / "other.take")}}
    _, failed, then = panel(farm, chosen, imported, {"set": {"clip": str(other)}})
    assert failed.kind == "TakeCorrupt"
    assert failed.buttons == []
    assert then.buttons == ["Replace the Take"]


def test_footage_that_is_gone_and_comes_back(farm: Farm) -> None:
    clip, blend = farm.clip("good", 4), str(farm.folder / "a.blend")
    panel(farm, {"set": {"clip": str(clip), "out": str(farm.out)}}, RECONSTRUCT, {"save": blend})
    loaded = {"operator": "wm.open_mainfile", "words": {"filepath": blend}}
    look = {"operator": "pchmr.make_stand_in"}
    hidden = clip.rename(clip.with_name("hidden.avi"))
    gone, still = panel(farm, loaded, look)
    assert "good.avi" in gone.lost[0]
    assert gone.mends == [["Look for the Footage Again"]]
    assert still.kind == "ClipNotFound"
    hidden.rename(farm.folder / clip.name)  # beside the .blend
    found, looked = panel(farm, loaded, look)
    assert (found.lost, looked.said, looked.kind) == ([""], "", "")
