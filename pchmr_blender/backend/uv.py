# SPDX-License-Identifier: GPL-3.0-or-later
"""`uv`, which makes environments, brings a Python and knows which build of torch fits: its program and commands.

One pinned version, out of its wheel; nothing of a uv of the user's is used or changed, but for the index it names.
No bpy.
"""

from __future__ import annotations

import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ...inference_backend.errors import SetupFailed
from .downloads import fetch, index_url
from .setup_table import Device, SetupTable

_QUIET: Final = ("--no-progress", "--color", "never")


def get_uv(table: SetupTable, folder: Path, report: Callable[[int], None], cancelled: Callable[[], bool]) -> Path:
    """Download the pinned wheel into `folder` and take the program out of it; raises as `downloads.fetch`."""
    wheel = fetch("uv", table.uv, folder, report, cancelled)
    name = "uv.exe" if sys.platform == "win32" else "uv"
    member = f"uv-{table.uv_version}.data/scripts/{name}"
    program = folder / name
    try:
        with zipfile.ZipFile(wheel) as archive:
            program.write_bytes(archive.read(member))
    except (KeyError, zipfile.BadZipFile) as error:
        raise SetupFailed(f"{wheel.name} holds no {member}", hint="Install the extension again.") from error
    program.chmod(0o755)
    return program


def uv_variables(downloads: Path, environment: Path) -> dict[str, str]:
    """Environment variables that keep all it writes in our folders.

    Args:
        downloads: where its cache goes, on the environment's disk, so that files are linked and not copied.
        environment: the environment's folder, which gets the Python it brings.
    """
    return {
        "UV_CACHE_DIR": str(downloads / "uv-cache"),
        "UV_PYTHON_INSTALL_DIR": str(environment / "python"),
        "UV_PYTHON_INSTALL_BIN": "0",
        "UV_PYTHON_INSTALL_REGISTRY": "0",
        "UV_PYTHON_DOWNLOADS": "automatic",
        # pip's variable for a mirror counts for uv too.
        **({"UV_DEFAULT_INDEX": index_url()} if os.environ.get("PIP_INDEX_URL") else {}),
    }


def make_command(uv: Path, target: Path, python: str | Path, *, bring: bool) -> list[str | Path]:
    """Make an environment in `target` with a Python: a version that uv brings, or the path of one that is here."""
    which = "--managed-python" if bring else "--no-managed-python"
    return [uv, "venv", which, "--python", python, "--no-project", *_QUIET, target]


def install_command(uv: Path, interpreter: Path, requirements: Path, device: Device) -> list[str | Path]:
    """Install the lock, every file of it by its hash, and the build of torch for a device.

    All is resolved before anything is downloaded, so that an index which cannot be reached is known at once. For CUDA,
    uv takes the build that this machine's driver can run.
    """
    builds = {Device.CPU: ["--torch-backend", "cpu"], Device.CUDA: ["--torch-backend", "auto"], Device.MPS: []}
    files = [part for name in ("backend.lock", "torch.txt") for part in ("-r", requirements / name)]
    return [
        uv, "pip", "install", "--python", interpreter, *files, "--only-binary", ":all:", "--compile-bytecode",
        *builds[device], *_QUIET,
    ]  # fmt: skip
