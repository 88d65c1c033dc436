"""A take's motion on other armatures, judged by the joints that Blender then shows."""

from __future__ import annotations

import math
from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Matrix

from pchmr.inference_backend.errors import BadArgument, SceneChanged
from pchmr.pchmr_blender import session
from pchmr.pchmr_blender.core.bone_map import BoneMap, Switch
from pchmr.pchmr_blender.core.retarget import RetargetSettings, RootMotion
from pchmr.pchmr_blender.scene import rig_action, rig_maps
from pchmr.pchmr_blender.scene.actions import action_of, curves_of
from pchmr.pchmr_blender.scene.handles import find_part
from pchmr.pchmr_blender.scene.retarget import Outcome, retarget_person
from pchmr.pchmr_blender.scene.retarget_settings import show_map
from pchmr.pchmr_blender.scene.rig_maps import guess_map

from ..rigs import BUILDS, make_rig, write_bvh
from .rigify_rigs import generated, metarig, require_rigify
from .scenes import inventory
from .takes import make_take

pytestmark = pytest.mark.usefixtures("extension")

FREE = RetargetSettings(foot_lock=False)
LIMBS = (
    ("upper_arm", "forearm", "shoulder", "elbow"), ("forearm", "hand", "elbow", "wrist"),
    ("thigh", "shin", "hip", "knee"), ("shin", "foot", "knee", "ankle"),
)  # fmt: skip
FRAMES = 12


@pytest.fixture
def walk(tmp_path: Path) -> bpy.types.Collection:
    """A take in the scene."""
    session.current.dismiss()
    bpy.ops.pchmr.import_take(directory=str(make_take(tmp_path / "walk.take", frames=FRAMES)))
    return bpy.data.collections["walk"]


def truth_of(make: str) -> dict[str, str]:
    """Bones by role, as a BVH names them."""
    return {role: bone.replace(" ", "_") for role, bone in make_rig(make).truth.items()}


def from_bvh(make: str, folder: Path, connected: bool = False) -> bpy.types.Object:
    """A made-up rig, as Blender's own importer brings it."""
    bpy.ops.import_anim.bvh(
        filepath=str(write_bvh(folder / f"{make}.bvh", make_rig(make))), global_scale=1 / BUILDS[make].unit
    )
    armature = bpy.context.object
    armature.animation_data_clear()
    for bone in armature.pose.bones:
        bone.matrix_basis = Matrix.Identity(4)
    if BUILDS[make].root and not connected:
        bpy.ops.object.mode_set(mode="EDIT")
        armature.data.edit_bones[truth_of(make)["pelvis"]].use_connect = False
        bpy.ops.object.mode_set(mode="OBJECT")
    return armature


def bake(person: bpy.types.Collection, armature: bpy.types.Object, chosen: BoneMap | None = None, **options) -> Outcome:
    settings = options.pop("settings", FREE)
    return retarget_person(person, armature, chosen or guess_map(armature), settings, bpy.context.scene, **options)


def joint(armature: bpy.types.Object, bone: str) -> np.ndarray:
    """Where a bone starts, in the world, as it is shown."""
    shown = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array(shown.matrix_world @ shown.pose.bones[bone].head)


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def worst(person: bpy.types.Collection, armature: bpy.types.Object, bones: dict[str, str]) -> float:
    """Farthest that a limb points elsewhere than the take's skeleton, in its own lengths, over all frames."""
    skeleton = find_part(person, "SKELETON")
    found = [0.0]
    for frame in range(1, FRAMES + 1):
        bpy.context.scene.frame_set(frame)
        for side in ("left", "right"):
            for start, end, from_joint, to_joint in LIMBS:
                if f"{side}_{start}" not in bones or f"{side}_{end}" not in bones:
                    continue
                own = joint(armature, bones[f"{side}_{end}"]) - joint(armature, bones[f"{side}_{start}"])
                mark = side[0].upper()
                wanted = joint(skeleton, f"{to_joint}.{mark}") - joint(skeleton, f"{from_joint}.{mark}")
                found.append(float(np.linalg.norm(unit(own) - unit(wanted))))
    assert len(found) > 4 * FRAMES
    return max(found)


@pytest.mark.parametrize("make", BUILDS)
def test_rigs_of_other_makes_move_as_the_take(make: str, walk: bpy.types.Collection, tmp_path: Path) -> None:
    armature = from_bvh(make, tmp_path)
    chosen = guess_map(armature)
    truth = truth_of(make)
    assert {role: bone for role, bone in chosen.bones.items() if role != "root"} == {
        role: bone for role, bone in truth.items() if role != "root"
    }
    outcome = bake(walk, armature, chosen)
    assert outcome.frames == FRAMES
    assert worst(walk, armature, dict(chosen.bones)) < 0.01
    assert outcome.worst < 0.01


def test_presets_are_found_for_the_makes_they_are_for(tmp_path: Path) -> None:
    wanted = {"mixamo": "Mixamo", "ue4": "Unreal Mannequin", "ue5": "Unreal Mannequin", "unity": "Unity Humanoid"}
    found = {make: guess_map(from_bvh(make, tmp_path)).preset for make in BUILDS}
    assert found == {make: wanted.get(make, "") for make in BUILDS}


def test_a_scaled_turned_and_parented_object(walk: bpy.types.Collection, tmp_path: Path) -> None:
    armature = from_bvh("ue4", tmp_path)
    parent = bpy.data.objects.new("Above", None)
    bpy.context.scene.collection.objects.link(parent)
    parent.location, parent.rotation_euler = (1, 2, 0), (0.2, 0.1, 2.0)
    armature.parent = parent
    armature.scale, armature.rotation_euler.z, armature.location = (2.5, 2.5, 2.5), -0.7, (0, 0, 0.3)
    bpy.context.view_layer.update()
    bake(walk, armature)
    assert worst(walk, armature, make_rig("ue4").truth) < 0.01


def test_rolls_euler_modes_and_a_posed_bone_between_do_not_matter(walk: bpy.types.Collection, tmp_path: Path) -> None:
    armature = from_bvh("mixamo", tmp_path)
    bpy.ops.object.mode_set(mode="EDIT")
    for number, bone in enumerate(armature.data.edit_bones):
        bone.use_connect, bone.roll = False, 0.7 * number
    bpy.ops.object.mode_set(mode="OBJECT")
    modes = ("XYZ", "ZYX", "YXZ", "AXIS_ANGLE", "QUATERNION")
    for number, bone in enumerate(armature.pose.bones):
        bone.rotation_mode = modes[number % len(modes)]
    chosen = guess_map(armature)
    bones = {role: bone for role, bone in chosen.bones.items() if role not in ("spine2", "left_clavicle")}
    between = armature.pose.bones[chosen.bones["spine2"]]
    between.rotation_mode, between.rotation_euler = "XYZ", (0.3, 0.2, 0.1)
    bake(walk, armature, BoneMap(bones))
    assert worst(walk, armature, bones) < 0.01
    assert between.rotation_euler.x == pytest.approx(0.3)


def test_rigify_s_metarig(walk: bpy.types.Collection) -> None:
    require_rigify()
    meta = metarig()
    chosen = guess_map(meta)
    assert chosen.preset == "Rigify Metarig"
    assert not chosen.missing()
    bake(walk, meta, chosen)
    assert worst(walk, meta, dict(chosen.bones)) < 0.01


def test_the_rig_that_rigify_generates(walk: bpy.types.Collection) -> None:
    require_rigify()
    rig = generated()
    chosen = guess_map(rig)
    assert chosen.preset == "Rigify"
    assert not chosen.missing()
    outcome = bake(walk, rig, chosen)
    assert not outcome.no_switch
    # What deforms is judged, not the controls.
    deforming = {
        role: "DEF-" + bone.replace("_fk", "")
        for role, bone in chosen.bones.items()
        if role.split("_", 1)[-1] in {part for limb in LIMBS for part in limb[:2]}
    }
    assert worst(walk, rig, deforming) < 0.01
    assert rig.pose.bones["thigh_parent.L"]["IK_FK"] == 1.0
    keyed = {curve.data_path for curve in curves_of(rig)}
    assert 'pose.bones["thigh_parent.L"]["IK_FK"]' in keyed
    # Its feet, held on the floor, and its root below them.
    bake(walk, rig, chosen, settings=RetargetSettings(RootMotion.ROOT))
    bpy.context.scene.frame_set(FRAMES)
    middle = (joint(rig, "DEF-thigh.L") + joint(rig, "DEF-thigh.R")) / 2
    assert np.allclose(joint(rig, "root")[:2], middle[:2], atol=1e-4)


def test_the_floor_and_the_path(walk: bpy.types.Collection, tmp_path: Path) -> None:
    armature = from_bvh("unity", tmp_path)
    outcome = bake(walk, armature)
    skeleton, names = find_part(walk, "SKELETON"), make_rig("unity").truth
    ways = []
    for item, hips in ((skeleton, ("hip.L", "hip.R")), (armature, (names["left_thigh"], names["right_thigh"]))):
        ends = []
        for frame in (1, FRAMES):
            bpy.context.scene.frame_set(frame)
            ends.append((joint(item, hips[0]) + joint(item, hips[1])) / 2)
        ways.append(ends[1] - ends[0])
    assert np.allclose(ways[1], outcome.scale * ways[0], atol=1e-4)


@pytest.mark.parametrize("root", RootMotion)
def test_who_moves_along_the_floor(root: RootMotion, walk: bpy.types.Collection, tmp_path: Path) -> None:
    armature = from_bvh("ue5", tmp_path)
    bake(walk, armature, settings=RetargetSettings(root))
    placed = {curve.data_path for curve in curves_of(armature) if curve.data_path.endswith("location")}
    names = {"pelvis", "root"} if root is RootMotion.ROOT else {"pelvis"}
    assert placed == {f'pose.bones["{name}"].location' for name in names}
    bpy.context.scene.frame_set(FRAMES)
    truth = make_rig("ue5").truth
    middle = (joint(armature, truth["left_thigh"]) + joint(armature, truth["right_thigh"])) / 2
    assert (np.linalg.norm(middle[:2]) < 1e-4) == (root is RootMotion.IN_PLACE)
    if root is RootMotion.ROOT:
        assert np.allclose(joint(armature, "root"), (*middle[:2], 0), atol=1e-4)


def test_a_retarget_takes_the_skeleton_s_keys_as_they_are(walk: bpy.types.Collection, tmp_path: Path) -> None:
    skeleton, armature = find_part(walk, "SKELETON"), from_bvh("ue4", tmp_path)
    skeleton.location, skeleton.rotation_euler.z = (3, 1, 0), 0.9
    path = 'pose.bones["elbow.L"].rotation_quaternion'
    for curve in curves_of(skeleton):
        if curve.data_path == path:
            curve.keyframe_points[5].co.y += 0.4
            curve.update()
    bpy.context.view_layer.update()
    bake(walk, armature)
    assert worst(walk, armature, make_rig("ue4").truth) < 0.01


def test_actions_are_kept_and_ours_is_replaced(walk: bpy.types.Collection, tmp_path: Path) -> None:
    armature = from_bvh("ue4", tmp_path)
    armature.keyframe_insert("location", frame=1)
    hand_made = action_of(armature).name
    first = bake(walk, armature).action
    assert bpy.data.actions[hand_made].use_fake_user
    count = len(bpy.data.actions)
    again = bake(walk, armature).action
    assert len(bpy.data.actions) == count
    assert again == action_of(armature).name
    assert first == again == "walk on ue4"


def state(armature: bpy.types.Object) -> list[object]:
    """All that a failure might leave changed."""
    bones = [
        (
            bone.name,
            bone.rotation_mode,
            [tuple(row) for row in bone.matrix_basis],
            [c.mute for c in bone.constraints],
            dict(bone),
        )
        for bone in armature.pose.bones
    ]
    animation = armature.animation_data
    return [bones, animation and animation.action, animation and getattr(animation, "action_slot", None), inventory()]


def refused(person: bpy.types.Collection, armature: bpy.types.Object, kind: type, match: str, **options) -> None:
    before = state(armature)
    with pytest.raises(kind, match=match) as error:
        bake(person, armature, **options)
    assert error.value.hint
    assert state(armature) == before


def test_bad_armatures_are_refused_and_nothing_changes(walk: bpy.types.Collection, tmp_path: Path) -> None:
    mapped = BoneMap(make_rig("ue4").truth)
    for part in ("SKELETON", "TARGETS"):
        refused(walk, find_part(walk, part), BadArgument, "part of a take", chosen=mapped)
    armature = from_bvh("ue4", tmp_path)
    armature.pose.bones["spine_01"].rotation_euler.x = 0.2
    armature.pose.bones["calf_l"]["mine"] = 3.0
    armature.keyframe_insert("location", frame=1)

    armature.scale = (1, 2, 1)
    bpy.context.view_layer.update()
    refused(walk, armature, BadArgument, "not alike in all axes")
    armature.scale = (-1, 1, 1)
    bpy.context.view_layer.update()
    refused(walk, armature, BadArgument, "not alike in all axes")
    armature.scale = (1, 1, 1)
    bpy.context.view_layer.update()
    armature.hide_set(True)
    refused(walk, armature, BadArgument, "hidden")
    armature.hide_set(False)
    armature.data.pose_position = "REST"
    refused(walk, armature, BadArgument, "rest position")
    armature.data.pose_position = "POSE"
    armature.data.bones["calf_l"].name = "renamed"
    refused(walk, armature, SceneChanged, "calf_l", chosen=mapped)
    armature.data.bones["renamed"].name = "calf_l"
    refused(walk, armature, BadArgument, "Left Shin", chosen=BoneMap({**mapped.bones, "left_shin": ""}))
    crossed = {**mapped.bones, "left_forearm": "hand_l", "left_hand": "lowerarm_l"}
    swapped = {**mapped.bones, "left_shin": "calf_r", "right_shin": "calf_l"}
    for wrong in (crossed, swapped):
        bake(walk, armature, BoneMap(wrong))  # odd, but what was asked for


def test_a_failure_while_writing_leaves_no_trace(
    walk: bpy.types.Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    armature = from_bvh("ue4", tmp_path)
    armature.pose.bones["root"]["ik"] = 3.0
    armature.pose.bones["spine_02"].rotation_mode = "AXIS_ANGLE"
    armature.keyframe_insert("location", frame=1)
    written = []

    def write_one(*arguments: object) -> None:
        written.append(arguments)
        if len(written) > 9:
            raise MemoryError("none left")

    monkeypatch.setattr(rig_action, "write_curves", write_one)
    before = state(armature)
    with pytest.raises(MemoryError):
        bake(walk, armature, BoneMap(make_rig("ue4").truth, (Switch("root", "ik", 1.0),)))
    assert len(written) == 10
    assert state(armature) == before


def test_constraints_that_hold_bones_are_told_or_muted(walk: bpy.types.Collection, tmp_path: Path) -> None:
    armature = from_bvh("ue4", tmp_path)
    goal = bpy.data.objects.new("Goal", None)
    bpy.context.scene.collection.objects.link(goal)
    held = armature.pose.bones["calf_l"].constraints.new("IK")
    held.target, held.chain_count = goal, 2
    limit = armature.pose.bones["lowerarm_r"].constraints.new("LIMIT_ROTATION")
    limit.use_limit_x = True
    bpy.context.view_layer.update()
    refused(walk, armature, BadArgument, "constraints or drivers hold")
    bake(walk, armature, mute_constraints=True)
    assert held.mute
    assert limit.mute
    assert worst(walk, armature, make_rig("ue4").truth) < 0.01


def test_a_pelvis_that_is_connected_to_its_parent(walk: bpy.types.Collection, tmp_path: Path) -> None:
    armature = from_bvh("ue4", tmp_path, connected=True)
    assert armature.data.bones["pelvis"].use_connect
    truth = make_rig("ue4").truth
    without_root = BoneMap({role: bone for role, bone in truth.items() if role != "root"})
    refused(walk, armature, BadArgument, "pelvis bone cannot be moved", chosen=without_root)
    bake(walk, armature)
    assert worst(walk, armature, truth) < 0.01


def test_a_switch_that_the_rig_lacks_is_reported(walk: bpy.types.Collection, tmp_path: Path) -> None:
    armature = from_bvh("ue4", tmp_path)
    armature.pose.bones["root"]["ik"] = 3
    switches = (Switch("root", "ik", 1.0), Switch("root", "gone", 1.0))
    outcome = bake(walk, armature, BoneMap(make_rig("ue4").truth, switches))
    assert outcome.no_switch == ("root[gone]",)
    assert armature.pose.bones["root"]["ik"] == 1
    assert any("gone" in line for line in outcome.lines())


def test_a_linked_armature_is_refused(walk: bpy.types.Collection, tmp_path: Path) -> None:
    armature = from_bvh("ue4", tmp_path)
    library = str(tmp_path / "rig ü.blend")
    bpy.data.libraries.write(library, {armature})
    bpy.data.objects.remove(armature)
    with bpy.data.libraries.load(library, link=True) as (there, here):
        here.objects = there.objects
    bpy.context.scene.collection.objects.link(here.objects[0])
    bpy.context.view_layer.update()
    with pytest.raises(BadArgument, match="linked from"):
        bake(walk, here.objects[0], BoneMap(make_rig("ue4").truth))


def test_a_take_without_its_skeleton(walk: bpy.types.Collection, tmp_path: Path) -> None:
    armature = from_bvh("ue4", tmp_path)
    find_part(walk, "SKELETON").animation_data_clear()
    refused(walk, armature, SceneChanged, "has no keys")
    bpy.data.objects.remove(find_part(walk, "SKELETON"))
    refused(walk, armature, SceneChanged, "no skeleton")


def fields() -> bpy.types.PropertyGroup:
    return bpy.context.scene.pchmr_retarget


def select(*items: bpy.types.Object) -> None:
    for item in bpy.context.scene.objects:
        item.select_set(item in items)
    bpy.context.view_layer.objects.active = items[0]


def failed(match: str) -> None:
    with pytest.raises(RuntimeError, match=match):
        bpy.ops.pchmr.retarget()
    assert session.current.problem is not None
    session.current.dismiss()


def test_the_operators(walk: bpy.types.Collection, tmp_path: Path) -> None:
    one, other = from_bvh("ue4", tmp_path), from_bvh("mixamo", tmp_path)
    body = find_part(walk, "BODY")
    select(body)
    failed("no armature is chosen")
    select(body, one, other)
    failed("2 armatures are selected")
    select(body, one)
    bpy.ops.pchmr.retarget()
    assert fields().origin == "Unreal Mannequin"
    assert "walk on ue4: 12 frames" in fields().report
    assert "stands in" not in fields().report or "slides" in fields().report

    fields().armature = other
    failed("no bone named")  # the list is still the other's
    bpy.ops.pchmr.guess_bones()
    assert fields().origin == "Mixamo"
    bpy.ops.pchmr.retarget()
    with pytest.raises(RuntimeError, match="is no Rigify: it has no bone torso"):
        bpy.ops.pchmr.use_rig_preset(name="rigify")
    with pytest.raises(RuntimeError, match="there is no rig preset nothing"):
        bpy.ops.pchmr.use_rig_preset(name="nothing")
    bpy.ops.pchmr.use_rig_preset(name="mixamo")

    heap = bpy.data.objects.new("Heap", bpy.data.armatures.new("Heap"))
    bpy.context.scene.collection.objects.link(heap)
    fields().armature = heap
    with pytest.raises(RuntimeError, match="no pelvis with two legs"):
        bpy.ops.pchmr.guess_bones()


def test_presets_of_one_s_own(walk: bpy.types.Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "presets ü"
    own.mkdir()
    monkeypatch.setattr(rig_maps, "own_folder", lambda create=False: own)
    armature = from_bvh("biped", tmp_path)
    fields().armature = armature
    bpy.ops.pchmr.guess_bones()
    assert fields().origin == "Guessed"
    with pytest.raises(RuntimeError, match="no name"):
        bpy.ops.pchmr.save_rig_preset(name=" ")
    bpy.ops.pchmr.save_rig_preset(name="Our Biped")
    assert [file.name for file in own.iterdir()] == ["our_biped.toml"]
    bpy.ops.pchmr.guess_bones()
    assert fields().origin == "Our Biped"
    bpy.ops.pchmr.open_rig_preset(filepath=str(own / "our_biped.toml"))
    (own / "broken.toml").write_text("bones = 3", "utf-8")
    bpy.ops.pchmr.guess_bones()
    with pytest.raises(RuntimeError, match="bones = 3 is not allowed"):
        bpy.ops.pchmr.use_rig_preset(name="broken")


def test_undo_and_saving_keep_what_was_chosen(walk: bpy.types.Collection, tmp_path: Path) -> None:
    armature = from_bvh("ue4", tmp_path)
    name = armature.name
    fields().armature = armature
    show_map(fields(), guess_map(armature), "Unreal Mannequin")
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.pchmr.retarget()
    bpy.ops.ed.undo_push(message="retargeted")
    bpy.ops.ed.undo()
    assert action_of(bpy.data.objects[name]) is None
    bpy.ops.ed.redo()
    assert worst(bpy.data.collections["walk"], bpy.data.objects[name], make_rig("ue4").truth) < 0.25
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    assert fields().armature == bpy.data.objects[name]
    assert {row.role: row.bone for row in fields().pairs if row.bone} == make_rig("ue4").truth
    assert worst(bpy.data.collections["walk"], bpy.data.objects[name], make_rig("ue4").truth) < 0.25


def test_another_rate_puts_keys_where_the_skeleton_has_them(walk: bpy.types.Collection, tmp_path: Path) -> None:
    skeleton, armature = find_part(walk, "SKELETON"), from_bvh("ue4", tmp_path)
    bake(walk, armature)
    own = next(curve for curve in curves_of(armature))
    theirs = next(curve for curve in curves_of(skeleton))
    assert [point.co.x for point in own.keyframe_points] == [point.co.x for point in theirs.keyframe_points]
    assert {point.interpolation for point in own.keyframe_points} == {"LINEAR"}
    assert math.isclose(own.keyframe_points[0].co.x, 1.0)
