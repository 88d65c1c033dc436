"""The extension's archive: what it holds and leaves out; that it installs into a clean profile, and goes again."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import build_extension
import pytest

import inference_backend

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "Scripts/python.exe" if os.name == "nt" else "bin/python"
WHEELS = sorted((ROOT / ".cache" / "bpy").glob(f"*/{PROGRAM}"))
NEEDED = (
    "__init__.py", "blender_manifest.toml", "LICENSE", "LICENSES/GPL-3.0-or-later.txt", "pchmr_blender/registration.py",
    "inference_backend/__main__.py", "inference_backend/cli/serve.py",
    "inference_backend/training/landmark_offsets.json", "inference_backend/assets/body.npz",
    "inference_backend/assets/lifter.pt", "inference_backend/assets/proxy.pt",
    "inference_backend/assets/calibration.npz", "requirements/backend.lock", "requirements/torch.txt",
    "requirements/setup.json", "presets/solve/default.toml", "presets/rigs/rigify.toml",
)  # fmt: skip
FORBIDDEN = ("tests/", "tools/", "demo/", "docs/", "build/", "out/", ".git", ".cache", ".venv", "__pycache__", "torch/")


@pytest.fixture(scope="session")
def builder() -> list[str]:
    if not WHEELS:
        pytest.skip("no bpy wheel in .cache/bpy brings Blender's builder: run tools/blender_env.py")
    return build_extension.builder_of_wheel(WHEELS[-1])


@pytest.fixture(scope="session")
def archive(builder: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_extension.build(builder, tmp_path_factory.mktemp("out"))


@pytest.fixture(scope="session")
def names(archive: Path) -> set[str]:
    with zipfile.ZipFile(archive) as opened:
        return set(opened.namelist())


def test_it_holds_what_runs(names: set[str]) -> None:
    assert not set(NEEDED) - names


def test_every_source_is_in_it(names: set[str]) -> None:
    sources = [path for folder in ("pchmr_blender", "inference_backend") for path in (ROOT / folder).rglob("*.py")]
    assert not {path.relative_to(ROOT).as_posix() for path in sources} - names


def test_it_leaves_out_what_does_not_belong(names: set[str]) -> None:
    wrong = [name for name in names if any(part in f"/{name}" for part in (f"/{entry}" for entry in FORBIDDEN))]
    assert not wrong
    assert not [name for name in names if name.endswith((".so", ".pyd", ".dll", ".whl", ".pyc", ".mp4"))]


def test_it_is_small(archive: Path) -> None:
    assert archive.stat().st_size < 60_000_000


def test_the_weights_in_it_are_the_registered_ones(archive: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        lines = opened.read("inference_backend/assets/SHA256SUMS").decode().splitlines()
        for digest, name in (line.split() for line in lines):
            assert hashlib.sha256(opened.read(f"inference_backend/assets/{name}")).hexdigest() == digest


def test_versions_agree() -> None:
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text("utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert manifest["version"] == inference_backend.__version__ == project["project"]["version"]
    assert manifest["blender_version_min"] == "4.2.0"


def test_a_stray_file_stops_the_build(builder: list[str], tmp_path: Path) -> None:
    source = tmp_path / "checkout"
    shutil.copytree(ROOT, source, ignore=lambda folder, found: _all_but_the_frame(Path(folder), found))
    (source / "inference_backend" / "assets" / "licensed.pkl").write_bytes(b"")
    with pytest.raises(ValueError, match=r"licensed\.pkl"):
        build_extension.build(builder, tmp_path / "out", source)
    assert not list((tmp_path / "out").glob("*.zip"))


@pytest.mark.parametrize("python", WHEELS or [None], ids=lambda path: path.parts[-3] if path else "no bpy")
def test_it_installs_goes_and_comes_again(python: Path | None, archive: Path, tmp_path: Path) -> None:
    assert python is not None  # `archive` has skipped the test then
    profile = tmp_path / "a profile, größer"
    profile.mkdir()
    script = Path(__file__).with_name("installed_extension.py")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "BLENDER"))}
    done = subprocess.run(
        [str(python), str(script), str(archive)],
        env={**kept, "BLENDER_USER_RESOURCES": str(profile)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all is well" in done.stdout, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr


def test_the_installed_backend_runs(archive: Path, tmp_path: Path) -> None:
    folder = tmp_path / "extensions" / "pchmr"
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "inference_backend",
            "reconstruct",
            "no such clip.mp4",
            "--out",
            str(tmp_path / "x.take"),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 10, done.stderr


def _all_but_the_frame(folder: Path, found: list[str]) -> set[str]:
    """What `copytree` shall leave out, so that little is copied."""
    if folder == ROOT:
        return set(found) - {"__init__.py", "blender_manifest.toml", "inference_backend"}
    if folder == ROOT / "inference_backend":
        return set(found) - {"__init__.py", "assets"}
    return {name for name in found if name != "SHA256SUMS"} if folder.name == "assets" else set()
