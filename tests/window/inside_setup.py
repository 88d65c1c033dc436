"""Inside the window: the backend is set up by its button, as far as the variable NETWORK lets it, `yes` or `no`.

First it is refused, since a new Blender may not go online; then allowed by the button that stands there. With a
network it is cancelled in the middle and started again, checked, used for `FRAMES` of the demo clip, and removed;
without one it fails, and the panel says why.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import bpy  # noqa: E402
import drive  # noqa: E402

PACKAGE = "bl_ext.user_default.pchmr"
CLIP, FRAMES = "/out/work/demo clip.mp4", 20
FOLDER = Path(os.environ["XDG_CACHE_HOME"]) / "pchmr" / "backend"
KEPT = {"CACHEDIR.TAG", "setup.log", "setup.lock", "downloads"}
"""What a setup leaves that did not come to its end."""


def ours(name: str) -> ModuleType:
    return sys.modules[f"{PACKAGE}.pchmr_blender.{name}"]


def session() -> object:
    return ours("session").current


def known() -> object:
    return ours("installation").known()


def idle() -> bool:
    return session().activity is None


def quiet() -> None:
    """No problem stands in the panel."""
    problem = session().problem
    assert problem is None, f"{problem.kind}: {problem.message} {problem.hint} {problem.output}"


def names() -> set[str]:
    """What lies in the folder of the environments."""
    return {path.name for path in FOLDER.iterdir()} if FOLDER.is_dir() else set()


def begin(operator: str, where: drive.Where = drive.sidebar) -> drive.Steps:
    """Click a button of ours, and wait until what it does has begun."""
    yield from drive.press(f"bpy.ops.pchmr.{operator}(", where=where)
    yield from drive.wait(lambda: not idle() or session().problem, 20, f"{operator} begins")


def downloaded() -> list[object]:
    """The models that setup gets."""
    return [model for model in known().models if model.source == "installed"]


def stage() -> str:
    return "" if idle() else session().activity.status().stage


def refused() -> drive.Steps:
    """A new Blender may not go online: the button that downloads does nothing, and above it is the one to allow it."""
    yield from drive.open_tab("PC-HMR")
    drive.shot("1_not_set_up")
    yield from drive.press("bpy.ops.pchmr.plan_setup(")
    yield from drive.wait(lambda: idle() and known().plan is not None, 60, "the plan")
    quiet()
    yield 0.5
    drive.shot("2_plan_offline")
    for line in known().plan.lines:
        drive.say("plan:", line)
    assert not bpy.app.online_access
    yield from drive.press("bpy.ops.pchmr.install_backend(")
    assert idle()
    assert session().problem is None
    try:
        bpy.ops.pchmr.install_backend()
    except RuntimeError as refusal:
        drive.say("refusal:", str(refusal).strip().replace("\n", " "))
    assert session().problem.kind == "NoNetwork"
    yield 0.5
    drive.shot("3_refused")
    assert not names()
    yield from drive.press("bpy.ops.extensions.userpref_allow_online(")
    assert bpy.app.online_access
    yield 0.5
    drive.shot("4_allowed")


def unreachable() -> drive.Steps:
    """Every route fails; the panel says what is wrong, and shows the log's last lines."""
    yield from begin("install_backend")
    yield from drive.wait(idle, 120, "the end")
    problem = session().problem
    drive.say("problem:", problem)
    assert (problem.kind, problem.reason) == ("NoNetwork", "offline")
    assert "cannot be reached" in problem.message
    assert problem.output
    assert Path(problem.log) == FOLDER / "setup.log"
    yield 0.5
    drive.shot("5_unreachable")
    yield from drive.wait(lambda: names() <= KEPT, 30, str(names()))
    yield from drive.press("bpy.ops.pchmr.dismiss_plan(")
    yield from drive.press("bpy.ops.pchmr.plan_setup(")  # the problem's own button
    yield from drive.wait(lambda: idle() and known().plan is not None, 60, "the plan again")
    quiet()


def cancelled() -> drive.Steps:
    """In the middle of the packages; nothing half-made stays, and what was downloaded does."""
    yield from begin("install_backend")
    yield from drive.wait(lambda: idle() or stage() == "Installing packages", 180, "the packages")
    quiet()
    yield from drive.wait(lambda: idle() or "MB" in session().activity.status().detail, 60, "megabytes")
    yield 8.0
    drive.shot("5_installing")
    drive.say("status:", session().activity.status())
    yield from drive.press("bpy.ops.pchmr.cancel(")
    seconds = yield from drive.wait(idle, 10, "the cancel")
    drive.say(f"cancelled in {seconds:.2f} s after the click")
    assert seconds < 1.0
    quiet()
    yield 1.0
    drive.shot("6_cancelled")
    assert known().environment is None
    yield from drive.wait(lambda: names() <= KEPT, 30, str(names()))


def installed() -> drive.Steps:
    """The plan still stands there."""
    yield from begin("install_backend")
    stages: list[str] = []

    def ended() -> bool:
        if stage() not in stages[-1:]:
            stages.append(stage())
        return idle()

    seconds = yield from drive.wait(ended, 900, "the setup")
    drive.say(f"set up in {seconds:.0f} s: {' / '.join(filter(None, stages))}")
    quiet()
    yield 1.0
    drive.shot("7_set_up")
    environment = known().environment
    drive.say("environment:", environment)
    assert "is set up" in session().notice
    assert environment.interpreter.is_relative_to(FOLDER)
    yield from drive.wait(
        lambda: names() == {"CACHEDIR.TAG", "setup.log", "setup.lock", environment.folder.name}, 60, "the sweep"
    )


def checked() -> drive.Steps:
    """In the preferences: versions, devices, and every model with its licence."""
    yield from drive.open_preferences(PACKAGE)
    drive.shot("8_preferences")
    yield from begin("check_backend", drive.preferences)
    yield from drive.wait(lambda: idle() and known().check is not None, 180, "the check")
    quiet()
    yield 0.5
    drive.shot("9_checked")
    for line in known().check.lines:
        drive.say("check:", line)
    assert {model.state for model in known().models if model.source != "user-supplied"} == {"installed"}
    yield from drive.close_preferences()


def models_again() -> drive.Steps:
    """One of the downloaded models is gone: it is told, and the button that stands there gets it again."""

    def there() -> bool:
        return idle() and all(model.state == "installed" for model in downloaded())

    lost = Path(os.environ["XDG_DATA_HOME"]) / "pchmr" / "models" / "pose_detection.tflite"
    lost.unlink()
    yield from drive.open_preferences(PACKAGE)
    yield from drive.press("bpy.ops.pchmr.list_models(", where=drive.preferences)
    yield from drive.wait(lambda: any(model.state == "missing" for model in downloaded()), 60, "the list")
    yield 0.5
    drive.shot("9_model_gone")
    yield from begin("install_models", drive.preferences)
    seconds = yield from drive.wait(lambda: there() or session().problem, 180, "the models")
    drive.say(f"got the models in {seconds:.0f} s")
    quiet()
    assert lost.is_file()
    yield 0.5
    drive.shot("9_model_there")
    yield from drive.close_preferences()


def reconstructed() -> drive.Steps:
    settings = bpy.context.scene.pchmr
    settings.clip, settings.use_range, settings.start, settings.end = CLIP, True, 0, FRAMES - 1
    yield from drive.open_tab("PC-HMR")
    yield from begin("reconstruct_clip")
    seconds = yield from drive.wait(idle, 600, "the reconstruction")
    drive.say(f"reconstructed {FRAMES} frames in {seconds:.0f} s")
    quiet()
    yield 1.0
    drive.shot("10_reconstructed")
    assert any(collection.pchmr.uuid for collection in bpy.data.collections)


def removed() -> drive.Steps:
    """It asks first; Return is its yes."""
    yield from drive.open_preferences(PACKAGE)
    yield from drive.press("bpy.ops.pchmr.remove_backend(", where=drive.preferences)
    yield 0.5
    drive.shot("11_asked")
    assert known().environment is not None
    yield from drive.key("Return")
    yield from drive.wait(lambda: idle() and known().environment is None, 300, "the removal")
    quiet()
    yield 0.5
    drive.shot("12_removed")
    drive.say("notice:", session().notice)
    assert not FOLDER.exists(), names()


def test() -> drive.Steps:
    online = (refused, cancelled, installed, checked, models_again, reconstructed, removed)
    for part in online if os.environ["NETWORK"] == "yes" else (refused, unreachable):
        drive.say(part.__name__)
        yield from part()


drive.run(test)
