"""Inside the window: joints are dragged with the mouse, the body follows; cancel, recalibrate, undo, save, reload."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import bpy  # noqa: E402
import drive  # noqa: E402
import numpy as np  # noqa: E402
from edit_window import (  # noqa: E402
    FRAME,
    PACKAGE,
    body_of,
    bring,
    control,
    idle,
    module,
    part,
    person,
    place_of,
    preview,
    quiet,
    select,
    vertices,
)

BLEND = "/out/work/edited.blend"
UP = 90
"""Pixels that the wrist is dragged up."""


def editing():
    return module("live.mode").current()


def keys() -> list[float]:
    return module("scene.edits").edited_frames(person(), selected_only=False).tolist()


def far(some: np.ndarray, other: np.ndarray) -> float:
    """Metres between two meshes where they are furthest apart."""
    return float(np.linalg.norm(some - other, axis=1).max())


def answered() -> drive.Steps:
    yield from drive.wait(lambda: not editing().waiting, 120, "the backend's answer")
    yield 0.1


def settled() -> drive.Steps:
    """Nothing is under way, and nothing is about to be."""
    yield 1.5
    yield from drive.wait(idle, 120, "the work that is under way")
    yield 0.5
    quiet()


def differing(some: str, other: str) -> int:
    """Pixels of the viewport, left of the sidebar, that differ between two pictures."""
    images = [bpy.data.images.load(f"/out/{name}.png") for name in (some, other)]
    width, height = images[0].size
    pixels = [np.array(image.pixels[:], np.float32).reshape(height, width, -1)[..., :3] for image in images]
    for image in images:
        bpy.data.images.remove(image)
    _, region = drive.view3d()
    shown = slice(region.y, region.y + region.height), slice(region.x, region.x + int(region.width * 0.7))
    return int((np.abs(pixels[0][shown] - pixels[1][shown]).max(-1) > 0.1).sum())


def dragged(bone: str, by: tuple[float, float]) -> drive.Steps:
    """G, and the mouse on its way; not let go."""
    x, y = place_of(bone)
    yield from drive.move(x, y)
    yield from drive.key("g")
    for step in range(1, 11):
        yield from drive.move(x + by[0] * step / 10, y + by[1] * step / 10)
        yield 0.05
    assert editing().dragging
    yield from answered()


def run(operator: str, **properties: object) -> None:
    """As a button in the viewport does."""
    area, region = drive.view3d()
    with bpy.context.temp_override(window=drive.window(), area=area, region=region):
        assert getattr(bpy.ops.pchmr, operator)("INVOKE_DEFAULT", True, **properties) == {"FINISHED"}


def let_go() -> drive.Steps:
    """A click where the mouse is."""
    drive.button("LEFT")
    yield from drive.wait(lambda: not editing().dragging, 20, "the end of the drag")
    yield 0.3
    quiet()


def enter() -> drive.Steps:
    """By its button."""
    before = vertices(body_of())
    yield from drive.press("bpy.ops.pchmr.edit_pose(")
    yield 0.5
    quiet()
    assert editing() is not None
    assert bpy.context.mode == "POSE"
    assert far(vertices(preview()), before) < 1e-5
    yield from answered()
    drive.shot("1_mode")


def cancelled_drag() -> drive.Steps:
    before = vertices(preview())
    select("wrist.L")
    yield from dragged("wrist.L", (-20, UP))
    assert far(vertices(preview()), before) > 0.05
    yield from drive.key("Escape")
    yield 0.5
    assert far(vertices(preview()), before) == 0
    assert control("wrist.L").location.length == 0
    assert control("elbow.L").location.length == 0
    assert keys() == []


def confirmed_drag() -> drive.Steps:
    """The mesh follows in the picture, and one Ctrl-Z takes all of it back."""
    before = vertices(preview())
    drive.shot("2_before")
    for autokey in (False, True):
        bpy.context.scene.tool_settings.use_keyframe_insert_auto = autokey
        bpy.ops.ed.undo_push(message="Auto Keying")
        yield from dragged("wrist.L", (-20, UP))
        moved = vertices(preview())
        assert far(moved, before) > 0.05
        assert control("elbow.L").location.length > 0.01
        drive.shot("3_dragging")
        x, y = place_of("wrist.L")
        yield from let_go()
        assert keys() == [FRAME]
        assert far(vertices(preview()), moved) < 0.02, "it jumped when it was let go"
        yield from drive.move(x, y)
        yield from drive.key("ctrl+z")
        yield 0.5
        assert keys() == []
        assert control("wrist.L").location.length == 0
        assert control("elbow.L").location.length == 0
        assert far(vertices(preview()), before) < 1e-6
        yield from drive.key("ctrl+shift+z")
        yield 0.5
        assert keys() == [FRAME]
        assert editing() is not None
        if not autokey:
            yield from drive.key("ctrl+z")
            yield 0.5
            assert keys() == []
    drive.shot("4_let_go")
    changed = differing("2_before", "3_dragging")
    drive.say("pixels that changed", changed)
    assert changed > 400, f"the picture is the same, but for {changed} pixels"


def by_gizmo() -> drive.Steps:
    """The Move tool's arrow is dragged; one Ctrl-Z takes that back, and no more."""
    before = module("scene.edits").sample(person(), [editing().row])
    select("wrist.R")
    area, region = drive.view3d()
    with bpy.context.temp_override(window=drive.window(), area=area, region=region):
        bpy.ops.wm.tool_set_by_id(name="builtin.move")
    yield 0.5
    x, y = place_of("wrist.R")
    yield from drive.drag((x, y + 60), (x, y + 120))
    yield from drive.wait(lambda: not editing().dragging, 20, "the end of the drag")
    yield 0.5
    quiet()
    after = module("scene.edits").sample(person(), [editing().row])
    assert np.abs(after.offset - before.offset)[0, 21].max() > 0.05, "the gizmo was not dragged"
    assert np.abs(after.offset - before.offset)[0, 20].max() < 1e-6
    yield from drive.key("ctrl+z")
    yield 0.5
    back = module("scene.edits").sample(person(), [editing().row])
    assert np.abs(back.offset - before.offset).max() < 1e-6
    assert control("wrist.R").location.length < 1e-6
    with bpy.context.temp_override(window=drive.window(), area=area, region=region):
        bpy.ops.wm.tool_set_by_id(name="builtin.select_box")
    yield 0.3


def turned() -> drive.Steps:
    """R, and typed degrees, of the head."""
    select("head")
    yield from drive.move(*place_of("head"))
    for name in ("r", "4", "0", "Return"):
        yield from drive.key(name)
    yield from drive.wait(lambda: keys() and not editing().dragging, 20, "the end of the turn")
    yield 0.5
    quiet()
    made = module("scene.edits").sample(person(), [editing().row])
    angle = 2 * np.degrees(np.arccos(abs(made.turn[0, 15, 0])))
    assert abs(angle - 40) < 1, f"the head is turned by {angle}°"
    drive.shot("5_turned")


def pinned_and_stretched() -> drive.Steps:
    """What is pinned stays, and what is stretched says so; taken back afterwards."""
    select("ankle.R")
    run("pin_controls")
    assert control("ankle.R").pchmr.pinned
    select("pelvis")
    ankle = editing().answer.joints[8].copy()
    yield from dragged("pelvis", (0, -30))
    assert np.linalg.norm(editing().answer.joints[8] - ankle) < 0.002
    drive.shot("6_pinned")
    yield from drive.key("Escape")
    yield 0.3
    person().pchmr_edit.mode = "FREE"
    select("wrist.R")
    yield from dragged("wrist.R", (-60, 40))
    drive.shot("7_stretched")
    assert control("elbow.R").location.length == 0
    assert editing().answer.edits.stretch[0, 21] == 1
    yield from drive.key("Escape")
    yield 0.3
    person().pchmr_edit.mode = "LENGTHS"


def recalibrated() -> drive.Steps:
    """The frame's edits go into the body; then the mode is left."""
    yield from answered()
    shown = vertices(preview())
    run("recalibrate", scope="FRAME")  # its button: test_recalibrate
    yield from settled()
    assert module("scene.edit_state").committed(person()).tolist() == [editing().row]
    assert far(vertices(preview()), shown) < 1e-3
    drive.shot("8_recalibrated")
    run("leave_pose")
    yield 0.5
    assert preview() is None
    assert not body_of().hide_viewport
    assert far(vertices(body_of()), shown) < 1e-3
    drive.shot("9_left")


def undone_and_redone() -> drive.Steps:
    """Back to before the drags, on to before the mode, and forth again: body and bones agree at each."""
    edited = vertices(body_of())
    _, region = drive.view3d()
    yield from drive.move(region.x + region.width * 0.3, region.y + region.height * 0.2)
    steps = 0
    while keys() and steps < 20:
        yield from drive.key("ctrl+z")
        yield 0.3
        steps += 1
    assert keys() == [], f"{steps} undos, and there are keys"
    yield from settled()
    assert editing() is not None, "the mode went"
    yield from answered()
    assert far(vertices(preview()), edited) > 0.05, "the preview still has the edit"
    while editing() is not None and steps < 40:
        yield from drive.key("ctrl+z")
        yield 0.5
        steps += 1
    yield from settled()
    taken = module("scene.take_paths").open_person(person())[1].vertices(FRAME - 1, FRAME)[0]
    bpy.context.scene.frame_set(FRAME)  # as it was in no undo step
    assert preview() is None
    assert far(taken, edited) > 0.05, "the take still has the edit"
    assert far(vertices(body_of()), taken) < 1e-4
    for _ in range(steps):
        yield from drive.key("ctrl+shift+z")
        yield 0.3
    yield from settled()
    assert keys() == [FRAME]
    assert editing() is None
    assert far(vertices(body_of()), edited) < 1e-3


def saved_and_loaded() -> drive.Steps:
    """Saved in the mode: the file has the body, the edits, and no Preview."""
    edited = vertices(body_of())
    run("edit_pose")
    yield 0.5
    yield from answered()
    bpy.ops.wm.save_as_mainfile(filepath=BLEND)
    assert preview() is not None
    assert body_of().hide_viewport
    assert far(vertices(preview()), edited) < 1e-3
    yield 0.5
    bpy.ops.wm.open_mainfile(filepath=BLEND)
    yield from settled()
    assert preview() is None
    assert editing() is None
    assert keys() == [FRAME]
    assert not body_of().hide_viewport
    assert far(vertices(body_of()), edited) < 1e-3
    drive.shot("10_loaded")


def saved_and_undone() -> drive.Steps:
    """A save in the mode takes the Preview away and brings it back; undo and redo go on over it."""
    run("edit_pose")
    yield 0.5
    yield from answered()
    before = vertices(preview())
    select("wrist.R")
    yield from dragged("wrist.R", (-40, 50))
    yield from let_go()
    yield from answered()
    edited = vertices(preview())
    assert far(edited, before) > 0.02
    _, region = drive.view3d()
    for _ in range(2):
        bpy.ops.wm.save_as_mainfile(filepath=BLEND)
        yield from drive.move(region.x + region.width * 0.3, region.y + region.height * 0.2)
        yield from drive.key("ctrl+z")
        yield 0.5
        yield from answered()
        assert far(vertices(preview()), before) < 1e-3
        yield from drive.key("ctrl+shift+z")
        yield 0.5
        yield from answered()
        assert far(vertices(preview()), edited) < 1e-3
    for _ in range(3):
        yield from drive.key("ctrl+z")
        yield 0.3
    yield from settled()
    assert far(vertices(body_of() if editing() is None else preview()), before) < 1e-3
    if editing() is not None:
        run("leave_pose")
    yield from settled()


def killed() -> drive.Steps:
    """The backend's process dies while a joint is dragged: it is said, and the edit is kept."""
    area, region = drive.view3d()
    with bpy.context.temp_override(window=drive.window(), area=area, region=region):
        bpy.ops.view3d.view_axis(type="FRONT")
    bpy.context.scene.frame_set(FRAME + 20)
    bpy.context.view_layer.objects.active = body_of()
    yield from drive.open_tab("PC-HMR")
    run("edit_pose")
    yield 0.5
    yield from answered()
    select("wrist.R")
    yield from dragged("wrist.R", (0, 40))
    os.kill(module("session").current.backend_pid, 9)
    for step in range(5):
        yield from drive.move(*(value + step for value in place_of("wrist.R")))
        yield 0.1
    drive.button("LEFT")
    yield from drive.wait(lambda: not editing().dragging, 20, "the end of the drag")
    problem = module("session").current.problem
    assert problem is not None
    assert problem.kind == "BackendDied"
    assert FRAME + 20 in keys()
    assert editing() is not None
    drive.shot("11_killed")
    module("session").current.dismiss()
    before = vertices(preview())
    yield from dragged("wrist.R", (0, 40))
    yield from answered()
    assert far(vertices(preview()), before) > 0.02, "a new process does not answer"
    yield from drive.key("Escape")
    yield 0.3
    quiet()
    assert part("TARGETS").mode == "POSE"
    assert PACKAGE in bpy.context.preferences.addons


def test() -> drive.Steps:
    yield from bring("PC2")
    steps = (enter, cancelled_drag, confirmed_drag, by_gizmo, turned, pinned_and_stretched)
    for step in (*steps, recalibrated, undone_and_redone, saved_and_undone, saved_and_loaded, killed):
        drive.say(step.__name__)
        yield from step()


drive.run(test)
