"""The models' operators in Blender with the real backend: what is said before a file is added, and what is refused."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from inference_backend.weights import REGISTRY

from ..backend.test_smpl_files import body_of, file_content, write
from .farm import LIMIT, SERIES, needs_blender, python_of
from .model_files import Command, published

pytestmark = needs_blender

SCRIPT = Path(__file__).with_name("add_models.py")


def by_file(told: list[dict[str, Any]], operator: str, file: str = "") -> dict[str, Any]:
    """The line of an operator's first run about a file."""
    return next(line for line in told if (line["operator"], line["file"]) == (operator, file))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What every operator said, with files under names that are hard to pass on."""
    folder = tmp_path_factory.mktemp("ein Körper & mehr")
    files, models = folder / "files", folder / "my mödels"
    files.mkdir()
    write(files / "1 größe's Körper 日本.pkl", file_content(body_of("smpl")))
    shutil.copyfile(files / "1 größe's Körper 日本.pkl", files / "2 the same.pkl")
    write(files / "3 another.pkl", {**file_content(body_of("smpl")), "comment": "another"})
    published(files / "4 chéck point.bin")
    (files / "5 evil.pkl").write_bytes(pickle.dumps({"v_template": Command()}))
    published(files / "6 evil.bin", more=Command())
    (files / "7 notes.txt").write_text("text", "utf-8")
    (files / "8 torn.pkl").write_bytes((files / "3 another.pkl").read_bytes()[:1000])
    python = python_of(SERIES[-1])
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "BLENDER"))}
    places = {"PCHMR_MODELS": models, "PCHMR_BACKEND": folder / "none", "BLENDER_USER_RESOURCES": folder / "user"}
    environment |= {name: str(path) for name, path in places.items()}
    done = subprocess.run(
        [str(python), str(SCRIPT), sys.executable, str(files)],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    assert not (folder / "was-run").exists()
    assert {path.name for path in models.iterdir()} == {"SMPL_NEUTRAL.pkl", "pretrained_h36m_cpn.bin"}
    assert pickle.loads((models / "SMPL_NEUTRAL.pkl").read_bytes())["comment"] == "another"
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def test_listing_wants_a_backend_and_names_every_model(told: list[dict[str, Any]]) -> None:
    without, with_one = told[:2]
    assert "poll" in without["said"]
    assert with_one["said"] == "FINISHED"
    assert with_one["models"].keys() == REGISTRY.keys()
    assert (with_one["models"]["body"], with_one["models"]["smpl"]) == ("installed", "missing")


def test_a_body_is_shown_with_its_licence_and_then_added(told: list[dict[str, Any]]) -> None:
    name = "1 größe's Körper 日本.pkl"
    asked = by_file(told, "inspect_model", name)
    assert asked["candidate"] == [name, "smpl", REGISTRY["smpl"].license]
    assert asked["may_add"]
    assert asked["models"]["smpl"] == "missing"
    added = told[told.index(asked) + 1]
    assert (added["operator"], added["said"]) == ("add_model", "FINISHED")
    assert (added["candidate"], added["may_add"]) == (None, False)
    assert added["models"]["smpl"] == "installed"
    assert "smpl" in added["notice"]


def test_the_same_file_again_is_no_error(told: list[dict[str, Any]]) -> None:
    again = told[told.index(by_file(told, "inspect_model", "2 the same.pkl")) + 1]
    assert (again["operator"], again["said"]) == ("add_model", "FINISHED")


def test_another_file_of_the_kind_takes_the_place_on_request_only(told: list[dict[str, Any]]) -> None:
    at = told.index(by_file(told, "inspect_model", "3 another.pkl"))
    refused, replaced = told[at + 1 : at + 3]
    assert refused["kind"] == "BadArgument"
    assert "another file is there already as smpl" in refused["message"]
    assert "--" not in refused["hint"]
    assert refused["may_add"]
    assert replaced["said"] == "FINISHED"


def test_a_checkpoint_is_added(told: list[dict[str, Any]]) -> None:
    at = told.index(by_file(told, "inspect_model", "4 chéck point.bin"))
    assert told[at]["candidate"][1:] == ["videopose3d", REGISTRY["videopose3d"].license]
    assert told[at + 1]["models"]["videopose3d"] == "installed"


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("5 evil.pkl", "UnsafePickle", "mkdir"),
        ("6 evil.bin", "UnsafePickle", "mkdir"),
        ("7 notes.txt", "BadArgument", "is no model file"),
        ("8 torn.pkl", "WeightsCorrupt", "8 torn.pkl"),
        ("no such file.pkl", "WeightsMissing", "no such file.pkl"),
        ("files", "WeightsMissing", "files"),
    ],
)
def test_what_is_no_model_is_refused_by_name(told: list[dict[str, Any]], name: str, kind: str, words: str) -> None:
    refused = by_file(told, "inspect_model", name)
    assert refused["kind"] == kind
    assert words in refused["message"]
    assert refused["hint"]
    assert "--" not in refused["hint"]
    assert refused["message"] in refused["said"]
    assert (refused["candidate"], refused["may_add"]) == (None, False)


def test_a_file_can_be_put_away(told: list[dict[str, Any]]) -> None:
    assert told[-3]["may_add"]
    assert (told[-2]["operator"], told[-2]["candidate"]) == ("dismiss_model", None)


def test_models_are_not_downloaded_offline(told: list[dict[str, Any]]) -> None:
    assert told[-1]["kind"] == "NoNetwork"
    assert "Allow Online Access" in told[-1]["hint"]
