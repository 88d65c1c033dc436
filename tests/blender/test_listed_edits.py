"""The edits of a file on a person's controls: what they name is keyed, the rest stays, and twice is once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from pchmr.inference_backend.errors import BadArgument, SceneChanged
from pchmr.inference_backend.skeletons import JOINTS
from pchmr.pchmr_blender.core.edit_list import read_edits
from pchmr.pchmr_blender.core.edit_rows import EditRows
from pchmr.pchmr_blender.core.takes import PersonView
from pchmr.pchmr_blender.scene.curve_stamp import stamp_of
from pchmr.pchmr_blender.scene.edit_state import committed
from pchmr.pchmr_blender.scene.edits import key_rows, sample
from pchmr.pchmr_blender.scene.handles import part_of
from pchmr.pchmr_blender.scene.listed_edits import key_edits, planned
from pchmr.pchmr_blender.scene.take_paths import open_person

from .scenes import bring, show
from .takes import make_take

WRIST, HEAD = JOINTS.index("left_wrist"), JOINTS.index("head")

pytestmark = pytest.mark.usefixtures("extension")


@pytest.fixture
def people(tmp_path: Path) -> list[bpy.types.Collection]:
    """Two people of one take, whose first frame is the footage's tenth."""
    return bring(make_take(tmp_path / "dance.take", frames=30, people=2, first_frame=10), existing="COPY")


def apply(people: list[bpy.types.Collection], *edits: dict[str, Any]) -> None:
    shown = {person.pchmr.person: person for person in people}
    views = {index: open_person(person)[1] for index, person in shown.items()}
    plan = planned(read_edits(list(edits)).edits, shown, views)
    for index, person in shown.items():
        key_edits(person, views[index], [one for one in plan if one.person == index])


def said(person: bpy.types.Collection) -> EditRows:
    """What the controls say of all rows."""
    return sample(person, np.arange(30))


def view_of(person: bpy.types.Collection) -> PersonView:
    return open_person(person)[1]


def test_an_offset_comes_in_and_goes_out(people: list[bpy.types.Collection]) -> None:
    apply(
        people, {"person": 1, "frames": "20-22", "joint": "left_wrist", "offset": [0.1, 0.2, -0.1], "falloff": [3, 5]}
    )
    offset = said(people[1]).offset[:, WRIST]
    assert np.allclose(offset[10:13], [0.1, 0.2, -0.1], atol=1e-6)
    assert np.abs(offset[[0, 7, 17, 29]]).max() < 1e-6
    assert (np.abs(offset[[8, 9, 13, 16]]).max(1) > 1e-3).all()
    assert committed(people[1]).tolist() == list(range(7, 18))
    assert not said(people[0]).edited().any()
    assert not len(committed(people[0]))


def test_a_joint_is_led_to_a_place(people: list[bpy.types.Collection]) -> None:
    place = view_of(people[0]).joints_base[5, WRIST] + [0.03, -0.1, 0.2]
    apply(people, {"person": 0, "frames": 15, "joint": "wrist.L", "to": place.tolist(), "stretch": 1})
    show(1 + 15)
    targets = part_of(people[0], "TARGETS")
    control = targets.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones["wrist.L"]
    assert np.allclose(targets.matrix_world @ control.head, place, atol=1e-4)
    assert said(people[0]).stretch[5, WRIST] == pytest.approx(1)


def test_a_joint_is_led_to_a_place_wherever_the_body_is(people: list[bpy.types.Collection]) -> None:
    place = view_of(people[0]).joints_base[5, WRIST] + [0.03, -0.1, 0.2]
    whole = {"person": 0, "frames": "12-18", "joint": "pelvis", "offset": [0.5, 0.1, -0.2]}
    apply(people, whole, {"person": 0, "frames": 15, "joint": "wrist.L", "to": place.tolist()})
    show(1 + 15)
    targets = part_of(people[0], "TARGETS")
    bones = targets.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
    assert np.allclose(bones["wrist.L"].head, place, atol=1e-4)
    assert np.allclose(bones["head"].head, view_of(people[0]).joints_base[5, HEAD] + [0.5, 0.1, -0.2], atol=1e-4)


def test_turn_and_strength(people: list[bpy.types.Collection]) -> None:
    apply(people, {"person": 0, "frames": "12-14", "joint": "head", "turn": [0, 90, 0], "strength": 0.25})
    edits = said(people[0])
    assert np.allclose(edits.turn[2:5, HEAD], [np.sqrt(0.5), 0, np.sqrt(0.5), 0], atol=1e-6)
    assert np.allclose(edits.strength[2:5, HEAD], 0.25)
    assert not np.abs(edits.offset).any()


def test_what_an_edit_does_not_name_stays(people: list[bpy.types.Collection]) -> None:
    """An offset that an artist holds over the whole clip must not fall off around a strength of a few frames."""
    values = EditRows.none(2)
    values.offset[:, WRIST] = 0.1
    key_rows(people[0], [0, 29], values, [WRIST])
    before = said(people[0]).offset
    apply(people, {"person": 0, "frames": "20-22", "joint": "left_wrist", "strength": 0})
    assert np.allclose(said(people[0]).offset, before, atol=1e-6)


def test_later_ones_win_and_twice_is_once(people: list[bpy.types.Collection]) -> None:
    edits = (
        {"person": 0, "frames": "15-20", "joint": "left_wrist", "offset": [0, 0.1, 0]},
        {"person": 0, "frames": "19-30,35", "joint": "left_wrist", "offset": [0, 0.2, 0], "turn": [20, 0, 0]},
        {"person": 0, "frames": "38", "joint": "left_wrist", "offset": [0, 0.3, 0], "falloff": 1},
        {"person": 0, "frames": "12-30", "joint": "left_wrist", "strength": 0.5},
    )
    apply(people, *edits)
    targets = part_of(people[0], "TARGETS")
    first, stamp, rows = said(people[0]), stamp_of(targets), committed(people[0])
    assert first.offset[[5, 9, 20, 25], WRIST, 1] == pytest.approx([0.1, 0.2, 0.2, 0.2], abs=1e-6)
    apply(people, *edits)
    again = said(people[0])
    assert all(np.allclose(getattr(again, name), getattr(first, name), atol=1e-6) for name in ("offset", "turn"))
    assert (again.hashes("") == first.hashes("")).all()
    assert stamp_of(targets) == stamp
    assert committed(people[0]).tolist() == rows.tolist()


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"frames": 12}, r"edits\[1\]\.person: missing, and the \.blend shows 2 people"),
        ({"frames": 12, "person": 2}, r"edits\[1\]\.person: the \.blend shows no person 2"),
        ({"frames": "38-40", "person": 0}, r"edits\[1\]\.frames: 38-40 is outside of the take"),
        ({"frames": 12, "person": 0, "offset": ..., "to": [0, 0, 100]}, r"edits\[1\]\.to: .* m away"),
    ],
)
def test_nothing_is_changed_where_one_cannot_be_applied(
    people: list[bpy.types.Collection], edit: dict[str, Any], message: str
) -> None:
    good = {"person": 0, "frames": 12, "joint": "head", "offset": [0, 0, 0.1]}
    bad = {key: value for key, value in {**good, "person": ..., **edit}.items() if value is not ...}
    with pytest.raises(BadArgument, match=message):
        apply(people, good, bad)
    assert not said(people[0]).edited().any()


def test_a_person_without_targets(people: list[bpy.types.Collection]) -> None:
    bpy.data.objects.remove(part_of(people[0], "TARGETS"))
    with pytest.raises(SceneChanged, match="no targets"):
        apply(people[:1], {"frames": 12, "joint": "head", "strength": 0})


def test_the_stamp_sees_every_change_of_a_curve(people: list[bpy.types.Collection]) -> None:
    apply(people, {"person": 0, "frames": "12-14", "joint": "head", "offset": [0, 0, 0.1]})
    targets = part_of(people[0], "TARGETS")
    from pchmr.pchmr_blender.scene.actions import curves_of

    curve = next(one for one in curves_of(targets) if one.data_path.startswith('pose.bones["head"].location'))
    stamps = {stamp_of(targets)}
    for change in (
        lambda: setattr(curve.keyframe_points[1].co, "y", 0.5),
        lambda: setattr(curve.keyframe_points[1].handle_left, "x", curve.keyframe_points[1].co.x - 0.5),
        lambda: setattr(curve.keyframe_points[1], "interpolation", "LINEAR"),
        lambda: setattr(curve, "mute", True),
        lambda: setattr(curve, "extrapolation", "LINEAR"),
        lambda: curve.keyframe_points.remove(curve.keyframe_points[0]),
        lambda: curve.modifiers.new("NOISE"),
    ):
        change()
        stamps.add(stamp_of(targets))
    assert len(stamps) == 8
    assert stamp_of(targets) != stamp_of(targets)  # a modifier may say anything
