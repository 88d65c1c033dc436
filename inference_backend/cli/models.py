"""`models`: which model files there are, whether they are right, under which licence, and what the user may add."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..errors import WeightsCorrupt, WeightsMissing

if TYPE_CHECKING:
    from .options import Commands


@dataclass(frozen=True)
class ModelState:
    """One model file as it is on this machine."""

    name: str
    """Its name in the registry."""
    state: Literal["installed", "missing", "corrupt"]
    """Whether it can be used."""
    source: str
    """bundled, installed (by `models --install`) or user-supplied."""
    license: str
    """SPDX identifier, or the licence's name."""
    purpose: str
    """What it is for."""
    origin: str
    """Where it comes from."""
    path: str
    """Where it lies, or should."""
    sha256: str | None
    """The registered digest; of a user's file: its own; None where there is neither."""
    problem: str | None
    """What is wrong with it."""


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "models",
        help="model files: licences, hashes, installation",
        description="List the model files, with their licence and sha256, and what you may add.",
    )
    parser.add_argument("--install", action="store_true", help="first download BlazePose's files (Apache-2.0)")
    here = "install from this {} instead of downloading anything"
    parser.add_argument("--wheel", type=Path, metavar="FILE", help=here.format("wheel (detector, full landmark model)"))
    parser.add_argument("--package", type=Path, metavar="FILE", help=here.format("npm package (heavy landmark model)"))
    own = parser.add_mutually_exclusive_group()
    own.add_argument(
        "--add", type=Path, metavar="FILE",
        help="check a file of yours, say its licence, and copy it to where it is found: a body of SMPL, SMPL-H or "
        "SMPL-X, or a checkpoint of VideoPose3D",
    )  # fmt: skip
    own.add_argument("--inspect", type=Path, metavar="FILE", help="check it and say its licence, but add nothing")
    parser.add_argument("--replace", action="store_true", help="with --add: instead of another file that is there")
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Install or add if that is asked for, and list."""
    from ..install_models import install_blazepose
    from ..weights import MODELS_ENV, models_folder

    if options.add is not None or options.inspect is not None:
        return _own_file(options)
    wanted = options.install or options.wheel is not None or options.package is not None
    if wanted and (problem := install_blazepose(options.wheel, options.package)):
        print(f"warning: {problem}", file=sys.stderr)
    states = model_states()
    if options.json:
        print(json.dumps({"folder": str(models_folder()), "models": [asdict(state) for state in states]}, indent=1))
        return 0
    for state in states:
        if state.source != "user-supplied" or state.state != "missing":
            print(_text(state))
    addable = [state for state in states if state.source == "user-supplied"]
    print(f"\nYou may add, into {models_folder()} (or the folder that {MODELS_ENV} names):")
    for state in addable:
        print(f"  {Path(state.path).name:<28}{state.purpose}; {state.license}; from {state.origin}")
    print("These are licensed to you by their owners: nothing of them is shipped or downloaded here.")
    return 0


def model_states() -> list[ModelState]:
    """Every registered model file, in the registry's order."""
    from ..weights import REGISTRY, expected_sha256, file_sha256, model_file, model_path

    states = []
    for model in REGISTRY.values():
        path = model_file(model)
        state: Literal["installed", "missing", "corrupt"] = "installed"
        digest = problem = None
        try:
            model_path(model.name)
            digest = expected_sha256(model) or file_sha256(path)
        except WeightsMissing as error:
            state, problem, digest = "missing", error.hint, model.sha256
        except WeightsCorrupt as error:
            state, problem, digest = "corrupt", f"{error.message}. {error.hint}", model.sha256
        states.append(
            ModelState(
                model.name, state, model.source, model.license, model.purpose, model.origin, str(path), digest, problem
            )
        )
    return states


def _own_file(options: argparse.Namespace) -> int:
    """Check a file of the user's, and add it if that is asked for."""
    from ..added_models import add, identify

    name = (identify(options.inspect) if options.add is None else add(options.add, replace=options.replace)).name
    state = next(state for state in model_states() if state.name == name)
    if options.json:
        print(json.dumps(asdict(state), indent=1))
        return 0
    print(f"{options.add or options.inspect} is {state.purpose}.")
    print(f"Licence: {state.license}, from {state.origin}: not for commercial use, unless its owner has licensed")
    print("you otherwise. The default path goes on without it.")
    if options.add is not None:
        print(f"Added: {state.path}")
    return 0


def _text(state: ModelState) -> str:
    lines = [
        f"{state.name:<26}{state.state:<11}{state.license:<22}{state.purpose}",
        f"    file    {state.path}",
        f"    origin  {state.origin}",
        f"    sha256  {state.sha256 or 'unknown'}",
    ]
    if state.problem:
        lines.append(f"    problem {state.problem}")
    return "\n".join(lines)
