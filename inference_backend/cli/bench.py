"""`bench WHAT`: the tables of speed and memory in the README."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .options import whole

if TYPE_CHECKING:
    from .options import Commands


def add_to(commands: Commands) -> None:
    """Add the command and what it measures."""
    parser = commands.add_parser(
        "bench", help="tables of speed and memory", description="Measure speed and memory, and print tables."
    )
    whats = parser.add_subparsers(title="what", metavar="WHAT", required=True)

    blazepose = whats.add_parser("blazepose", help="BlazePose against the original package: landmarks and frames/s")
    _add_clip(blazepose)
    blazepose.add_argument("--timed", type=whole(1), default=1000, metavar="N", help="frames (default: %(default)s)")
    blazepose.add_argument("--rounds", type=whole(1), default=3, metavar="N", help="default: %(default)s")
    blazepose.set_defaults(run=_blazepose)

    calibration = whats.add_parser("calibration", help="calibration against linear blend skinning: frames/s")
    calibration.add_argument("--batch", type=whole(1), default=64, metavar="N", help="frames (default: %(default)s)")
    calibration.add_argument("--threads", type=whole(1), metavar="N", help="default: torch's own choice")
    calibration.set_defaults(run=_calibration)

    pipeline = whats.add_parser("pipeline", help="the whole pipeline against BlazePose alone; start to first progress")
    _add_clip(pipeline)
    pipeline.add_argument("--preset", default="default", metavar="NAME|FILE", help="default: %(default)s")
    pipeline.set_defaults(run=_pipeline)

    memory = whats.add_parser("memory", help="peak memory of a short and of a long clip")
    _add_clip(memory)
    memory.set_defaults(run=_memory)


def _add_clip(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("clip", type=Path, metavar="CLIP", help="a movie of one person")


def _blazepose(options: argparse.Namespace) -> int:
    from ..evaluation import bench_blazepose

    bench_blazepose.run(options.clip, timed=options.timed, rounds=options.rounds)
    return 0


def _calibration(options: argparse.Namespace) -> int:
    import torch

    from ..evaluation import bench_calibration

    if options.threads is not None:
        torch.set_num_threads(options.threads)
    bench_calibration.run(options.batch)
    return 0


def _pipeline(options: argparse.Namespace) -> int:
    from ..evaluation import bench_pipeline

    bench_pipeline.run(options.clip, preset=options.preset)
    return 0


def _memory(options: argparse.Namespace) -> int:
    from ..evaluation import bench_memory

    bench_memory.run(options.clip)
    return 0
