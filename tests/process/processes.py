"""Who descends from whom, and who has gone: for tests that kill."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds processes in /proc")

PATIENCE = 30.0
"""Seconds after which a process that should end is taken to live on."""


def _stat(pid: int) -> list[str]:
    """State, parent and more of a process; empty if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return []


def children(pid: int) -> set[int]:
    """The processes that one has started itself; none where there is no /proc."""
    numbers = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    return {number for number in numbers if _stat(number)[1:2] == [str(pid)]}


def alive(pid: int) -> bool:
    """Whether there is such a process, and more of it than its exit code."""
    return _stat(pid)[:1] not in ([], ["Z"], ["X"])


def gone(pids: set[int]) -> bool:
    """Whether all of them end in good time."""
    until = time.monotonic() + PATIENCE
    while any(alive(pid) for pid in pids):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True
