"""Inside the window: a detected wrist is dragged with the mouse, the frames around it are lifted again, and undone."""

from __future__ import annotations

import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import bpy  # noqa: E402
import drive  # noqa: E402
import numpy as np  # noqa: E402
from edit_window import idle, module, part, person, quiet  # noqa: E402

TAKE = "/out/work/demo.take"
ROW = 40
WRIST, HAND = 15, (15, 17, 19, 21)
"""The left wrist, and what goes along with it, of BlazePose's landmarks."""
BY = np.array([-60.0, -70.0])
"""Pixels of the picture."""


def wrist(frame: int) -> np.ndarray:
    """The skeleton's left wrist at a scene frame, metres, world."""
    bpy.context.scene.frame_set(frame)
    bone = part("SKELETON").pose.bones["wrist.L"]
    return np.array(part("SKELETON").matrix_world @ bone.head)


def place(pixels: np.ndarray) -> drive.Place:
    """Of the window, over a pixel of the picture."""
    area, view = drive.view3d()
    lens = module("scene.landmark_drag").view_lens(
        part("CAMERA"), area.spaces.active.region_3d.perspective_matrix, view
    )
    x, y = module("core.picture_overlay").region_points(np.array([pixels], np.float32), *lens)[0]
    return view.x + float(x), view.y + float(y)


def shown() -> object:
    return module("scene.corrections").shown_at(person(), bpy.context.scene.frame_current_final)


def begin() -> drive.Steps:
    """The take comes in; the button, as from its panel."""
    bpy.ops.wm.read_homefile(use_empty=True)
    yield 1.0
    bpy.ops.pchmr.import_take("INVOKE_DEFAULT", directory=TAKE)
    yield from drive.wait(idle, 300, "the import")
    quiet()
    yield from drive.open_tab("PC-HMR")
    bpy.context.scene.frame_set(bpy.context.scene.frame_start + ROW)
    person().pchmr_suspects.listed = False
    yield from press("correct_detections")
    yield 1.0
    assert drive.view3d()[0].spaces.active.region_3d.view_perspective == "CAMERA"
    assert person().pchmr_suspects.detections


def press(name: str) -> drive.Steps:
    area, side = drive.sidebar()
    with bpy.context.temp_override(window=drive.window(), area=area, region=side):
        getattr(bpy.ops.pchmr, name)("INVOKE_DEFAULT")
    yield 0.5


def drag_wrist() -> drive.Steps:
    """Over the wrist its name stands; Esc lets a drag go; released elsewhere it is corrected, with the hand."""
    seen = shown()
    start, end = place(seen.places[WRIST]), place(seen.places[WRIST] + BY)
    yield from drive.move(*start)
    yield 0.5
    assert module("scene.landmark_drag").mouse.pointed.landmark == WRIST
    drive.shot("1_pointed")
    drive._xdotool("mousedown", 1)
    yield from drive.move(*end)
    yield 0.3
    yield from drive.key("Escape")
    drive._xdotool("mouseup", 1)
    yield 0.3
    assert not person().pchmr_corrections.landmarks, "Esc did not let it go"
    yield from drive.drag(start, end)
    yield 0.3
    drive.shot("2_dragged")
    made = {one.landmark for one in person().pchmr_corrections.landmarks}
    assert made == set(HAND), made
    assert np.linalg.norm(shown().places[WRIST] - seen.places[WRIST] - BY) < 3
    yield from drive.key("ctrl+z")
    yield 0.3
    assert not person().pchmr_corrections.landmarks, "undo left the correction"
    yield from drive.key("ctrl+shift+z")
    yield 0.3
    assert {one.landmark for one in person().pchmr_corrections.landmarks} == set(HAND)
    yield from drive.key("Return")
    yield 0.3
    assert module("scene.landmark_drag").mouse.pointed is None


def lift() -> drive.Steps:
    """The wrist goes where it was dragged to; frames far away stay; undo takes it back, redo brings it again."""
    frame = bpy.context.scene.frame_start + ROW
    before, far = wrist(frame), wrist(frame + 40)
    bpy.context.scene.frame_set(frame)
    yield from press("lift_again")
    seconds = yield from drive.wait(idle, 300, "the lift")
    quiet()
    drive.say(f"lifted again in {seconds:.1f} s: {module('session').current.notice}")
    yield 1.0
    after = wrist(frame)
    camera = part("CAMERA")
    pixels = [np.array(place_of(camera, point)) for point in (before, after)]
    moved = pixels[1] - pixels[0]
    drive.say(f"the wrist moved by {moved.round(1)} px of {BY} px, {np.linalg.norm(after - before):.3f} m")
    assert np.linalg.norm(moved - BY) < 0.35 * np.linalg.norm(BY)
    assert np.abs(wrist(frame + 40) - far).max() < 1e-5
    bpy.context.scene.frame_set(frame)
    yield 1.0
    drive.shot("3_lifted")
    yield from drive.move(*place(shown().places[0]))
    yield from drive.key("ctrl+z")
    yield 1.0
    yield from drive.wait(idle, 120, "what follows the undo")
    yield 1.0
    quiet()
    assert np.abs(wrist(frame) - before).max() < 1e-4, "undo left the wrist where it was"
    yield from drive.key("ctrl+shift+z")
    yield 1.0
    yield from drive.wait(idle, 120, "what follows the redo")
    yield 1.0
    assert np.abs(wrist(frame) - after).max() < 1e-4, "redo did not bring it again"
    drive.shot("4_redone")


def place_of(camera: bpy.types.Object, point: np.ndarray) -> np.ndarray:
    """A point of the world in the picture's pixels."""
    lens = module("core.lens")
    width, height, *rest = camera.pchmr.pinhole
    local = np.array(camera.matrix_world.inverted()) @ np.append(point, 1.0)
    return lens.Pinhole(round(width), round(height), *rest).project((lens.CAMERA_AXES @ local)[:3])


def forget() -> drive.Steps:
    """Without corrections, Lift Again takes its keys away."""
    frame = bpy.context.scene.frame_start + ROW
    after = wrist(frame)
    bpy.context.scene.frame_set(frame)
    bpy.ops.pchmr.clear_corrections(scope="ALL")
    yield from press("lift_again")
    yield from drive.wait(idle, 300, "the lift without corrections")
    quiet()
    assert np.linalg.norm(wrist(frame) - after) > 0.05
    assert not person().pchmr_corrections.lifted_rows


def test() -> drive.Steps:
    for step in (begin, drag_wrist, lift, forget):
        drive.say(step.__name__)
        yield from step()


drive.run(test)
