"""What tests of the session share: the stub backend in place of the real one, and a patient wait."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pchmr.pchmr_blender import session
from pchmr.pchmr_blender.backend.process import Launch
from pchmr.pchmr_blender.operators import backend_jobs, models, setup

STUB = Path(__file__).with_name("stub_backend.py")
ROOT = STUB.parents[2]


@contextmanager
def stub_backend(folder: Path, *words: str) -> Iterator[Launch]:
    """Until it ends, operators start the stub; `words` are its arguments."""
    launch = Launch(Path(python()), ROOT, folder / "backend.log", arguments=(str(STUB), *words))
    with pytest.MonkeyPatch.context() as patch:
        for module in (backend_jobs, models, setup):
            patch.setattr(module, "launch", lambda: launch)
        yield launch
    session.current.close()


def python() -> str:
    """The interpreter: of a bpy wheel this process's own, of a Blender the one that belongs to it."""
    return sys.executable


def turn_until(holds: Callable[[], object], seconds: float = 30.0) -> None:
    """Let the session's timer turn by hand, as Blender's would."""
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            raise TimeoutError
        session.current.turn()
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    """Whether a process is there; POSIX only."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
