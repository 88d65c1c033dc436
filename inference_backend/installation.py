"""What this installation has: Python, packages, devices, models. `python -m inference_backend.installation` as JSON.

What the add-on's Check reads. A package that is missing or cannot be loaded is told, not raised.
"""

from __future__ import annotations

import importlib
import json
import platform
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from . import __version__
from .cli.models import ModelState, model_states

PACKAGES: Final = {
    "torch": "torch",
    "numpy": "numpy",
    "scipy": "scipy",
    "cv2": "opencv-python-headless",
    "av": "av",
    "ai_edge_litert.interpreter": "ai-edge-litert",
    "numba": "numba",
}
"""What the default path needs: modules, and the packages they come from."""


@dataclass(frozen=True)
class PackageState:
    """One package that is needed."""

    name: str
    """Its name in the index."""
    version: str | None
    """None where it is not installed."""
    problem: str | None
    """Why its module cannot be imported."""


@dataclass(frozen=True)
class DeviceState:
    """Something the networks can run on."""

    name: str
    """What `--device` takes: cuda, mps or cpu."""
    label: str
    """What people know it by, as "NVIDIA GeForce RTX 4070"."""


@dataclass(frozen=True)
class Installation:
    """All of it."""

    backend: str
    """Version of this package."""
    python: str
    """Version of Python."""
    packages: tuple[PackageState, ...]
    """In the order of `PACKAGES`."""
    devices: tuple[DeviceState, ...]
    """The fastest first; none where torch cannot be loaded."""
    models: tuple[ModelState, ...]
    """Every registered model file."""


def examine() -> Installation:
    """Load every package and look at every model: some seconds."""
    packages = tuple(_package(module, name) for module, name in PACKAGES.items())
    devices = () if packages[0].problem else device_states()
    return Installation(__version__, platform.python_version(), packages, devices, tuple(model_states()))


def device_states() -> tuple[DeviceState, ...]:
    """The devices of this machine, the fastest first."""
    from .devices import available

    return tuple(DeviceState(name, _label(name)) for name in available())


def _label(device: str) -> str:
    import torch

    if device == "cuda":
        return ", ".join(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))
    if device == "mps":
        return "Apple GPU"
    return f"CPU, {torch.get_num_threads()} threads"


def _package(module: str, name: str) -> PackageState:
    try:
        found: str | None = version(name)
    except PackageNotFoundError:
        found = None
    problem = None
    try:
        importlib.import_module(module)
    except Exception as error:  # a broken library raises anything while it is loaded
        problem = f"{type(error).__name__}: {error}"
    return PackageState(name, found, problem)


def main() -> None:
    """Print it, on one line of its own."""
    values: dict[str, Any] = asdict(examine())
    json.dump(values, sys.stdout)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
