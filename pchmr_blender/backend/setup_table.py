# SPDX-License-Identifier: GPL-3.0-or-later
"""What setting the backend up takes on each platform: sizes, and the pinned `uv`; read from requirements/setup.json.

tools/setup_table.py makes that file. No bpy.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from ...inference_backend.errors import SetupFailed


class Device(str, Enum):
    """What the networks shall run on."""

    CPU = "cpu"
    CUDA = "cuda"
    """NVIDIA's cards."""
    MPS = "mps"
    """Apple's."""


@dataclass(frozen=True)
class PinnedFile:
    """A file of the package index that nothing else may stand in for."""

    name: str
    """Its file name in the index."""
    sha256: str
    """Hex digest of its content."""
    size: int
    """Bytes."""


@dataclass(frozen=True)
class SetupTable:
    """The part of the table that is for this machine."""

    uv_version: str
    """Version of uv."""
    uv: PinnedFile
    """The wheel that holds uv's program."""
    python: str
    """Version of the Python that uv brings, as 3.11."""
    python_bytes: int
    """About what it takes to download."""
    packages_bytes: int
    """What the locked packages take to download."""
    torch_bytes: dict[Device, int]
    """About what torch takes to download, with what it brings along, for each device it can be had for."""
    pip_takes: Device
    """The build of torch that pip installs, unless its configuration names another index."""
    models: dict[str, int]
    """What BlazePose's files take to download, by who serves them."""
    unpacked: dict[str, float]
    """How many times larger `packages`, and torch by device, are when they are installed."""

    @property
    def models_bytes(self) -> int:
        """What all of BlazePose's files take to download."""
        return sum(self.models.values())

    @property
    def unpacked_packages(self) -> int:
        """Bytes of the locked packages when they are installed, about."""
        return int(self.packages_bytes * self.unpacked["packages"])

    def unpacked_torch(self, device: Device) -> int:
        """Bytes of torch for a device when it is installed, about."""
        return int(self.torch_bytes[device] * self.unpacked[device.value])


def read_table(requirements: Path) -> SetupTable:
    """The table for this machine.

    Args:
        requirements: the folder of the lock files.

    Raises:
        SetupFailed: torch has no builds for this platform, or the file is missing.
    """
    path = requirements / "setup.json"
    try:
        table: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SetupFailed(f"{path} cannot be read: {error}", hint="Install the extension again.") from error
    name = platform_name()
    _require_builds(name, table)
    sizes = table["platforms"][name]
    return SetupTable(
        uv_version=table["uv"]["version"],
        uv=PinnedFile(*(table["uv"]["wheels"][name][key] for key in ("file", "sha256", "size"))),
        python=table["python"]["version"],
        python_bytes=table["python"]["size"],
        packages_bytes=sizes["packages"],
        torch_bytes={Device(device): size for device, size in sizes["torch"].items()},
        pip_takes=Device(sizes["pip_takes"]),
        models=table["models"],
        unpacked=table["unpacked"],
    )


def lock_digest(requirements: Path) -> str:
    """What an environment is named by: ten hex digits of the lock and of torch's version, whatever ends their lines."""
    contents = [(requirements / name).read_bytes().replace(b"\r\n", b"\n") for name in ("backend.lock", "torch.txt")]
    return hashlib.sha256(b"".join(contents)).hexdigest()[:10]


def platform_name() -> str:
    """System and processor of this machine, as linux-x86_64."""
    system = {"win32": "windows", "darwin": "macos"}.get(sys.platform, sys.platform)
    return f"{system}-{platform.machine().lower()}"


def guess_device() -> Device:
    """What this machine seems to have, by its driver's files: torch, which would know, is not there yet."""
    if sys.platform == "darwin":
        return Device.MPS
    driver = Path(r"C:\Windows\System32\nvcuda.dll" if sys.platform == "win32" else "/proc/driver/nvidia/version")
    return Device.CUDA if driver.is_file() else Device.CPU


def _require_builds(name: str, table: dict[str, Any]) -> None:
    if name not in table["platforms"]:
        raise SetupFailed(
            f"PyTorch has no builds for {name}",
            hint=f"It has for {', '.join(table['platforms'])}. On another machine, headless, the backend runs there.",
            platform=name,
        )
    release = platform.mac_ver()[0]
    if release and int(release.partition(".")[0]) < table["macos"]:
        hint = f"It wants macOS {table['macos']} or later."
        raise SetupFailed(f"PyTorch has no builds for macOS {release}", hint=hint, platform=name)
