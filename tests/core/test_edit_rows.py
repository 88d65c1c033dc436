"""Edits between control bones and the target stack, and sets of rows as text."""

from __future__ import annotations

import numpy as np
import pytest

from pchmr.pchmr_blender.core import row_ranges
from pchmr.pchmr_blender.core.axes import quaternions_to_matrices, y_up_to_blender
from pchmr.pchmr_blender.core.edit_rows import EditAxes, EditRows
from pchmr.pchmr_blender.core.skeleton import rest_bones

from ..people import MadeUpPerson

PERSON = MadeUpPerson()
RANDOM = np.random.default_rng(5)


def test_a_control_s_offset_is_the_joint_s_in_the_world() -> None:
    axes, bones = EditAxes(PERSON.rest_joints), rest_bones(PERSON.rest_joints)
    locations = RANDOM.normal(0, 0.1, (6, 24, 3))
    edits = axes.edits(locations, EditRows.none(6).turn, np.zeros((6, 24)), np.ones((6, 24)))
    turned = PERSON.rotations[:6]  # Blender's rest frame → world
    by_bone = (turned @ bones.matrices @ locations[..., None])[..., 0]
    from_y_up = turned @ y_up_to_blender(np.eye(3)).T
    by_joint = (from_y_up @ edits.offset[..., None])[..., 0]
    assert np.allclose(by_bone[:, 1:], by_joint[:, 1:], atol=1e-12)


def test_the_whole_body_s_offset_is_the_world_s_however_it_turns() -> None:
    axes, bones = EditAxes(PERSON.rest_joints), rest_bones(PERSON.rest_joints)
    locations = RANDOM.normal(0, 0.1, (6, 24, 3))
    edits = axes.edits(locations, EditRows.none(6).turn, np.zeros((6, 24)), np.ones((6, 24)))
    assert np.allclose(edits.offset[:, 0], locations[:, 0] @ bones.matrices[0].T, atol=1e-12)


def test_there_and_back() -> None:
    axes = EditAxes(PERSON.rest_joints)
    locations, quaternions = RANDOM.normal(0, 0.1, (4, 24, 3)), RANDOM.normal(size=(4, 24, 4))
    edits = axes.edits(locations, quaternions, np.full((4, 24), 2.0), np.full((4, 24), -1.0))
    assert edits.stretch.max() == 1
    assert edits.strength.min() == 0
    back, turns = axes.controls(edits)
    assert np.allclose(back, locations)
    assert np.allclose(quaternions_to_matrices(turns), quaternions_to_matrices(quaternions))


def test_no_edit_is_no_edit() -> None:
    none = EditRows.none(3)
    axes = EditAxes(PERSON.rest_joints)
    made = axes.edits(*axes.controls(none), none.stretch, none.strength)
    assert not made.edited().any()
    assert (made.hashes("{}") == none.hashes("{}")).all()


def test_a_row_s_hash_tells_its_edit_and_the_layers() -> None:
    edits = EditRows.none(3)
    edits.offset[1, 20, 0] = 0.01
    edits.strength[2, 4] = 0.5
    first, second, third = edits.hashes("{}").tolist()
    assert len({first, second, third}) == 3
    assert edits.hashes('{"smoothing": 1}')[0] != first
    assert edits.edited().tolist() == [False, True, True]


def test_what_curves_round_away_is_no_edit() -> None:
    edits = EditRows.none(1)
    edits.offset[0, 3] = 1e-8
    assert edits.hashes("{}") == EditRows.none(1).hashes("{}")


@pytest.mark.parametrize(("rows", "text"), [([], ""), ([3], "3"), ([5, 4, 3, 9, 9, 11, 12], "3-5,9,11-12"), ([0], "0")])
def test_rows_as_text(rows: list[int], text: str) -> None:
    assert row_ranges.written(rows) == text
    assert row_ranges.read(text).tolist() == sorted(set(rows))


def test_overlapping_runs_are_one_set() -> None:
    assert row_ranges.read(" 1-4, 3-6 ,8").tolist() == [1, 2, 3, 4, 5, 6, 8]


@pytest.mark.parametrize("text", ["a", "4-2", "-3", "1;2", "1-2-3"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"range|literal"):
        row_ranges.read(text)
