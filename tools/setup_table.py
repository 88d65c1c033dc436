"""Makes requirements/setup.json again: what "Set Up Backend" downloads, how large it is, and the pinned `uv` programs.

    python tools/setup_table.py          after `make lock`; Python 3.11 or later

Sizes and hashes are read from a lock that uv makes over the same versions; nothing but metadata is downloaded. What no
lock tells stands in the constants.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

import tomllib
from lock import CUDA, LOCKS, UV, run

PYTHON = "3.11"
"""What uv brings: most of the tests run on it."""

PLATFORMS = {
    "linux-x86_64": ("x86_64-unknown-linux-gnu", r"manylinux\S*_x86_64"),
    "linux-aarch64": ("aarch64-unknown-linux-gnu", r"manylinux\S*_aarch64"),
    "windows-amd64": ("x86_64-pc-windows-msvc", r"win_amd64"),
    "macos-arm64": ("aarch64-apple-darwin", r"macosx\S*_(arm64|universal2)"),
}
"""uv's name of each platform that torch has builds for, and how the names of its wheels end."""

# What no lock tells: measured, or estimated where the file cannot be had here.
PYTHON_SIZE = 30_000_000
MODELS_SIZES = {"PyPI": 35_700_000, "npm": 41_000_000}  # of the wheel and the package that hold BlazePose's models
OLDEST_MACOS = 14  # by the names of torch's wheels
TORCH_ELSEWHERE = {
    "linux-x86_64": {"cpu": 192_000_000},
    "linux-aarch64": {"cpu": 150_000_000},
    "windows-amd64": {"cuda": 2_000_000_000},
}
"""Bytes of the builds of torch that PyPI does not have."""
UNPACKED = {"packages": 3.5, "cpu": 3.8, "cuda": 2.0, "mps": 4.0}
"""How many times larger things are when they are unpacked."""


def main() -> None:
    """Write the table."""
    os.environ["MACOSX_DEPLOYMENT_TARGET"] = f"{OLDEST_MACOS}.0"  # what uv takes a Mac for
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        venv.create(folder / "venv", with_pip=True)
        programs = folder / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
        run([str(programs / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", UV])
        uv = str(programs / "uv")
        wheels = locked_wheels(uv, folder / "project")
        contents = b"".join((LOCKS / name).read_bytes() for name in ("backend.lock", "torch.txt"))
        table = {
            "lock": hashlib.sha256(contents).hexdigest()[:10],
            "uv": {"version": UV.partition("==")[2], "wheels": uv_wheels(wheels)},
            "python": {"version": PYTHON, "size": PYTHON_SIZE},
            "macos": OLDEST_MACOS,
            "models": MODELS_SIZES,
            "unpacked": UNPACKED,
            "platforms": {name: sizes(uv, folder, name, wheels) for name in PLATFORMS},
        }
    (LOCKS / "setup.json").write_text(json.dumps(table, indent=2) + "\n", "utf-8", newline="\n")


def locked_wheels(uv: str, project: Path) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Every wheel (`url`, `hash`, `size`) of every package that may be installed, uv included, by name and version."""
    lock = (LOCKS / "backend.lock").read_text("utf-8")
    pins = [line.rstrip(" \\") for line in lock.splitlines() if re.match(r"[a-z0-9]", line)]
    torch = [line for line in (LOCKS / "torch.txt").read_text("utf-8").splitlines() if line[:1].isalpha()]
    project.mkdir()
    lines = ",\n".join(json.dumps(pin) for pin in [*pins, *torch, UV])
    text = f'[project]\nname = "table"\nversion = "0"\nrequires-python = ">=3.10,<3.15"\ndependencies = [\n{lines}\n]\n'
    (project / "pyproject.toml").write_text(text, "utf-8")
    run([uv, "lock", "--quiet", "--project", str(project)])
    packages = tomllib.loads((project / "uv.lock").read_text("utf-8"))["package"]
    return {(package["name"], package["version"]): package.get("wheels", []) for package in packages}


def uv_wheels(wheels: dict[tuple[str, str], list[dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """uv's own wheel for each platform."""
    name, _, version = UV.partition("==")
    found = {}
    for platform, (_, ending) in PLATFORMS.items():
        wheel = best(wheels[name, version], ending)
        digest = wheel["hash"].removeprefix("sha256:")
        found[platform] = {"file": wheel["url"].rpartition("/")[2], "sha256": digest, "size": wheel["size"]}
    return found


def sizes(uv: str, folder: Path, platform: str, wheels: dict[tuple[str, str], list[dict[str, Any]]]) -> dict[str, Any]:
    """Bytes to download on a platform: the locked packages, torch by device with what it brings; which one PyPI has."""
    target, ending = PLATFORMS[platform]
    source = [str(LOCKS / "torch.txt"), "--constraints", str(LOCKS / "backend.lock")]
    options = ["--python-platform", target, "--python-version", PYTHON, "--quiet", "--no-header", "--no-annotate"]
    everything = run([uv, "pip", "compile", *source, *options])
    cuda = [pin for pin in re.findall(r"^([a-z0-9.-]+)==(\S+)", everything, re.MULTILINE) if CUDA.fullmatch(pin[0])]
    locked = run([uv, "pip", "compile", str(LOCKS / "backend.lock"), "--no-deps", *options])
    packages = re.findall(r"^([a-z0-9.-]+)==(\S+)", locked, re.MULTILINE)
    total = sum(best(wheels[pin], ending)["size"] for pin in cuda)
    device = "mps" if platform.startswith("macos") else "cuda" if platform.startswith("linux") else "cpu"
    return {
        "packages": sum(best(wheels[pin], ending)["size"] for pin in packages),
        "torch": {device: total, **TORCH_ELSEWHERE.get(platform, {})},
        "pip_takes": device,
    }


def best(wheels: list[dict[str, Any]], ending: str) -> dict[str, Any]:
    """The wheel for a platform and `PYTHON`, the largest where several fit."""
    tag = f"cp{PYTHON.replace('.', '')}"
    name = re.compile(rf"-({tag}-\w+|cp3\d+-abi3|py\d[\w.]*-none)-(\S*{ending}\S*|any)\.whl$")
    fitting = [wheel for wheel in wheels if name.search(wheel["url"])]
    if not fitting:
        sys.exit(f"no wheel for {ending} among {[wheel['url'].rpartition('/')[2] for wheel in wheels]}")
    return max(fitting, key=lambda wheel: wheel["size"])


if __name__ == "__main__":
    main()
