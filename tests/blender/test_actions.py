from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from pchmr.pchmr_blender.scene import actions, versions

FRAMES = np.array([1.0, 2.5, 3.999, 10.25])
VALUES = np.arange(12, dtype=np.float64).reshape(4, 3)


@pytest.fixture(autouse=True)
def empty() -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)


def an_object(name: str = "Thing") -> bpy.types.Object:
    created = bpy.data.objects.new(name, None)
    bpy.context.scene.collection.objects.link(created)
    return created


def shape_keys() -> bpy.types.Key:
    thing = bpy.data.objects.new("Body", bpy.data.meshes.new("Body"))
    bpy.context.scene.collection.objects.link(thing)
    thing.shape_key_add(name="Basis")
    return thing.data.shape_keys


def keys_of(owner: bpy.types.ID) -> dict[tuple[str, int], np.ndarray]:
    return {(curve.data_path, curve.array_index): actions.read_curve(curve) for curve in actions.curves_of(owner)}


def test_curves_hold_the_values_at_fractional_frames() -> None:
    thing = an_object()
    actions.new_action(thing, "Take")
    actions.write_curves(thing, "location", FRAMES, VALUES, group="Root")
    keys = keys_of(thing)
    assert set(keys) == {("location", 0), ("location", 1), ("location", 2)}
    for index in range(3):
        assert np.allclose(keys["location", index], np.stack([FRAMES, VALUES[:, index]], -1))
    assert [group.name for group in actions.groups_of(thing)] == ["Root"]
    assert {curve.group.name for curve in actions.curves_of(thing)} == {"Root"}


def test_the_property_follows_linearly_between_keys() -> None:
    thing = an_object()
    actions.new_action(thing, "Take")
    actions.write_curves(thing, "location", FRAMES, VALUES)
    scene = bpy.context.scene
    for frame, expected in ((1, 0.0), (2, 2.0), (10, 9 - 3 * 0.25 / 6.251), (20, 9.0)):
        scene.frame_set(frame)
        assert thing.location.x == pytest.approx(expected, abs=1e-4)
    point = next(actions.curves_of(thing)).keyframe_points[0]
    assert point.interpolation == "LINEAR"
    assert not any((point.select_control_point, point.select_left_handle, point.select_right_handle))


def test_interpolation_is_what_was_asked_for() -> None:
    thing = an_object()
    actions.new_action(thing, "Take")
    for name in ("CONSTANT", "BEZIER", "LINEAR", "CUBIC"):
        actions.write_curves(thing, "location", FRAMES, VALUES, interpolation=name)
        assert {p.interpolation for c in actions.curves_of(thing) for p in c.keyframe_points} == {name}


def test_writing_again_replaces_and_duplicates_nothing() -> None:
    thing = an_object()
    actions.new_action(thing, "Take")
    actions.write_curves(thing, "location", FRAMES, VALUES, group="Root")
    next(actions.curves_of(thing)).lock = True
    actions.write_curves(thing, "location", FRAMES, VALUES + 1, group="Root")
    assert np.allclose(keys_of(thing)["location", 2][:, 1], VALUES[:, 2] + 1)
    actions.write_curves(thing, "location", FRAMES[:2], VALUES[:2])
    keys = keys_of(thing)
    assert len(keys) == 3
    assert all(len(key) == 2 for key in keys.values())
    actions.write_curves(thing, "location", np.arange(30.0), np.zeros((30, 3)))
    assert all(len(key) == 30 for key in keys_of(thing).values())
    assert next(actions.curves_of(thing)).lock
    assert len(list(actions.groups_of(thing))) == 1


def test_a_plain_number_is_one_curve() -> None:
    keys = shape_keys()
    actions.new_action(keys, "Take")
    actions.write_curves(keys, "eval_time", FRAMES, VALUES[:, 0])
    assert np.allclose(keys_of(keys)["eval_time", 0], np.stack([FRAMES, VALUES[:, 0]], -1))
    bpy.context.scene.frame_set(1, subframe=0.75)
    assert keys.eval_time == pytest.approx(1.5, abs=1e-4)


def test_owners_share_an_action_where_slots_exist() -> None:
    one, two, keys = an_object("One"), an_object("Two"), shape_keys()
    action = actions.new_action(one, "Take")
    for owner in (two, keys):
        actions.new_action(owner, f"Take {owner.name}", share_with=action)
    actions.write_curves(one, "location", FRAMES, VALUES)
    actions.write_curves(two, "location", FRAMES, VALUES + 5)
    actions.write_curves(keys, "eval_time", FRAMES, VALUES[:, 0])
    assert [len(keys_of(owner)) for owner in (one, two, keys)] == [3, 3, 1]
    assert np.allclose(keys_of(two)["location", 0][:, 1], VALUES[:, 0] + 5)
    bpy.context.scene.frame_set(1)
    assert (one.location.x, two.location.x) == (0, 5)
    if versions.has_slots():
        assert {actions.action_of(owner) for owner in (one, two, keys)} == {action}
        assert len(action.slots) == 3
        actions.new_action(two, "Take", share_with=action)
        assert len(action.slots) == 3
    else:
        assert len({actions.action_of(owner) for owner in (one, two, keys)}) == 3


def test_removing_leaves_the_others_curves() -> None:
    one, two = an_object("One"), an_object("Two")
    action = actions.new_action(one, "Take")
    actions.new_action(two, "Take Two", share_with=action)
    actions.write_curves(one, "location", FRAMES, VALUES)
    actions.write_curves(two, "location", FRAMES, VALUES)
    actions.remove_action(two)
    assert actions.action_of(two) is None
    assert not list(actions.curves_of(two))
    assert len(keys_of(one)) == 3
    assert len(bpy.data.actions) == 1
    actions.remove_action(one)
    assert not bpy.data.actions
    actions.remove_action(one)


def test_another_object_of_the_same_name_gets_its_own_slot() -> None:
    one = an_object("One")
    action = actions.new_action(one, "Take")
    actions.write_curves(one, "location", FRAMES, VALUES)
    one.name = "Renamed"
    other = an_object("One")
    actions.new_action(other, "Take", share_with=action)
    actions.write_curves(other, "location", FRAMES, VALUES + 1)
    assert np.allclose(keys_of(one)["location", 0][:, 1], VALUES[:, 0])


def test_what_does_not_fit_is_refused() -> None:
    thing = an_object()
    assert not list(actions.curves_of(thing))
    assert not list(actions.groups_of(thing))
    with pytest.raises(ValueError, match="new_action first"):
        actions.write_curves(thing, "location", FRAMES, VALUES)
    actions.new_action(thing, "Take")
    assert not list(actions.curves_of(thing))
    with pytest.raises(ValueError, match="frames for values of shape"):
        actions.write_curves(thing, "location", FRAMES[:3], VALUES)
    with pytest.raises(ValueError, match="rise"):
        actions.write_curves(thing, "location", FRAMES[::-1], VALUES)
    with pytest.raises(ValueError, match="finite"):
        actions.write_curves(thing, "location", FRAMES, VALUES * np.nan)
    assert not list(actions.curves_of(thing))


def test_curves_outlive_saving(tmp_path: Path) -> None:
    thing, keys = an_object(), shape_keys()
    action = actions.new_action(thing, "Take")
    actions.new_action(keys, "Take Body", share_with=action)
    actions.write_curves(thing, "location", FRAMES, VALUES)
    actions.write_curves(keys, "eval_time", FRAMES, VALUES[:, 0])
    path = tmp_path / "Übung 1.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=str(path))
    assert len(keys_of(bpy.data.objects["Thing"])) == 3
    assert np.allclose(keys_of(bpy.data.meshes["Body"].shape_keys)["eval_time", 0][:, 1], VALUES[:, 0])
