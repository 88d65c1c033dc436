"""`proxy CLIP --out FILE`: footage that Blender can show."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .options import positive

if TYPE_CHECKING:
    from .options import Commands


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "proxy",
        help="an upright movie of constant rate",
        description="Write a stand-in for a clip that Blender cannot show as it is: turned or mirrored by its header, "
        "of a varying rate, with oblong pixels, or images that are not numbered one after the other.",
    )
    parser.add_argument("clip", type=Path, metavar="CLIP", help="movie, folder of images, or pattern (shot_%%04d.png)")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the mp4 file")
    parser.add_argument(
        "--fps", type=positive, help="rate of an image sequence, or the true rate of a movie in slow motion"
    )
    parser.add_argument("--always", action="store_true", help="also where Blender can show the clip as it is")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the movie, and print its path; nothing is written, and why is said, where none is needed."""
    from ..footage_proxy import make_proxy, needs_proxy
    from ..video import probe
    from .interrupt import cancel_on_interrupt
    from .progress_bar import ProgressBar

    reason = needs_proxy(probe(options.clip, options.fps))
    if reason is None and not options.always:
        print("no stand-in is needed: Blender shows this clip as it is")
        return 0
    with cancel_on_interrupt() as cancelled, ProgressBar() as bar:
        proxy = make_proxy(options.clip, options.out, options.fps, report=bar, cancelled=cancelled)
    print(f"{proxy.path}  {proxy.width}×{proxy.height}, {proxy.frames} frames, {proxy.fps:.3f} frames/s")
    return 0
