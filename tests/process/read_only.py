"""A folder in which nothing can be written, for whoever runs the tests: permissions do not bind the superuser."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

_MOUNT = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"'


def read_only(folder: Path) -> Sequence[str]:
    """Words to put before a command, for which the folder is read-only. Skips the test where that cannot be had.

    The folder's permissions are taken; for the superuser of Linux it is mounted read-only, seen by the command alone.
    """
    if sys.platform == "win32":
        pytest.skip("Windows has no folder that its owner cannot write to by permissions alone")
    if os.geteuid() != 0:
        folder.chmod(0o555)
        return ()
    words = ["unshare", "--mount", "sh", "-c", _MOUNT, "sh", str(folder)]
    try:
        tried = subprocess.run([*words, "touch", str(folder / "x")], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("the superuser can write everywhere, and there is no program unshare")
    if "Read-only file system" not in tried.stderr:
        pytest.skip(f"the superuser can write everywhere, and cannot mount a folder read-only ({tried.stderr.strip()})")
    return words
