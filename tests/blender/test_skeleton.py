from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from pchmr.pchmr_blender.core.skeleton import BONE_NAMES, rest_bones
from pchmr.pchmr_blender.core.takes import PersonView, open_view
from pchmr.pchmr_blender.core.timing import Placing
from pchmr.pchmr_blender.scene import actions

from ..people import PARENTS, MadeUpPerson
from .parts import create_skeleton, key_skeleton
from .takes import make_take

PLACING = Placing(fps=24.0, start=1.0)


@pytest.fixture(autouse=True)
def collection() -> bpy.types.Collection:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    made = bpy.data.collections.new("Clip")
    bpy.context.scene.collection.children.link(made)
    return made


def heads(skeleton: bpy.types.Object, frame: float) -> np.ndarray:
    """(24, 3) heads of the evaluated pose bones in the world."""
    bpy.context.scene.frame_set(int(frame // 1), subframe=frame % 1)
    evaluated = skeleton.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array([evaluated.matrix_world @ evaluated.pose.bones[name].head for name in BONE_NAMES])


def worst(skeleton: bpy.types.Object, person: MadeUpPerson | PersonView, placing: Placing = PLACING) -> float:
    """Farthest that any joint of any frame is from its place, in metres."""
    frames = placing.frames(person.seconds)
    return max(
        np.linalg.norm(heads(skeleton, f) - j, axis=-1).max() for f, j in zip(frames, person.joints, strict=True)
    )


def test_bones_have_the_person_s_rest_pose(collection: bpy.types.Collection) -> None:
    person = MadeUpPerson()
    skeleton = create_skeleton(person, PLACING, collection, "Clip")
    rest = rest_bones(person.rest_joints)
    bones = skeleton.data.bones
    assert (skeleton.name, skeleton.users_collection) == ("Clip Skeleton", (collection,))
    assert {bone.name for bone in bones} == set(BONE_NAMES)
    for joint, name in enumerate(BONE_NAMES):
        bone = bones[name]
        assert (bone.parent.name if bone.parent else None) == (BONE_NAMES[PARENTS[joint]] if joint else None)
        assert np.allclose(bone.head_local, rest.heads[joint], atol=1e-6)
        assert np.allclose(bone.tail_local, rest.tails[joint], atol=1e-6)
        assert np.allclose(np.array(bone.matrix_local)[:3, :3], rest.matrices[joint], atol=1e-5), bone.name


@pytest.mark.parametrize("placing", [PLACING, Placing(29.97, -3.2), Placing(60.0, 1001.0)])
def test_joints_are_met_within_a_millimetre_in_every_frame(collection: bpy.types.Collection, placing: Placing) -> None:
    person = MadeUpPerson()
    assert worst(create_skeleton(person, placing, collection, "Clip"), person, placing) < 0.001


def test_the_joints_of_takes_on_disk_are_met(collection: bpy.types.Collection, tmp_path: Path) -> None:
    seconds = [0.0, 0.02, 0.09, 0.1, 0.17, 0.31]  # a phone's variable rate
    view = open_view(make_take(tmp_path / "two.take", frames=6, people=2, seconds=seconds))
    for person in view.people:
        skeleton = create_skeleton(person, PLACING, collection, f"Clip {person.index}")
        assert worst(skeleton, person) < 0.001


def test_only_the_pelvis_has_locations(collection: bpy.types.Collection) -> None:
    skeleton = create_skeleton(MadeUpPerson(), PLACING, collection, "Clip")
    paths = [curve.data_path for curve in actions.curves_of(skeleton)]
    assert len(paths) == 24 * 4 + 3
    assert {path for path in paths if path.endswith("location")} == {'pose.bones["pelvis"].location'}
    assert {group.name for group in actions.groups_of(skeleton)} == set(BONE_NAMES)
    assert not any(skeleton.pose.bones["pelvis"].lock_location)
    assert all(skeleton.pose.bones["elbow.L"].lock_location)


def test_a_stretched_bone_is_met_too(collection: bpy.types.Collection) -> None:
    person = MadeUpPerson()
    person.joints[4:8, 18] += [0.01, 0.02, 0.0]
    skeleton = create_skeleton(person, PLACING, collection, "Clip")
    assert worst(skeleton, person) < 0.001
    located = {curve.data_path for curve in actions.curves_of(skeleton) if curve.data_path.endswith("location")}
    assert 'pose.bones["elbow.L"].location' in located
    assert not any(skeleton.pose.bones["elbow.L"].lock_location)


def test_keys_stand_at_the_seconds_times_the_rate(collection: bpy.types.Collection) -> None:
    person = MadeUpPerson()
    skeleton = create_skeleton(person, PLACING, collection, "Clip")
    for curve in actions.curves_of(skeleton):
        assert np.allclose(actions.read_curve(curve)[:, 0], 1 + 24 * person.seconds, atol=1e-5)
    assert {point.interpolation for point in curve.keyframe_points} == {"LINEAR"}


def test_between_keys_nothing_tumbles(collection: bpy.types.Collection) -> None:
    person = MadeUpPerson(frame_count=40)
    skeleton = create_skeleton(person, PLACING, collection, "Clip")
    frames = PLACING.frames(person.seconds)
    for before, after in zip(range(39), range(1, 40), strict=True):
        middle = heads(skeleton, (frames[before] + frames[after]) / 2)
        between = (person.joints[before] + person.joints[after]) / 2
        step = np.linalg.norm(person.joints[after] - person.joints[before], axis=-1).max()
        assert np.linalg.norm(middle - between, axis=-1).max() < 0.5 * step


def test_collections_and_colours_tell_the_parts_apart(collection: bpy.types.Collection) -> None:
    armature = create_skeleton(MadeUpPerson(), PLACING, collection, "Clip").data
    assert {held.name for held in armature.collections} == {"Spine", "Leg.L", "Leg.R", "Arm.L", "Arm.R"}
    assert {bone.name for bone in armature.collections["Leg.L"].bones} == {"hip.L", "knee.L", "ankle.L", "foot.L"}
    palettes = {name: armature.bones[name].color.palette for name in ("hip.L", "hip.R", "pelvis")}
    assert len(set(palettes.values())) == 3
    assert "DEFAULT" not in palettes.values()


def test_keying_again_replaces(collection: bpy.types.Collection) -> None:
    skeleton = create_skeleton(MadeUpPerson(), PLACING, collection, "Clip")
    longer = MadeUpPerson(frame_count=20)
    key_skeleton(skeleton, longer, PLACING)
    assert len(list(actions.curves_of(skeleton))) == 24 * 4 + 3
    assert worst(skeleton, longer) < 0.001


def test_selection_active_object_and_mode_stay(collection: bpy.types.Collection) -> None:
    scene = bpy.context.scene
    bystanders = [bpy.data.objects.new(name, bpy.data.armatures.new(name)) for name in ("Active", "Selected", "Not")]
    for thing in bystanders:
        scene.collection.objects.link(thing)
    active, selected, other = bystanders
    bpy.context.view_layer.objects.active = active
    selected.select_set(True)
    bpy.ops.object.mode_set(mode="POSE")
    skeleton = create_skeleton(MadeUpPerson(), PLACING, collection, "Clip")
    assert bpy.context.view_layer.objects.active == active
    assert (active.mode, selected.mode, skeleton.mode) == ("POSE", selected.mode, "OBJECT")
    assert selected.select_get()
    assert not any(thing.select_get() for thing in (other, skeleton))
    assert skeleton.users_collection == (collection,)


@pytest.mark.parametrize("how", ["excluded", "hidden", "unlinked", "the scene's own"])
def test_any_collection_will_do(collection: bpy.types.Collection, how: str) -> None:
    if how == "excluded":
        bpy.context.view_layer.layer_collection.children["Clip"].exclude = True
    elif how == "hidden":
        collection.hide_viewport = True
    elif how == "unlinked":
        bpy.context.scene.collection.children.unlink(collection)
    else:
        collection = bpy.context.scene.collection
    skeleton = create_skeleton(MadeUpPerson(), PLACING, collection, "Clip")
    assert skeleton.users_collection == (collection,)
    assert len(skeleton.data.bones) == 24


def test_a_take_of_one_frame_has_one_key(collection: bpy.types.Collection) -> None:
    person = MadeUpPerson(frame_count=1)
    skeleton = create_skeleton(person, PLACING, collection, "Clip")
    assert worst(skeleton, person) < 0.001


def test_saving_keeps_it(collection: bpy.types.Collection, tmp_path: Path) -> None:
    person = MadeUpPerson()
    create_skeleton(person, PLACING, collection, "Clip")
    path = str(tmp_path / "a b ü.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=path)
    skeleton = bpy.data.objects["Clip Skeleton"]
    assert worst(skeleton, person) < 0.001
    key_skeleton(skeleton, person, Placing(30.0, 7.0))
    assert worst(skeleton, person, Placing(30.0, 7.0)) < 0.001


def test_undo_and_redo_keep_it(collection: bpy.types.Collection) -> None:
    person = MadeUpPerson()
    bpy.ops.ed.undo_push(message="before")
    create_skeleton(person, PLACING, collection, "Clip")
    bpy.ops.ed.undo_push(message="made")
    bpy.data.objects["Clip Skeleton"].location.x = 3
    bpy.ops.ed.undo_push(message="moved")
    bpy.ops.ed.undo()
    assert worst(bpy.data.objects["Clip Skeleton"], person) < 0.001
    bpy.ops.ed.undo()
    assert "Clip Skeleton" not in bpy.data.objects
    bpy.ops.ed.redo()
    assert worst(bpy.data.objects["Clip Skeleton"], person) < 0.001
