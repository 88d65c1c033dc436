from __future__ import annotations

import numpy as np
import pytest

from pchmr.inference_backend.skeletons import JOINTS, JOINTS_MIRROR
from pchmr.pchmr_blender.core import skeleton
from pchmr.pchmr_blender.core.axes import quaternions_to_matrices

from ..people import PARENTS, REST_JOINTS, MadeUpPerson

MIRROR = np.diag([-1.0, 1, 1])


def posed_as_blender_does(rest: skeleton.RestBones, pose: skeleton.BonePose, parents: tuple[int, ...]) -> np.ndarray:
    """The readable twin: 4×4 matrices multiplied bone by bone. Shape: (F, 24, 4, 4)."""
    posed = np.empty((len(pose.quaternions), 24, 4, 4))
    rests = np.tile(np.eye(4), (24, 1, 1))
    rests[:, :3, :3], rests[:, :3, 3] = rest.matrices, rest.heads
    for frame in range(len(posed)):
        for joint, parent in enumerate(parents):
            basis = np.eye(4)
            basis[:3, :3] = quaternions_to_matrices(pose.quaternions[frame, joint])
            basis[:3, 3] = pose.locations[frame, joint]
            above = posed[frame, parent] @ np.linalg.inv(rests[parent]) if parent >= 0 else np.eye(4)
            posed[frame, joint] = above @ rests[joint] @ basis
    return posed


def test_names_are_smpl_s_with_blender_s_sides() -> None:
    assert skeleton.BONE_NAMES[:5] == ("pelvis", "hip.L", "hip.R", "spine1", "knee.L")
    assert len(set(skeleton.BONE_NAMES)) == 24
    for name, mirrored in zip(skeleton.BONE_NAMES, JOINTS_MIRROR, strict=True):
        flipped = name.replace(".L", ".?").replace(".R", ".L").replace(".?", ".R")
        assert skeleton.BONE_NAMES[mirrored] == flipped


def test_bones_point_at_a_child_of_theirs() -> None:
    for joint, child in enumerate(skeleton.POINTS_AT):
        assert child < 0 or PARENTS[child] == joint
        assert (child < 0) == (joint not in PARENTS), JOINTS[joint]


def test_bones_run_from_their_joint_to_the_next() -> None:
    rest = skeleton.rest_bones(REST_JOINTS)
    along = rest.tails - rest.heads
    assert np.array_equal(rest.heads, REST_JOINTS)
    assert np.allclose(rest.tails[1], REST_JOINTS[4])
    assert np.allclose(along / np.linalg.norm(along, axis=-1, keepdims=True), rest.matrices[:, :, 1])
    assert np.allclose(rest.matrices.swapaxes(-1, -2) @ rest.matrices, np.eye(3), atol=1e-12)
    assert np.allclose(np.linalg.det(rest.matrices), 1)


def test_ends_are_sensible() -> None:
    rest = skeleton.rest_bones(REST_JOINTS)
    assert np.allclose(rest.matrices[15, :, 1], [0, 0, 1])  # the head upwards
    assert rest.matrices[10, 1, 1] < -0.99  # toes to the front, level
    assert rest.tails[10, 2] == pytest.approx(rest.heads[10, 2])
    assert 0.7 < rest.tails[15, 2] < 0.9
    assert rest.tails[22, 0] > rest.heads[22, 0]
    assert rest.tails[23, 0] < rest.heads[23, 0]


def test_sides_mirror_so_that_a_flipped_paste_works() -> None:
    matrices = skeleton.rest_bones(REST_JOINTS).matrices
    assert np.allclose(matrices[list(JOINTS_MIRROR)], MIRROR @ matrices @ MIRROR, atol=1e-12)


@pytest.mark.parametrize("name", ["knee.L", "knee.R", "elbow.L", "elbow.R"])
def test_elbows_and_knees_bend_about_x(name: str) -> None:
    axis = skeleton.rest_bones(REST_JOINTS).matrices[skeleton.BONE_NAMES.index(name)][:, 0]
    hinge = [1, 0, 0] if "knee" in name else [0, 0, 1]
    assert abs(axis @ hinge) > 0.99


def test_joints_in_one_place_are_named() -> None:
    joints = REST_JOINTS.copy()
    joints[4] = joints[1]
    with pytest.raises(ValueError, match=r"hip\.L"):
        skeleton.rest_bones(joints)
    with pytest.raises(ValueError, match="without a length"):
        skeleton.rest_bones(np.full((24, 3), np.nan))
    with pytest.raises(ValueError, match="wanted shape"):
        skeleton.rest_bones(REST_JOINTS[:22])


def test_forward_kinematics_puts_joints_where_they_were_made() -> None:
    person = MadeUpPerson()
    joints = skeleton.forward_kinematics(person.rest_joints, person.rotations, person.joints[:, 0])
    assert np.allclose(joints, person.joints, atol=1e-12)


def test_the_pose_gives_joints_and_rotations_back() -> None:
    person = MadeUpPerson()
    rest = skeleton.rest_bones(person.rest_joints)
    pose = skeleton.skeleton_pose(rest, person.rotations, person.joints)
    posed = posed_as_blender_does(rest, pose, PARENTS)
    assert pose.located == (0,)
    assert not pose.locations[:, 1:].any()
    assert np.allclose(posed[:, :, :3, 3], person.joints, atol=1e-9)
    assert np.allclose(posed[:, :, :3, :3], person.rotations @ rest.matrices, atol=1e-9)


def test_a_stretched_bone_is_located_and_its_children_follow() -> None:
    person = MadeUpPerson()
    reach = person.rotations[:, 16] @ [0.02, 0, 0]
    for joint in (18, 20, 22):  # from the left elbow outwards
        person.joints[4:8, joint] += reach[4:8]
    rest = skeleton.rest_bones(person.rest_joints)
    pose = skeleton.skeleton_pose(rest, person.rotations, person.joints)
    assert pose.located == (0, 18)
    assert np.allclose(np.linalg.norm(pose.locations[:, 18], axis=-1), [0] * 4 + [0.02] * 4 + [0] * 4, atol=1e-9)
    assert np.allclose(posed_as_blender_does(rest, pose, PARENTS)[:, :, :3, 3], person.joints, atol=1e-9)


def test_small_errors_do_not_add_up_along_a_chain() -> None:
    person = MadeUpPerson()
    for depth, joint in enumerate((3, 6, 9, 12, 15)):  # 0.6 mm a bone, each within the tolerance
        person.joints[:, joint] += [0, 0, 0.0006 * (depth + 1)]
    rest = skeleton.rest_bones(person.rest_joints)
    pose = skeleton.skeleton_pose(rest, person.rotations, person.joints)
    off = posed_as_blender_does(rest, pose, PARENTS)[:, :, :3, 3] - person.joints
    assert 0 < np.linalg.norm(off, axis=-1).max() <= skeleton.FK_TOLERANCE + 1e-12
    assert len(pose.located) > 1


def test_free_bones_stand_on_their_joints_and_turn_as_the_skeleton() -> None:
    person = MadeUpPerson()
    rest = skeleton.rest_bones(person.rest_joints)
    pose = skeleton.free_pose(rest, person.rotations, person.joints_target)
    posed = posed_as_blender_does(rest, pose, (-1,) * 24)
    assert np.allclose(posed[:, :, :3, 3], person.joints_target, atol=1e-9)
    assert np.allclose(posed[:, :, :3, :3], person.rotations @ rest.matrices, atol=1e-9)


def test_quaternions_run_on_while_the_body_turns_twice() -> None:
    person = MadeUpPerson(frame_count=60)
    rest = skeleton.rest_bones(person.rest_joints)
    for pose in (
        skeleton.skeleton_pose(rest, person.rotations, person.joints),
        skeleton.free_pose(rest, person.rotations, person.joints_target),
    ):
        assert (np.sum(pose.quaternions[1:] * pose.quaternions[:-1], -1) > 0).all()


def test_rows_that_do_not_fit_are_refused() -> None:
    person = MadeUpPerson()
    rest = skeleton.rest_bones(person.rest_joints)
    with pytest.raises(ValueError, match="wanted shape"):
        skeleton.skeleton_pose(rest, person.rotations[:-1], person.joints)
    with pytest.raises(ValueError, match="wanted shape"):
        skeleton.free_pose(rest, person.rotations, person.joints[:, :22])
    with pytest.raises(ValueError, match="wanted shape"):
        skeleton.forward_kinematics(person.rest_joints, person.rotations, person.joints[:, 0, :2])
