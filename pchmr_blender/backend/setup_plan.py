# SPDX-License-Identifier: GPL-3.0-or-later
"""What setting the backend up will do, said before it does anything: downloads, sizes, places. No network, no bpy."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ...inference_backend.errors import BadArgument, SetupFailed
from .environment_folder import ROOT, cache_folder
from .interpreters import Interpreter, find_interpreters, inspect
from .setup_table import Device, SetupTable, guess_device, lock_digest, read_table

_CACHED: Final = 1.1
"""Times the downloads: what lies in the folder besides the environment until it is finished."""
_DEVICES: Final = {Device.CPU: "the CPU", Device.CUDA: "CUDA", Device.MPS: "Apple's GPUs"}


@dataclass(frozen=True)
class Download:
    """One thing that is fetched."""

    name: str
    """What people read."""
    size: int
    """Bytes, about."""
    source: str
    """Who serves it."""


@dataclass(frozen=True)
class Route:
    """One way to make the environment."""

    tool: str
    """uv or pip."""
    python: Path | None
    """The interpreter it is made with; None: uv brings one."""
    words: str
    """What people read."""
    downloads: tuple[Download, ...]
    """What it fetches, in this order."""
    disk_bytes: int
    """What must be free, about: the environment, and the downloads until it is finished."""

    @property
    def size(self) -> int:
        """Bytes to download, about."""
        return sum(download.size for download in self.downloads)


@dataclass(frozen=True)
class Plan:
    """What `install` does."""

    folder: Path
    """Where the environment goes, in a folder of its own."""
    root: Path
    """The folder that holds `inference_backend` and `requirements`."""
    lock: str
    """`lock_digest` of the requirements."""
    device: Device
    """What the networks shall run on."""
    table: SetupTable
    """Sizes and the pinned uv."""
    routes: tuple[Route, ...]
    """The first is taken; the next where it fails for want of a download or a build, which is then reported."""
    free_bytes: int
    """What is free now."""

    @property
    def lines(self) -> tuple[str, ...]:
        """What to show before asking for consent."""
        first, *others = self.routes
        lines = [f"{first.words}: about {_megabytes(first.size)} to download"]
        lines += [f"    {one.name}: {_megabytes(one.size)}, {one.source}" for one in first.downloads]
        lines.append(f"Into {self.folder}")
        lines.append(
            f"Needs {_megabytes(first.disk_bytes)} of disk until it is finished; {_megabytes(self.free_bytes)} free"
        )
        lines += [
            f"If that fails: {other.words[:1].lower()}{other.words[1:]}, {_megabytes(other.size)}" for other in others
        ]
        return tuple(lines)


def plan(
    folder: Path | None = None,
    *,
    device: Device | None = None,
    interpreter: Path | None = None,
    root: Path = ROOT,
) -> Plan:
    """Look at this machine and say what `install` would do. Starts interpreters: seconds, so for a worker thread.

    Args:
        folder: where environments go; None: the per-user cache folder, which all Blenders share.
        device: what to install torch for; None: what the machine seems to have.
        interpreter: make the environment with this Python; None: one that uv brings, else one that is found.
        root: the folder that holds `inference_backend` and `requirements`.

    Raises:
        SetupFailed: torch has no builds for this machine or for the device.
        EnvironmentInvalid: the interpreter cannot make an environment.
        BadArgument: there is no disk for the folder.
    """
    table = read_table(root / "requirements")
    device = device or guess_device()
    if device not in table.torch_bytes:
        known = ", ".join(one.value for one in table.torch_bytes)
        raise SetupFailed(f"PyTorch has no {device.value} build for this machine", hint=f"Choose one of: {known}.")
    folder = (folder or cache_folder()).absolute()
    return Plan(
        folder=folder,
        root=root,
        lock=lock_digest(root / "requirements"),
        device=device,
        table=table,
        routes=_routes(table, device, interpreter),
        free_bytes=_free(folder),
    )


def _routes(table: SetupTable, device: Device, chosen: Path | None) -> tuple[Route, ...]:
    """All ways, the best first."""
    found = find_interpreters() if chosen is None else (inspect(chosen),)
    routes = [_route("uv", None, table, device)] if chosen is None else []
    routes += [_route("uv", here, table, device) for here in found[:1]]
    routes += [_route("pip", here, table, device) for here in found if here.makes_environments][:1]
    return tuple(routes)


def _route(tool: str, here: Interpreter | None, table: SetupTable, device: Device) -> Route:
    pypi = "PyPI"
    # pip knows nothing of devices: it takes what its index has, or what its configuration prefers.
    build = device if tool == "uv" else table.pip_takes
    elsewhere = tool == "uv" and device is not Device.MPS
    downloads = [
        Download("packages", table.packages_bytes, pypi),
        Download(f"PyTorch for {_DEVICES[build]}", table.torch_bytes[build], "PyTorch's index" if elsewhere else pypi),
        *(Download("BlazePose's models (Apache-2.0)", size, source) for source, size in table.models.items()),
    ]
    if here is None:
        downloads.insert(0, Download(f"Python {table.python}", table.python_bytes, "GitHub"))
        words = f"With uv and a Python {table.python} of its own"
    else:
        words = f"With {tool} and this machine's Python {'.'.join(map(str, here.version))}"
    if tool == "uv":
        downloads.insert(0, Download(f"uv {table.uv_version}", table.uv.size, pypi))
    cached = sum(download.size for download in downloads) * _CACHED
    unpacked = table.unpacked_packages + table.unpacked_torch(build)
    return Route(tool, None if here is None else here.path, words, tuple(downloads), unpacked + int(cached))


def _free(folder: Path) -> int:
    """Bytes that are free where a folder is, or will be."""
    there = next((path for path in (folder, *folder.parents) if path.exists()), None)
    if there is None:
        raise BadArgument(f"there is no disk for {folder}", hint="Choose another folder.", path=str(folder))
    return shutil.disk_usage(there).free


def _megabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
