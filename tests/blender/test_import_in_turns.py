"""An import, and a change of form, in turns: whatever happens between two steps, nothing is lost and nothing left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from pchmr.inference_backend.errors import Cancelled, OutputNotWritable, SceneChanged
from pchmr.pchmr_blender.backend.calls import stopped
from pchmr.pchmr_blender.core.form_costs import Form
from pchmr.pchmr_blender.core.relocate import cache_folder
from pchmr.pchmr_blender.core.takes import PersonView, open_view
from pchmr.pchmr_blender.operators.forms import changing
from pchmr.pchmr_blender.scene import import_settle
from pchmr.pchmr_blender.scene.handles import find_part, handle_of, people_in
from pchmr.pchmr_blender.scene.import_take import ImportOptions, importing
from pchmr.pchmr_blender.steps import InThread, Steps

from .scenes import bring, inventory, vertices_at
from .takes import make_take

pytestmark = pytest.mark.usefixtures("extension")

FORMS = list(Form)
FRAMES = 40
"""More than a slice of shape keys."""
LATER = 1000
"""Steps that no import of these takes has."""
STRIDE = 9


def bulging(folder: Path) -> Path:
    """The take with meshes that are more than their skeleton's skin, so that the compressed form needs keys."""
    random = np.random.default_rng(4)
    for file in folder.rglob("vertices.npy"):
        vertices = np.load(file, mmap_mode="r+")
        shapes = random.normal(scale=0.006, size=(3, *vertices.shape[1:]))
        amounts = np.sin(np.arange(FRAMES)[:, None] * np.array([0.3, 0.5, 0.7]))
        vertices += np.einsum("fk,knc->fnc", amounts, shapes).astype(np.float32)
        vertices.flush()
    return folder


@pytest.fixture
def walk(tmp_path: Path) -> Path:
    return bulging(make_take(tmp_path / "walk.take", frames=FRAMES))


@pytest.fixture(autouse=True)
def _undo() -> None:
    bpy.context.preferences.edit.use_global_undo = True
    bpy.ops.ed.undo_push(message="before")


def begun(folder: Path, **options: Any) -> Steps[Any]:
    return importing(folder, ImportOptions(**options), bpy.context.scene.session_uid)


class Turned:
    """Steps, taken a few at a time."""

    def __init__(self, steps: Steps[Any]) -> None:
        self._steps, self._answer = steps, None

    def advance(self, count: int = LATER) -> bool:
        """Take so many steps, as a timer does; False where they came to their end."""
        for _ in range(count):
            try:
                step = self._steps.send(self._answer)
            except StopIteration:
                return False
            self._answer = step.work(lambda status: None, lambda: False) if isinstance(step, InThread) else None
        return True

    def cancel(self) -> None:
        with pytest.raises(Cancelled):
            self._steps.throw(stopped())


def each_place(begin: Callable[[], Steps[Any]]) -> Iterator[Turned]:
    """The work after its first step, after some more, and so on; begun anew for each."""
    for count in range(1, LATER, STRIDE):
        turned = Turned(begin())
        if not turned.advance(count):
            assert count > 3 * STRIDE, "so few steps?"
            return
        yield turned


def shows_the_take(folder: Path, person: bpy.types.Collection, tolerance: float = 1e-4) -> None:
    """The body is where the take has it."""
    view = open_view(folder).people[person.pchmr.person]
    for row in (0, 7, FRAMES - 1):
        wanted = view.vertices(row, row + 1)[0]
        np.testing.assert_allclose(vertices_at(find_part(person, "BODY"), 1 + row), wanted, atol=tolerance)


def pushed(message: str = "work") -> None:
    bpy.ops.ed.undo_push(message=message)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("people", [1, 2])
def test_a_cancel_after_any_step_leaves_nothing(tmp_path: Path, form: Form, people: int) -> None:
    folder = bulging(make_take(tmp_path / "walk.take", frames=FRAMES, people=people))
    before = inventory()
    for turned in each_place(lambda: begun(folder, form=form)):
        turned.cancel()
        assert inventory() == before
        assert not list(tmp_path.glob("walk.take.cache/*"))


@pytest.mark.parametrize("form", FORMS)
def test_a_cancel_leaves_the_take_that_was_there(walk: Path, form: Form) -> None:
    (person,) = bring(walk, form=form)
    before = inventory()
    for turned in each_place(lambda: begun(walk, form=Form.ABSOLUTE)):
        turned.cancel()
        assert inventory() == before
    shows_the_take(walk, person, 0.0011 if form is Form.COMPRESSED else 1e-4)


def test_what_the_user_makes_meanwhile_stays(walk: Path) -> None:
    turned = Turned(begun(walk))
    turned.advance(30)
    bpy.ops.mesh.primitive_cube_add()
    turned.advance(5)
    bpy.data.objects.new("Not linked", None)
    turned.cancel()
    assert inventory()["objects"] == ["Cube", "Not linked"]
    assert inventory()["meshes"] == ["Cube"]


@pytest.mark.parametrize("form", FORMS)
def test_an_undo_after_any_step_begins_it_again(walk: Path, form: Form) -> None:
    bpy.ops.mesh.primitive_cube_add()
    pushed()
    undone = 0
    for turned in each_place(lambda: begun(walk, form=form)):
        bpy.ops.ed.undo()
        assert "Cube" not in bpy.data.objects
        assert not turned.advance()
        undone += 1
        (person,) = people_in(bpy.context.scene)
        shows_the_take(walk, person, 0.0011 if form is Form.COMPRESSED else 1e-4)
        left = [item.name for item in bpy.data.objects if item.users == 0]
        assert left == []
        assert len(bpy.data.armatures) == 2
        pushed("import")
        bpy.ops.ed.undo()  # to the empty file
        assert not people_in(bpy.context.scene)
        assert "objects" not in inventory()
        bpy.ops.mesh.primitive_cube_add()
        pushed()
    assert undone > 3


@pytest.mark.parametrize("form", FORMS)
def test_what_was_half_made_when_somebody_pushed_never_comes_back(walk: Path, form: Form) -> None:
    for turned in each_place(lambda: begun(walk, form=form)):
        bpy.ops.mesh.primitive_cube_add()
        pushed()
        with_cube = {"meshes": ["Cube"], "objects": ["Cube"]}
        bpy.ops.ed.undo()
        bpy.ops.ed.redo()
        assert {kind: inventory().get(kind) for kind in with_cube} == with_cube
        assert not {"armatures", "actions", "shape_keys", "materials"} & set(inventory())
        assert not turned.advance()
        made = inventory()
        pushed("import")
        bpy.ops.ed.undo()  # to the cube, where nothing is half made
        assert {kind: inventory().get(kind) for kind in with_cube} == with_cube
        bpy.ops.ed.redo()
        assert inventory() == made
        bpy.ops.ed.undo()
        bpy.ops.ed.undo()
        assert "objects" not in inventory()


def test_an_undo_that_takes_back_a_part_of_it_begins_it_again(walk: Path) -> None:
    turned = Turned(begun(walk, form=Form.ABSOLUTE))
    while not bpy.data.shape_keys:
        turned.advance(1)
    turned.advance(1)
    for item in [one for one in bpy.data.objects if one.users == 0]:
        bpy.context.scene.collection.objects.link(item)  # somebody has found it among the orphans
    pushed()
    turned.advance(2)
    bpy.ops.mesh.primitive_cube_add()
    pushed()
    bpy.ops.ed.undo()  # everything that was made is there, with fewer keys
    assert not turned.advance()
    (person,) = people_in(bpy.context.scene)
    shows_the_take(walk, person)


def test_after_a_cancel_a_redo_brings_nothing_back(walk: Path) -> None:
    turned = Turned(begun(walk))
    turned.advance(60)
    bpy.ops.mesh.primitive_cube_add()
    pushed()
    turned.cancel()
    bpy.ops.ed.undo()
    assert "objects" not in inventory()
    bpy.ops.ed.redo()
    assert inventory()["objects"] == ["Cube"]
    assert "armatures" not in inventory()


def test_a_purge_meanwhile_begins_it_again(walk: Path) -> None:
    for turned in each_place(lambda: begun(walk, form=Form.ABSOLUTE)):
        bpy.data.orphans_purge()
        assert not turned.advance()
        (person,) = people_in(bpy.context.scene)
        shows_the_take(walk, person)


@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_is_loaded_after_any_step_is_left_alone(walk: Path, tmp_path: Path, form: Form) -> None:
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "other.blend"))
    loaded = inventory()
    for turned in each_place(lambda: begun(walk, form=form)):
        bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "other.blend"))
        with pytest.raises(SceneChanged):
            turned.advance()
        assert inventory() == loaded
        assert not list(tmp_path.glob("walk.take.cache/*"))


def test_a_file_that_is_saved_meanwhile_has_nothing_of_it(walk: Path, tmp_path: Path) -> None:
    turned = Turned(begun(walk, form=Form.ABSOLUTE))
    for steps in (30, 30, LATER):
        turned.advance(steps)
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "half.blend"), copy=True)
        with bpy.data.libraries.load(str(tmp_path / "half.blend")) as (there, _):
            kinds = (there.objects, there.meshes, there.armatures, there.actions, there.materials)
            assert all(kinds) if steps == LATER else not any(kinds)


def test_a_failure_in_the_middle_leaves_everything(walk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (person,) = bring(walk, form=Form.PC2)
    before = inventory()

    def gone(self: PersonView, start: int, stop: int) -> np.ndarray:
        raise ValueError("the disk was pulled out")

    monkeypatch.setattr(PersonView, "vertices", gone)
    for form in FORMS:
        with pytest.raises(ValueError, match="pulled out"):
            bring(walk, form=form)
        assert inventory() == before
    assert sorted(path.suffix for path in cache_folder(walk).iterdir()) == [".pc2", ".rows"]
    monkeypatch.undo()
    shows_the_take(walk, person)


def test_a_former_take_that_is_deleted_meanwhile_is_no_obstacle(walk: Path) -> None:
    (person,) = bring(walk)
    turned = Turned(begun(walk))
    turned.advance(40)
    for item in list(person.objects):
        bpy.data.objects.remove(item)
    bpy.data.collections.remove(person)
    assert not turned.advance()
    (person,) = people_in(bpy.context.scene)
    assert [find_part(person, part) is None for part in ("BODY", "SKELETON", "TARGETS", "CAMERA")] == [False] * 4
    shows_the_take(walk, person)


def test_a_scene_that_gets_another_rate_meanwhile_has_the_take_in_its_time(walk: Path) -> None:
    turned = Turned(begun(walk))
    turned.advance(40)
    bpy.ops.mesh.primitive_cube_add()
    bpy.context.object.keyframe_insert("location", frame=1)
    assert not turned.advance()
    (person,) = people_in(bpy.context.scene)
    wanted = open_view(walk).people[0].vertices(30, 31)[0]
    np.testing.assert_allclose(vertices_at(find_part(person, "BODY"), 25), wanted, atol=1e-4)  # 30 in 30 a second: 24


@pytest.mark.parametrize("before", FORMS)
@pytest.mark.parametrize("after", FORMS)
def test_a_change_of_form_can_be_cancelled_after_any_step(walk: Path, before: Form, after: Form) -> None:
    (person,) = bring(walk, form=before)
    traces, files = inventory(), sorted(walk.parent.rglob("*.pc2*"))
    count = 0
    for count in range(1, LATER, 2):
        turned = Turned(changing(handle_of(person), after, 1.0))
        if not turned.advance(count):
            break
        turned.cancel()
        assert inventory() == traces
        assert person.pchmr.form == before.value
        assert sorted(walk.parent.rglob("*.pc2*")) == files
    assert count > 1
    assert person.pchmr.form == after.value
    shows_the_take(walk, person, 0.0011 if after is Form.COMPRESSED else 1e-4)


@pytest.mark.parametrize("after", FORMS)
def test_a_change_of_form_survives_an_undo(walk: Path, after: Form) -> None:
    (person,) = bring(walk, form=Form.PC2)
    pushed("import")
    handle, traces = handle_of(person), inventory()
    bpy.ops.mesh.primitive_cube_add()
    pushed()
    turned = Turned(changing(handle, after, 1.0))
    turned.advance(2)
    bpy.ops.ed.undo()
    assert inventory() == traces
    assert not turned.advance()
    (person,) = people_in(bpy.context.scene)
    assert person.pchmr.form == after.value
    shows_the_take(walk, person, 0.0011 if after is Form.COMPRESSED else 1e-4)


def test_a_body_that_is_undone_meanwhile_is_named(walk: Path) -> None:
    (person,) = bring(walk, form=Form.PC2)
    pushed("import")
    turned = Turned(changing(handle_of(person), Form.ABSOLUTE, 1.0))
    turned.advance(4)
    bpy.ops.ed.undo()
    assert not people_in(bpy.context.scene)
    with pytest.raises(SceneChanged, match="no longer in this file"):
        turned.advance()
    assert "objects" not in inventory()


def test_a_failed_settling_leaves_everything(walk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = inventory()

    def fails(*_: Any) -> None:
        raise OutputNotWritable("no", hint="")

    monkeypatch.setattr(import_settle, "retime", fails)
    with pytest.raises(OutputNotWritable):
        bring(walk)
    assert inventory() == before
