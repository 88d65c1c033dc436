"""A backend that installs in seconds: a wheel for its lock, one for torch, and modules that answer as the real one."""

from __future__ import annotations

import base64
import hashlib
import json
import zipfile
from pathlib import Path

from pchmr.pchmr_blender.backend.setup_table import platform_name

ANSWER = {
    "backend": "7.0",
    "python": "3.11.0",
    "packages": [
        {"name": "torch", "version": "2.0+tiny", "problem": None},
        {"name": "tinylocked", "version": "1.0", "problem": None},
    ],
    "devices": [{"name": "cpu", "label": "an abacus"}],
    "models": [
        {
            "name": "body", "state": "installed", "source": "bundled", "license": "CC0-1.0", "purpose": "default body",
            "origin": "made", "path": "body.npz", "sha256": "0", "problem": None,
        }
    ],
}  # fmt: skip
"""What `inference_backend.installation` prints."""

EXAMINE = """
import importlib.metadata, json, tinylocked, tinytorch
answer = json.loads({answer!r})
answer["packages"][0]["version"] = importlib.metadata.version("tinytorch")
print("torch says something")
print(json.dumps(answer))
"""


def make_backend(root: Path, wheels: Path) -> Path:
    """The root folder of such a backend; its wheels lie in a folder of their own."""
    requirements, package = root / "requirements", root / "inference_backend"
    for folder in (requirements, package, wheels):
        folder.mkdir(parents=True)
    digest = hashlib.sha256(make_wheel(wheels, "tinylocked", "1.0").read_bytes()).hexdigest()
    make_wheel(wheels, "tinytorch", "2.0")
    (requirements / "backend.lock").write_text(f"tinylocked==1.0 \\\n    --hash=sha256:{digest}\n")
    (requirements / "torch.txt").write_text("tinytorch==2.0\n")
    (requirements / "setup.json").write_text(json.dumps(table()))
    (package / "__init__.py").write_text('"""Tiny."""\n\n__version__ = "7.0"\n')
    # What the real one does here: get BlazePose.
    (package / "__main__.py").write_text(
        "import sys, tinylocked, tinytorch\nassert sys.argv[1:] == ['models', '--install']\n"
    )
    (package / "installation.py").write_text(EXAMINE.format(answer=json.dumps(ANSWER)))
    return root


def table() -> dict[str, object]:
    """requirements/setup.json for this machine."""
    return {
        "uv": {"version": "0", "wheels": {platform_name(): {"file": "uv-0.whl", "sha256": "0" * 64, "size": 1000}}},
        "python": {"version": "3.11", "size": 1000},
        "macos": 0,
        "models": {"PyPI": 500, "npm": 500},
        "unpacked": {"packages": 2.0, "cpu": 2.0, "cuda": 2.0, "mps": 2.0},
        "platforms": {
            platform_name(): {"packages": 1000, "torch": {"cpu": 1000, "mps": 1000, "cuda": 1000}, "pip_takes": "cpu"}
        },
    }


def make_wheel(folder: Path, name: str, version: str) -> Path:
    """A wheel of one module without content."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = []
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(text)}")
    files[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,"]) + "\n"
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return wheel
