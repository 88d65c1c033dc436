"""`calibrate TAKE` on the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inference_backend.cli import main
from inference_backend.errors import BadArgument, PresetInvalid, TakeCorrupt
from inference_backend.take import open_take

from ..blender.bodies import shipped
from ..blender.takes import make_take


@pytest.fixture
def take(tmp_path: Path) -> Path:
    return make_take(tmp_path / "dance.take", body=shipped(), frames=12)


def test_a_preset_is_applied_and_taken_back(take: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = np.array(open_take(take).person(0).array("joints_target"))
    assert main(["calibrate", str(take), "--cleanup", "strong"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("person 0  12 frames made again")
    assert [line.split()[1] for line in told.splitlines()[3:]] == [
        "gap_fill",
        "outliers",
        "smoothing",
        "floor",
        "foot_contact",
    ]
    after = np.array(open_take(take).person(0).array("joints_target"))
    assert np.abs(after - before).max() > 1e-4
    assert main(["calibrate", str(take), "--cleanup", "strong"]) == 0
    assert "0 frames made again" in capsys.readouterr().out
    assert main(["calibrate", str(take), "--cleanup", "off"]) == 0
    assert np.abs(np.array(open_take(take).person(0).array("joints_target")) - before).max() < 1e-5


def test_edits_of_a_file(take: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calibrate", str(take), "--cleanup", "off"]) == 0
    offset = np.zeros((1, 24, 3))
    offset[0, 20, 1] = 0.05
    np.savez(tmp_path / "edits.npz", rows=[7], offset=offset)
    capsys.readouterr()
    assert main(["calibrate", str(take), "--cleanup", "off", "--edits", str(tmp_path / "edits.npz")]) == 0
    told = capsys.readouterr()
    assert "person 0  1 frames made again" in told.out
    assert "batch.py -- CLIP --out DIR --recalibrate edits.json" in told.err


@pytest.mark.parametrize("data", [b"[]", b'\xef\xbb\xbf \n{"edits": []}'])
def test_json_is_for_a_blend(take: Path, tmp_path: Path, data: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "edits.json").write_bytes(data)
    before = {path: path.read_bytes() for path in take.rglob("*.npy")}
    assert main(["calibrate", str(take), "--edits", str(tmp_path / "edits.json")]) == BadArgument.exit_code
    told = capsys.readouterr().err
    assert "is JSON, and this takes an .npz" in told
    assert "--recalibrate FILE" in told
    assert {path: path.read_bytes() for path in take.rglob("*.npy")} == before


def test_edits_are_of_one_person(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    take = make_take(tmp_path / "two.take", body=shipped(), frames=3, people=2)
    assert main(["calibrate", str(take), "--edits", str(tmp_path / "e.npz")]) == BadArgument.exit_code
    assert "--person N" in capsys.readouterr().err
    assert main(["calibrate", str(take), "--person", "2"]) == BadArgument.exit_code
    assert "has no person 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "kind"),
    [(["gone.take"], TakeCorrupt), (["dance.take", "--cleanup", "of"], PresetInvalid)],
)
def test_mistakes(take: Path, words: list[str], kind: type[BadArgument], capsys: pytest.CaptureFixture[str]) -> None:
    words[0] = str(take.with_name(words[0]))
    assert main(["calibrate", *words]) == kind.exit_code
    assert kind.__name__ in capsys.readouterr().err
