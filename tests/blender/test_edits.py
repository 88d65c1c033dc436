from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest

from inference_backend.skeletons import JOINTS
from pchmr.inference_backend.errors import BadArgument, SceneChanged
from pchmr.pchmr_blender.core.edit_rows import EditRows
from pchmr.pchmr_blender.scene import edit_state, edits
from pchmr.pchmr_blender.scene.actions import curves_of, read_curve
from pchmr.pchmr_blender.scene.edit_scope import edited_rows
from pchmr.pchmr_blender.scene.handles import part_of
from pchmr.pchmr_blender.scene.take_paths import open_person
from pchmr.pchmr_blender.scene.targets import base_name

from .scenes import bring, registered
from .takes import make_take

WRIST, ELBOW, HEAD = (JOINTS.index(name) for name in ("left_wrist", "left_elbow", "head"))
FIELDS = ("offset", "turn", "stretch", "strength")


@pytest.fixture(autouse=True)
def _extension() -> Iterator[None]:
    with registered():
        yield


@pytest.fixture
def person(tmp_path: Path) -> bpy.types.Collection:
    return bring(make_take(tmp_path / "a.take", frames=60))[0]


def moved(joint: int = WRIST, by: float = 0.15, rows: int = 1) -> EditRows:
    made = EditRows.none(rows)
    made.offset[:, joint, 1] = by
    return made


def controls_curves(person: bpy.types.Collection) -> dict[tuple[str, int], np.ndarray]:
    bases = {f'pose.bones["{base_name(bone.name)}"]' for bone in part_of(person, "TARGETS").pose.bones}
    return {
        (curve.data_path, curve.array_index): read_curve(curve)
        for curve in curves_of(part_of(person, "TARGETS"))
        if curve.data_path.rpartition(".")[0] not in bases
    }


def same(found: EditRows, expected: EditRows, atol: float = 1e-6) -> bool:
    return all(np.allclose(getattr(found, name), getattr(expected, name), atol=atol) for name in FIELDS)


def test_without_keys_nothing_is_edited(person: bpy.types.Collection) -> None:
    assert same(edits.sample(person, range(60)), EditRows.none(60))
    assert same(edits.held(person), EditRows.none(1))
    assert not len(edits.edited_frames(person, selected_only=False))


def test_rows_are_where_the_base_bones_have_their_keys(person: bpy.types.Collection) -> None:
    assert edits.row_frames(person).tolist() == list(range(1, 61))
    assert edits.row_near(person, 12.3) == 11
    with pytest.raises(BadArgument, match="frame 200 is outside"):
        edits.row_near(person, 200)


def test_an_edit_is_there_on_its_row_and_gone_after_its_falloff(person: bpy.types.Collection) -> None:
    wanted = moved()
    wanted.turn[0, WRIST] = np.cos(0.3), 0, np.sin(0.3), 0
    wanted.stretch[0, WRIST], wanted.strength[0, WRIST] = 0.5, 0.25
    edits.key_row(person, 20, wanted, [WRIST, HEAD])
    assert same(edits.sample(person, [20]), wanted)
    found = edits.sample(person, range(60))
    assert np.flatnonzero(found.edited()).tolist() == list(range(15, 26))
    assert len(controls_curves(person)) == 3 + 4 + 1 + 1  # the head stays without keys
    offset = found.offset[14:21, WRIST, 1]
    assert (np.diff(offset) > 0).all()  # in without a pop
    assert np.abs(np.diff(found.offset[:, WRIST, 1], 2)).max() < 0.03
    assert edits.edited_frames(person, selected_only=False).tolist() == [21]
    assert edits.edited_frames(person, selected_only=True).tolist() == [21]


def test_what_is_sampled_knows_keys_only(person: bpy.types.Collection) -> None:
    edits.key_row(person, 20, moved(), [WRIST])
    before = edits.sample(person, range(60))
    edits.hold(person, moved(ELBOW, 0.3))
    assert same(edits.held(person), moved(ELBOW, 0.3))
    bpy.context.scene.frame_set(40)
    assert same(edits.sample(person, range(60)), before, 0)
    assert not controls_curves(person).keys() & {('pose.bones["elbow.L"].location', 0)}


def test_controls_hold_at_a_frame_what_is_sampled_there(person: bpy.types.Collection) -> None:
    wanted = moved()
    wanted.strength[0, WRIST] = 0.25
    edits.key_row(person, 20, wanted, [WRIST])
    for row in (18, 20, 23, 40):
        bpy.context.scene.frame_set(row + 1)
        assert same(edits.held(person), edits.sample(person, [row]))


def test_rows_keyed_together_run_from_one_to_the_other(person: bpy.types.Collection) -> None:
    rows = moved(rows=2)
    rows.offset[1, WRIST, 1] = 0.05
    edits.key_rows(person, [10, 40], rows, [WRIST])
    found = edits.sample(person, range(60)).offset[:, WRIST, 1]
    assert (np.diff(found[10:41]) < 0).all()
    assert found[4] == found[46] == 0
    assert found[3] == found[55] == 0


def test_an_edit_beside_another_takes_the_place_of_its_falloff(person: bpy.types.Collection) -> None:
    edits.key_row(person, 20, moved(), [WRIST])
    edits.key_row(person, 24, moved(), [WRIST])
    found = edits.sample(person, range(60)).offset[:, WRIST, 1]
    assert np.allclose(found[20:25], 0.15)
    assert np.flatnonzero(np.abs(found) > 1e-6).tolist() == list(range(15, 30))
    keys = controls_curves(person)['pose.bones["wrist.L"].location', 1]
    assert keys[:, 0].tolist() == [15, 21, 25, 31]


def test_an_edit_far_from_another_falls_off_on_its_own(person: bpy.types.Collection) -> None:
    edits.key_row(person, 10, moved(), [WRIST])
    edits.key_row(person, 45, moved(), [WRIST])
    found = edits.sample(person, range(60)).offset[:, WRIST, 1]
    assert (found[16:40] == 0).all()


def test_a_key_can_be_set_again(person: bpy.types.Collection) -> None:
    edits.key_row(person, 20, moved(), [WRIST])
    edits.key_row(person, 20, moved(by=-0.1), [WRIST])
    assert same(edits.sample(person, [20]), moved(by=-0.1))
    assert controls_curves(person)['pose.bones["wrist.L"].location', 1][:, 0].tolist() == [15, 21, 27]


def test_clearing_an_edit_takes_its_falloff_and_its_curves(person: bpy.types.Collection) -> None:
    edits.key_row(person, 20, moved(), [WRIST])
    edits.key_row(person, 45, moved(ELBOW), [ELBOW])
    edits.clear(person, 21, 21, None)
    assert {path for path, _ in controls_curves(person)} == {'pose.bones["elbow.L"].location'}
    edits.clear(person, -np.inf, np.inf, [ELBOW])
    assert not controls_curves(person)


def test_clearing_leaves_other_joints_and_edits_outside(person: bpy.types.Collection) -> None:
    for row in (10, 20, 45):
        edits.key_row(person, row, moved(), [WRIST])
    edits.key_row(person, 20, moved(ELBOW), [ELBOW])
    before = edits.sample(person, range(60))
    edits.clear(person, 19, 23, [WRIST])
    after = edits.sample(person, range(60))
    assert not after.offset[18:23, WRIST].any()
    assert np.allclose(after.offset[10, WRIST], before.offset[10, WRIST])
    assert np.array_equal(after.offset[30:, WRIST], before.offset[30:, WRIST])
    assert np.array_equal(after.offset[:, ELBOW], before.offset[:, ELBOW])


def test_a_frame_in_a_falloff_can_be_cleared(person: bpy.types.Collection) -> None:
    edits.key_row(person, 20, moved(), [WRIST])
    edits.clear(person, 24, 24, None)
    found = edits.sample(person, range(60)).offset[:, WRIST, 1]
    assert found[20] == pytest.approx(0.15)
    assert (found[23:] == 0).all()
    assert controls_curves(person)['pose.bones["wrist.L"].location', 1][:, 0].tolist() == [15, 21, 24]


def test_a_key_that_an_artist_set_at_rest_stays(person: bpy.types.Collection) -> None:
    control = part_of(person, "TARGETS").pose.bones["wrist.L"]
    control.keyframe_insert("location", frame=50)
    edits.key_row(person, 20, moved(), [WRIST])
    edits.clear(person, 10, 30, None)
    assert controls_curves(person)['pose.bones["wrist.L"].location', 0][:, 0].tolist() == [50]


def test_base_keys_stay_whatever_is_edited(person: bpy.types.Collection) -> None:
    def bases() -> list[bytes]:
        own = controls_curves(person)
        curves = curves_of(part_of(person, "TARGETS"))
        return [read_curve(one).tobytes() for one in curves if (one.data_path, one.array_index) not in own]

    before = bases()
    edits.key_rows(person, [10, 12], moved(rows=2), range(24))
    edits.clear(person, -np.inf, np.inf, None)
    assert bases() == before


def test_rows_and_bones_that_are_not_there_are_named(person: bpy.types.Collection) -> None:
    with pytest.raises(BadArgument, match="no row 60"):
        edits.sample(person, [0, 60])
    part_of(person, "TARGETS").pose.bones["wrist.L"].rotation_mode = "XYZ"
    with pytest.raises(BadArgument, match=r"wrist\.L turns by XYZ"):
        edits.held(person)
    bpy.data.objects.remove(part_of(person, "TARGETS"))
    with pytest.raises(SceneChanged, match="no targets"):
        edits.sample(person, [0])


@pytest.mark.parametrize("start", [None, 101.0])
def test_importing_again_keeps_the_edits(person: bpy.types.Collection, start: float | None) -> None:
    folder = Path(person.pchmr.take_absolute)
    edits.key_row(person, 20, moved(), [WRIST])
    edit_state.commit(person, range(15, 26))
    layers = person.pchmr_edit.layers = person.pchmr_edit.layers.replace('"speed":0.5', '"speed":0.4')
    before = edits.sample(person, range(60))
    (again,) = bring(folder, start=start)
    assert again == person
    assert same(edits.sample(person, range(60)), before)
    assert edits.edited_frames(person, selected_only=True).tolist() == [121 if start else 21]
    assert (person.pchmr_edit.committed, person.pchmr_edit.layers) == ("15-25", layers)


def test_another_take_in_the_same_place_has_none_of_them_in_its_mesh(person: bpy.types.Collection) -> None:
    folder = Path(person.pchmr.take_absolute)
    edits.key_row(person, 20, moved(), [WRIST])
    edit_state.commit(person, range(15, 26))
    shutil.rmtree(folder)
    make_take(folder, frames=60, height=400)
    person.pchmr.settings_hash = "another"
    bring(folder)
    assert edits.sample(person, [20]).edited().all()
    assert person.pchmr_edit.committed == ""
    assert not len(edit_state.stale(person, open_person(person)[1]))


def test_importing_again_shows_the_take_whatever_the_person_is_called(person: bpy.types.Collection) -> None:
    folder = Path(person.pchmr.take_absolute)
    person.name = "! first"
    for _ in range(2):
        bring(folder)
        assert part_of(person, "BODY").name.startswith("! first")
        assert not len(edit_state.stale(person, open_person(person)[1]))


def test_which_rows_are_edited(person: bpy.types.Collection) -> None:
    assert not len(edited_rows(person))
    edits.key_row(person, 20, moved(), [WRIST])
    edits.key_row(person, 40, moved(ELBOW), [ELBOW])
    rows = edited_rows(person)
    assert rows.tolist() == [*range(15, 26), *range(35, 46)]
    assert rows.tolist() == np.flatnonzero(edits.sample(person, range(60)).edited()).tolist()


def test_an_action_that_is_slid_takes_rows_and_edits_along(person: bpy.types.Collection) -> None:
    edits.key_row(person, 20, moved(), [WRIST])
    before = edits.sample(person, range(60))
    for curve in curves_of(part_of(person, "TARGETS")):
        for point in curve.keyframe_points:
            for name in ("co", "handle_left", "handle_right"):
                getattr(point, name).x += 50
    assert same(edits.sample(person, range(60)), before, 1e-5)
    assert edits.row_near(person, 71) == 20


def test_a_falloff_key_that_an_artist_moves_is_an_edit(person: bpy.types.Collection) -> None:
    edits.key_row(person, 20, moved(), [WRIST])
    for curve in curves_of(part_of(person, "TARGETS")):
        if curve.data_path == 'pose.bones["wrist.L"].location':
            curve.keyframe_points[0].co.y += 0.02
            curve.update()
    assert edits.edited_frames(person, selected_only=False).tolist() == [15, 21]
    edits.key_row(person, 17, moved(), [WRIST])
    assert controls_curves(person)['pose.bones["wrist.L"].location', 1][:, 0].tolist() == [15, 18, 21, 27]
