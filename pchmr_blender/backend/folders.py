# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole folders: how large they are, and deleting them, while others may still write there. No bpy."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def folder_size(path: Path) -> int:
    """Bytes of all files below a folder; 0 where there is none. Others may write and delete meanwhile."""
    total = 0
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    total += folder_size(Path(entry.path))
                else:
                    total += entry.stat(follow_symlinks=False).st_size
    except OSError:
        return total  # it went while it was looked at
    return total


def delete_folder(path: Path) -> bool:
    """Delete a folder with all that is in it; whether nothing is left."""

    def again(function: Callable[[str], object], name: str, _error: object) -> None:
        # Windows deletes no file that is marked read-only.
        try:
            os.chmod(name, stat.S_IRWXU)  # noqa: PTH101
            function(name)
        except OSError:
            return  # told by the result

    handler: dict[str, Any] = {"onexc" if sys.version_info >= (3, 12) else "onerror": again}
    if path.exists():
        shutil.rmtree(path, **handler)
    return not path.exists()
