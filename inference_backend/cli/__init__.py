"""The command line: `python -m inference_backend COMMAND`.

Results go to stdout; progress, warnings and errors to stderr. The exit code tells the kind of an error (`errors.py`).
What a command needs is imported when it runs, so that `--help` and mistakes in the options answer at once.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence

from .. import __version__
from ..errors import KINDS
from . import bench, calibrate, evaluate, models, proxy, reconstruct, render, serve, train
from .failures import guarded
from .options import Parser

_GROUPS = (reconstruct, calibrate, render, proxy, serve, models, train, evaluate, bench)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code. `argv` is without the program's name; None: the process'."""
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks must not end an hour's work.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    return guarded(lambda: _run(argv))


def parser() -> argparse.ArgumentParser:
    """The parser of all commands; a parsed namespace has its command's function as `run`."""
    kinds = ", ".join(f"{kind.exit_code} {name}" for name, kind in KINDS.items())
    top = Parser(
        prog="python -m inference_backend",
        description="Parallel PC-HMR: footage in; calibrated human meshes and skeletons out.",
        epilog=f"exit codes: 0 done, {kinds}",
    )
    top.add_argument("--version", action="version", version=__version__)
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for group in _GROUPS:
        group.add_to(commands)
    return top


def _run(argv: Sequence[str] | None) -> int:
    options = parser().parse_args(argv)
    code: int = options.run(options)
    return code
