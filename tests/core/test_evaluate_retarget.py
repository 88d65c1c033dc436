"""The command that measures retargeting on a folder of BVH files."""

from __future__ import annotations

import gzip
from pathlib import Path

import evaluate_retarget
import pytest

from ..blender.takes import make_take
from ..rigs import make_rig, write_bvh


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Skeletons of two makes in two folders, one packed."""
    for name, makes in (("a", ("daz", "cmu")), ("b ü", ("ue5",))):
        (tmp_path / name).mkdir()
        for make in makes:
            write_bvh(tmp_path / name / f"{make}.bvh", make_rig(make))
    packed = tmp_path / "a" / "cmu.bvh"
    (tmp_path / "a" / "cmu.bvh.gz").write_bytes(gzip.compress(packed.read_bytes()))
    packed.unlink()
    return tmp_path


def test_a_take_on_all_skeletons(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    take = make_take(tmp_path / "walk.take", frames=10)
    monkeypatch.setattr("sys.argv", ["evaluate", str(folder), "--take", str(take)])
    assert evaluate_retarget.main() == 0
    said = capsys.readouterr().out
    rows = [line.split(" | ") for line in said.splitlines() if line.startswith(("| a", "| b"))]
    assert [(row[0], row[1], row[2]) for row in rows] == [("| a", "2", "20"), ("| b ü", "1", "10")]
    assert all(float(row[4].rstrip("%")) < 1.0 for row in rows)
    assert "3 files, none refused" in said


def test_each_file_s_own_motion(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a" / "stick.bvh").write_text(
        "HIERARCHY\nROOT a\n{\nOFFSET 0 0 0\nCHANNELS 3 Zrotation Xrotation Yrotation\n"
        "End Site\n{\nOFFSET 0 1 0\n}\n}\n"
        "MOTION\nFrames: 1\nFrame Time: 0.033\n0 0 0\n",
        "utf-8",
    )
    monkeypatch.setattr("sys.argv", ["evaluate", str(folder)])
    assert evaluate_retarget.main() == 1
    said = capsys.readouterr().out
    assert "| a | 2 |" in said
    assert "stick.bvh: BadArgument: no pelvis with two legs" in said
