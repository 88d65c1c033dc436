# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Python runs the backend of a batch: the one that is named, the one that was set up, or a checkout's own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ...inference_backend.errors import EnvironmentInvalid
from .. import installation, preferences
from ..backend.interpreters import inspect, program_in
from ..constants import ROOT

_CHECKOUT: Final = ROOT / ".venv"
"""The environment that `make` sets up in a checkout."""
_MODELS: Final = "PCHMR_MODELS"
"""Variable that says where the backend finds model files."""


def find_interpreter(named: Path | None) -> Path:
    """The interpreter. Raises EnvironmentInvalid where there is none, or the one that is named is none."""
    if named is not None:
        inspect(named)
        return program_in(named)
    installation.look()
    found = preferences.find_interpreter()
    if found is None and _CHECKOUT.is_dir():
        found = program_in(_CHECKOUT)
    if found is None:
        raise EnvironmentInvalid(
            "the backend is not set up",
            hint="Press Set Up Backend in the extension's preferences, or say --interpreter PATH.",
            reason="none",
        )
    return found


def environment_of(interpreter: Path) -> Mapping[str, str]:
    """Variables of the backend's process: a checkout keeps its models in itself."""
    models = ROOT / ".cache" / "models"
    if _CHECKOUT in interpreter.parents and models.is_dir() and _MODELS not in os.environ:
        return {_MODELS: str(models)}
    return {}
