"""Inside the window: a wrist is moved at one frame; the panel Edit brings it into the body and out again."""

from __future__ import annotations

import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import bpy  # noqa: E402
import drive  # noqa: E402
import numpy as np  # noqa: E402
from edit_window import body_of, idle, module, part, person, quiet, vertices  # noqa: E402

TAKE, BLEND = "/out/work/demo.take", "/out/work/demo.blend"
ROW, WRIST = 60, 20


def stale() -> list[int]:
    view = module("scene.take_paths").open_person(person())[1]
    return module("scene.edit_state").stale(person(), view).tolist()


def agreed(what: str) -> drive.Steps:
    """Wait until nothing is under way and every row is what the .blend says."""
    yield 1.0
    yield from drive.wait(lambda: idle() and not stale(), 120, what)
    quiet()


def farthest(before: np.ndarray) -> float:
    return float(np.linalg.norm(vertices(body_of()) - before, axis=1).max())


def recalibrate() -> drive.Steps:
    yield from drive.press("bpy.ops.pchmr.recalibrate(")
    yield from agreed("the recalibration")
    drive.say(module("session").current.notice)


def in_the_form(form: str) -> drive.Steps:
    bpy.ops.wm.read_homefile(use_empty=True)
    yield 1.0
    bpy.context.scene.pchmr.form = form
    bpy.ops.pchmr.import_take("INVOKE_DEFAULT", directory=TAKE)
    yield from drive.wait(idle, 120, "the import")
    quiet()
    yield from drive.open_tab("PC-HMR")
    targets = part("TARGETS")
    bpy.context.view_layer.objects.active = targets
    targets.select_set(True)
    area, _ = drive.view3d()
    area.spaces.active.region_3d.view_perspective = "CAMERA"
    area.spaces.active.shading.type = "SOLID"
    bpy.context.scene.frame_set(ROW + 1)
    bpy.ops.ed.undo_push(message="Imported")
    yield 1.0
    before = vertices(body_of())
    drive.shot(f"{form}_1_before")
    edit = module("core.edit_rows").EditRows.none(1)
    edit.offset[0, WRIST] = 0, 0.15, 0
    module("scene.edits").key_row(person(), ROW, edit, [WRIST])
    bpy.context.scene.frame_set(ROW + 1)
    bpy.ops.ed.undo_push(message="Edited")
    yield 1.0
    assert farthest(before) == 0
    yield from recalibrate()
    assert farthest(before) > 0.05
    assert person().pchmr_edit.committed == f"{ROW - 5}-{ROW + 5}"
    drive.shot(f"{form}_2_recalibrated")
    yield from drive.move(*middle())
    yield from drive.key("ctrl+z")
    yield from agreed("the undo")
    bpy.context.scene.frame_set(ROW + 1)
    yield 0.5
    assert farthest(before) < 2e-3, farthest(before)
    assert person().pchmr_edit.committed == ""
    drive.shot(f"{form}_3_undone")
    yield from drive.key("ctrl+shift+z")
    yield from agreed("the redo")
    bpy.context.scene.frame_set(ROW + 1)
    yield 0.5
    assert farthest(before) > 0.05
    bpy.ops.wm.save_as_mainfile(filepath=BLEND)
    bpy.ops.wm.open_mainfile(filepath=BLEND)
    yield 2.0
    yield from agreed("the load")
    assert farthest(before) > 0.05
    yield from drive.open_tab("PC-HMR")
    bpy.ops.pchmr.revert_edits("INVOKE_DEFAULT", frames="ALL")
    yield from agreed("the revert")
    bpy.context.scene.frame_set(ROW + 1)
    yield 0.5
    assert farthest(before) < 2e-3


def middle() -> tuple[float, float]:
    _, view = drive.view3d()
    return view.x + view.width * 0.3, view.y + view.height * 0.5


def comparisons() -> drive.Steps:
    yield from drive.open_tab("PC-HMR")
    for shown in ("MESH_STREAM", "LIFTED", "TARGET"):
        person().pchmr_edit.shown = shown
        drive.view3d()[0].tag_redraw()
        yield 1.0
        drive.shot(f"compare_{shown.lower()}")
    person().pchmr_edit.shown = "CALIBRATED"


def test() -> drive.Steps:
    for form in ("ABSOLUTE", "COMPRESSED", "PC2"):
        drive.say(form)
        yield from in_the_form(form)
    yield from comparisons()


drive.run(test)
