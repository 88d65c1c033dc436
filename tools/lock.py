"""Makes requirements/*.lock again from pyproject.toml: `make lock`, or `python tools/lock.py` and then
`python tools/setup_table.py`, since the table of downloads is about the lock.

One lock serves Python 3.10 to 3.14 on Linux, Windows and macOS, by markers, and names the sha256 of every file of
every version, so that pip refuses anything else. The resolver is uv, in an environment of its own that is thrown away.
torch and what its CUDA builds need are left out: see requirements/torch.txt.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / "requirements"
UV = "uv==0.13.9"
OLDEST_PYTHON = "3.10"
BPY_GROUPS = ["bpy-4_2", "bpy-4_5", "bpy-5_0"]
CUDA = re.compile(r"torch|triton|nvidia-.*|cuda-.*")

HEADER = """\
# {what}: every package at one version, every file by its sha256.
# Made from pyproject.toml by tools/lock.py (`make lock`); edit that, not this.
# pip install --require-hashes --no-deps -r requirements/{name}   ({by})
"""
SETUP, BLENDER = "tools/setup_env.py does it, and adds torch", "tools/blender_env.py does it"


def compile_lock(uv: Path, name: str, what: str, source: list[str], left_out: set[str], by: str = SETUP) -> set[str]:
    """Write one lock, of which the header says what for and who installs it; returns the names of its packages."""
    command = [
        str(uv), "pip", "compile", *source, "--universal", "--python-version", OLDEST_PYTHON, "--no-header", "--quiet",
        "--constraints", str(LOCKS / "torch.txt"), "--constraints", str(LOCKS / "constraints.txt"),
    ]  # fmt: skip
    everything = names(run(command))
    omitted = sorted(left_out | {package for package in everything if CUDA.fullmatch(package)})
    text = run([*command, "--generate-hashes", *(f"--no-emit-package={package}" for package in omitted)])
    (LOCKS / name).write_text(HEADER.format(what=what, name=name, by=by) + text, "utf-8", newline="\n")
    print(f"requirements/{name}: {len(names(text))} packages")
    return everything


def names(lock: str) -> set[str]:
    """The packages that a lock pins."""
    return set(re.findall(r"^([a-z0-9][a-z0-9._-]*)==", lock, re.MULTILINE))


def run(command: list[str]) -> str:
    """What the command prints; its errors end this program."""
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"failed: {' '.join(command)}")
    return done.stdout


def main() -> None:
    """Make all locks."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        programs = Path(folder) / ("Scripts" if sys.platform == "win32" else "bin")
        run([str(programs / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", UV])
        uv = programs / "uv"
        backend = compile_lock(uv, "backend.lock", "What the backend needs", ["pyproject.toml"], set())
        dev = ["--group", "dev", "--constraints", str(LOCKS / "backend.lock")]
        compile_lock(uv, "dev.lock", "What tests and checks need besides", dev, backend)
        for group in BPY_GROUPS:
            name = group.replace("_", ".") + ".lock"
            compile_lock(uv, name, "Blender as a Python module, for tests", ["--group", group], set(), BLENDER)


if __name__ == "__main__":
    main()
