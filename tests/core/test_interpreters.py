"""Pythons of the machine: found, asked what they are, and refused with a reason."""

from __future__ import annotations

import json
import os
import shutil
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pchmr.inference_backend.errors import EnvironmentInvalid
from pchmr.pchmr_blender.backend import interpreters
from pchmr.pchmr_blender.backend.interpreters import find_interpreters, inspect, is_blenders, program_in

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="programs made of a script")
ANSWER: dict[str, Any] = {
    "version": [3, 11, 4], "implementation": "CPython", "bits": 64, "machine": "any", "makes": True, "threaded": False,
    "program": "/nowhere/python3.11", "base": "/nowhere/python3.11", "prefix": "/nowhere",
}  # fmt: skip


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def answering(path: Path, **changes: Any) -> Path:
    """A program that says of itself what a Python would."""
    return script(path, f"echo noise\necho 'pchmr-interpreter {json.dumps({**ANSWER, **changes})}'")


def reason(path: Path) -> str:
    with pytest.raises(EnvironmentInvalid) as caught:
        inspect(path)
    assert str(path) in caught.value.message
    assert caught.value.hint
    return str(caught.value.facts["reason"])


def test_this_python_is_known() -> None:
    found = inspect(Path(sys.executable))
    assert found.version == sys.version_info[:3]
    assert found.makes_environments
    assert os.path.realpath(found.path) == os.path.realpath(getattr(sys, "_base_executable", sys.executable))


def test_what_leads_pythons_astray_is_kept_away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PYTHONHOME", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "json.py").write_text("raise SystemExit('not this one')")
    assert inspect(Path(sys.executable)).version == sys.version_info[:3]


def test_an_environments_folder_stands_for_its_python(tmp_path: Path) -> None:
    folder = tmp_path / "my énv"
    venv.create(folder, with_pip=False)
    program = program_in(folder)
    assert program.parent.name in ("bin", "Scripts")
    # The base, since an environment of an environment would go with it.
    assert os.path.realpath(inspect(folder).path) == os.path.realpath(inspect(Path(sys.executable)).path)
    assert not inspect(folder).path.is_relative_to(folder)
    assert program_in(program) == program


@POSIX
@pytest.mark.parametrize(
    ("changes", "want"),
    [
        ({"version": [2, 7, 18]}, "too_old"),
        ({"version": [3, 9, 1]}, "too_old"),
        ({"version": [3, 15, 0]}, "too_new"),
        ({"implementation": "PyPy"}, "unsuitable"),
        ({"bits": 32}, "unsuitable"),
        ({"threaded": True}, "unsuitable"),
    ],
)
def test_a_python_that_cannot_run_the_backend_is_refused(tmp_path: Path, changes: dict[str, Any], want: str) -> None:
    assert reason(answering(tmp_path / "python3", **changes)) == want


@POSIX
def test_a_blenders_own_python_is_refused(tmp_path: Path) -> None:
    prefix = tmp_path / "Blender Foundation" / "5.0" / "python"
    prefix.mkdir(parents=True)
    program = answering(tmp_path / "python3.11", prefix=str(prefix))
    assert inspect(program).version == (3, 11, 4)
    (prefix.parent / "scripts").mkdir()
    assert is_blenders(prefix)
    assert reason(program) == "blenders"
    assert reason(script(tmp_path / "blender", "exit 0")) == "blenders"


@POSIX
@pytest.mark.parametrize("text", ["exit 0", "exit 3", "echo '{}'"])
def test_other_programs_are_no_pythons(tmp_path: Path, text: str) -> None:
    assert reason(script(tmp_path / "program", text)) == "not_python"


def test_a_file_that_is_no_program(tmp_path: Path) -> None:
    (tmp_path / "python.txt").write_text("text")
    assert reason(tmp_path / "python.txt") == "not_python"
    assert reason(tmp_path / "nothing") == "missing"
    (tmp_path / "folder").mkdir()
    assert reason(tmp_path / "folder") == "missing"


@POSIX
def test_a_program_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreters, "_ANSWER_SECONDS", 0.3)
    assert reason(script(tmp_path / "program", f"echo $$ > '{tmp_path}/id'; sleep 600")) == "not_python"
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "id").read_text()), 0)


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Path]:
    """Makes programs in the only folder that is searched."""
    monkeypatch.setattr(interpreters, "_PLACES", {sys.platform: (str(tmp_path / "opt" / "python3*"),)})
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path / "bin"), "/usr/bin", "/bin"]))
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: which(name, path=str(tmp_path / "bin")))

    def make(place: str, version: list[int], **changes: Any) -> Path:
        path = tmp_path / place
        return answering(path, version=version, **{"base": str(path), **changes})

    return make


@POSIX
def test_found_are_those_that_fit_the_best_first(alone: Callable[..., Path]) -> None:
    alone("bin/python3.13", [3, 13, 1])
    alone("bin/python3", [3, 9, 1])
    alone("opt/python3.10", [3, 10, 2])
    alone("opt/python3.11", [3, 11, 9])
    alone("opt/python3.11-config", [3, 11, 9])
    alone("opt/python3.12", [3, 12, 0], makes=False)
    alone("opt/python3.14", [3, 14, 0], threaded=True)
    assert [(one.version, one.makes_environments) for one in find_interpreters()] == [
        ((3, 11, 9), True),
        ((3, 12, 0), False),
        ((3, 13, 1), True),
        ((3, 10, 2), True),
    ]


@POSIX
def test_one_python_under_two_names_is_found_once(alone: Callable[..., Path], tmp_path: Path) -> None:
    path = alone("opt/python3.11", [3, 11, 9])
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(path)
    assert [one.path for one in find_interpreters()] == [path]


@POSIX
def test_windows_launcher_names_pythons(tmp_path: Path) -> None:
    listing = r"""-V:3.12 *        C:\Users\Zoë B\AppData\Local\Programs\Python\Python312\python.exe
 -V:3.11          C:\Program Files\Python311\python.exe
 No other runtimes"""
    known = list(interpreters._known_to(script(tmp_path / "py", f"cat <<'END'\n{listing}\nEND")))
    assert [str(path) for path in known] == [
        r"C:\Users\Zoë B\AppData\Local\Programs\Python\Python312\python.exe",
        r"C:\Program Files\Python311\python.exe",
    ]


@pytest.mark.parametrize(
    ("system", "folder"), [("linux", Path("Local", "Microsoft", "WindowsApps")), ("darwin", Path("/usr/bin"))]
)
def test_programs_that_only_offer_to_install_python_are_not_started(
    monkeypatch: pytest.MonkeyPatch, system: str, folder: Path
) -> None:
    monkeypatch.setattr(interpreters, "_PLACES", {})
    monkeypatch.setattr(shutil, "which", lambda name: str(folder / name))
    monkeypatch.setattr(sys, "platform", system)
    assert list(interpreters._candidates()) == []
