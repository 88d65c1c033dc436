"""Run by a Python with the bpy wheel: the models' operators, one after the other, on the files of a folder.

    python add_models.py INTERPRETER FOLDER

Prints a line of JSON for each: what it was called with, what it said, and what is known afterwards.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import conftest  # noqa: F401  (loads the checkout as the package pchmr)

import pchmr
from pchmr.pchmr_blender import installation, session


def tell(operator: str, **words: object) -> None:
    """Run an operator of ours and print what became of it."""
    try:
        said = sorted(getattr(bpy.ops.pchmr, operator)(**words))[0]
    except RuntimeError as error:
        said = str(error)
    known, problem = installation.known(), session.current.problem
    line = {
        "operator": operator,
        "file": Path(str(words.get("filepath", ""))).name,
        "said": said,
        "kind": problem.kind if problem else "",
        "message": problem.message if problem else "",
        "hint": problem.hint if problem else "",
        "candidate": known.candidate and [known.candidate[0].name, known.candidate[1].name, known.candidate[1].license],
        "may_add": bool(bpy.ops.pchmr.add_model.poll()),
        "models": {model.name: model.state for model in known.models},
        "notice": session.current.notice,
    }
    print(json.dumps(line), flush=True)
    session.current.dismiss()


def main(interpreter: str, folder: str) -> None:
    entry = bpy.context.preferences.addons.new()
    entry.module = "pchmr"
    pchmr.register()
    tell("list_models")
    entry.preferences.interpreter = interpreter
    tell("list_models")
    files = sorted(Path(folder).iterdir())
    for file in files:
        tell("inspect_model", filepath=str(file))
        if installation.known().candidate is not None:
            tell("add_model")
            if installation.known().candidate is not None:  # another file is there
                tell("add_model", replace=True)
    tell("inspect_model", filepath=str(Path(folder) / "no such file.pkl"))
    tell("inspect_model", filepath=folder)
    tell("inspect_model", filepath=str(files[0]))
    tell("dismiss_model")
    tell("install_models")
    pchmr.unregister()


main(*sys.argv[1:])
sys.stdout.flush()
os._exit(0)  # with timers or modal operators registered, some versions hang at exit
