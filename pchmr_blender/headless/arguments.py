# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of a batch. No bpy."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Final, NoReturn

from ...inference_backend.errors import KINDS, BackendError, BadArgument
from ..core.compress import LEAST_TOLERANCE_MM
from ..core.edit_fields import FIELDS
from ..core.file_formats import Format
from ..core.form_costs import Form

_WIDTH: Final = 80
"""Characters of a line of `--help`."""
_PROGRAM: Final = "blender -b --python pchmr_blender/batch.py --"


@dataclass(frozen=True)
class Batch:
    """What is asked for. Paths are whole."""

    clips: tuple[Path, ...]
    """Movies, folders of images, or patterns of image names."""
    out: Path
    """Folder of everything that is made."""
    preset: str
    """A preset's name, or the path of a .toml file."""
    cleanup: str
    """A clean-up preset's name, or the path of a .toml file."""
    people: str
    """largest, all, or a number."""
    height: float | tuple[float, ...] | None
    """Metres; of each of all people by size where there are several; None: the preset's."""
    focal: float | None
    """Focal length in pixels of the upright picture; None: the preset's, or found out."""
    device: str | None
    """auto, cpu, cuda or mps; None: the preset's."""
    fps: float | None
    """Rate of images, or the true rate of slow motion; None: the footage's."""
    form: Form | None
    """Of the body's animation in the .blend; None: by its length."""
    tolerance_mm: float
    """Largest error of the compressed form."""
    exports: tuple[Format, ...]
    """Files for other programs."""
    preview: bool
    """Whether a movie of the body over the footage is made."""
    recalibrate: Path | None
    """A file of edits (`core.edit_list`) for clips that are reconstructed; None: clips are reconstructed."""
    overwrite: bool
    """Whether takes and .blends that are there are made anew, whatever was done to them."""
    report: Path | None
    """The JSON file."""
    interpreter: Path | None
    """A Python that runs the backend, or the folder of its environment; None: the one that is set up."""


class _Parser(argparse.ArgumentParser):
    """argparse, with mistakes as our own kind of error."""

    def error(self, message: str) -> NoReturn:
        raise BadArgument(message, hint=f"See: {_PROGRAM} --help")


def parse(words: Sequence[str]) -> Batch:
    """Read the words after `--`. Raises BadArgument; SystemExit after --help."""
    given = _parser().parse_args(words)
    if given.recalibrate is not None and given.overwrite:
        raise BadArgument("--recalibrate --overwrite", hint="Say one of them: an edited .blend is somebody's work.")
    if given.people not in ("largest", "all") and not given.people.isdecimal():
        raise BadArgument(f"--people {given.people}", hint="Say largest, all, or a number: 0 is the largest.")
    if isinstance(given.height, tuple) and given.people != "all":
        raise BadArgument(
            f"--height: {len(given.height)} heights for one person", hint="Give one height, or say --people all."
        )
    return Batch(
        clips=tuple(clip.absolute() for clip in given.clips),
        out=given.out.absolute(),
        preset=_preset(given.preset),
        cleanup=_preset(given.cleanup),
        people=given.people,
        height=given.height,
        focal=given.focal,
        device=given.device,
        fps=given.fps,
        form=None if given.form == "auto" else Form(given.form.upper()),
        tolerance_mm=given.tolerance,
        exports=given.export,
        preview=given.preview,
        recalibrate=given.recalibrate and given.recalibrate.absolute(),
        overwrite=given.overwrite,
        report=given.json and given.json.absolute(),
        interpreter=given.interpreter and given.interpreter.absolute(),
    )


def _parser() -> argparse.ArgumentParser:
    kinds = ", ".join(f"{kind.exit_code} {name}" for name, kind in sorted(KINDS.items(), key=_code))
    codes = _wrapped(f"exit codes: 0 all is done; else of the first clip that failed: {kinds}")
    parser = _Parser(
        prog=_PROGRAM,
        description=_wrapped(
            "Reconstruct clips and bring each into a .blend of its own, without a window. What is finished is "
            "kept: the same command run again goes on where it was stopped. Where the extension is enabled, "
            "`blender -c pchmr CLIPS…` is the same."
        ),
        epilog=f"{_edits_text()}\n\n{codes}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "clips", type=Path, nargs="+", metavar="CLIP", help="movie, folder of images, or pattern (shot_####.png)"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for everything that is made")
    parser.add_argument("--export", type=_formats, default=(), metavar="LIST", help=_listed(Format))
    parser.add_argument("--preview", action="store_true", help="an mp4 of the body over the footage")
    parser.add_argument("--json", type=Path, metavar="FILE", help="a report on every clip, for programs")
    parser.add_argument(
        "--people", default="largest", metavar="WHO", help="largest (default), all, or a number: 0 is the largest"
    )
    parser.add_argument(
        "--height",
        type=_heights,
        metavar="M[,M…]",
        help="height in metres (default 1.70); of several people their usual one, from which the common floor tells "
        "each; or with --people all one each, the largest's first",
    )
    parser.add_argument("--focal", type=_above(0), metavar="PX", help="focal length in pixels of the upright picture")
    parser.add_argument(
        "--preset", default="default", metavar="NAME", help="a preset's name, or a .toml file (default: default)"
    )
    parser.add_argument(
        "--cleanup",
        default="default",
        metavar="NAME",
        help="a clean-up preset's name, or a .toml file (default: default); off leaves the pose as it is found",
    )
    parser.add_argument("--device", metavar="NAME", help="auto (default), cpu, cuda or mps")
    parser.add_argument("--fps", type=_above(0), help="rate of images, or the true rate of slow motion")
    parser.add_argument(
        "--form",
        choices=("auto", *(form.value.lower() for form in Form)),
        default="auto",
        help="how the .blend keeps the body's animation (default: auto, by its length)",
    )
    parser.add_argument(
        "--tolerance",
        type=_above(LEAST_TOLERANCE_MM, included=True),
        default=1.0,
        metavar="MM",
        help="largest error of the compressed form, which fbx and glb are made from (default 1)",
    )
    parser.add_argument(
        "--recalibrate",
        type=Path,
        metavar="FILE",
        help="apply the edits of a .json to clips that an earlier batch has reconstructed into --out, calibrate the "
        "frames that become others, and save the .blend; see below",
    )
    parser.add_argument("--overwrite", action="store_true", help="make takes and .blends that are there anew")
    parser.add_argument(
        "--interpreter",
        type=Path,
        metavar="PATH",
        help="Python with the backend's packages, or its environment's folder (default: what Set Up Backend has made)",
    )
    return parser


def _preset(text: str) -> str:
    """A preset's name, or a whole path."""
    return str(Path(text).absolute()) if text.endswith(".toml") else text


def _edits_text() -> str:
    """The form of a file of edits."""
    meanings = "\n".join(
        textwrap.fill(meaning, _WIDTH, initial_indent=f"  {key:<10}", subsequent_indent=" " * 12)
        for key, meaning in FIELDS.items()
    )
    form = _wrapped(
        'edits: a list, or {"cleanup": a clean-up preset\'s name, a .toml file or tables of settings, "edits": '
        "[…]}. An edit has frames, joint, and one or more of offset or to, turn, stretch, strength. What it names is "
        "set, not added, and what it does not name stays as it is, so the same file applied again changes nothing:"
    )
    example = '  example   [{"frames": "12-40", "joint": "left_wrist", "offset": [0, 0.05, 0]}]'
    return f"{form}\n{meanings}\n{example}"


def _wrapped(text: str) -> str:
    return textwrap.fill(text, _WIDTH)


def _code(named: tuple[str, type[BackendError]]) -> int:
    return named[1].exit_code


def _listed(formats: type[Format]) -> str:
    return f"any of {','.join(one.value for one in formats)}"


def _formats(text: str) -> tuple[Format, ...]:
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in list(Format)]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is no format; {_listed(Format)}")
    return tuple(dict.fromkeys(Format(name) for name in names))


def _heights(text: str) -> float | tuple[float, ...]:
    numbers = tuple(_above(0)(part.strip()) for part in text.split(","))
    return numbers if len(numbers) > 1 else numbers[0]


def _above(least: float, *, included: bool = False) -> Callable[[str], float]:
    """The type of a finite number above `least`."""

    def parse_number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
        if not isfinite(value) or not (value > least or (included and value == least)):
            raise argparse.ArgumentTypeError(f"{text} is not {'at least' if included else 'above'} {least:g}")
        return value

    return parse_number
