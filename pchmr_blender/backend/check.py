# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an interpreter can run this backend: versions, devices and models, or what is wrong with it. No bpy."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ...inference_backend.errors import EnvironmentInvalid
from .environment_folder import ROOT
from .interpreters import inspect, program_in
from .programs import TimedOut, ask
from .user_models import ModelFile

_SECONDS: Final = 180.0  # of the first start, with a virus scanner that reads all of torch
_DLL: Final = ("dll load failed", "winerror 126", "winerror 1114")


@dataclass(frozen=True)
class DeviceInfo:
    """Something the networks can run on."""

    name: str
    """cuda, mps or cpu."""
    label: str
    """What people know it by."""


@dataclass(frozen=True)
class Check:
    """An interpreter that can run the backend."""

    interpreter: Path
    """The program."""
    backend: str
    """Version of the backend."""
    python: str
    """Version of Python."""
    torch: str
    """Version of torch, with its build."""
    packages: tuple[tuple[str, str], ...]
    """Name and version of what the backend is built on."""
    devices: tuple[DeviceInfo, ...]
    """The fastest first."""
    models: tuple[ModelFile, ...]
    """Every registered model, with licence and state."""

    @property
    def lines(self) -> tuple[str, ...]:
        """What to show."""
        return (
            f"Backend {self.backend}, Python {self.python}, PyTorch {self.torch}",
            *(f"{device.name}: {device.label}" for device in self.devices),
            *(f"{model.name}: {model.state}, {model.license}" for model in self.models),
        )


def check(interpreter: Path, *, root: Path = ROOT, cancelled: Callable[[], bool] = lambda: False) -> Check:
    """Start an interpreter and let it load all that the backend needs: seconds, so for a worker thread. No network.

    Args:
        interpreter: a program, or the folder of a virtual environment.
        root: the folder that holds `inference_backend`.
        cancelled: asked every 50 ms.

    Raises:
        EnvironmentInvalid: `reason` is that of `interpreters.inspect`, or torch_missing, package_missing, broken (a
            library cannot be loaded), other_version (it runs another backend) or timeout; the message names it.
        Cancelled: on request.
    """
    program = program_in(interpreter)
    inspect(program)
    answer = _examined(program, root, cancelled)
    want = _version(root)
    if answer["backend"] != want:
        raise _invalid(
            program,
            f"runs backend {answer['backend']}, and this is {want}",
            "Remove the backend that is installed into it, or choose another interpreter.",
            "other_version",
        )
    for package in answer["packages"]:
        _require(program, package)
    return Check(
        interpreter=program,
        backend=answer["backend"],
        python=answer["python"],
        torch=answer["packages"][0]["version"],
        packages=tuple((package["name"], package["version"] or "") for package in answer["packages"]),
        devices=tuple(DeviceInfo(device["name"], device["label"]) for device in answer["devices"]),
        models=tuple(ModelFile.from_json(model) for model in answer["models"]),
    )


def _examined(program: Path, root: Path, cancelled: Callable[[], bool]) -> dict[str, Any]:
    """What the backend tells of itself in that interpreter."""
    command: list[str | Path] = [program, "-m", "inference_backend.installation"]
    try:
        done = ask(command, timeout=_SECONDS, folder=root, cancelled=cancelled)
    except TimedOut:
        hint = "A virus scanner may hold it up: try again, or set the backend up anew."
        raise _invalid(program, f"took more than {_SECONDS:.0f} s to start the backend", hint, "timeout") from None
    except OSError as error:
        hint = "Set the backend up again, or choose another interpreter."
        raise _invalid(program, f"cannot be started: {error}", hint, "broken") from error
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.code or not lines:
        output = done.stderr[-3000:]
        last = next(reversed(output.strip().splitlines()), f"exit code {done.code}")
        hint = "Set the backend up again, or choose another interpreter."
        raise _invalid(program, f"cannot start the backend: {last}", hint, "broken", output=output)
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer


def _version(root: Path) -> str:
    """The version of the backend in `root`."""
    text = (root / "inference_backend" / "__init__.py").read_text("utf-8")
    version: str = re.findall(r'^__version__ = "(.*)"', text, re.MULTILINE)[0]
    return version


def _require(program: Path, package: dict[str, Any]) -> None:
    """Raise EnvironmentInvalid where a package is not there, or cannot be loaded."""
    name, problem = package["name"], package["problem"]
    if problem is None:
        return
    if package["version"] is None:
        hint = "Set up the backend's own environment, or install requirements/backend.lock and torch.txt into this one."
        reason = "torch_missing" if name == "torch" else "package_missing"
        raise _invalid(program, f"has no {name}", hint, reason, package=name, problem=problem)
    hint = "Set the backend up again, or choose another interpreter."
    if any(word in problem.lower() for word in _DLL):
        hint = "Install Microsoft's Visual C++ Redistributable (x64), then press Check again."
    raise _invalid(program, f"cannot load {name}: {problem}", hint, "broken", package=name, problem=problem)


def _invalid(program: Path, trouble: str, hint: str, reason: str, **facts: Any) -> EnvironmentInvalid:
    return EnvironmentInvalid(f"{program} {trouble}", hint=hint, reason=reason, **facts)
