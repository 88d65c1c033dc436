"""`models --add` and `--inspect`, and the add-on's way to them: what is accepted, what is refused, what is said."""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from inference_backend.checkpoint_files import load_videopose3d
from inference_backend.cli import main
from inference_backend.errors import BadArgument, BodyInvalid, UnsafePickle, WeightsCorrupt, WeightsMissing
from inference_backend.weights import REGISTRY, model_path
from pchmr.inference_backend import errors as addon_errors
from pchmr.pchmr_blender.backend.user_models import ModelFile, add_model, inspect_model, list_models

from ..backend.test_smpl_files import body_of, file_content, write
from .model_files import Command, published

PYTHON = Path(sys.executable)


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty models folder."""
    folder = tmp_path / "my mödels"
    monkeypatch.setenv("PCHMR_MODELS", str(folder))
    return folder


@pytest.fixture
def make(tmp_path: Path) -> Callable[[str, str], Path]:
    """Writes a body file of a kind under a name."""

    def body_file(kind: str, name: str) -> Path:
        path = tmp_path / name
        content = file_content(body_of(kind))
        if path.suffix == ".pkl":
            return write(path, content)
        dense = {key: value.toarray() if hasattr(value, "toarray") else value for key, value in content.items()}
        np.savez(path, **dense)
        return path

    return body_file


# the command


@pytest.mark.parametrize(
    ("kind", "name", "stored"),
    [
        ("smpl", "basicModel neutral.pkl", "SMPL_NEUTRAL.pkl"),
        ("smpl", "model.npz", "SMPL_NEUTRAL.npz"),
        ("smplh", "a.pkl", "SMPLH_NEUTRAL.pkl"),
        ("smplx", "a.npz", "SMPLX_NEUTRAL.npz"),
    ],
)
def test_a_body_is_known_by_its_content_and_found_afterwards(
    models: Path,
    make: Callable[[str, str], Path],
    capsys: pytest.CaptureFixture[str],
    kind: str,
    name: str,
    stored: str,
) -> None:
    path = make(kind, name)
    assert main(["models", "--add", str(path)]) == 0
    said = capsys.readouterr().out
    assert REGISTRY[kind].license in said
    assert "not for commercial use" in said
    assert model_path(kind) == models / stored
    assert (models / stored).read_bytes() == path.read_bytes()
    assert [path.name for path in models.iterdir()] == [stored]
    assert main(["models", "--json"]) == 0
    states = {model["name"]: model for model in json.loads(capsys.readouterr().out)["models"]}
    assert (states[kind]["state"], states[kind]["path"]) == ("installed", str(models / stored))


def test_inspecting_says_the_licence_and_adds_nothing(
    models: Path, make: Callable[[str, str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "--inspect", str(make("smplx", "a.npz"))]) == 0
    assert "SMPL-X model licence" in capsys.readouterr().out
    assert not models.exists()


def test_another_file_is_replaced_on_request_only(models: Path, make: Callable[[str, str], Path]) -> None:
    first, second = make("smpl", "first.pkl"), make("smpl", "second.npz")
    assert main(["models", "--add", str(first)]) == 0
    assert main(["models", "--add", str(first)]) == 0
    assert main(["models", "--add", str(second)]) == BadArgument.exit_code
    assert model_path("smpl").read_bytes() == first.read_bytes()
    assert main(["models", "--add", str(second), "--replace"]) == 0
    assert model_path("smpl").read_bytes() == second.read_bytes()
    assert [path.name for path in models.iterdir()] == ["SMPL_NEUTRAL.npz"]


@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_published_checkpoint_is_added(models: Path, tmp_path: Path, prefix: str) -> None:
    path = published(tmp_path / "my checkpoint.bin", prefix=prefix)
    assert main(["models", "--add", str(path)]) == 0
    network = load_videopose3d(model_path("videopose3d"))
    assert network(torch.zeros(1, 34, 30)).shape == (1, 51, 30)
    assert network.receptive_field == 27


def test_files_that_are_no_models_are_refused_and_not_run(
    models: Path, tmp_path: Path, make: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    damaged = make("smpl", "damaged.pkl")
    damaged.write_bytes(damaged.read_bytes()[:1000])
    other_network = published(tmp_path / "other.bin", model_pos={"conv.weight": torch.zeros(3)})
    short = published(tmp_path / "short.bin")
    short.write_bytes(short.read_bytes()[:-100])
    no_body = write(tmp_path / "nobody.pkl", {**file_content(body_of("smpl")), "weights": np.zeros((3, 3))})
    (tmp_path / "text.pt").write_text("text")
    (tmp_path / "notes.txt").write_text("text")
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps({"v_template": Command()}))
    evil = published(tmp_path / "evil.bin", more=Command())
    for path, kind in (
        (damaged, WeightsCorrupt),
        (other_network, WeightsCorrupt),
        (short, WeightsCorrupt),
        (no_body, BodyInvalid),
        (tmp_path / "text.pt", WeightsCorrupt),
        (tmp_path / "notes.txt", BadArgument),
        (tmp_path / "evil.pkl", UnsafePickle),
        (evil, UnsafePickle),
        (tmp_path / "nothing.pkl", WeightsMissing),
        (tmp_path, WeightsMissing),
    ):
        assert main(["models", "--add", str(path)]) == kind.exit_code, path
    assert not models.exists()
    assert not (tmp_path / "was-run").exists()


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PCHMR_MODELS", str(tmp_path / "file"))
    assert main(["models", "--add", str(published(tmp_path / "a.bin"))]) == 50


# the add-on


def test_the_addon_lists_models_with_their_licences(models: Path) -> None:
    found = {model.name: model for model in list_models(PYTHON)}
    assert found.keys() == REGISTRY.keys()
    assert found["body"] == ModelFile(
        "body", "installed", "bundled", "CC0-1.0", "default body", REGISTRY["body"].origin, found["body"].path, None
    )
    assert found["smpl"].state == "missing"
    assert "models --add" in (found["smpl"].problem or "")


def test_the_addon_inspects_then_adds(models: Path, tmp_path: Path) -> None:
    path = published(tmp_path / "chéck point.bin")
    seen = inspect_model(PYTHON, path)
    assert (seen.name, seen.state, seen.license) == ("videopose3d", "missing", "CC-BY-NC-4.0")
    assert add_model(PYTHON, path).state == "installed"
    assert Path(add_model(PYTHON, path).path).is_file()


def test_the_addon_gets_the_backends_error(models: Path, tmp_path: Path) -> None:
    (tmp_path / "text.pt").write_text("text")
    with pytest.raises(addon_errors.WeightsCorrupt, match=r"text\.pt is no readable checkpoint") as caught:
        add_model(PYTHON, tmp_path / "text.pt")
    assert caught.value.hint.startswith("The file is damaged")


def test_an_interpreter_without_the_backends_packages_is_told(tmp_path: Path) -> None:
    with pytest.raises(addon_errors.EnvironmentInvalid):
        list_models(tmp_path / "no python")
    with pytest.raises(addon_errors.EnvironmentInvalid) as caught:
        list_models(PYTHON, root=tmp_path)
    assert "inference_backend" in caught.value.facts["output"]


def test_listing_can_be_cancelled() -> None:
    with pytest.raises(addon_errors.Cancelled):
        list_models(PYTHON, cancelled=lambda: True)
