"""Makes environments that have Blender as a Python module (`bpy`), one for each requirements/bpy-*.lock.

    python tools/blender_env.py                 all of them, in .cache/bpy/<version>
    python tools/blender_env.py 4.2 5.0         some
    python tools/blender_env.py --path 5.0      one, and nothing but the interpreter's path on stdout

It prints the interpreter of each, or why there is none: these modules exist for Python 3.11 on Linux (x86-64), Windows
and macOS, and a version that Blender no longer maintains may have left the index. A stamp in each environment holds
what was installed, so the next run takes a moment. Standard library only.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import setup_env

ROOT: Final = Path(__file__).resolve().parent.parent
FOLDER: Final = ROOT / ".cache" / "bpy"
PYTHON: Final = (3, 11)
"""What the modules of these versions are built for."""
LIBRARIES: Final = (
    "libgl1", "libxi6", "libxrender1", "libxfixes3", "libxxf86vm1", "libxkbcommon0", "libsm6", "libgomp1",
)  # fmt: skip
"""Debian's packages of the shared libraries that the module loads and does not bring."""


@dataclass(frozen=True)
class Environment:
    """One Blender as a module, or why it is not there."""

    version: str
    """In full, as 4.2.23."""
    python: Path
    """The interpreter to run."""
    problem: str = ""
    """Empty where all is well; else one line for a person."""


def locks() -> dict[str, Path]:
    """The lock files by Blender's series, as 4.2."""
    found = sorted((ROOT / "requirements").glob("bpy-*.lock"))
    return {path.stem.removeprefix("bpy-"): path for path in found}


def make(lock: Path, folder: Path = FOLDER) -> Environment:
    """The environment of one lock; made, mended or just found."""
    text = lock.read_text("utf-8")
    version = re.search(r"^bpy==(\S+)", text, re.MULTILINE)
    if version is None:
        raise ValueError(f"{lock}: no line bpy==VERSION")
    home = folder / version[1]
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp, digest = home / "bpy.stamp", hashlib.sha256(text.encode()).hexdigest()
    if stamp.is_file() and stamp.read_text("utf-8") == digest and setup_env.version([str(python)]) == PYTHON:
        return Environment(version[1], python)
    problem = _environment(home, python) or _install(python, lock) or _loads(python, version[1])
    if not problem:
        stamp.write_text(digest, "utf-8")
    return Environment(version[1], python, problem)


def _environment(home: Path, python: Path) -> str:
    """An empty environment with the right Python; returns what is wrong."""
    if setup_env.version([str(python)]) == PYTHON:
        return ""
    wanted = f"{PYTHON[0]}.{PYTHON[1]}"
    candidates = [[f"python{wanted}"], ["py", f"-{wanted}"], ["python3"], ["python"], [sys.executable]]
    base = next((one for one in candidates if setup_env.version(one) == PYTHON), None)
    if base is None:
        return f"no Python {wanted} with venv was found; install one and put it on PATH"
    return _run([*base, "-m", "venv", "--clear", str(home)])


def _install(python: Path, lock: Path) -> str:
    """What the lock pins; returns what is wrong. What is right already is not fetched again."""
    flags = ["--disable-pip-version-check", "--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:"]
    return _run([str(python), "-m", "pip", "install", *flags, "-r", str(lock)])


def _loads(python: Path, version: str) -> str:
    """Whether the module starts; where shared libraries are missing on a Debian that is ours, they are installed."""
    # os._exit: a Blender that has started does not always end well.
    code = f"import bpy, os; os._exit({version!r} not in bpy.app.version_string)"
    load = [str(python), "-c", code]
    problem = _run(load)
    if "cannot open shared object file" not in problem or shutil.which("apt-get") is None or os.geteuid() != 0:
        return problem
    install = ["apt-get", "install", "-yqq", "--no-install-recommends", *LIBRARIES]
    return _run(["apt-get", "update", "-qq"]) or _run(install) or _run(load)


def _run(command: list[str]) -> str:
    """Run a program; returns the last line of its errors, or nothing where it succeeds."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    lines = [line for line in (done.stdout + "\n" + done.stderr).splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return f"{Path(command[0]).name}: {(errors or lines or [f'ended with {done.returncode}'])[-1].strip()}"


def main() -> int:
    """Make what is missing; 1 where one cannot be had."""
    known = locks()
    parser = argparse.ArgumentParser(description="Make environments with Blender as a Python module.")
    parser.add_argument("series", nargs="*", metavar="VERSION", help=f"of {', '.join(known)} (default: all)")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where (default: .cache/bpy)")
    parser.add_argument("--path", action="store_true", help="print interpreters only")
    options = parser.parse_args()
    unknown = set(options.series) - set(known)
    if unknown:
        parser.error(f"no lock for {', '.join(sorted(unknown))}: {', '.join(known)}")
    made = [make(known[series], options.folder.absolute()) for series in options.series or known]
    for one in made:
        if one.problem:
            print(f"bpy {one.version}: {one.problem}", file=sys.stderr)
        else:
            print(one.python if options.path else f"bpy {one.version}: {one.python}")
    return int(any(one.problem for one in made))


if __name__ == "__main__":
    sys.exit(main())
