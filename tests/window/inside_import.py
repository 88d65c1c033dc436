"""Inside the window: a take comes in while its user undoes, moves things, stops it, and loads another file."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import ModuleType

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import bpy  # noqa: E402
import drive  # noqa: E402

PACKAGE = "bl_ext.user_default.pchmr"
TAKE = "/out/work/walk.take"
FORMS = ("ABSOLUTE", "COMPRESSED", "PC2")


def module(name: str) -> ModuleType:
    return sys.modules[f"{PACKAGE}.pchmr_blender.{name}"]


def idle() -> bool:
    return module("session").current.activity is None


def people() -> list[bpy.types.Collection]:
    return [collection for collection in bpy.data.collections if collection.pchmr.uuid]


def data() -> dict[str, int]:
    """How many data-blocks there are of what an import makes."""
    kinds = ("objects", "meshes", "shape_keys", "armatures", "actions", "materials", "cameras", "collections", "images")
    return {kind: len(getattr(bpy.data, kind)) for kind in kinds}


def cube() -> bpy.types.Object:
    return bpy.data.objects["Cube"]


def middle() -> tuple[float, float]:
    _, view = drive.view3d()
    return view.x + view.width * 0.5, view.y + view.height * 0.5


def quiet() -> None:
    """No problem stands in the panel."""
    problem = module("session").current.problem
    assert problem is None, f"{problem.kind}: {problem.message} {problem.hint} {problem.output}"


def fresh_file() -> drive.Steps:
    """The startup file with its cube, in which nothing is undone yet; the import as slow as it is asked for."""
    bpy.ops.wm.read_homefile(use_empty=False)
    yield 1.0
    yield from drive.open_tab("PC-HMR")
    bpy.ops.ed.undo_push(message="before")


def pace(seconds: float) -> None:
    """One step a turn, and a pause after each; 0: as it is."""
    activities = module("activities")
    activities.TURN_SECONDS, activities.AT_ONCE = (0.0, seconds) if seconds else (0.01, 0.0)


def begin(form: str) -> None:
    bpy.context.scene.pchmr.form = form
    assert bpy.ops.pchmr.import_take("INVOKE_DEFAULT", directory=TAKE) == {"FINISHED"}
    assert not idle(), "the import did not wait for its turns"


def half_way() -> drive.Steps:
    """Wait until a part of it is made."""
    before = data()["objects"]
    yield from drive.wait(lambda: idle() or data()["objects"] > before + 2, 60, "the middle of the import")
    quiet()
    assert not idle(), "it was too fast to be in its middle"


def move_the_cube() -> drive.Steps:
    yield from drive.move(*middle())
    before = cube().location.x
    for name in ("g", "x", "1", "Return"):
        yield from drive.key(name)
    assert cube().location.x != before


def finish() -> drive.Steps:
    pace(0)
    yield from drive.wait(idle, 120, "the end")
    quiet()
    assert len(people()) == 1
    assert len(people()[0].objects) == 4
    yield 0.5


def undone_and_redone(steps: int, nothing: dict[str, int]) -> drive.Steps:
    """Back to before the import, step by step, and forth again; nothing is left over at any of them."""
    made = data()
    for _ in range(steps):
        yield from drive.move(*middle())
        yield from drive.key("ctrl+z")
        assert not people()
        assert data() == nothing, f"left over: {data()}, was {nothing}"
    for _ in range(steps):
        yield from drive.key("ctrl+shift+z")
    assert len(people()) == 1
    assert data() == made, f"{data()}, was {made}"


class Beats:
    """How long the window's loop takes, round by round, until a job has ended."""

    def __init__(self) -> None:
        self.rounds: list[float] = []
        self._last = time.perf_counter()
        bpy.app.timers.register(self._beat)

    def _beat(self) -> float | None:
        now = time.perf_counter()
        self.rounds.append(now - self._last)
        self._last = now
        return None if idle() else 0.0


def drawing() -> float:
    """Seconds that this machine takes to draw the window, without us."""
    began = time.perf_counter()
    bpy.ops.wm.redraw_timer(type="DRAW_WIN_SWAP", iterations=3)
    return (time.perf_counter() - began) / 3


def smoothly() -> drive.Steps:
    """Nothing disturbs it; how long the window's loop stands still is printed: most of it is drawing, by software."""
    for form in FORMS:
        yield from fresh_file()
        nothing, alone = data(), drawing()
        begin(form)
        beats = Beats()
        yield from finish()
        longest = ", ".join(f"{seconds * 1e3:.0f}" for seconds in sorted(beats.rounds)[-3:])
        drive.say(f"{form}: the longest of {len(beats.rounds)} rounds {longest} ms; to draw alone {alone * 1e3:.0f} ms")
        drive.shot(f"import_{form.lower()}")
        yield from undone_and_redone(1, nothing)


def undo_in_the_middle() -> drive.Steps:
    """Ctrl-Z takes back what the user did, and the import begins again by itself."""
    for form in ("ABSOLUTE", "PC2"):
        yield from fresh_file()
        yield from move_the_cube()
        nothing, place = data(), cube().location.x
        pace(0.1)
        begin(form)
        yield from half_way()
        yield from drive.key("ctrl+z")
        assert cube().location.x != place
        assert not idle()
        yield from finish()
        yield from undone_and_redone(1, nothing)


def work_in_the_middle() -> drive.Steps:
    """What the user does meanwhile is kept, and can be undone by itself."""
    yield from fresh_file()
    nothing = data()
    pace(0.1)
    begin("ABSOLUTE")
    yield from half_way()
    yield from move_the_cube()
    place = cube().location.x
    assert not idle()
    yield from finish()
    assert cube().location.x == place
    yield from undone_and_redone(2, nothing)


def redo_in_the_middle() -> drive.Steps:
    """An undo and a redo: what was half made when somebody pushed does not come back."""
    yield from fresh_file()
    nothing = data()
    pace(0.1)
    begin("ABSOLUTE")
    yield from half_way()
    yield from move_the_cube()
    yield from drive.key("ctrl+z")
    yield from drive.key("ctrl+shift+z")
    module("session").current.activity.cancel()
    yield from drive.wait(idle, 20, "the cancel")
    assert data() == nothing, f"left over: {data()}, was {nothing}"
    yield from drive.key("ctrl+z")
    assert data() == nothing, f"left over: {data()}, was {nothing}"
    yield from drive.key("ctrl+shift+z")
    assert data() == nothing, f"left over: {data()}, was {nothing}"


def purge_in_the_middle() -> drive.Steps:
    """What nobody uses is purged: the import begins again."""
    yield from fresh_file()
    nothing = data()
    pace(0.1)
    begin("COMPRESSED")
    yield from half_way()
    bpy.ops.outliner.orphans_purge(do_recursive=True)
    yield from finish()
    yield from undone_and_redone(1, nothing)


def cancel_in_the_middle() -> drive.Steps:
    """By its button; nothing is left."""
    yield from fresh_file()
    nothing = data()
    pace(1.0)
    begin("ABSOLUTE")
    yield from half_way()
    yield from drive.press("bpy.ops.pchmr.cancel(")
    yield from drive.wait(idle, 20, "the cancel")
    quiet()
    assert "cancelled" in module("session").current.notice
    assert data() == nothing, f"left over: {data()}, was {nothing}"
    drive.shot("import_cancelled")


def load_in_the_middle() -> drive.Steps:
    """Another file is loaded: the import ends, says so, and its button brings the take into that one."""
    yield from fresh_file()
    pace(0.1)
    begin("ABSOLUTE")
    yield from half_way()
    bpy.ops.wm.read_homefile(use_empty=False)
    yield from drive.wait(idle, 10, "the end")
    problem = module("session").current.problem
    assert problem is not None
    assert (problem.kind, problem.take) == ("SceneChanged", TAKE)
    assert not people()
    yield 0.5
    drive.shot("import_file_loaded")


def save_in_the_middle() -> drive.Steps:
    """Nothing of what is half made is in the file."""
    yield from fresh_file()
    pace(0.1)
    begin("ABSOLUTE")
    yield from half_way()
    bpy.ops.wm.save_as_mainfile(filepath="/out/work/half.blend", copy=True)
    with bpy.data.libraries.load("/out/work/half.blend") as (there, _):
        assert set(there.objects) == {"Cube", "Camera", "Light"}, there.objects
        assert not there.armatures
        assert not there.actions
    yield from finish()


def form_in_the_middle() -> drive.Steps:
    """The body's form is changed, and the change is undone into, stopped, and made."""
    yield from fresh_file()
    begin("PC2")
    yield from finish()
    yield from move_the_cube()
    nothing = data()
    pace(0.1)
    for _ in range(2):
        assert bpy.ops.pchmr.set_form("EXEC_DEFAULT", form="ABSOLUTE") == {"FINISHED"}
        yield from drive.wait(lambda: data()["meshes"] > nothing["meshes"], 60, "the new mesh")
        yield from drive.move(*middle())
        yield from drive.key("ctrl+z")
        module("session").current.activity.cancel()
        yield from drive.wait(idle, 20, "the cancel")
        assert data() == nothing, f"left over: {data()}, was {nothing}"
        assert people()[0].pchmr.form == "PC2"
        yield from drive.key("ctrl+shift+z")
    assert bpy.ops.pchmr.set_form("EXEC_DEFAULT", form="ABSOLUTE") == {"FINISHED"}
    yield from drive.wait(lambda: data()["meshes"] > nothing["meshes"], 60, "the new mesh")
    yield from drive.key("ctrl+z")
    yield from finish()
    assert people()[0].pchmr.form == "ABSOLUTE"
    yield from drive.key("ctrl+z")
    assert people()[0].pchmr.form == "PC2"


def test() -> drive.Steps:
    for part in (
        smoothly,
        undo_in_the_middle,
        work_in_the_middle,
        redo_in_the_middle,
        purge_in_the_middle,
        cancel_in_the_middle,
        load_in_the_middle,
        save_in_the_middle,
        form_in_the_middle,
    ):
        drive.say(part.__name__)
        pace(0)
        yield from part()


drive.run(test)
