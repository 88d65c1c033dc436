"""Model files: which there are, where they lie, and whether they are what they should be.

Nothing is loaded unless its SHA-256 is the registered one. Bundled files lie in `assets/` and take their hash
from `assets/SHA256SUMS`; installed files lie in the user's models folder; user-supplied ones are licensed
files which only the user may fetch, so no edition is prescribed and no hash is known.
"""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from .errors import WeightsCorrupt, WeightsMissing

MODELS_ENV: Final = "PCHMR_MODELS"
"""Environment variable that names the models folder, instead of the per-user one."""

ASSETS: Final = Path(__file__).parent / "assets"
"""Folder of the bundled files, with `SHA256SUMS` (lines of `hash  name`)."""

_INSTALL_HINT: Final = "Install it with: python -m inference_backend models --install"


@dataclass(frozen=True)
class Model:
    """One model file."""

    name: str
    """What `model_path` takes."""
    file_name: str
    """Its name inside the assets or the models folder."""
    source: Literal["bundled", "installed", "user-supplied"]
    """Whether it comes with the backend, is installed on request, or is put there by the user."""
    license: str
    """SPDX identifier, or the name of a licence that has none."""
    origin: str
    """Where it comes from."""
    purpose: str
    """What it is for."""
    sha256: str | None = None
    """Hex digest of an installed file. None: see `SHA256SUMS` (bundled), or any edition is allowed (user-supplied)."""
    member: str = ""
    """Path inside the wheel or package it is taken from (installed files)."""
    other_suffix: str = ""
    """What its name may end in instead (user-supplied files)."""


BLAZEPOSE_WHEEL: Final = "mediapipe==0.10.21"
"""The last release on PyPI whose wheels hold the Pose models. It is only unpacked, never installed."""

BLAZEPOSE_PACKAGE: Final = "@mediapipe/pose@0.5.1675469404"
"""The package on npm that also holds the heavy landmark model, which no wheel does. It is only unpacked."""


_WHEEL: Final = f"PyPI wheel {BLAZEPOSE_WHEEL}"


def _blazepose(name: str, member: str, sha256: str, purpose: str, origin: str = _WHEEL) -> Model:
    return Model(name, Path(member).name, "installed", "Apache-2.0", origin, purpose, sha256, member)


def _body(name: str, file_name: str, license: str, origin: str) -> Model:
    other = {".pkl": ".npz", ".npz": ".pkl"}[Path(file_name).suffix]
    purpose = f"the {Path(file_name).stem.partition('_')[0]} body"
    return Model(name, file_name, "user-supplied", license, origin, purpose, other_suffix=other)


REGISTRY: Final = {
    model.name: model
    for model in (
        _blazepose(
            "blazepose_detector",
            "mediapipe/modules/pose_detection/pose_detection.tflite",
            "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
            "finds people in a frame",
        ),
        _blazepose(
            "blazepose_landmarks",
            "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
            "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
            "33 landmarks and a mask of one person, quickly",
        ),
        _blazepose(
            "blazepose_landmarks_heavy",
            "package/pose_landmark_heavy.tflite",
            "59e42d71bcd44cbdbabc419f0ff76686595fd265419566bd4009ef703ea8e1fe",
            "33 landmarks and a mask of one person",
            f"npm package {BLAZEPOSE_PACKAGE}",
        ),
        Model("body", "body.npz", "bundled", "CC0-1.0", "baked from the MakeHuman body", "default body"),
        Model("lifter", "lifter.pt", "bundled", "Apache-2.0", "trained here on CMU mocap", "2D landmarks to a 3D pose"),
        Model("proxy", "proxy.pt", "bundled", "Apache-2.0", "trained here on the default body", "mesh from landmarks"),
        Model("calibration", "calibration.npz", "bundled", "Apache-2.0", "trained here on the default body", "A and W"),
        _body("smpl", "SMPL_NEUTRAL.pkl", "SMPL model licence (non-commercial)", "smpl.is.tue.mpg.de"),
        _body("smplh", "SMPLH_NEUTRAL.npz", "SMPL+H model licence (non-commercial)", "mano.is.tue.mpg.de"),
        _body("smplx", "SMPLX_NEUTRAL.npz", "SMPL-X model licence (non-commercial)", "smpl-x.is.tue.mpg.de"),
        Model(
            "videopose3d",
            "pretrained_h36m_cpn.bin",
            "user-supplied",
            "CC-BY-NC-4.0",
            "github.com/facebookresearch/VideoPose3D",
            "the lifter of 17 joints as published",
        ),
    )
}
"""Every model file by name."""

_digests: dict[Path, tuple[int, int, str]] = {}  # path -> size, mtime_ns and the digest it had then


def models_folder() -> Path:
    """The folder of installed and user-supplied model files (which need not exist yet)."""
    if override := os.environ.get(MODELS_ENV):
        return Path(override).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "pchmr" / "models"


def file_sha256(path: Path) -> str:
    """Hex digest of a file's content; read once per process as long as size and time stay the same."""
    stat = path.stat()
    known = _digests.get(path)
    if known is None or known[:2] != (stat.st_size, stat.st_mtime_ns):
        known = (stat.st_size, stat.st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        _digests[path] = known
    return known[2]


def expected_sha256(model: Model) -> str | None:
    """The registered digest of a model: the registry's, or `SHA256SUMS`' for bundled files.

    Raises:
        WeightsCorrupt: the bundled file has no line in `SHA256SUMS`.
    """
    if model.source != "bundled":
        return model.sha256
    sums = ASSETS / "SHA256SUMS"
    lines = sums.read_text("utf-8").splitlines() if sums.is_file() else []
    for line in lines:
        digest, _, file_name = line.partition(" ")
        if file_name.strip().lstrip("*") == model.file_name:
            return digest.lower()
    raise WeightsCorrupt(
        f"{model.file_name} is not listed in {sums}",
        hint="Install the backend again.",
        model=model.name,
        path=str(sums),
    )


def model_file(model: Model) -> Path:
    """Where a model's file lies, or should."""
    path = (ASSETS if model.source == "bundled" else models_folder()) / model.file_name
    other = path.with_suffix(model.other_suffix or path.suffix)
    return other if other.is_file() and not path.is_file() else path


def model_path(name: str) -> Path:
    """Path of a model file that is there and has the registered hash (hashed once per process and file version).

    Raises:
        KeyError: no such name in `REGISTRY`.
        WeightsMissing: the file is not there.
        WeightsCorrupt: it is, with another content.
    """
    model = REGISTRY[name]
    path = model_file(model)
    if not path.is_file():
        hint = {
            "bundled": "Install the backend again: this file comes with it.",
            "installed": _INSTALL_HINT,
            "user-supplied": f"Get it from {model.origin} and add it: python -m inference_backend models --add FILE",
        }[model.source]
        raise WeightsMissing(f"{name}: no file {path}", hint=hint, model=name, path=str(path))
    expected = expected_sha256(model)
    if expected is not None:
        found = file_sha256(path)
        if found != expected:
            hint = "Install the backend again." if model.source == "bundled" else f"Delete it. {_INSTALL_HINT}"
            raise WeightsCorrupt(
                f"{name}: {path} is not the registered file", hint=hint, path=str(path), expected=expected, found=found
            )
    return path
