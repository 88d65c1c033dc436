"""`calibrate TAKE`: rows of a take made again with other clean-up layers, or with edits."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .options import whole

if TYPE_CHECKING:
    from ..targets.effects import Effects
    from ..targets.stack import LayerReport
    from .options import Commands


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "calibrate",
        help="clean a take up, or edit it, and calibrate what changes",
        description="Apply the target stack (gap fill, outliers, smoothing, floor, foot contact) and the edits of a "
        "file to a take, and calibrate the frames that become others. Nothing is lost: the stack starts from the "
        "reconstruction's pose each time, and `--cleanup off` brings that back.",
    )
    parser.add_argument("take", type=Path, metavar="TAKE", help="the take's folder")
    parser.add_argument("--person", type=whole(0), metavar="N", help="index in the take (default: everyone)")
    parser.add_argument(
        "--cleanup",
        default="default",
        metavar="NAME|FILE",
        help="a clean-up preset, or a .toml file (default: default)",
    )
    parser.add_argument(
        "--edits",
        type=Path,
        metavar="FILE",
        help="an .npz of rows and edits; needs --person. They are the take's alone: a .blend shows its own, and gets "
        "keys from `batch.py … --recalibrate edits.json`",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Make the rows, and print what each layer did."""
    from ..errors import BadArgument
    from ..take import open_take
    from ..targets.presets import load_cleanup
    from .interrupt import cancel_on_interrupt
    from .progress_bar import ProgressBar

    layers, people = load_cleanup(options.cleanup), range(len(open_take(options.take).people))
    if options.person is not None:
        people = range(options.person, options.person + 1)
    elif options.edits is not None and len(people) > 1:
        raise BadArgument("edits for several people", hint="Say whose they are: --person N.")
    with cancel_on_interrupt() as cancelled, ProgressBar() as bar:
        from ..edit_jobs import wanted
        from ..recalibrate import recalibrate

        asked = replace(wanted({}, options.edits), layers=layers)
        for person in people:
            done = recalibrate(options.take, person, asked, bar, cancelled)
            made = sum(stop - start for start, stop in done.spans)
            print(f"person {person}  {made} frames made again\n{table(done.reports)}")
    if options.edits is not None:
        print(_NO_KEYS, file=sys.stderr)
    return 0


_NO_KEYS = (
    "These edits are the take's alone: a .blend that shows it keeps its own and makes these frames again. For edits "
    "that are keys in the .blend: blender -b --python pchmr_blender/batch.py -- CLIP --out DIR --recalibrate edits.json"
)


def table(reports: tuple[LayerReport, ...]) -> str:
    """What each layer did, as Markdown."""
    heads = "feet slide mm/s", "floor mm", "jerk m/s³"
    lines = ["| layer | joints moved mm | " + " | ".join(heads) + " |", "|---|---|" + "---|" * len(heads)]
    for report in reports:
        if report.enabled:
            effect = " | ".join(_change(report.before, report.after, name) for name in _SHOWN)
            lines.append(f"| {report.name} | {report.moved:.1f} | {effect} |")
    return "\n".join(lines)


_SHOWN = ("foot_slide", "floor_error", "jerk")


def _change(before: Effects, after: Effects, name: str) -> str:
    values = [getattr(one, name) for one in (before, after)]
    return "–" if None in values else " → ".join(f"{value:.1f}" for value in values)
