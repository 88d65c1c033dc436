"""Run by a Python with the bpy wheel: operators as the panel starts them, and what the panel says of each.

    python press_buttons.py INTERPRETER STEPS

STEPS is JSON: a list of steps. A step with `set` fills in fields of the scene, one with `operator` runs that operator
of ours with `words`, one with `press` runs that button of the problem that stands in the panel, by what it says, and
one with `save` saves and loads the .blend. For each a line of JSON is printed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import bpy

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import conftest  # noqa: F401  (loads the checkout as the package pchmr)

import pchmr
from pchmr.pchmr_blender import session
from pchmr.pchmr_blender.operators.request import asked_takes
from pchmr.pchmr_blender.scene.handles import people_in
from pchmr.pchmr_blender.ui.repairs import Repair, repairs_for, repairs_of_person


def buttons() -> list[Repair]:
    """Below the problem that stands in the panel."""
    problem = session.current.problem
    return [] if problem is None else list(repairs_for(problem, asked_takes(bpy.context.scene.pchmr)))


def run(operator: str, words: dict[str, Any]) -> str:
    """What Blender says of an operator that failed; empty where it did not."""
    group, _, name = operator.partition(".")
    try:
        getattr(getattr(bpy.ops, group), name)(**words)
    except RuntimeError as error:
        return str(error)
    return ""


def step(values: dict[str, Any]) -> None:
    """Do one step and print what there is then."""
    said = ""
    for field, value in values.get("set", {}).items():
        setattr(bpy.context.scene.pchmr, field, value)
    if "operator" in values:
        said = run(values["operator"], values.get("words", {}))
    if "press" in values:
        repair = next(one for one in buttons() if one.text == values["press"])
        said = run(repair.operator, {**repair.properties, **values.get("words", {})})
    if "save" in values:
        bpy.ops.wm.save_as_mainfile(filepath=values["save"])
        bpy.ops.wm.open_mainfile(filepath=values["save"])
    problem = session.current.problem
    people = people_in(bpy.context.scene)
    line = {
        "said": said,
        "kind": problem.kind if problem else "",
        "message": problem.message if problem else "",
        "hint": problem.hint if problem else "",
        "buttons": [repair.text for repair in buttons()],
        "people": [person.name for person in people],
        "frames": [bpy.context.scene.frame_start, bpy.context.scene.frame_end],
        "lost": [person.pchmr.problem for person in people],
        "mends": [[repair.text for repair in repairs_of_person(person.pchmr.problem_kind)] for person in people],
        "clip": bpy.context.scene.pchmr.clip,
        "out": bpy.context.scene.pchmr.out,
    }
    print(json.dumps(line), flush=True)


def main(interpreter: str, steps: list[dict[str, Any]]) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    entry = bpy.context.preferences.addons.new()
    entry.module = "pchmr"
    pchmr.register()
    entry.preferences.interpreter = interpreter
    for values in steps:
        step(values)
    pchmr.unregister()


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
