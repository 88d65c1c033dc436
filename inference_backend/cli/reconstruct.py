"""`reconstruct CLIP --out DIR`: footage → take."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadArgument, PresetInvalid
from .options import positive, positives, whole

if TYPE_CHECKING:
    from ..solve_preset import SolvePreset
    from ..take import Take
    from .options import Commands


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "reconstruct",
        help="footage to take",
        description="Reconstruct the people of a clip: calibrated meshes, skeletons and target poses, in a folder. "
        "A job that was stopped goes on where it was when the same command runs again.",
    )
    parser.add_argument("clip", type=Path, metavar="CLIP", help="movie, folder of images, or pattern (shot_%%04d.png)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the take's folder, e.g. dance.take")
    parser.add_argument(
        "--people", default="largest", metavar="WHO", help="largest (default), all, or a number: 0 is the largest"
    )
    parser.add_argument(
        "--height",
        type=positives,
        default=(),
        metavar="M[,M…]",
        help="height in metres (default 1.70); of several people their usual one, from which the common floor tells "
        "each; or with --people all one each, the largest's first",
    )
    parser.add_argument("--focal", type=positive, metavar="PX", help="focal length in pixels of the upright picture")
    parser.add_argument(
        "--preset", default="default", metavar="NAME", help="a preset's name, or a .toml file (default: default)"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any setting, e.g. fit.enabled=false",
    )
    parser.add_argument(
        "--cleanup",
        default="default",
        metavar="NAME|FILE",
        help="a clean-up preset, or a .toml file (default: default); off leaves the pose as it is fitted. `calibrate` "
        "changes it later",
    )
    parser.add_argument("--start", type=whole(0), default=0, metavar="N", help="first frame (default 0)")
    parser.add_argument("--end", type=whole(1), metavar="N", help="frame after the last (default: all)")
    parser.add_argument("--step", type=whole(1), default=1, metavar="N", help="every N-th frame (default 1)")
    parser.add_argument(
        "--fps", type=positive, help="rate of an image sequence, or the true rate of a movie in slow motion"
    )
    parser.add_argument("--workers", type=whole(1), metavar="N", help="processes for 2D poses (default: by the cores)")
    parser.add_argument("--device", metavar="NAME", help="auto (default), cpu, cuda or mps")
    parser.add_argument("--overwrite", action="store_true", help="delete the take that is there")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Reconstruct, and print a summary."""
    from .interrupt import cancel_on_interrupt
    from .progress_bar import ProgressBar, duration

    began = time.monotonic()
    with cancel_on_interrupt() as cancelled:
        from ..targets.presets import load_cleanup

        preset, heights = _preset(options)
        cleanup = load_cleanup(options.cleanup)
        _check(options)
        print("loading", file=sys.stderr, flush=True)  # the networks' library takes its seconds

        from ..pipeline import ReconstructSettings, reconstruct
        from ..take import open_take

        settings = ReconstructSettings(
            clip=options.clip, out=options.out, preset=preset, cleanup=cleanup, people=options.people, heights=heights,
            start=options.start, end=options.end, step=options.step, fps=options.fps, overwrite=options.overwrite,
        )  # fmt: skip
        with ProgressBar() as bar:
            folder = reconstruct(settings, bar, cancelled)
    seconds = time.monotonic() - began
    print(summary(open_take(folder), preset.suspects.threshold))
    print(f"  took      {duration(seconds)}")
    print(f"look at it with: python -m inference_backend render {_quoted(folder)}")
    return 0


def summary(take: Take, threshold: float) -> str:
    """What the take holds, and where to look first."""
    from ..take import describe

    lines = [describe(take)]
    for person in take.people:
        suspect = person.array("suspect") >= threshold
        lines.append(
            f"  person {person.info.index}  {suspect.sum()} of {suspect.size} joints are suspect, "
            f"in {suspect.any(axis=1).sum()} of {len(suspect)} frames"
        )
    return "\n".join(lines)


def _preset(options: argparse.Namespace) -> tuple[SolvePreset, tuple[float, ...]]:
    """The preset with what the command line says otherwise, and the height of each where there are several."""
    from ..heights import with_heights
    from ..presets import load_preset, override

    values: dict[str, Any] = {}
    for text in options.set:
        key, equals, value = text.partition("=")
        if not equals:
            raise BadArgument(f"--set {text}: no KEY=VALUE", hint="For example: --set fit.enabled=false")
        try:
            values[key.strip()] = json.loads(value)
        except ValueError:
            values[key.strip()] = value.strip()
    named = {"camera.focal": "focal", "workers": "workers", "device": "device"}
    given = {key: getattr(options, option) for key, option in named.items()}
    values |= {key: value for key, value in given.items() if value is not None}
    preset = load_preset(options.preset)
    try:
        return with_heights(override(preset, values, "command line"), options.height, options.people, "command line")
    except PresetInvalid as error:
        raise BadArgument(error.message, hint=error.hint, **error.facts) from error


def _check(options: argparse.Namespace) -> None:
    """What can be known before the networks are loaded."""
    if options.people not in ("largest", "all") and not options.people.isdecimal():
        raise BadArgument(f"--people {options.people}", hint="Say largest, all, or a number: 0 is the largest.")
    if options.end is not None and options.end <= options.start:
        raise BadArgument(
            f"--end {options.end} is not after --start {options.start}", hint="The frame --end is not read any more."
        )
    from ..video import probe

    probe(options.clip, options.fps)  # the pipeline does it again, from what is kept: the packets are read once


def _quoted(path: Path) -> str:
    return f'"{path}"' if " " in str(path) else str(path)
