# SPDX-License-Identifier: GPL-3.0-or-later
"""The model files of an installation, and the user's own: licensed body models and public checkpoints.

All of it is asked of the backend's command line, which knows the formats; each call takes seconds: for a worker
thread. No bpy.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from ...inference_backend.errors import KINDS, BackendError, BadArgument, EnvironmentInvalid
from .environment_folder import ROOT
from .programs import TimedOut, ask

_SECONDS: Final = 180.0


@dataclass(frozen=True)
class ModelFile:
    """One model file as it is on this machine."""

    name: str
    """Its name in the backend's registry."""
    state: str
    """installed, missing or corrupt."""
    source: str
    """bundled; installed, by setup; or user-supplied."""
    license: str
    """SPDX identifier, or the licence's name: shown before the file is used."""
    purpose: str
    """What it is for."""
    origin: str
    """Where it comes from."""
    path: str
    """Where it lies, or should."""
    problem: str | None
    """What is wrong with it, and what to do."""

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> ModelFile:
        """One entry of `models --json`."""
        return cls(**{field.name: values[field.name] for field in fields(cls)})


def list_models(
    interpreter: Path, *, root: Path = ROOT, cancelled: Callable[[], bool] = lambda: False
) -> tuple[ModelFile, ...]:
    """Every registered model file. Raises EnvironmentInvalid where the backend does not run, Cancelled."""
    answer = _command(interpreter, root, cancelled, "--json")
    return tuple(ModelFile.from_json(values) for values in answer["models"])


def inspect_model(
    interpreter: Path, file: Path, *, root: Path = ROOT, cancelled: Callable[[], bool] = lambda: False
) -> ModelFile:
    """What a file of the user's is, with its licence, after all checks; nothing is added.

    Raises:
        BackendError: the kind says what is wrong with the file: WeightsMissing, WeightsCorrupt, UnsafePickle,
            BodyInvalid or BadArgument; or EnvironmentInvalid where the backend does not run, Cancelled.
    """
    return ModelFile.from_json(_command(interpreter, root, cancelled, "--inspect", str(file), "--json"))


def add_model(
    interpreter: Path,
    file: Path,
    *,
    replace: bool = False,
    root: Path = ROOT,
    cancelled: Callable[[], bool] = lambda: False,
) -> ModelFile:
    """Copy a file of the user's to where the backend finds it, after all checks. Raises as `inspect_model`.

    Where another file has its place, BadArgument, unless it shall be replaced.
    """
    options = ["--add", str(file), "--json", *(["--replace"] if replace else [])]
    try:
        return ModelFile.from_json(_command(interpreter, root, cancelled, *options))
    except BadArgument as error:
        if "--replace" in error.hint:  # of the command line
            error.hint = "Add it in place of the other, or keep that one."
        raise


def _command(interpreter: Path, root: Path, cancelled: Callable[[], bool], *options: str) -> Any:
    command: list[str | Path] = [interpreter, "-m", "inference_backend", "models", *options]
    try:
        done = ask(command, timeout=_SECONDS, folder=root, cancelled=cancelled)
    except (OSError, TimedOut) as error:
        raise EnvironmentInvalid(
            f"{interpreter} cannot run the backend: {error}",
            hint="Press Check, or set the backend up again.",
            reason="not_python",
        ) from error
    if done.code:
        raise _told(done.code, done.stderr)
    return json.loads(done.stdout)


def _told(code: int, stderr: str) -> BackendError:
    """The error that the command line printed: `Kind: message`, its hint indented below, and then, after bars, what
    another program said."""
    lines = stderr.strip().splitlines()
    kind = next((kind for kind in KINDS.values() if kind.exit_code == code), None)
    start = next(
        (n for n, line in enumerate(lines) if kind is not None and line.startswith(f"{kind.__name__}: ")), None
    )
    if kind is None or start is None:
        return EnvironmentInvalid(
            "the backend does not run with this interpreter",
            hint="Press Check, or set the backend up again.",
            reason="broken",
            output=stderr[-3000:],
        )
    message = lines[start].partition(": ")[2]
    hint = lines[start + 1].strip() if start + 1 < len(lines) else ""
    said = "\n".join(line.removeprefix("  | ") for line in lines[start + 2 :] if line.startswith("  | "))
    return kind(message, hint=hint, output=said[-3000:])
