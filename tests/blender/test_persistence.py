"""Save, reload, Save As, move: everything is kept, and take and footage are found again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest

from pchmr.inference_backend.errors import TakeNotFound
from pchmr.pchmr_blender.core.form_costs import Form
from pchmr.pchmr_blender.operators.takes import relink
from pchmr.pchmr_blender.scene.footage import footage_file
from pchmr.pchmr_blender.scene.handles import find_part, people_in, placing_of
from pchmr.pchmr_blender.scene.take_paths import mend_paths, open_person, take_folder

from .clips import make_movie
from .scenes import bring, registered, vertices_at
from .takes import make_take


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    with registered():
        yield


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with takes/walk.take, footage/walk.avi and an empty scenes/."""
    root = tmp_path / "Projekt ü 1"
    (root / "scenes").mkdir(parents=True)
    make_take(root / "takes" / "walk.take", clip=make_movie(root / "footage" / "walk.avi"))
    return root


def save(path: Path, **how) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(path), **how)


def load(path: Path) -> bpy.types.Collection:
    bpy.ops.wm.open_mainfile(filepath=str(path))
    (collection,) = people_in(bpy.context.scene)
    return collection


def check(collection: bpy.types.Collection, root: Path, body: np.ndarray) -> None:
    """All is as it was, and everything lies under `root`."""
    assert collection.pchmr.problem == ""
    assert take_folder(collection).samefile(root / "takes" / "walk.take")
    assert footage_file(find_part(collection, "CAMERA")).samefile(root / "footage" / "walk.avi")
    np.testing.assert_allclose(vertices_at(find_part(collection, "BODY"), 5), body, atol=1e-6)


@pytest.mark.parametrize("form", list(Form))
@pytest.mark.parametrize("saved_first", [True, False], ids=["import in a saved file", "import, then save"])
def test_save_reload_move(project, tmp_path, form, saved_first):
    blend = project / "scenes" / "shot 1.blend"
    if saved_first:
        save(blend)
    (collection,) = bring(project / "takes" / "walk.take", form=form, tolerance_mm=0.1, start=11)
    body, uuid, placing = vertices_at(find_part(collection, "BODY"), 5), collection.pchmr.uuid, placing_of(collection)
    save(blend)
    assert collection.pchmr.take == "//../takes/walk.take"

    collection = load(blend)
    check(collection, project, body)
    assert (collection.pchmr.uuid, placing_of(collection)) == (uuid, placing)
    assert [find_part(collection, part) is None for part in ("BODY", "SKELETON", "TARGETS", "CAMERA")] == [False] * 4
    assert collection.pchmr.form == form.value

    moved = tmp_path / "another machine"
    bpy.ops.wm.read_factory_settings(use_empty=True)
    project.rename(moved)
    check(load(moved / "scenes" / "shot 1.blend"), moved, body)


@pytest.mark.parametrize("form", list(Form))
def test_save_as_elsewhere(project, tmp_path, form):
    first, second = project / "scenes" / "a.blend", tmp_path / "far" / "away" / "b.blend"
    second.parent.mkdir(parents=True)
    (collection,) = bring(project / "takes" / "walk.take", form=form, tolerance_mm=0.1)
    body = vertices_at(find_part(collection, "BODY"), 5)
    save(first)
    save(second)
    assert collection.pchmr.take == "//../../Projekt ü 1/takes/walk.take"
    check(load(second), project, body)
    check(load(first), project, body)


@pytest.mark.parametrize("remap", [True, False])
@pytest.mark.parametrize("form", list(Form))
def test_save_as_with_and_without_remapping_relative_paths(project, tmp_path, form, remap):
    """Without it Blender leaves all paths as they are, whatever they then lead to: the session and the file mend it."""
    second = tmp_path / "far" / "away" / "b.blend"
    second.parent.mkdir(parents=True)
    save(project / "scenes" / "a.blend")
    (collection,) = bring(project / "takes" / "walk.take", form=form, tolerance_mm=0.1)
    body = vertices_at(find_part(collection, "BODY"), 5)
    save(project / "scenes" / "a.blend")
    save(second, relative_remap=remap)
    check(collection, project, body)
    check(load(second), project, body)
    check(load(project / "scenes" / "a.blend"), project, body)


@pytest.mark.parametrize("form", list(Form))
def test_only_the_blend_was_moved(project, tmp_path, form):
    (tmp_path / "desk" / "deep").mkdir(parents=True)
    save(project / "scenes" / "a.blend")
    (collection,) = bring(project / "takes" / "walk.take", form=form, tolerance_mm=0.1)
    body = vertices_at(find_part(collection, "BODY"), 5)
    save(project / "scenes" / "a.blend")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    shutil.move(project / "scenes" / "a.blend", tmp_path / "desk" / "deep" / "a.blend")
    check(load(tmp_path / "desk" / "deep" / "a.blend"), project, body)
    save(tmp_path / "desk" / "deep" / "a.blend")
    check(load(tmp_path / "desk" / "deep" / "a.blend"), project, body)


@pytest.mark.parametrize("with_cache", [True, False], ids=["and its cache", "alone"])
@pytest.mark.parametrize("form", list(Form))
def test_a_take_that_was_renamed_is_asked_for_and_followed(project, form, with_cache):
    save(project / "scenes" / "a.blend")
    (collection,) = bring(project / "takes" / "walk.take", form=form, tolerance_mm=0.1)
    body = vertices_at(find_part(collection, "BODY"), 5)
    save(project / "scenes" / "a.blend")
    renamed = project / "takes" / "läuft 2.take"
    (project / "takes" / "walk.take").rename(renamed)
    if with_cache and form is Form.PC2:
        (project / "takes" / "walk.take.cache").rename(project / "takes" / "läuft 2.take.cache")
    collection = load(project / "scenes" / "a.blend")
    assert "walk.take is not at" in collection.pchmr.problem
    assert "say where it is now" in collection.pchmr.problem
    relink(collection, renamed)
    for _ in range(2):
        assert collection.pchmr.problem == ""
        assert take_folder(collection).samefile(renamed)
        np.testing.assert_allclose(vertices_at(find_part(collection, "BODY"), 5), body, atol=1e-6)
        save(project / "scenes" / "a.blend")
        collection = load(project / "scenes" / "a.blend")


def test_saving_a_copy_leaves_the_session_able_to_find_its_take(project, tmp_path):
    (tmp_path / "backup" / "x").mkdir(parents=True)
    (collection,) = bring(project / "takes" / "walk.take")
    body = vertices_at(find_part(collection, "BODY"), 5)
    save(project / "scenes" / "a.blend")
    save(tmp_path / "backup" / "x" / "a.blend", copy=True)
    assert take_folder(collection).samefile(project / "takes" / "walk.take")
    save(project / "scenes" / "a.blend")
    assert collection.pchmr.take == "//../takes/walk.take"
    check(load(tmp_path / "backup" / "x" / "a.blend"), project, body)


def test_only_the_blend_and_the_take_were_moved(project, tmp_path):
    (collection,) = bring(project / "takes" / "walk.take", form=Form.ABSOLUTE)
    save(project / "scenes" / "a.blend")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    other = tmp_path / "desk"
    other.mkdir()
    for path in (project / "scenes" / "a.blend", project / "takes" / "walk.take", project / "footage" / "walk.avi"):
        shutil.move(path, other / path.name)
    shutil.rmtree(project)
    collection = load(other / "a.blend")
    assert collection.pchmr.problem == ""
    assert take_folder(collection).samefile(other / "walk.take")
    assert footage_file(find_part(collection, "CAMERA")).samefile(other / "walk.avi")


def test_a_take_that_is_gone_is_said_and_blender_lives_on(project):
    bring(project / "takes" / "walk.take", form=Form.ABSOLUTE)
    save(project / "scenes" / "a.blend")
    (project / "takes" / "walk.take").rename(project / "away.take")
    collection = load(project / "scenes" / "a.blend")
    assert "walk.take is not at" in collection.pchmr.problem
    with pytest.raises(TakeNotFound):
        open_person(collection)
    body = vertices_at(find_part(collection, "BODY"), 5)  # the scene needs the take for changes only
    save(project / "scenes" / "a.blend")
    (project / "away.take").rename(project / "takes" / "walk.take")
    mend_paths(collection)
    check(collection, project, body)


def test_a_mesh_cache_is_found_beside_the_take(project, tmp_path):
    (collection,) = bring(project / "takes" / "walk.take", form=Form.PC2)
    body = vertices_at(find_part(collection, "BODY"), 5)
    save(project / "scenes" / "a.blend")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    (tmp_path / "desk").mkdir()
    for path in (project / "scenes" / "a.blend", *(project / "takes").iterdir()):
        shutil.move(path, tmp_path / "desk" / path.name)
    collection = load(tmp_path / "desk" / "a.blend")
    assert collection.pchmr.problem == ""
    np.testing.assert_allclose(vertices_at(find_part(collection, "BODY"), 5), body, atol=1e-6)


def test_a_mesh_cache_that_is_gone_is_said(project):
    bring(project / "takes" / "walk.take", form=Form.PC2)
    save(project / "scenes" / "a.blend")
    shutil.rmtree(project / "takes" / "walk.take.cache")
    assert ".pc2" in load(project / "scenes" / "a.blend").pchmr.problem


def test_footage_that_is_gone_is_said(project):
    bring(project / "takes" / "walk.take")
    save(project / "scenes" / "a.blend")
    (project / "footage" / "walk.avi").unlink()
    collection = load(project / "scenes" / "a.blend")
    assert "walk.avi is not at" in collection.pchmr.problem
    assert take_folder(collection).samefile(project / "takes" / "walk.take")


def test_files_without_us_and_files_never_saved(tmp_path):
    save(tmp_path / "empty.blend")
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "empty.blend"))
    assert people_in(bpy.context.scene) == []


def test_undo_and_redo(project):
    bpy.context.preferences.edit.use_global_undo = True
    bpy.ops.ed.undo_push(message="before")
    bring(project / "takes" / "walk.take")
    bpy.ops.ed.undo_push(message="import")
    bpy.ops.ed.undo()
    assert people_in(bpy.context.scene) == []
    assert bpy.context.scene.render.fps == 24
    bpy.ops.ed.redo()
    (collection,) = people_in(bpy.context.scene)
    assert find_part(collection, "BODY") is not None
    assert take_folder(collection).samefile(project / "takes" / "walk.take")
