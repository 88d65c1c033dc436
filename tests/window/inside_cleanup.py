"""Inside the window: the panel Cleanup is filled, measured and applied, strips are changed, all of it is undone."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import bpy  # noqa: E402
import drive  # noqa: E402
from edit_window import (  # noqa: E402
    FRAME,
    body_of,
    bring,
    idle,
    module,
    person,
    quiet,
    vertices,
)

KEPT = ("PCHMR_PT_takes",)
OPEN = ("PCHMR_PT_cleanup", "PCHMR_PT_cleanup_smoothing", "PCHMR_PT_cleanup_foot_contact", "PCHMR_PT_strips")


def stale() -> int:
    view = module("scene.take_paths").open_person(person())[1]
    return len(module("scene.edit_state").stale(person(), view))


def layers() -> dict:
    return json.loads(person().pchmr_edit.layers)


def panels(*, mine: bool) -> list[type]:
    """Ours: those of the clean-up, or all others but `KEPT`, in the order in which they are registered."""
    own = module("ui.cleanup")
    kept = [own.PCHMR_PT_cleanup, *own.PANELS, module("ui.contact_strips").PCHMR_PT_strips]
    known = [one for one in module("registration").CLASSES if issubclass(one, bpy.types.Panel)]
    return [one for one in known if (one in kept) == mine and one.bl_idname not in KEPT]


def only_the_cleanup() -> None:
    """Room for the panel: it stands alone in the tab, with `OPEN` open."""
    for one in reversed(panels(mine=True)):
        bpy.utils.unregister_class(one)
    for one in reversed(panels(mine=False)):
        bpy.utils.unregister_class(one)
    for one in panels(mine=True):
        one.bl_options = set() if one.bl_idname in OPEN else {"DEFAULT_CLOSED"}
        bpy.utils.register_class(one)


def settled(what: str) -> drive.Steps:
    yield 1.0
    yield from drive.wait(lambda: idle() and not stale(), 120, what)
    quiet()


def show_timeline() -> None:
    """All of it."""
    area = next(one for one in drive.window().screen.areas if one.type == "DOPESHEET_EDITOR")
    region = next(one for one in area.regions if one.type == "WINDOW")
    with bpy.context.temp_override(window=drive.window(), area=area, region=region):
        bpy.ops.action.view_all()


def picture(name: str) -> drive.Steps:
    """When the panels have come to rest."""
    for area in drive.window().screen.areas:
        area.tag_redraw()
    yield 1.0
    drive.shot(f"cleanup_{name}")


def test() -> drive.Steps:
    only_the_cleanup()
    yield from bring("PC2")
    show_timeline()
    yield from picture("first")
    before, first = vertices(body_of()).copy(), layers()

    bpy.ops.pchmr.use_cleanup_preset(name="strong")
    bpy.ops.pchmr.measure_cleanup()
    yield from drive.wait(idle, 120, "the measuring")
    quiet()
    yield from picture("measured")

    yield from drive.enter(".pchmr_cleanup.smoothing.seconds", "0.7")
    assert layers()["smoothing"]["seconds"] == 0.7, layers()["smoothing"]
    assert stale(), "the mesh is behind"
    yield from picture("changed")
    yield from drive.press("bpy.ops.pchmr.apply_cleanup(")
    yield from settled("the clean-up")
    drive.say(module("session").current.notice)
    assert abs(vertices(body_of()) - before).max() > 1e-4
    yield from picture("applied")

    bpy.ops.pchmr.edit_strips()
    yield from drive.wait(idle, 60, "the strips")
    quiet()
    strips = layers()["foot_contact"]["strips"]
    drive.say(len(strips), "strips")
    assert strips
    yield from picture("strips")
    bpy.context.scene.frame_set(30)
    yield from drive.press("bpy.ops.pchmr.add_strip(")
    assert len(layers()["foot_contact"]["strips"]) == len(strips) + 1
    yield from drive.press("bpy.ops.pchmr.apply_cleanup(")
    yield from settled("the strips' clean-up")
    yield from picture("strip_added")

    _, region = drive.view3d()
    yield from drive.move(region.x + 200, region.y + 300)
    for _ in range(8):
        if layers() == first:
            break
        yield from drive.key("ctrl+z")
        yield 1.0
        yield from drive.wait(idle, 120, "the undo")
    assert layers() == first
    yield from settled("the undone clean-up")
    bpy.context.scene.frame_set(FRAME)
    off = abs(vertices(body_of()) - before).max()
    assert off < 1e-4, off
    yield from picture("undone")
    for one in panels(mine=False):  # as the extension wants to find them at the end
        bpy.utils.register_class(one)


drive.run(test)
