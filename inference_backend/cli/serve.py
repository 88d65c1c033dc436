"""`serve`: the process behind the Blender extension, which starts it; not for a terminal."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .options import Commands


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "serve",
        help="jobs for Blender, over stdin and stdout",
        description="Wait for calls at stdin (JSON-RPC 2.0, one object a line), answer at stdout, log to stderr. The "
        "Blender extension starts it, and it ends with Blender.",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve."""
    from ..server import serve

    return serve()
