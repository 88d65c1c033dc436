"""Checks the types of everything that knows no Blender: `make lint`.

    .venv/bin/python tools/check_types.py

The add-on's modules reach the backend through the root package, which has its name from Blender; for mypy the root is
shown as the package `pchmr`, by a link in build/types. Windows makes such links in developer mode only.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
FOLDER: Final = ROOT / "build" / "types"
ADDON: Final = ("core", "backend", "activities", "constants", "installation", "problems", "steps")
"""The folders and modules of pchmr_blender without bpy."""


def main() -> int:
    """mypy's exit code."""
    link = FOLDER / "pchmr"
    FOLDER.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(Path("..", ".."), target_is_directory=True)
    product = ["-p", "inference_backend"]
    for name in ADDON:
        kind = "-p" if (ROOT / "pchmr_blender" / name).is_dir() else "-m"
        product += [kind, f"pchmr.pchmr_blender.{name}"]
    return mypy(product, FOLDER) or mypy(["--explicit-package-bases", "tools"], ROOT / "tools", FOLDER)


def mypy(targets: list[str], *search: Path) -> int:
    """Run mypy with the settings of pyproject.toml; its exit code."""
    command = [sys.executable, "-m", "mypy", *targets]
    environment = {**os.environ, "MYPYPATH": os.pathsep.join(map(str, search))}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
