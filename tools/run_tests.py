"""Runs all tests: `make test`.

    .venv/bin/python tools/run_tests.py                           everything
    .venv/bin/python tools/run_tests.py -k lens                   pytest's arguments reach every part
    .venv/bin/python tools/run_tests.py tests/blender/test_x.py   a path: only the part that it belongs to

First what runs in this Python, for which Blender as a module is made, since batches and the extension's archive are
tested there; then tools/test_blender.py.
"""

from __future__ import annotations

import sys
from pathlib import Path

import blender_env
import test_blender


def main() -> int:
    """1 where something failed."""
    arguments = sys.argv[1:]
    ok = True
    here = test_blender.arguments_for(arguments, _needs_no_blender, [])
    if here is not None:
        for made in map(blender_env.make, blender_env.locks().values()):
            if made.problem:
                print(f"bpy {made.version}: {made.problem}", flush=True)
        ok = test_blender.run_here(here, bool(arguments))
    return int(test_blender.main(arguments) != 0 or not ok)


def _needs_no_blender(path: Path) -> bool:
    return not any(test_blender.below(folder)(path) for folder in (test_blender.SUITE, test_blender.WINDOW))


if __name__ == "__main__":
    sys.exit(main())
