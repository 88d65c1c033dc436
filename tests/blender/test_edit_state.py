from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest

from inference_backend.job_params import Context
from inference_backend.skeletons import JOINTS
from inference_backend.targets.parameters import Layers
from pchmr.inference_backend.errors import BadArgument
from pchmr.pchmr_blender.core.edit_rows import EditRows
from pchmr.pchmr_blender.scene import edit_state, edits, shown_rows
from pchmr.pchmr_blender.scene.actions import action_of
from pchmr.pchmr_blender.scene.bake import bake
from pchmr.pchmr_blender.scene.body_forms import Form
from pchmr.pchmr_blender.scene.handles import part_of
from pchmr.pchmr_blender.scene.mesh_cache import cache_files
from pchmr.pchmr_blender.scene.take_paths import open_person

from . import mini_backend
from .scenes import bring, registered
from .takes import make_take

WRIST = JOINTS.index("left_wrist")
FORMS = (Form.ABSOLUTE, Form.COMPRESSED, Form.PC2)


@pytest.fixture(autouse=True)
def _extension() -> Iterator[None]:
    with registered():
        yield


@pytest.fixture
def person(tmp_path: Path) -> bpy.types.Collection:
    return bring(make_take(tmp_path / "a.take", frames=30))[0]


def stale(person: bpy.types.Collection) -> list[int]:
    return edit_state.stale(person, open_person(person)[1]).tolist()


def key(person: bpy.types.Collection, row: int) -> None:
    edit = EditRows.none(1)
    edit.offset[0, WRIST, 1] = 0.1
    edits.key_row(person, row, edit, [WRIST])


@pytest.mark.parametrize("form", FORMS)
def test_an_import_is_what_the_blend_wants(tmp_path: Path, form: Form) -> None:
    person = bring(make_take(tmp_path / "a.take"), form=form)[0]
    assert edit_state.layers_of(person) == Layers.off().values()
    assert person.pchmr_edit.layers == Layers.off().canonical()
    assert not stale(person)


def test_edits_are_wanted_in_committed_rows_only(person: bpy.types.Collection) -> None:
    key(person, 12)
    assert not stale(person)
    edit_state.commit(person, range(10, 40))  # beyond the take's end, as after another take came in its place
    assert stale(person) == list(range(10, 18))
    edit_state.uncommit(person, [12, 13])
    assert stale(person) == [10, 11, 14, 15, 16, 17]
    assert person.pchmr_edit.committed == "10-11,14-39"
    wanted = edit_state.wanted(person, 30)
    assert wanted.rows.tolist() == [10, 11, *range(14, 30)]
    assert len(wanted.edits) == len(wanted.rows)
    assert len(wanted.hashes) == 30


def test_other_layers_make_every_row_stale(person: bpy.types.Collection) -> None:
    edit_state.set_layers(person, {**edit_state.layers_of(person), "smoothing": {"enabled": True}})
    assert stale(person) == list(range(30))
    with pytest.raises(BadArgument, match=r"smoothing\.speed is no setting"):
        edit_state.set_layers(person, {"smoothing": {"speed": 1}})
    assert edit_state.layers_of(person)["smoothing"]["enabled"]


def test_a_blend_without_layers_has_those_of_its_take(person: bpy.types.Collection) -> None:
    person.pchmr_edit.layers = ""
    assert edit_state.layers_of(person) == Layers.off().values()
    assert not stale(person)


def test_a_take_that_was_cleaned_up_elsewhere_comes_with_its_layers(tmp_path: Path) -> None:
    folder = make_take(tmp_path / "a.take")
    smooth = {"smoothing": {"enabled": True, "strength": 0.25}}
    mini_backend.recalibrate({"take": str(folder), "layers": smooth}, Context(lambda _: None, lambda: False))
    person = bring(folder)[0]
    assert edit_state.layers_of(person)["smoothing"]["strength"] == 0.25
    assert not stale(person)
    person.pchmr_edit.layers = ""
    assert not stale(person)


def test_what_is_shown_counts_too(person: bpy.types.Collection) -> None:
    body, view = part_of(person, "BODY"), open_person(person)[1]
    other = view.row_hashes.copy()
    other[[3, 4]] = 7
    shown_rows.note_shown(body, other, np.array([3, 4]))
    assert stale(person) == [3, 4]
    shown_rows.note_shown(body, view.row_hashes)
    assert not stale(person)
    del action_of(part_of(person, "SKELETON"))[shown_rows.KEY]
    assert stale(person) == list(range(30))


def test_a_cache_without_its_hashes_is_shown_again(tmp_path: Path) -> None:
    person = bring(make_take(tmp_path / "a.take"), form=Form.PC2)[0]
    (cache,) = cache_files(part_of(person, "BODY"))
    cache.with_name(cache.name + ".rows").unlink()
    assert stale(person) == list(range(8))


def test_it_is_all_in_the_file(person: bpy.types.Collection, tmp_path: Path) -> None:
    key(person, 12)
    edit_state.commit(person, [11, 12])
    before, name = edit_state.wanted(person, 30).hashes, person.name
    path = str(tmp_path / "a.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    person = bpy.data.collections[name]
    assert np.array_equal(edit_state.wanted(person, 30).hashes, before)
    assert json.loads(person.pchmr_edit.layers) == Layers.off().values()
    assert stale(person) == [11, 12]


def test_a_baked_person_wants_nothing(person: bpy.types.Collection) -> None:
    edit_state.set_layers(person, {})
    assert stale(person)
    bake(person)
    assert not stale(person)
