"""Runs all tests: `make test`.

    .venv/bin/python tools/run_tests.py                           everything
    .venv/bin/python tools/run_tests.py -k lens                   pytest's arguments reach every part
    .venv/bin/python tools/run_tests.py tests/blender/test_x.py   a path: only the part that it belongs to

What runs in this Python, for which Blender as a module is made, since batches and the extension's archive are tested
there, runs beside the suites of tools/test_blender.py, whose lines come first; its own come when it is done.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

import blender_env
import test_blender

NEEDED: Final = 4
"""GB that the tests write, and the Blenders that they may have to set up."""


def main() -> int:
    """1 where something failed."""
    arguments = sys.argv[1:]
    for folder in (test_blender.ROOT, Path(tempfile.gettempdir())):
        free = shutil.disk_usage(folder).free / 1e9
        if free < NEEDED:
            print(f"{folder}: {free:.1f} GB are free and the tests need {NEEDED}: make room, then run them again")
            return 1
    here = test_blender.arguments_for(arguments, _needs_no_blender, [])
    if here is None:
        return test_blender.main(arguments)
    for made in map(blender_env.make, blender_env.locks().values()):
        if made.problem:
            print(f"bpy {made.version}: {made.problem}", flush=True)
    return test_blender.main(arguments, beside=lambda: _without_blender(here, bool(arguments)))


def _without_blender(arguments: list[str], chosen: bool) -> bool:
    """The tests that need no Blender of their own; whether they passed."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        passed = test_blender.run_here(arguments, chosen, output)
        output.seek(0)
        print(output.read(), end="", flush=True)
    return passed


def _needs_no_blender(path: Path) -> bool:
    return not any(test_blender.below(folder)(path) for folder in (test_blender.SUITE, test_blender.WINDOW))


if __name__ == "__main__":
    sys.exit(main())
