"""After an undo, a load or another program's work, rows that are not what the .blend says are found, told and remade.

What is made again, the random walk sees (tests/process/test_one_owner.py). Here, without a backend: when it is looked,
what is said, and that an occasion is answered once.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest

from pchmr.inference_backend.errors import EnvironmentInvalid, OutputNotWritable
from pchmr.pchmr_blender import session, sync
from pchmr.pchmr_blender.activities import ThreadJob
from pchmr.pchmr_blender.core.edit_rows import EditRows
from pchmr.pchmr_blender.scene.edit_state import commit
from pchmr.pchmr_blender.scene.edits import key_row
from pchmr.pchmr_blender.scene.handles import part_of
from pchmr.pchmr_blender.scene.take_paths import open_person

from .scenes import bring
from .takes import make_take

pytestmark = pytest.mark.usefixtures("extension")


class Timers:
    """Blender's, of a Blender with a window."""

    def __init__(self) -> None:
        self.waiting: list[object] = []

    def register(self, timer: object, **_: object) -> None:
        self.waiting.append(timer)

    def unregister(self, timer: object) -> None:
        self.waiting.remove(timer)

    def is_registered(self, timer: object) -> bool:
        return timer in self.waiting


@pytest.fixture
def timers(monkeypatch: pytest.MonkeyPatch) -> Timers:
    timers = Timers()
    app = SimpleNamespace(background=False, timers=timers)
    monkeypatch.setattr(sync, "bpy", SimpleNamespace(app=app, data=bpy.data))
    return timers


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[sync.Behind]:
    """Whose rows were begun to be made again."""
    begun: list[sync.Behind] = []
    monkeypatch.setattr(sync, "begin", begun.extend)
    return begun


@pytest.fixture
def person(tmp_path: Path) -> bpy.types.Collection:
    return bring(make_take(tmp_path / "a.take", frames=20))[0]


def edit(person: bpy.types.Collection) -> None:
    values = EditRows.none(1)
    values.offset[0, 20] = 0.1
    key_row(person, 5, values, [20])
    commit(person, [4, 5, 6])


def test_what_agrees_is_left_alone(person: bpy.types.Collection) -> None:
    assert list(sync.behind()) == []
    sync.agree()  # needs no backend


def test_who_is_behind_is_found(person: bpy.types.Collection) -> None:
    edit(person)
    (found,) = sync.behind()
    assert (found.handle.uuid, found.rows) == (person.pchmr.uuid, 3)


def test_occasions_are_gathered_and_answered_once(
    person: bpy.types.Collection, timers: Timers, begun: list[sync.Behind]
) -> None:
    edit(person)
    for _ in range(3):
        sync.after_change(None)
    assert timers.waiting == [sync._look]
    assert sync._look() is None
    assert [one.rows for one in begun] == [3]
    sync.forget()
    assert timers.waiting == []


def take_of_another(folder: Path) -> Path:
    """A take of which another .blend has edited three rows."""
    take = make_take(folder / "b.take", frames=20)
    rows = np.load(take / "person_0" / "target_hash.npy")
    rows[4:7] += 1
    np.save(take / "person_0" / "target_hash.npy", rows)
    return take


def test_a_script_that_imports_a_take_of_another_blend_gets_this_one_s(
    tmp_path: Path, begun: list[sync.Behind]
) -> None:
    """Without a window there is no timer: the rows are made again before the operator returns."""
    bpy.ops.pchmr.import_take(directory=str(take_of_another(tmp_path)))
    assert [one.rows for one in begun] == [3]


def test_a_script_without_a_backend_is_told_that_it_shows_another_blend_s_edits(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="3 frames of b are not what the edits say"):
        bpy.ops.pchmr.import_take(directory=str(take_of_another(tmp_path)))
    assert len(list(sync.behind())) == 1  # imported all the same


def test_a_take_that_another_blend_has_edited_is_looked_at_when_it_is_imported(
    tmp_path: Path, timers: Timers, begun: list[sync.Behind]
) -> None:
    take = take_of_another(tmp_path)
    bpy.ops.pchmr.import_take(directory=str(take))
    assert timers.waiting == [sync._look]
    assert sync._look() is None
    assert [one.rows for one in begun] == [3]


def test_it_waits_while_something_is_under_way(
    person: bpy.types.Collection, timers: Timers, begun: list[sync.Behind], monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(person)
    session.current.begin(ThreadJob("Other", lambda report, cancelled: None))
    assert sync._look() == sync.LOOK_AGAIN
    session.current.wait()
    monkeypatch.setattr(sync, "hands_full", lambda: True)
    assert sync._look() == sync.LOOK_AGAIN
    monkeypatch.setattr(sync, "hands_full", lambda: False)
    monkeypatch.setattr(sync.mode, "current", lambda: object())
    assert sync._look() == sync.LOOK_AGAIN
    monkeypatch.setattr(sync.mode, "current", lambda: None)
    assert not begun
    assert sync._look() is None
    assert begun


def test_without_a_backend_it_is_said_once(
    person: bpy.types.Collection, timers: Timers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> None:
        raise EnvironmentInvalid("the backend is not set up", hint="Press Set Up Backend.", reason="none")

    monkeypatch.setattr(sync, "launch", none)
    edit(person)
    assert sync._look() is None
    problem = session.current.problem
    assert problem is not None
    assert problem.kind == "EnvironmentInvalid"
    assert problem.message == "3 frames of a are not what the edits say, and the backend is not set up"
    with pytest.raises(EnvironmentInvalid):
        sync.agree()


def test_a_take_that_is_gone_is_said_and_forgotten_when_it_is_back(
    person: bpy.types.Collection, tmp_path: Path, begun: list[sync.Behind]
) -> None:
    edit(person)
    (tmp_path / "a.take").rename(tmp_path / "b.take")
    assert list(sync.behind()) == []
    assert (person.pchmr.problem_kind, "a.take is not at" in person.pchmr.problem) == ("TakeNotFound", True)
    (tmp_path / "b.take").rename(tmp_path / "a.take")
    assert [one.rows for one in sync.behind()] == [3]
    assert person.pchmr.problem == ""


def test_an_edit_that_cannot_be_read_is_said(person: bpy.types.Collection) -> None:
    edit(person)
    values = EditRows.none(1)
    values.turn[0, 20] = 0.8, 0.6, 0, 0
    key_row(person, 5, values, [20])
    control = part_of(person, "TARGETS").pose.bones["wrist.L"]
    control.rotation_mode = "XYZ"
    assert list(sync.behind()) == []
    assert "wrist.L turns by XYZ" in person.pchmr.problem
    control.rotation_mode = "QUATERNION"
    assert len(list(sync.behind())) == 1
    assert person.pchmr.problem == ""


def test_one_who_fails_does_not_stop_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    people = bring(make_take(tmp_path / "two.take", frames=20, people=2))
    for one in people:
        edit(one)
    tried = []

    def recalibration(handle: object, client: object):
        tried.append(handle)
        yield "Waiting"
        if len(tried) == 1:
            raise OutputNotWritable("read-only", hint="Change it.")

    monkeypatch.setattr(sync, "recalibration", recalibration)
    monkeypatch.setattr(sync, "launch", lambda: None)
    monkeypatch.setattr(session.current, "client", lambda launch: SimpleNamespace(pump=lambda: None, hello=None))
    with pytest.raises(OutputNotWritable):
        sync.agree()
    assert len(tried) == 2
    assert session.current.problem is not None
    assert session.current.activity is None


def test_undo_and_redo_are_occasions(person: bpy.types.Collection) -> None:
    for name in ("undo_post", "redo_post", "load_post", "save_post"):
        assert sync.after_change in getattr(bpy.app.handlers, name)


def test_the_take_of_another_blend(person: bpy.types.Collection, tmp_path: Path) -> None:
    """Another .blend has edited the take since: its rows are not what this one asked for."""
    edit(person)
    hashes = open_person(person)[1].row_hashes
    path = next((tmp_path / "a.take").rglob("target_hash.npy"))
    array = np.load(path)
    array[8:10] = 77
    np.save(path, array)
    assert hashes[8] != 77
    assert [one.rows for one in sync.behind()] == [5]


def test_a_linked_or_baked_person_is_left_alone(person: bpy.types.Collection, tmp_path: Path) -> None:
    edit(person)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(str(tmp_path / "a.blend"), link=True) as (there, here):
        here.collections = list(there.collections)
    shutil.rmtree(tmp_path / "a.take")
    assert list(sync.behind()) == []
