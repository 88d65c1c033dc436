"""What shown rows were made from: each data-block says so itself, since an undo takes them back one by one."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from pchmr.pchmr_blender.core.form_costs import Form
from pchmr.pchmr_blender.scene.actions import action_of
from pchmr.pchmr_blender.scene.handles import part_of
from pchmr.pchmr_blender.scene.shown_rows import KEY, PAIR, differing, note_form, note_shown

from .scenes import bring
from .takes import make_take

pytestmark = pytest.mark.usefixtures("extension")

HASHES = np.arange(100, 108, dtype=np.uint64) << np.uint64(8)
"""With bytes of 0."""


def carriers(body: bpy.types.Object, person: bpy.types.Collection) -> list[bpy.types.ID]:
    keys = body.data.shape_keys
    owners = (part_of(person, "SKELETON"), part_of(person, "TARGETS"), *([keys] if keys else []))
    return list({one.name_full: one for one in (*([keys] if keys else []), *map(action_of, owners))}.values())


@pytest.mark.parametrize("form", list(Form))
def test_each_data_block_has_a_say(tmp_path: Path, form: Form) -> None:
    (person,) = bring(make_take(tmp_path / "a.take"), form=form)
    body = part_of(person, "BODY")
    for one in body.modifiers:
        if one.type == "MESH_CACHE":
            body.modifiers.remove(one)  # its file has hashes of its own
    note_shown(body, HASHES)
    assert not differing(body, HASHES).any()
    for carrier in carriers(body, person):
        kept = carrier[KEY]
        carrier[KEY] = kept.replace(f"{HASHES[3]:016x}", f"{7:016x}")
        assert np.flatnonzero(differing(body, HASHES)).tolist() == [3]
        del carrier[KEY]
        assert differing(body, HASHES).all()
        carrier[KEY] = kept
    assert not differing(body, HASHES).any()


def test_rows_are_noted_alone(tmp_path: Path) -> None:
    (person,) = bring(make_take(tmp_path / "a.take"))
    body = part_of(person, "BODY")
    note_shown(body, HASHES)
    note_shown(body, np.zeros(8, np.uint64), np.array([2, 5]))
    assert np.flatnonzero(differing(body, HASHES)).tolist() == [2, 5]
    note_shown(body, HASHES, np.array([2, 5]))
    assert not differing(body, HASHES).any()


def test_correctives_and_values_of_two_makings_show_nothing_known(tmp_path: Path) -> None:
    (person,) = bring(make_take(tmp_path / "a.take"), form=Form.COMPRESSED)
    body = part_of(person, "BODY")
    note_shown(body, HASHES)
    former = action_of(body.data.shape_keys)[PAIR]
    note_form(body, HASHES)  # other correctives, of the same rows
    assert not differing(body, HASHES).any()
    action_of(body.data.shape_keys)[PAIR] = former  # as an undo does that takes back the one and not the other
    assert differing(body, HASHES).all()
    note_shown(body, HASHES, np.arange(8))
    assert not differing(body, HASHES).any()


def test_they_are_saved(tmp_path: Path) -> None:
    (person,) = bring(make_take(tmp_path / "a.take"))
    note_shown(part_of(person, "BODY"), HASHES)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    assert not differing(part_of(bpy.data.collections["a"], "BODY"), HASHES).any()
