"""Inside the window: from the empty tab to a body on the footage, with mouse and keys; cancel, undo, save, reload."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import bpy  # noqa: E402
import drive  # noqa: E402

PACKAGE = "bl_ext.user_default.pchmr"
CLIP, LONG_CLIP = "/out/work/demo clip.mp4", "/out/work/long clip.mp4"
BLEND = "/out/work/demo scene.blend"
FRAMES = 60
"""Of the clip, to be reconstructed: enough for a walk, few enough for a minute."""


def session() -> ModuleType:
    return sys.modules[PACKAGE + ".pchmr_blender.session"]


def idle() -> bool:
    return session().current.activity is None


def people() -> list[bpy.types.Collection]:
    return [collection for collection in bpy.data.collections if collection.pchmr.uuid]


def body() -> bpy.types.Object:
    return next(item for item in people()[0].objects if item.pchmr.part == "BODY")


def vertices() -> list[tuple[float, ...]]:
    """Some of the body's vertices in the current frame, in the world."""
    item = body().evaluated_get(bpy.context.evaluated_depsgraph_get())
    some = range(0, len(item.data.vertices), 1000)
    return [tuple(item.matrix_world @ item.data.vertices[i].co) for i in some]


def far(one: list[tuple[float, ...]], other: list[tuple[float, ...]]) -> float:
    """The largest distance of a coordinate."""
    return max(abs(a - b) for p, q in zip(one, other, strict=True) for a, b in zip(p, q, strict=True))


def middle() -> tuple[float, float]:
    _, view = drive.view3d()
    return view.x + view.width * 0.4, view.y + view.height * 0.5


def quiet() -> None:
    """No problem stands in the panel."""
    problem = session().current.problem
    assert problem is None, f"{problem.kind}: {problem.message} {problem.hint} {problem.output}"


def reconstruct() -> drive.Steps:
    """In an empty file: the clip's path typed, the button clicked, and waited for the end."""
    bpy.ops.wm.read_homefile(use_empty=True)
    yield 1.0
    yield from drive.open_tab("PC-HMR")
    drive.shot("1_tab")
    yield from drive.enter(".pchmr.clip", CLIP)
    settings = bpy.context.scene.pchmr
    assert settings.clip == CLIP
    settings.use_range, settings.start, settings.end = True, 0, FRAMES - 1
    yield from drive.press("bpy.ops.pchmr.reconstruct_clip(")
    assert not idle()
    yield from drive.wait(lambda: idle() or session().current.activity.status().fraction, 120, "the first progress")
    yield 1.0
    drive.shot("2_running")
    seconds = yield from drive.wait(idle, 900, "the reconstruction")
    drive.say(f"reconstructed {FRAMES} frames in {seconds:.0f} s")
    quiet()
    yield 1.0
    drive.shot("3_done")
    assert len(people()) == 1
    assert {item.pchmr.part for item in people()[0].objects} == {"BODY", "SKELETON", "TARGETS", "CAMERA"}
    assert len(body().data.vertices) == 13718


def play() -> drive.Steps:
    """Through the camera, with the space key; the body moves."""
    scene = bpy.context.scene
    scene.frame_set(scene.frame_start)
    before = vertices()
    yield from drive.move(*middle())
    yield from drive.key("KP_0")
    yield 1.5
    drive.shot("4_camera")
    yield from drive.move(*middle())
    yield from drive.key("space")
    yield 5.0
    drive.shot("5_playing")
    yield from drive.key("space")
    assert not bpy.context.screen.is_animation_playing
    assert scene.frame_current != scene.frame_start
    scene.frame_set(scene.frame_start + FRAMES // 2)
    yield 1.0
    drive.shot("6_half_way")
    assert far(before, vertices()) > 0.05, "the body stands still"


def cancel() -> drive.Steps:
    """A second run, of a clip that takes a while, stopped by its button."""
    settings = bpy.context.scene.pchmr
    settings.clip, settings.out, settings.use_range = LONG_CLIP, "/out/work/second", False
    button = yield from drive.press("bpy.ops.pchmr.reconstruct_clip(")
    yield from drive.wait(lambda: idle() or session().current.activity.status().fraction, 120, "the second run")
    assert not idle()
    yield from drive.press("bpy.ops.pchmr.cancel(", below=button)
    seconds = yield from drive.wait(idle, 10, "the cancel")
    drive.say(f"cancelled in {seconds:.2f} s")
    quiet()
    assert "cancelled" in session().current.notice
    yield 0.5
    drive.shot("7_cancelled")
    assert len(people()) == 1


def undo() -> drive.Steps:
    """Undo takes the import back, redo brings it again."""
    before = vertices()
    yield from drive.move(*middle())
    steps = 0
    while people() and steps < 5:
        yield from drive.key("ctrl+z")
        steps += 1
    assert not people(), "five undos, and the person is still there"
    yield 0.5
    drive.shot("8_undone")
    for _ in range(steps):
        yield from drive.key("ctrl+shift+z")
    assert len(people()) == 1
    scene = bpy.context.scene
    scene.frame_set(scene.frame_start + FRAMES // 2)
    assert far(before, vertices()) < 1e-4
    yield 0.5
    drive.shot("9_redone")


def reload() -> drive.Steps:
    """Saved, another file, and opened again: all is there, and the take is found."""
    before = vertices()
    bpy.ops.wm.save_as_mainfile(filepath=BLEND)
    bpy.ops.wm.read_homefile(use_empty=False)
    yield 1.0
    assert not people()
    bpy.ops.wm.open_mainfile(filepath=BLEND)
    yield 1.0
    assert len(people()) == 1
    person = people()[0].pchmr
    assert person.take.startswith("//"), person.take
    assert not person.problem, person.problem
    assert far(before, vertices()) < 1e-4
    yield from drive.open_tab("PC-HMR")
    yield 1.0
    drive.shot("10_reloaded")
    quiet()


def test() -> drive.Steps:
    for part in (reconstruct, play, cancel, undo, reload):
        drive.say(part.__name__)
        yield from part()


drive.run(test)
