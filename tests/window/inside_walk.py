"""Inside the window: a random walk as tests/process/walk.py goes, where Blender's undo is that of people."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path[:0] = [str(Path(__file__).resolve().parent), "/out/work"]

import bpy  # noqa: E402
import drive  # noqa: E402

PACKAGE = "bl_ext.user_default.pchmr"
SEED, STEPS = int(os.environ.get("WALK_SEED", "1")), 60
FILES = ("load", "revert_file")
"""Steps after which the window is another."""


def test() -> drive.Steps:
    for name in [name for name in sys.modules if name.partition(PACKAGE)[1] and name.startswith(PACKAGE)]:
        sys.modules["pchmr" + name.removeprefix(PACKAGE)] = sys.modules[name]
    import walk as walking

    bpy.ops.wm.read_homefile(use_empty=True)
    yield 1.0
    people = walking.import_take(
        Path("/out/work/walk.take"),
        walking.ImportOptions(tolerance_mm=walking.TOLERANCE_MM),
        bpy.context.scene,
    )
    bpy.context.view_layer.objects.active = walking.find_part(people[0], "BODY")
    walk = walking.Walk(Path("/out/work"), os.environ["BACKEND_PYTHON"], SEED)
    bpy.ops.ed.undo_push(message="Imported")
    yield 1.0
    try:
        for number in range(STEPS):
            step = walk.choose()
            drive.say(number, step.__name__)
            if step.__name__ not in ("undo", "redo"):  # these may come while rows are made again
                yield from drive.wait(lambda: walking.session.current.activity is None, 60, "the session")
            if step.__name__ in FILES:
                agree = step(walk)
            else:
                with bpy.context.temp_override(window=drive.window()):
                    agree = step(walk)
            yield 0.05
            if agree:
                yield from drive.wait(lambda: walking.session.current.activity is None, 60, "the session")
                walk.compare()
            yield 0.05
    finally:
        walk.judge.kill()
    drive.say("compared", walk.compared)


drive.run(test)
