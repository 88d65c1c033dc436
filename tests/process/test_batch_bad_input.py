"""Bad input in a batch: each is named with its kind, on stderr and in the report, and the other clips go on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from inference_backend.errors import KINDS

from ..blender.clips import make_movie
from ..blender.takes import make_take
from .farm import POSIX, Farm, farm, needs_blender
from .read_only import read_only

__all__ = ["farm"]

pytestmark = [needs_blender, POSIX]


def one_fails(farm: Farm, clip: Path, kind: str, *words: Any) -> str:
    """Run a batch of that clip and a good one: the first fails, named everywhere, the second is made. Its message."""
    code, told = farm.run(clip, farm.clip("good", 4), *words)
    bad, good = farm.report()
    assert (bad["status"], good["status"]) == ("failed", "done"), told
    trouble = bad["trouble"]
    assert (code, trouble["exit_code"], trouble["kind"]) == (*[KINDS[kind].exit_code] * 2, kind)
    assert f"failed    {bad['name']}  {kind}: {trouble['message']}" in told.splitlines()
    assert f"  {trouble['hint']}" in told.splitlines()
    assert trouble["hint"]
    assert "Traceback" not in told
    assert "good.blend" in farm.made()
    message: str = trouble["message"]
    return message


def test_a_path_that_does_not_exist(farm: Farm) -> None:
    assert "ü not there.mp4" in one_fails(farm, farm.folder / "clips" / "ü not there.mp4", "ClipNotFound")


def test_a_pattern_that_fits_nothing(farm: Farm) -> None:
    (farm.folder / "clips").mkdir()
    assert "shot_####.png" in one_fails(farm, farm.folder / "clips" / "shot_####.png", "ClipNotFound")


def test_a_picture_instead_of_a_movie(farm: Farm) -> None:
    clip = farm.folder / "clips" / "picture.png"
    clip.parent.mkdir()
    assert cv2.imwrite(str(clip), np.zeros((48, 64, 3), np.uint8))
    assert "single picture" in one_fails(farm, clip, "UnsupportedVideo")


def test_a_text_file_instead_of_a_movie(farm: Farm) -> None:
    clip = farm.folder / "clips" / "picture.mp4"
    clip.parent.mkdir()
    clip.write_text("no movie at all\n" * 100)
    assert "picture.mp4" in one_fails(farm, clip, "UnsupportedVideo")


def test_a_take_from_a_newer_version(farm: Farm) -> None:
    clip = make_movie(farm.folder / "clips" / "picture.avi", 4)
    take = make_take(farm.out / "picture.take", frames=4, clip=clip) / "take.json"
    take.write_text(json.dumps({**json.loads(take.read_text("utf-8")), "version": 99}), "utf-8")
    before = take.read_bytes()
    assert "version 99" in one_fails(farm, clip, "TakeVersion")
    assert take.read_bytes() == before


def test_a_read_only_output_folder(farm: Farm) -> None:
    clips = farm.clip("good", 4), make_movie(farm.folder / "clips" / "other.avi", 2)
    before = sorted(path.name for path in farm.out.rglob("*"))
    code, told = replace(farm, before=read_only(farm.out)).run(*clips)
    assert code == KINDS["OutputNotWritable"].exit_code, told
    assert [one["trouble"]["kind"] for one in farm.report()] == ["OutputNotWritable"] * 2
    assert "OutputNotWritable: " in told
    assert "Traceback" not in told
    assert sorted(path.name for path in farm.out.rglob("*")) == before


def test_one_take_that_cannot_be_written(farm: Farm) -> None:
    farm.out.mkdir()
    clip = make_movie(farm.folder / "clips" / "picture.avi", 4)
    (farm.out / "picture.take").write_bytes(b"a file in its place")
    assert "picture.take" in one_fails(farm, clip, "OutputNotWritable")


def test_a_report_that_cannot_be_written_is_told_before_the_work(farm: Farm) -> None:
    (farm.folder / "report.json").mkdir()
    code, told = farm.run(farm.clip("good", 4))
    assert code == KINDS["OutputNotWritable"].exit_code
    assert "report.json" in told
    assert farm.made() == set()


def test_footage_in_a_read_only_folder(farm: Farm) -> None:
    clip = farm.clip("good", 4)
    code, told = replace(farm, before=read_only(clip.parent)).run(clip, "--preview", "--export", "bvh")
    assert code == 0, told
    assert farm.made() == {"good.blend", "good.bvh", "good.preview.mp4", "good.batch.json"}
    assert list(clip.parent.iterdir()) == [clip]


def test_a_long_way_with_spaces_and_unicode(farm: Farm) -> None:
    folder = farm.folder / "Aufnahmen für «Tänze» 日本" / ("tief " * 20).strip() / ("Ordner ü " * 10).strip()
    farm = Farm(folder, farm.interpreter)
    name = "lang " * 36 + "名 ü.v2"
    clip = farm.clip(name, 4)
    assert len(str(clip)) > 400
    code, told = farm.run(clip, "--preview", "--export", "bvh", "--form", "pc2")
    assert code == 0, told
    assert farm.made() == {f"{name}.{ending}" for ending in ("blend", "preview.mp4", "bvh", "batch.json")}


@pytest.mark.parametrize("damage", ["cut short", "gone"])
def test_a_mesh_cache_that_is_damaged_is_made_again(farm: Farm, damage: str) -> None:
    clip = farm.clip("good", 4)
    assert farm.run(clip, "--form", "pc2")[0] == 0
    (cache,) = (farm.out / "good.take.cache").glob("*.pc2")
    whole, blend = cache.read_bytes(), (farm.out / "good.blend").read_bytes()
    assert farm.run(clip, "--form", "pc2")[0] == 0
    assert [one["status"] for one in farm.report()] == ["skipped"]
    if damage == "gone":
        cache.unlink()
    else:
        cache.write_bytes(whole[:-1000])
    code, told = farm.run(clip, "--form", "pc2")
    assert code == 0, told
    assert [one["status"] for one in farm.report()] == ["done"]
    assert cache.read_bytes() == whole
    assert (farm.out / "good.blend").read_bytes() == blend
