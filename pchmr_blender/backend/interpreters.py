# SPDX-License-Identifier: GPL-3.0-or-later
"""Pythons of this machine that can make the backend's environment. Never Blender's own, which goes with its Blender.

Every candidate is started and asked, so this belongs into a worker thread: some tens of milliseconds each. No bpy.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ...inference_backend.errors import EnvironmentInvalid
from .programs import TimedOut, ask

OLDEST: Final = (3, 10)
NEWEST: Final = (3, 14)
"""Versions that the lock serves."""

_PREFERRED: Final = ((3, 11), (3, 12), (3, 13), (3, 10), (3, 14))
_ANSWER_SECONDS: Final = 15.0
_MARK: Final = "pchmr-interpreter "

# Read by any Python from 2.6 on, so that an old one is told from what is no Python at all.
_QUESTION: Final = """
import json, platform, sys
try:
    import ensurepip, venv
    makes = True
except ImportError:
    makes = False
try:
    import sysconfig
    threaded = bool(sysconfig.get_config_var('Py_GIL_DISABLED'))
except ImportError:
    threaded = False
print('pchmr-interpreter ' + json.dumps({
    'version': list(sys.version_info[:3]), 'implementation': platform.python_implementation(),
    'bits': 64 if sys.maxsize > 2 ** 32 else 32, 'machine': platform.machine(), 'makes': makes, 'threaded': threaded,
    'program': sys.executable, 'base': getattr(sys, '_base_executable', None) or sys.executable,
    'prefix': getattr(sys, 'base_prefix', sys.prefix)}))
"""

_PLACES: Final = {
    "win32": (
        r"%LOCALAPPDATA%\Programs\Python\Python3*\python.exe",
        r"%ProgramFiles%\Python3*\python.exe",
        r"%SystemDrive%\Python3*\python.exe",
        r"%USERPROFILE%\miniconda3\python.exe",
    ),
    "darwin": (
        "/Library/Frameworks/Python.framework/Versions/3.*/bin/python3",
        "/opt/homebrew/bin/python3.*",
        "/usr/local/bin/python3.*",
        "~/.pyenv/versions/3.*/bin/python3",
        "~/.local/share/uv/python/cpython-3.*/bin/python3",
    ),
    "linux": (
        "/usr/bin/python3.*",
        "/usr/local/bin/python3.*",
        "~/.local/bin/python3.*",
        "~/.pyenv/versions/3.*/bin/python3",
        "~/.local/share/uv/python/cpython-3.*/bin/python3",
    ),
}
"""Where Pythons lie that are not on PATH."""


@dataclass(frozen=True)
class Interpreter:
    """A Python that answered."""

    path: Path
    """The program; of a virtual environment: the one it was made with."""
    version: tuple[int, int, int]
    """Its version."""
    makes_environments: bool
    """Whether it has venv and pip's bootstrap; Debian ships them apart."""


def find_interpreters() -> tuple[Interpreter, ...]:
    """All that the backend runs with, the best first. uv makes an environment with any of them, pip with some."""
    found: dict[str, Interpreter] = {}
    for candidate in _candidates():
        try:
            interpreter = inspect(candidate)
        except EnvironmentInvalid:
            continue  # one of many: what is wrong with it matters only where it was asked for
        found.setdefault(os.path.realpath(interpreter.path), interpreter)
    return tuple(sorted(found.values(), key=lambda one: _PREFERRED.index(one.version[:2])))


def program_in(path: Path) -> Path:
    """The interpreter that a path names: the path itself, or the one in the environment's folder it is."""
    if not path.is_dir():
        return path
    inside = [path / "Scripts" / "python.exe", path / "python.exe", path / "bin" / "python", path / "bin" / "python3"]
    return next((program for program in inside if program.is_file()), path)


def inspect(path: Path) -> Interpreter:
    """Start a Python and ask what it is.

    Args:
        path: the program, or the folder of a virtual environment.

    Raises:
        EnvironmentInvalid: `reason` is missing, blenders, not_python, too_old, too_new or unsuitable.
    """
    program = program_in(path)
    answer = _answer(program)
    version = answer["version"]
    named = f"Python {version[0]}.{version[1]}"
    want = f"Choose a Python from 3.{OLDEST[1]} to 3.{NEWEST[1]}."
    if tuple(version[:2]) < OLDEST:
        raise _invalid(program, f"it is {named}, which is too old", want, "too_old")
    if tuple(version[:2]) > NEWEST:
        raise _invalid(program, f"it is {named}, which is too new", want, "too_new")
    if is_blenders(Path(answer["prefix"])):
        hint = "It goes when that Blender goes. Choose another Python, or let one be downloaded."
        raise _invalid(program, "it is a Blender's own Python", hint, "blenders")
    odd = _oddity(answer)
    if odd:
        hint = f"{want} The usual 64-bit one, made for this machine, which PyTorch has builds for."
        raise _invalid(program, odd, hint, "unsuitable")
    return Interpreter(Path(answer["base"]), (version[0], version[1], version[2]), answer["makes"])


def is_blenders(prefix: Path) -> bool:
    """Whether a Python's prefix is the `python` folder inside a Blender, `5.0/python` beside `5.0/scripts`."""
    return (
        prefix.name == "python"
        and re.fullmatch(r"\d+\.\d+", prefix.parent.name) is not None
        and (prefix.parent / "scripts").is_dir()
    )


def _answer(program: Path) -> dict[str, Any]:
    """What the program says of itself."""
    want = "Choose a python program, or the folder of a virtual environment."
    if not program.is_file():
        raise _invalid(program, "there is no such program", want, "missing")
    if program.name.lower().startswith("blender"):
        raise _invalid(program, "it is a Blender, not a Python", want, "blenders")
    try:
        done = ask([program, "-E", "-s", "-c", _QUESTION], timeout=_ANSWER_SECONDS)
    except TimedOut:
        raise _invalid(program, "it does not answer as a Python does", want, "not_python") from None
    except OSError as error:
        raise _invalid(program, f"it cannot be started: {error.strerror}", want, "not_python") from error
    lines = [line for line in done.stdout.splitlines() if line.startswith(_MARK)]
    if done.code or not lines:
        output = (done.stdout + done.stderr)[-2000:]
        raise _invalid(program, "it does not answer as a Python does", want, "not_python", output=output)
    answer: dict[str, Any] = json.loads(lines[-1][len(_MARK) :])
    return answer


def _oddity(answer: dict[str, Any]) -> str:
    """Why there are no wheels for a Python of the right version, in words; empty where there are."""
    if answer["implementation"] != "CPython":
        return f"it is {answer['implementation']}, not CPython"
    if answer["bits"] != 64:
        return "it is a 32-bit Python"
    if answer["threaded"]:
        return "it is a free-threaded Python"
    if sys.platform == "darwin" and answer["machine"] != platform.machine():
        return f"it is a Python for {answer['machine']} on a machine that is {platform.machine()}"
    return ""


def _invalid(program: Path, trouble: str, hint: str, reason: str, **facts: str) -> EnvironmentInvalid:
    return EnvironmentInvalid(f"{program} cannot be used: {trouble}", hint=hint, reason=reason, **facts)


def _candidates() -> Iterator[Path]:
    """Programs worth asking: on PATH, known to Windows' launcher, in the usual places."""
    names = [f"python3.{minor}" for _, minor in _PREFERRED] + ["python3", "python"]
    for name in names:
        program = shutil.which(name)
        if program and not _opens_a_shop(Path(program)):
            yield Path(program)
    if sys.platform == "win32" and (launcher := shutil.which("py")):
        yield from _known_to(Path(launcher))
    for place in _PLACES.get(sys.platform, ()):
        whole = Path(os.path.expandvars(place)).expanduser()
        anchor = Path(whole.anchor)
        # python3.11-config and the like lie beside.
        yield from (
            path
            for path in sorted(anchor.glob(str(whole.relative_to(anchor))))
            if re.fullmatch(r"python(3(\.\d+)?)?(\.exe)?", path.name)
        )


def _opens_a_shop(program: Path) -> bool:
    """Whether a program only offers to install Python: Windows' empty ones, and macOS' before its developer tools."""
    return "WindowsApps" in program.parts or (sys.platform == "darwin" and program.parent == Path("/usr/bin"))


def _known_to(launcher: Path) -> Iterator[Path]:
    """The Pythons that Windows' launcher lists."""
    try:
        listed = ask([launcher, "-0p"], timeout=_ANSWER_SECONDS).stdout
    except (OSError, TimedOut):
        return
    for line in listed.splitlines():
        if match := re.search(r"[A-Za-z]:\\.*\.exe", line):
            yield Path(match[0])
