"""A take and its footage are found again wherever they were moved to, and nothing else is taken for them."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from pchmr.inference_backend.errors import ClipNotFound, TakeCorrupt, TakeMismatch, TakeNotFound, TakeVersion
from pchmr.inference_backend.take_info import read_info
from pchmr.pchmr_blender.core.relocate import (
    TakeAddress,
    address_of,
    clip_title,
    find_clip,
    find_take,
    resolved_path,
    same_place,
    stored_path,
)

from ..blender.takes import make_take


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with scenes/ for the .blend, takes/ and the clip."""
    root = tmp_path / "Projekt ü 動画"
    (root / "scenes").mkdir(parents=True)
    make_take(root / "takes" / "dance one.take", frames=2, clip=_clip(root / "dance.mp4"))
    return root


def _clip(path: Path, content: bytes = b"footage") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def _address(root: Path) -> TakeAddress:
    folder = root / "takes" / "dance one.take"
    return address_of(folder, read_info(folder), root / "scenes")


def test_paths_are_stored_from_the_blend(tmp_path):
    scenes = tmp_path / "scenes"
    assert stored_path(tmp_path / "takes" / "a b.take", scenes) == "//../takes/a b.take"
    assert resolved_path("//../takes/a b.take", scenes) == tmp_path / "takes" / "a b.take"
    assert resolved_path("//..\\takes\\a.take", scenes) == tmp_path / "takes" / "a.take"
    assert stored_path(tmp_path / "a.take", None) == str(tmp_path / "a.take")
    assert resolved_path(str(tmp_path / "a.take"), None) == tmp_path / "a.take"
    assert resolved_path("//a.take", None) is None
    assert resolved_path("", scenes) is None


def test_where_it_was(project):
    assert find_take(_address(project), project / "scenes") == project / "takes" / "dance one.take"


def test_moved_together(project, tmp_path):
    address = _address(project)
    moved = project.rename(tmp_path / "elsewhere")
    assert find_take(address, moved / "scenes") == moved / "takes" / "dance one.take"


def test_only_the_blend_was_moved(project, tmp_path):
    assert find_take(_address(project), tmp_path / "far" / "away") == project / "takes" / "dance one.take"
    assert find_take(_address(project), None) == project / "takes" / "dance one.take"


def test_beside_the_blend_on_another_machine(project):
    address = replace(_address(project), stored="//../gone", absolute="D:\\Shots\\takes\\dance one.take")
    shutil.move(project / "takes" / "dance one.take", project / "scenes" / "dance one.take")
    assert find_take(address, project / "scenes") == project / "scenes" / "dance one.take"


def test_gone(project):
    address = _address(project)
    shutil.rmtree(project / "takes")
    with pytest.raises(TakeNotFound, match="dance one") as caught:
        find_take(address, project / "scenes")
    assert caught.value.facts["tried"] == [
        str(project / "takes" / "dance one.take"),
        str(project / "scenes" / "dance one.take"),
    ]
    with pytest.raises(TakeNotFound, match="any known place"):
        find_take(TakeAddress("//x.take", "", "", ""), None)


def test_another_take_in_its_place_is_not_it(project):
    address = _address(project)
    here = project / "takes" / "dance one.take"
    shutil.rmtree(here)
    make_take(here, frames=2, clip=_clip(project / "other.mp4", b"other"))
    with pytest.raises(TakeNotFound) as caught:
        find_take(address, project / "scenes")
    assert "other footage" in caught.value.facts["reasons"][0]


def test_other_settings_and_versions_are_told(project):
    address = _address(project)
    path = project / "takes" / "dance one.take" / "take.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "settings_hash": "00"}))
    with pytest.raises(TakeMismatch, match="other settings"):
        find_take(address, project / "scenes")
    path.write_text(json.dumps({**record, "version": 99}))
    with pytest.raises(TakeVersion):
        find_take(address, project / "scenes")
    path.write_text(json.dumps(record)[:200])
    with pytest.raises(TakeCorrupt, match=r"take\.json"):
        find_take(address, project / "scenes")


def test_footage(project, tmp_path):
    folder = project / "takes" / "dance one.take"
    clip = read_info(folder).clip
    assert same_place(find_clip(clip, folder, None), project / "dance.mp4")
    moved = project.rename(tmp_path / "elsewhere")
    folder = moved / "takes" / "dance one.take"
    assert same_place(find_clip(clip, folder, None), moved / "dance.mp4")
    (moved / "dance.mp4").rename(moved / "scenes" / "dance.mp4")
    assert find_clip(clip, folder, moved / "scenes") == moved / "scenes" / "dance.mp4"
    foreign = replace(clip, path="C:\\shots\\dance.mp4", relative="")
    assert find_clip(foreign, folder, moved / "scenes") == moved / "scenes" / "dance.mp4"
    _clip(moved / "scenes" / "dance.mp4", b"another take of it")
    with pytest.raises(ClipNotFound, match=r"dance\.mp4"):
        find_clip(clip, folder, moved / "scenes")


def test_titles():
    take = Path("/takes/dance.take")
    assert clip_title("/clips/dance 2.mp4", take) == "dance 2"
    assert clip_title("C:\\clips\\dance.v2.mov", take) == "dance.v2"
    assert clip_title("/clips/shots/shot_####.png", take) == "dance"
    assert clip_title("/clips/shots", take) == "shots"
