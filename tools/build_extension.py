"""Builds the extension's archive with Blender's own builder, and checks what it holds: `make extension`.

    python tools/build_extension.py --bpy PYTHON         a Python that has the `bpy` wheel, which brings the builder
    python tools/build_extension.py --blender PROGRAM    a Blender, 4.2 or later

The archive is validated, compared with the allow-list below, and named on stdout. What shall not be in it is left out
by `[build]` in blender_manifest.toml; the list makes sure that a stray file of this folder is noticed before it goes to
others. Standard library only.
"""

from __future__ import annotations

import argparse
import fnmatch
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LARGEST = 60_000_000
"""Bytes the archive may have."""

ALLOWED = (
    "__init__.py",
    "blender_manifest.toml",
    "LICENSE",
    "LICENSES/*.txt",
    "pchmr_blender/*.py",
    "inference_backend/*.py",
    "inference_backend/training/landmark_offsets.json",
    "inference_backend/assets/SHA256SUMS",
    "inference_backend/assets/*.card.md",
    "presets/*.toml",
    "requirements/backend.lock",
    "requirements/torch.txt",
    "requirements/setup.json",
)
"""Patterns of what the archive may hold, besides the bundled weights; `*` reaches into sub-folders."""


def main() -> None:
    """Build, validate, check."""
    parser = argparse.ArgumentParser(description="Build the extension's archive.")
    builder = parser.add_mutually_exclusive_group(required=True)
    builder.add_argument("--bpy", type=Path, metavar="PYTHON", help="an interpreter that has the bpy wheel")
    builder.add_argument("--blender", type=Path, metavar="PROGRAM", help="a Blender")
    parser.add_argument("--out", type=Path, default=ROOT / "out", metavar="DIR", help="where to (default: out)")
    options = parser.parse_args()
    command = builder_of_wheel(options.bpy) if options.bpy else [str(options.blender), "--command", "extension"]
    try:
        archive = build(command, options.out)
    except ValueError as error:
        sys.exit(f"{error}")
    print(archive)


def builder_of_wheel(python: Path) -> list[str]:
    """The command of Blender's builder in the wheel of an interpreter, which need not start Blender for it."""
    code = "import importlib.util; print(importlib.util.find_spec('bpy').submodule_search_locations[0])"
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False)
    scripts = sorted(Path(done.stdout.strip()).glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py"))
    if done.returncode or not scripts:
        sys.exit(f"{python} has no bpy wheel with an extension builder\n{done.stderr}")
    return [str(python), str(scripts[-1])]


def build(command: list[str], folder: Path, source: Path = ROOT) -> Path:
    """Build and validate the archive in `folder`; its path.

    Raises ValueError where the builder fails, or where the archive holds what is not allowed or is too large.
    """
    folder.mkdir(parents=True, exist_ok=True)
    run([*command, "build", "--source-dir", str(source), "--output-filepath", str(folder / archive_name(source))])
    archive = folder / archive_name(source)
    run([*command, "validate", str(archive)])
    with zipfile.ZipFile(archive) as opened:
        stray = strays(opened.namelist(), source)
    if stray:
        archive.unlink()
        raise ValueError("not allowed in the archive, see [build] in blender_manifest.toml:\n  " + "\n  ".join(stray))
    if archive.stat().st_size > LARGEST:
        raise ValueError(f"{archive} has {archive.stat().st_size} bytes, more than {LARGEST}")
    return archive


def archive_name(source: Path) -> str:
    """`id-version.zip`, as Blender names archives."""
    lines = (source / "blender_manifest.toml").read_text("utf-8").splitlines()
    pairs = (line.partition("=") for line in lines)
    values = {key.strip(): value.strip().strip('"') for key, equals, value in pairs if equals}
    return f"{values['id']}-{values['version']}.zip"


def strays(names: list[str], source: Path = ROOT) -> list[str]:
    """The names in an archive that are not on the list."""
    sums = (source / "inference_backend" / "assets" / "SHA256SUMS").read_text("utf-8").splitlines()
    weights = {f"inference_backend/assets/{line.split()[1]}" for line in sums if line.strip()}
    return [
        name
        for name in names
        if name not in weights and not any(fnmatch.fnmatchcase(name, pattern) for pattern in ALLOWED)
    ]


def run(command: list[str]) -> None:
    """Run the builder. ValueError with what it said where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"failed: {' '.join(command)}\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    main()
