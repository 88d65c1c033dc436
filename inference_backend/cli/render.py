"""`render TAKE`: a movie of a take, for a person to look at."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .options import Commands


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "render",
        help="a movie of a take",
        description="Write a movie of a take: mesh and skeleton over the footage, and the mesh alone in the world on a "
        "floor of half-metre tiles, from the camera's side and from a right angle to it.",
    )
    parser.add_argument("take", type=Path, metavar="TAKE", help="the take's folder")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the movie (default: TAKE.mp4 beside the take)")
    parser.add_argument(
        "--views", default="camera,front,side", metavar="LIST", help="some of camera,front,side (default: all)"
    )
    parser.add_argument("--clip", type=Path, metavar="FILE", help="the footage, where it has been moved")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Render, and print the movie's path."""
    from ..take import open_take
    from .interrupt import cancel_on_interrupt
    from .progress_bar import ProgressBar

    take = open_take(options.take)
    # The folder's whole name stays: without its suffix it may be the footage's.
    folder = take.folder.resolve()
    out = folder.with_name(folder.name + ".mp4") if options.out is None else options.out
    views = [view.strip() for view in options.views.split(",")]
    with cancel_on_interrupt() as cancelled, ProgressBar() as bar:
        from ..render import render_take

        print(render_take(take, out, views, clip=options.clip, report=bar, cancelled=cancelled))
    return 0
