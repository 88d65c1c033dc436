"""Inside the window: model files are listed, looked at, agreed to and added, by the buttons of the preferences."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import bpy  # noqa: E402
import drive  # noqa: E402

PACKAGE = "bl_ext.user_default.pchmr"
FILES = Path("/out/work")
MODELS = Path(os.environ["PCHMR_MODELS"])


def session() -> object:
    return sys.modules[f"{PACKAGE}.pchmr_blender.session"].current


def known() -> object:
    return sys.modules[f"{PACKAGE}.pchmr_blender.installation"].known()


def idle() -> bool:
    return session().activity is None


def press(operator: str) -> drive.Steps:
    """A button of ours that begins something, or fails at once; and wait for the end."""
    session().dismiss()
    yield from drive.press(f"bpy.ops.pchmr.{operator}(", where=drive.preferences)
    yield from drive.wait(lambda: not idle() or session().problem or session().notice, 20, f"{operator} begins")
    yield from drive.wait(idle, 120, f"{operator} ends")
    yield 0.5


def choose(name: str) -> drive.Steps:
    """A file, as the file browser gives it to the operator."""
    bpy.ops.pchmr.inspect_model(filepath=str(FILES / name))
    yield from drive.wait(idle, 120, name)
    yield 0.5


def refused(name: str, kind: str, words: str) -> drive.Steps:
    yield from choose(name)
    problem = session().problem
    drive.say(name, "→", problem)
    assert problem.kind == kind
    assert words in problem.message
    assert known().candidate is None


def added(name: str, model: str) -> drive.Steps:
    yield from choose(name)
    assert session().problem is None, session().problem
    candidate, found = known().candidate
    assert (candidate.name, found.name) == (name, model)
    drive.shot(f"asked_{model}")
    yield from press("add_model")
    assert session().problem is None, session().problem
    assert known().candidate is None
    assert {one.name: one.state for one in known().models}[model] == "installed"
    assert model in session().notice


def test() -> drive.Steps:
    yield from drive.open_preferences(PACKAGE)
    yield from press("list_models")
    assert {one.name: one.state for one in known().models}["smpl"] == "missing"
    drive.shot("1_listed")
    yield from refused("evil.pkl", "UnsafePickle", "mkdir")
    drive.shot("2_refused")
    yield from refused("notes.txt", "BadArgument", "no model file")
    yield from added("größe's Körper.pkl", "smpl")
    drive.shot("3_added")
    yield from choose("another.pkl")
    drive.shot("4_would_replace")
    assert known().candidate[1].state == "installed"
    yield from drive.press("bpy.ops.pchmr.dismiss_model(", where=drive.preferences)
    yield from drive.wait(lambda: known().candidate is None, 20, "Not Now")
    yield from choose("another.pkl")
    yield from press("add_model")
    assert session().problem is None, session().problem
    assert (MODELS / "SMPL_NEUTRAL.pkl").read_bytes() == (FILES / "another.pkl").read_bytes()
    yield from added("chéck point.bin", "videopose3d")
    # What setup fetches is not right here: the button that stands there refuses while Blender is to stay offline.
    assert {one.name: one.state for one in known().models}["blazepose_detector"] == "corrupt"
    drive.shot("5_corrupt")
    yield from press("install_models")
    assert (session().problem.kind, session().problem.reason) == ("NoNetwork", "online_access")
    drive.shot("6_offline")
    yield from drive.key("Escape")  # Blender's own pop-up of the error, which lies over the buttons
    yield from drive.press("bpy.ops.extensions.userpref_allow_online(", where=drive.preferences)
    yield from press("install_models")
    drive.say("get the models →", session().problem)
    assert session().problem.kind == "WeightsMissing"  # allowed, but there is no network here
    assert session().problem.output
    yield 0.5
    drive.shot("7_models")
    assert not (FILES / "was-run").exists()


drive.run(test)
