from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from pchmr.inference_backend.errors import SceneChanged
from pchmr.pchmr_blender.core.skeleton import BONE_NAMES, rest_bones
from pchmr.pchmr_blender.core.timing import Placing
from pchmr.pchmr_blender.scene import actions, versions
from pchmr.pchmr_blender.scene.targets import TURNED, WHOLE_BODY, base_name, controls_of

from ..people import MadeUpPerson, turned
from .parts import create_skeleton, create_targets, key_targets

PLACING = Placing(fps=24.0, start=1.0)


@pytest.fixture(autouse=True)
def collection() -> bpy.types.Collection:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    made = bpy.data.collections.new("Clip")
    bpy.context.scene.collection.children.link(made)
    return made


def matrices(targets: bpy.types.Object, frame: float, name: object = str) -> np.ndarray:
    """(24, 4, 4) of the evaluated controls, or of their bases with `base_name`, in the world."""
    bpy.context.scene.frame_set(int(frame // 1), subframe=frame % 1)
    evaluated = targets.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array([evaluated.matrix_world @ evaluated.pose.bones[name(bone)].matrix for bone in BONE_NAMES])


def worst(targets: bpy.types.Object, person: MadeUpPerson, name: object = str) -> float:
    """Farthest that any control of any frame is from its joint, in metres."""
    frames = PLACING.frames(person.seconds)
    places = [matrices(targets, frame, name)[:, :3, 3] for frame in frames]
    return float(np.linalg.norm(np.array(places) - person.joints_target, axis=-1).max())


@pytest.mark.parametrize("name", [str, base_name])
def test_controls_and_bases_stand_on_the_target_joints(collection: bpy.types.Collection, name: object) -> None:
    person = MadeUpPerson()
    assert worst(create_targets(person, PLACING, collection, "Clip"), person, name) < 1e-5


def test_they_turn_as_the_skeleton_s_bones(collection: bpy.types.Collection) -> None:
    person = MadeUpPerson()
    skeleton = create_skeleton(person, PLACING, collection, "Clip")
    targets = create_targets(person, PLACING, collection, "Clip")
    for frame in PLACING.frames(person.seconds):
        assert np.allclose(matrices(targets, frame)[:, :3, :3], matrices(skeleton, frame)[:, :3, :3], atol=2e-5)


def test_an_edit_is_an_offset_in_the_bone_s_own_axes(collection: bpy.types.Collection) -> None:
    person = MadeUpPerson()
    targets = create_targets(person, PLACING, collection, "Clip")
    targets.pose.bones["elbow.L"].location = (0.0, 0.05, 0.0)
    joint, rest = BONE_NAMES.index("elbow.L"), rest_bones(person.rest_joints)
    for row, frame in enumerate(PLACING.frames(person.seconds)):
        along = person.rotations[row, joint] @ rest.matrices[joint, :, 1]
        expected = person.joints_target[row].copy()
        expected[joint] += 0.05 * along
        assert np.allclose(matrices(targets, frame)[:, :3, 3], expected, atol=1e-5)


def test_between_two_keys_the_whole_body_s_offset_does_not_turn_with_it(collection: bpy.types.Collection) -> None:
    person = MadeUpPerson()
    quarter = turned(np.array([0, 0, 1.0]), np.linspace(0, np.pi / 2, person.frame_count))
    person.rotations = quarter[:, None] @ person.rotations[:1]
    targets, frames = create_targets(person, PLACING, collection, "Clip"), PLACING.frames(person.seconds)
    control = targets.pose.bones[WHOLE_BODY]
    by = np.array([0.1, -0.05, 0.2])
    control.location = rest_bones(person.rest_joints).matrices[0].T @ by
    for frame in frames[[0, -1]]:
        control.keyframe_insert("location", frame=frame)
    for frame in frames:
        moved, base = (matrices(targets, frame, name) for name in (str, base_name))
        assert np.allclose(moved[:, :3, 3] - base[:, :3, 3], by, atol=1e-5)
        assert np.allclose(moved[:, :3, :3], base[:, :3, :3], atol=1e-5)


def test_targets_of_an_earlier_version_are_refused(collection: bpy.types.Collection) -> None:
    targets = create_targets(MadeUpPerson(), PLACING, collection, "Clip")
    assert len(controls_of(targets)) == 24
    bpy.context.view_layer.objects.active = targets
    bpy.ops.object.mode_set(mode="EDIT")
    bones = targets.data.edit_bones
    bones[WHOLE_BODY].parent = bones[base_name(WHOLE_BODY)]
    bpy.ops.object.mode_set(mode="OBJECT")
    with pytest.raises(SceneChanged, match="hangs on another bone"):
        controls_of(targets)


def test_controls_have_no_keys_and_keep_those_of_the_artist(collection: bpy.types.Collection) -> None:
    person = MadeUpPerson()
    targets = create_targets(person, PLACING, collection, "Clip")
    bases = {f'pose.bones["{base_name(bone)}"]' for bone in BONE_NAMES}
    assert {curve.data_path.rpartition(".")[0] for curve in actions.curves_of(targets)} == bases
    assert len(list(actions.curves_of(targets))) == 24 * 7
    control = targets.pose.bones["wrist.R"]
    control.location = (0, 0.1, 0)
    control.keyframe_insert("location", frame=20)
    key_targets(targets, MadeUpPerson(frame_count=30), PLACING)
    keys = {(curve.data_path, curve.array_index): actions.read_curve(curve) for curve in actions.curves_of(targets)}
    assert len(keys) == 24 * 7 + 3
    assert np.allclose(keys['pose.bones["wrist.R"].location', 1], [[20, 0.1]])
    assert len(keys['pose.bones["wrist_base.R"].location', 1]) == 30


def test_only_controls_can_be_taken(collection: bpy.types.Collection) -> None:
    targets = create_targets(MadeUpPerson(), PLACING, collection, "Clip")
    armature = targets.data
    assert {held.name for held in armature.collections} == {"Base", "Controls"}
    assert {bone.name for bone in armature.collections["Controls"].bones} == set(BONE_NAMES)
    assert {bone.name for bone in armature.collections["Base"].bones} == {base_name(bone) for bone in BONE_NAMES}
    bpy.context.view_layer.objects.active = targets
    bpy.ops.object.mode_set(mode="POSE")
    bpy.ops.pose.select_all(action="SELECT")
    assert {bone.name for bone in targets.pose.bones if versions.bone_selected(bone)} == set(BONE_NAMES)
    for bone in BONE_NAMES:
        base, control = targets.pose.bones[base_name(bone)], targets.pose.bones[bone]
        assert base.bone.hide_select
        assert all((*base.lock_location, *base.lock_rotation, *base.lock_scale, base.lock_rotation_w))
        assert not any(control.lock_location)
        assert all(control.lock_scale)
        assert any(control.lock_rotation) == (bone not in TURNED)
        assert control.parent == (None if bone == WHOLE_BODY else base)


def test_bases_are_short_and_never_stretch(collection: bpy.types.Collection) -> None:
    person = MadeUpPerson()
    targets = create_targets(person, PLACING, collection, "Clip")
    for frame in PLACING.frames(person.seconds)[::4]:
        bpy.context.scene.frame_set(int(frame), subframe=frame % 1)
        for bone in BONE_NAMES:
            base = targets.pose.bones[base_name(bone)]
            assert base.length == pytest.approx(0.017, abs=1e-5)
            assert np.allclose(base.matrix.to_scale(), 1, atol=1e-5)
            assert not base.bone.use_connect


def test_names_flip_from_side_to_side() -> None:
    assert base_name("elbow.L") == "elbow_base.L"
    assert base_name("pelvis") == "pelvis_base"
    assert bpy.utils.flip_name(base_name("elbow.L")) == base_name("elbow.R")


def test_all_people_share_one_round_shape(collection: bpy.types.Collection) -> None:
    people = [create_targets(MadeUpPerson(), PLACING, collection, name) for name in ("One", "Two")]
    shapes = {bone.custom_shape for targets in people for bone in targets.pose.bones if bone.name in BONE_NAMES}
    assert len(shapes) == 1
    (ball,) = shapes
    assert np.allclose([np.linalg.norm(vertex.co) for vertex in ball.data.vertices], 1, atol=1e-6)
    assert not ball.users_collection
    assert len(bpy.data.meshes) == 1


def test_the_action_is_shared_with_the_skeleton_where_slots_exist(collection: bpy.types.Collection) -> None:
    person = MadeUpPerson()
    skeleton = create_skeleton(person, PLACING, collection, "Clip")
    action = actions.action_of(skeleton)
    targets = create_targets(person, PLACING, collection, "Clip", share_with=action)
    assert action.name == "Clip"
    assert (actions.action_of(targets) == action) == versions.has_slots()
    assert worst(targets, person) < 1e-5
    assert len(list(actions.curves_of(skeleton))) == 24 * 4 + 3


def test_saving_keeps_it_with_the_artist_s_keys(collection: bpy.types.Collection, tmp_path: Path) -> None:
    person = MadeUpPerson()
    targets = create_targets(person, PLACING, collection, "Clip")
    targets.pose.bones["head"].location = (0, 0.02, 0)
    targets.pose.bones["head"].keyframe_insert("location", frame=20)
    path = str(tmp_path / "a b ü.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=path)
    targets = bpy.data.objects["Clip Targets"]
    assert worst(targets, person, base_name) < 1e-5
    assert worst(targets, person) == pytest.approx(0.02, abs=1e-5)
    assert targets.pose.bones["head"].custom_shape == targets.pose.bones["hip.L"].custom_shape is not None


def test_undo_and_redo_keep_it(collection: bpy.types.Collection) -> None:
    person = MadeUpPerson()
    bpy.ops.ed.undo_push(message="before")
    create_targets(person, PLACING, collection, "Clip")
    bpy.ops.ed.undo_push(message="made")
    bpy.data.objects["Clip Targets"].pose.bones["head"].location.y = 0.3
    bpy.ops.ed.undo_push(message="edited")
    bpy.ops.ed.undo()
    assert worst(bpy.data.objects["Clip Targets"], person) < 1e-5
    bpy.ops.ed.redo()
    assert worst(bpy.data.objects["Clip Targets"], person) == pytest.approx(0.3, abs=1e-5)
    assert worst(bpy.data.objects["Clip Targets"], person, base_name) < 1e-5
