"""Edits and drags: lengths hold, what is dragged arrives, what is pinned stays, rows and sides do not mix."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from inference_backend.errors import BadArgument
from inference_backend.skeletons import JOINTS, JOINTS_MIRROR, PARENTS
from inference_backend.targets import quaternions
from inference_backend.targets.chains import BELOW, HINGES, LIMB_STARTS, TURNING, TWISTING
from inference_backend.targets.edits import Drag, Edits, TargetPose, apply_edits, drag
from inference_backend.targets.motion import SkeletonMotion

Array = NDArray[np.float64]

REST = np.array([
    [0, 0.9, 0], [0.1, 0.88, 0], [-0.1, 0.88, 0], [0, 1.0, -0.03], [0.1, 0.48, 0.0], [-0.1, 0.48, 0.0],
    [0, 1.07, -0.02], [0.1, 0.06, -0.01], [-0.1, 0.06, -0.01], [0, 1.15, -0.02], [0.1, 0.02, 0.12], [-0.1, 0.02, 0.12],
    [0, 1.45, 0.01], [0.03, 1.38, 0.02], [-0.03, 1.38, 0.02], [0, 1.55, 0.04], [0.18, 1.36, 0.02], [-0.18, 1.36, 0.02],
    [0.45, 1.36, 0.02], [-0.45, 1.36, 0.02], [0.69, 1.36, 0.02], [-0.69, 1.36, 0.02], [0.8, 1.36, 0.02],
    [-0.8, 1.36, 0.02],
])  # fmt: skip
"""A body in its T-pose, the same on both sides."""

UP = quaternions.from_vector([np.pi / 2, 0, 0])
"""Leads the rest frame (y up) into the world (z up)."""

J = {name: index for index, name in enumerate(JOINTS)}
MIRROR = list(JOINTS_MIRROR)


def posed(seed: int, frames: int = 1, bend: float = 0.5) -> SkeletonMotion:
    """Bodies somewhere, in any pose: knees and elbows bent as they may, the rest turned by up to `bend` radians."""
    rng = np.random.default_rng(seed)
    vectors = rng.uniform(-bend, bend, (frames, 24, 3)) * 0.6
    for limb, start in enumerate(LIMB_STARTS):
        middle = PARENTS.index(start)
        vectors[:, middle] = HINGES[limb] * rng.uniform(0.7, 1.4, (frames, 1)) + 0.1 * vectors[:, middle]
    rotations = quaternions.from_vector(vectors)
    rotations[:, 0] = quaternions.product(UP, rotations[:, 0])
    return SkeletonMotion(rng.uniform(-1, 1, (frames, 3)) + np.array([0, 0, 1]), rotations, REST)


def still(frames: int = 1) -> SkeletonMotion:
    """The T-pose: every limb straight."""
    rotations = np.tile(quaternions.IDENTITY, (frames, 24, 1))
    rotations[:, 0] = UP
    return SkeletonMotion(np.tile([0, 0, 0.9], (frames, 1)), rotations, REST)


def some_edits(seed: int, rows: int, size: float = 0.1) -> Edits:
    rng = np.random.default_rng(seed)
    none = Edits.none(rows)
    turn = quaternions.from_vector(rng.normal(0, 0.3, (rows, 24, 3)))
    return Edits(rng.normal(0, size, (rows, 24, 3)), turn, none.stretch, none.strength)


def lengths(joints: Array) -> Array:
    return np.linalg.norm(joints[:, 1:] - joints[:, PARENTS[1:]], axis=-1)


def off_bones(pose: TargetPose) -> float:
    """Metres by which forward kinematics misses the joints, and bones their lengths."""
    miss = np.abs(pose.motion.joints() - pose.joints).max()
    return max(float(miss), float(np.abs(lengths(pose.joints) - lengths(REST[None])).max()))


def mirrored(motion: SkeletonMotion) -> SkeletonMotion:
    """At the world's yz plane."""
    root = motion.root * [-1, 1, 1]
    return SkeletonMotion(root, motion.rotations[:, MIRROR] * [1, 1, -1, -1], motion.rest_joints)


def mirrored_edits(edits: Edits) -> Edits:
    return Edits(
        edits.offset[:, MIRROR] * [-1, 1, 1], edits.turn[:, MIRROR] * [1, 1, -1, -1],
        edits.stretch[:, MIRROR], edits.strength[:, MIRROR],
    )  # fmt: skip


def same(a: Edits, b: Edits, within: float) -> bool:
    turned = quaternions.angle_between(a.turn, b.turn).max()
    return float(np.abs(a.offset - b.offset).max()) < within and float(turned) < max(within, 1e-6)


def test_no_edit_changes_nothing() -> None:
    base = posed(1, 5)
    pose = apply_edits(base, Edits.none(5))
    assert np.array_equal(pose.motion.rotations, base.rotations)
    assert np.array_equal(pose.joints, base.joints())


def test_an_edit_of_one_limb_leaves_the_others_to_rounding() -> None:
    base = posed(2, 5)
    edits = Edits.none(5)
    edits.offset[:, J["left_wrist"]] = [0.05, 0, 0]
    pose = apply_edits(base, edits)
    others = [joint for joint in range(24) if joint not in BELOW[J["left_shoulder"]]]
    assert np.abs(pose.joints - base.joints())[:, others].max() < 1e-9
    turned = np.abs(pose.motion.globals() - base.globals()).max((0, 2, 3))
    assert turned[[joint for joint in others if joint != J["left_shoulder"]]].max() < 1e-7
    assert np.linalg.norm(pose.joints - base.joints(), axis=-1)[:, J["left_wrist"]].max() > 0.03


def test_the_whole_body_is_moved_in_the_world_s_axes_however_it_turns() -> None:
    base = posed(1, 1)
    turns = quaternions.from_vector(np.outer(np.linspace(0, np.pi / 2, 9), [0, 0, 1.0]))
    rotations = np.tile(base.rotations, (9, 1, 1))
    rotations[:, 0] = quaternions.product(turns, rotations[:, 0])
    turning = SkeletonMotion(np.tile(base.root, (9, 1)), rotations, REST)
    edits, by = Edits.none(9), np.array([0.1, -0.05, 0.2])
    edits.offset[:, 0] = by
    pose = apply_edits(turning, edits)
    assert np.allclose(pose.joints - turning.joints(), by, atol=1e-9)
    for row in (0, 8):
        dragged = drag(turning.rows(row, row + 1), Edits.none(1), Drag(0, turning.root[row] + by))
        assert np.allclose(dragged.offset[0, 0], by, atol=1e-12)
        assert not dragged.offset[0, 1:].any()


@pytest.mark.parametrize("size", [0.001, 0.1, 3.0])
def test_lengths_hold_under_any_edit(size: float) -> None:
    assert off_bones(apply_edits(posed(3, 50), some_edits(4, 50, size))) < 1e-6


def test_a_row_depends_on_itself_alone() -> None:
    base, edits = posed(5, 7), some_edits(6, 7)
    whole = apply_edits(base, edits)
    for row in range(7):
        alone = apply_edits(base.rows(row, row + 1), edits.rows(row, row + 1))
        assert np.array_equal(alone.joints[0], whole.joints[row])
        assert np.array_equal(alone.motion.rotations[0], whole.motion.rotations[row])


def test_between_two_keys_lengths_hold_and_the_way_is_smooth() -> None:
    base = posed(7)
    wrist, shoulder = (base.joints()[0, J[f"left_{name}"]] for name in ("wrist", "shoulder"))
    middle = wrist + 0.4 * (shoulder - wrist)
    keys = [drag(base, Edits.none(1), Drag(J["left_wrist"], middle + step)) for step in
            ([0.1, 0.0, 0.05], [-0.05, 0.1, 0.1])]  # fmt: skip
    share = np.linspace(0, 1, 41)[:, None, None]
    turn = quaternions.normalised(keys[0].turn + share * (keys[1].turn - keys[0].turn))
    between = Edits(
        keys[0].offset + share * (keys[1].offset - keys[0].offset), turn, np.zeros((41, 24)), np.ones((41, 24))
    )
    many = SkeletonMotion(np.tile(base.root, (41, 1)), np.tile(base.rotations, (41, 1, 1)), REST)
    pose = apply_edits(many, between)
    assert off_bones(pose) < 1e-6
    steps = np.linalg.norm(np.diff(pose.joints, axis=0), axis=-1)
    assert steps.max() < 3 * steps[:, J["left_wrist"]].mean() + 1e-3


# Where each joint can get to by turning a bone, or bending a chain, without being stretched.
def reachable(base: SkeletonMotion, joint: int, seed: int, fixed: int | None = None) -> Array:
    """Another place of a joint: that of the same body in another pose, from the joint that stays."""
    other = posed(seed)
    anchor = fixed if fixed is not None else PARENTS[joint]
    return base.joints()[0, anchor] + 0.0 * other.root[0] + _at_length(base, joint, anchor, seed)


def _at_length(base: SkeletonMotion, joint: int, anchor: int, seed: int) -> Array:
    joints = base.joints()[0]
    bone = joints[joint] - joints[anchor]
    near = bone + np.random.default_rng(seed).normal(0, 0.3 * np.linalg.norm(bone), 3)
    return np.asarray(near * np.linalg.norm(bone) / np.linalg.norm(near))


ON_SPHERES = [name for name in JOINTS if name.split("_")[-1] in ("hip", "spine1", "spine2", "shoulder", "elbow",
              "knee", "hand", "foot")]  # fmt: skip


@pytest.mark.parametrize("name", ON_SPHERES)
@pytest.mark.parametrize("seed", range(3))
def test_a_joint_that_its_bone_turns_arrives(name: str, seed: int) -> None:
    base = posed(seed)
    to = reachable(base, J[name], seed + 10)
    edits = drag(base, Edits.none(1), Drag(J[name], to))
    pose = apply_edits(base, edits)
    assert np.linalg.norm(pose.joints[0, J[name]] - to) < 1e-3
    assert off_bones(pose) < 1e-6


@pytest.mark.parametrize("name", ["pelvis", "spine3", "neck", "head", "left_collar", "right_wrist", "left_wrist",
                                  "left_ankle", "right_ankle"])  # fmt: skip
@pytest.mark.parametrize(("seed", "children"), [*product(range(4), (True, False))])
def test_a_joint_that_a_chain_leads_arrives(name: str, seed: int, children: bool) -> None:
    base = posed(seed, bend=0.9)
    joints, joint = base.joints()[0], J[name]
    towards = joints[J["pelvis"]] if joint != 0 else joints[J["head"]]
    to = joints[joint] + 0.04 * (towards - joints[joint]) + np.random.default_rng(seed).normal(0, 0.002, 3)
    pose = apply_edits(base, drag(base, Edits.none(1), Drag(joint, to, children=children)))
    assert np.linalg.norm(pose.joints[0, joint] - to) < 1e-3
    assert off_bones(pose) < 1e-6


@pytest.mark.parametrize("name", ["left_wrist", "right_ankle", "head", "left_elbow", "right_shoulder", "left_hand"])
def test_out_of_reach_it_gets_as_near_as_it_can(name: str) -> None:
    base = posed(8)
    joint = J[name]
    anchor = {"left_wrist": J["left_shoulder"], "right_ankle": J["right_hip"], "head": J["spine1"]}.get(
        name, PARENTS[joint]
    )
    start = base.joints()[0, anchor]
    towards = np.array([0.3, -0.2, 0.9]) / np.linalg.norm([0.3, -0.2, 0.9])
    to = start + 5 * towards
    pose = apply_edits(base, drag(base, Edits.none(1), Drag(joint, to)))
    chain = [joint]
    while PARENTS[chain[-1]] != anchor:
        chain.append(PARENTS[chain[-1]])
    reach = sum(float(np.linalg.norm(REST[j] - REST[PARENTS[j]])) for j in chain)
    assert np.linalg.norm(pose.joints[0, joint] - (start + reach * towards)) < 1e-3
    assert off_bones(pose) < 1e-6


def test_an_elbow_alone_turns_about_the_arm() -> None:
    base = posed(9)
    joints = base.joints()[0]
    shoulder, elbow, wrist = (joints[J[f"left_{part}"]] for part in ("shoulder", "elbow", "wrist"))
    to = elbow + np.array([0.1, -0.05, 0.2])
    pose = apply_edits(base, drag(base, Edits.none(1), Drag(J["left_elbow"], to, children=False)))
    moved = pose.joints[0]
    assert np.abs(moved[J["left_wrist"]] - wrist).max() < 1e-6
    axis = (wrist - shoulder) / np.linalg.norm(wrist - shoulder)
    angles = np.linspace(0, 2 * np.pi, 3601)
    arm = quaternions.turned(quaternions.from_vector(angles[:, None] * axis), elbow - shoulder) + shoulder
    assert np.linalg.norm(moved[J["left_elbow"]] - to) < np.linalg.norm(arm - to, axis=-1).min() + 1e-3


def test_an_arm_that_turns_about_itself_bends_at_the_elbow_as_before() -> None:
    base = posed(9)
    base.rotations[0, J["left_elbow"]] = quaternions.from_vector([0, -1.2, 0])
    shoulder, elbow, wrist = (base.joints()[0, J[f"left_{part}"]] for part in ("shoulder", "elbow", "wrist"))
    axis = (wrist - shoulder) / np.linalg.norm(wrist - shoulder)
    to = shoulder + quaternions.turned(quaternions.from_vector(1.3 * axis), elbow - shoulder)
    pose = apply_edits(base, drag(base, Edits.none(1), Drag(J["left_elbow"], to, children=False)))
    assert np.abs(pose.joints[0, J["left_elbow"]] - to).max() < 1e-6
    bent = quaternions.angle_between(pose.motion.rotations, base.rotations)[0, J["left_elbow"]]
    assert bent < 1e-6, "the upper arm turns with it"


@pytest.mark.parametrize("turn", [-1.5, 0.8, 2.5])
def test_a_straight_arm_bends_about_the_elbows_hinge_wherever_the_elbow_goes(turn: float) -> None:
    base = still()
    base.rotations[0, J["left_elbow"]] = quaternions.from_vector([0, 0, 0.05])  # straight but for an error
    shoulder, wrist = (base.joints()[0, J[f"left_{part}"]] for part in ("shoulder", "wrist"))
    edits = drag(base, Edits.none(1), Drag(J["left_wrist"], wrist + 0.3 * (shoulder - wrist)))
    elbow = apply_edits(base, edits).joints[0, J["left_elbow"]]
    to = shoulder + quaternions.turned(quaternions.from_vector([turn, 0, 0]), elbow - shoulder)
    pose = apply_edits(base, drag(base, edits, Drag(J["left_elbow"], to, children=False)))
    axis = quaternions.to_vector(pose.motion.rotations[0, J["left_elbow"]])
    assert axis @ HINGES[2] / np.linalg.norm(axis) > 0.99


@pytest.mark.parametrize("name", ["neck", "head", "spine3"])
def test_a_dragged_spine_does_not_turn_the_head(name: str) -> None:
    base = posed(24)
    to = base.joints()[0, J[name]] + [0.05, 0.05, -0.05]
    pose = apply_edits(base, drag(base, Edits.none(1), Drag(J[name], to)))
    assert np.abs(pose.motion.globals() - base.globals())[0, J["head"]].max() < 1e-9


@pytest.mark.parametrize("children", [True, False])
def test_a_hip_tilts_the_pelvis_alone(children: bool) -> None:
    base = posed(25)
    to = _at_length(base, J["left_hip"], 0, 3) + base.root[0]
    to = base.joints()[0, J["left_hip"]] + 0.2 * (to - base.joints()[0, J["left_hip"]])
    pose = apply_edits(base, drag(base, Edits.none(1), Drag(J["left_hip"], to, children=children)))
    moved = np.linalg.norm(pose.joints - base.joints(), axis=-1)[0]
    stays = [J[name] for name in ("pelvis", "spine3", "head", "left_wrist", "right_ankle", "right_foot")]
    assert moved[stays].max() < 1e-3
    assert moved[J["left_hip"]] > 0.005
    assert (moved[J["left_ankle"]] > 0.005) == children
    assert off_bones(pose) < 1e-6


def test_a_pin_holds_what_reached_for_more() -> None:
    base, wrist = posed(26), J["left_wrist"]
    far = Edits.none(1)
    far.offset[0, wrist] = [0, 0, 3.0]
    reaching = apply_edits(base, far).joints[0]
    to = reaching[J["left_shoulder"]] + 0.1 * (reaching[wrist] - reaching[J["left_shoulder"]])
    pose = apply_edits(base, drag(base, far, Drag(J["left_shoulder"], to, pins=(wrist,))))
    assert np.linalg.norm(pose.joints[0, wrist] - reaching[wrist]) < 1e-3


def test_with_children_a_limb_is_carried() -> None:
    base = posed(10)
    joints = base.joints()[0]
    to = reachable(base, J["left_elbow"], 3)
    moved = apply_edits(base, drag(base, Edits.none(1), Drag(J["left_elbow"], to))).joints[0]
    for name in ("elbow", "wrist", "hand"):
        step = to - joints[J["left_elbow"]]
        assert np.abs(moved[J[f"left_{name}"]] - joints[J[f"left_{name}"]] - step).max() < 1e-6


def test_the_pelvis_takes_the_whole_body() -> None:
    base = posed(11)
    pose = apply_edits(base, drag(base, Edits.none(1), Drag(0, base.root[0] + [0.3, -0.2, 0.1])))
    assert np.abs(pose.joints - base.joints() - [0.3, -0.2, 0.1]).max() < 1e-6
    assert quaternions.angle_between(pose.motion.rotations, base.rotations).max() < 1e-6


PINS = ("left_ankle", "right_ankle", "left_wrist", "right_wrist")


@pytest.mark.parametrize("seed", range(4))
def test_pinned_feet_and_hands_stay_while_the_trunk_moves(seed: int) -> None:
    base = posed(seed)
    pins = tuple(J[name] for name in PINS)
    edits = drag(base, Edits.none(1), Drag(0, base.root[0] + [0.01, 0.01, -0.03], pins=pins))
    pose = apply_edits(base, edits)
    assert np.linalg.norm(pose.joints - base.joints(), axis=-1)[0, list(pins)].max() < 1e-3
    assert np.abs(pose.joints[0, J["spine3"]] - base.joints()[0, J["spine3"]] - [0.01, 0.01, -0.03]).max() < 1e-6
    assert np.abs(pose.motion.globals() - base.globals())[0, list(pins)].max() < 1e-6
    assert off_bones(pose) < 1e-6


@pytest.mark.parametrize(
    ("dragged", "pinned"),
    [("head", "left_wrist"), ("spine3", "head"), ("left_shoulder", "left_wrist"), ("left_hip", "right_ankle"),
     ("neck", "right_hand"), ("pelvis", "left_foot"), ("pelvis", "spine3"), ("spine2", "neck")],
)  # fmt: skip
def test_a_pin_holds(dragged: str, pinned: str) -> None:
    base = posed(12, bend=0.9)
    joints = base.joints()[0]
    to = joints[J[dragged]] + 0.03 * (joints[J[pinned]] - joints[J[dragged]]) + [0.0, 0.02, 0.01]
    pose = apply_edits(base, drag(base, Edits.none(1), Drag(J[dragged], to, pins=(J[pinned],))))
    assert np.linalg.norm(pose.joints[0, J[pinned]] - joints[J[pinned]]) < 1e-3
    assert np.linalg.norm(pose.joints[0, J[dragged]] - joints[J[dragged]]) > 1e-3
    assert off_bones(pose) < 1e-6


@pytest.mark.parametrize("name", ["left_elbow", "left_wrist", "spine2", "head", "right_hip", "left_foot", "pelvis"])
@pytest.mark.parametrize("children", [True, False])
def test_free_stretches_and_only_there(name: str, children: bool) -> None:
    base = posed(13)
    to = base.joints()[0, J[name]] + [0.1, 0.2, -0.1]
    edits = drag(base, Edits.none(1), Drag(J[name], to, mode="free", children=children))
    pose = apply_edits(base, edits)
    assert np.abs(pose.joints[0, J[name]] - to).max() < 1e-6
    moved = {joint for joint in range(24) if np.abs(pose.joints - base.joints())[0, joint].max() > 1e-6}
    assert moved == {J[name], *(BELOW[J[name]] if children else ())}
    bones = np.array([joint for joint in range(1, 24) if not edits.stretch[0, joint]])
    along = (
        pose.motion.globals()[0, np.array(PARENTS)[bones]] @ (REST[bones] - REST[np.array(PARENTS)[bones]])[..., None]
    )
    ends = pose.joints[0, np.array(PARENTS)[bones]] + along[..., 0]
    assert np.abs(ends - pose.joints[0, bones]).max() < 1e-6


@pytest.mark.parametrize("name", ["pelvis", "spine3", "head", "left_wrist", "right_ankle", "left_hand", "right_foot"])
def test_a_turn_gives_the_rotation_asked_for(name: str) -> None:
    base = posed(14)
    turn = quaternions.from_vector([0.3, -0.2, 0.4])
    edits = drag(base, Edits.none(1), Drag(J[name], turn=turn))
    pose = apply_edits(base, edits)
    wanted = base.globals()[0, J[name]] @ quaternions.to_matrix(turn)
    assert np.abs(pose.motion.globals()[0, J[name]] - wanted).max() < 1e-6
    assert off_bones(pose) < 1e-6
    by = wanted @ base.globals()[0, J[name]].T
    below = list(BELOW[J[name]])
    together = base.joints()[0, J[name]] + (base.joints()[0, below] - base.joints()[0, J[name]]) @ by.T
    assert np.abs(pose.joints[0, below] - together).max(initial=0.0) < 1e-6
    assert np.abs(pose.motion.globals()[0, below] - by @ base.globals()[0, below]).max(initial=0.0) < 1e-6


def test_a_turned_body_with_straight_limbs_turns_as_one() -> None:
    base = still()
    turn = quaternions.from_vector([0, 1.2, 0])
    pose = apply_edits(base, drag(base, Edits.none(1), Drag(0, turn=turn)))
    wanted = base.globals()[0, 0] @ quaternions.to_matrix(turn)
    assert np.abs(pose.motion.globals()[0] - wanted).max() < 1e-6
    assert np.abs(pose.twist).max() < 1e-6, "no bone is turned about itself against its parent"


@pytest.mark.parametrize("name", ["left_shoulder", "right_elbow", "neck", "left_hip"])
def test_a_twist_turns_a_bone_about_itself(name: str) -> None:
    base = posed(15)
    joint = J[name]
    child = PARENTS.index(joint)
    bone = (REST[child] - REST[joint]) / np.linalg.norm(REST[child] - REST[joint])
    turn = quaternions.from_vector(0.5 * bone)
    edits = drag(base, Edits.none(1), Drag(joint, turn=turn, children=False))
    pose = apply_edits(base, edits)
    assert np.abs(pose.joints - base.joints()).max() < 1e-9
    assert np.allclose(
        pose.motion.globals()[0, joint], base.globals()[0, joint] @ quaternions.to_matrix(turn), atol=1e-7
    )
    assert pose.twist[0, joint] == pytest.approx(0.5)
    with_children = apply_edits(base, drag(base, Edits.none(1), Drag(joint, turn=turn)))
    assert off_bones(with_children) < 1e-6
    assert with_children.twist[0, joint] == pytest.approx(0.5)


DRAGS = [
    Drag(J["left_wrist"], (0.05, 0.1, 0.05)), Drag(J["right_ankle"], (0.1, 0, 0.1), mirror=True),
    Drag(J["left_elbow"], (0, 0.1, 0.1), mirror=True, children=False), Drag(J["head"], (0.1, 0.1, -0.05)),
    Drag(J["left_wrist"], (0.05, 0.1, 0.05), mode="free", mirror=True),
    Drag(J["pelvis"], (0.05, 0.1, -0.05), pins=(J["left_ankle"], J["right_wrist"])),
    Drag(J["left_hip"], (0.05, 0.1, 0.05)),
    Drag(J["right_wrist"], turn=(0.9, 0.3, -0.2, 0.1), mirror=True),
    Drag(J["left_shoulder"], turn=(0.9, 0.4, 0.0, 0.0), mirror=True),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(DRAGS)))
@pytest.mark.parametrize("start", [0.0, 0.02])
def test_the_mirrored_edit_of_a_mirrored_pose_is_the_mirror_of_the_edit(number: int, start: float) -> None:
    base, before, by = posed(16), some_edits(17, 1, start) if start else Edits.none(1), DRAGS[number]
    place = apply_edits(base, before).joints[0, by.joint]
    flip = np.array([-1, 1, 1])

    def other(own: Drag, reflect: bool) -> Drag:
        to = None if own.to is None else place + np.asarray(own.to)
        turn = own.turn
        if reflect:
            to = None if to is None else to * flip
            turn = None if turn is None else np.asarray(turn) * [1, 1, -1, -1]
        joint = MIRROR[own.joint] if reflect else own.joint
        pins = tuple(MIRROR[pin] for pin in own.pins) if reflect else own.pins
        return Drag(joint, to, turn, own.mode, own.children, own.mirror, pins)

    there = drag(base, before, other(by, False))
    here = drag(mirrored(base), mirrored_edits(before), other(by, True))
    assert same(here, mirrored_edits(there), 1e-6)
    poses = apply_edits(mirrored(base), here).joints, apply_edits(base, there).joints[:, MIRROR] * flip
    assert np.abs(poses[0] - poses[1]).max() < 1e-6


def test_mirror_moves_both_sides_alike() -> None:
    base = still()
    to = base.joints()[0, J["left_wrist"]] + [-0.2, 0.1, -0.1]
    pose = apply_edits(base, drag(base, Edits.none(1), Drag(J["left_wrist"], to, mirror=True)))
    assert np.abs(pose.joints[0, J["right_wrist"]] - to * [-1, 1, 1]).max() < 1e-6


def test_a_drag_leaves_the_edits_of_others_bit_by_bit() -> None:
    base, edits = posed(18), some_edits(19, 1, 0.02)
    to = apply_edits(base, edits).joints[0, J["left_wrist"]] + [0.02, 0.01, 0]
    after = drag(base, edits, Drag(J["left_wrist"], to))
    others = [joint for joint in range(24) if joint not in BELOW[J["left_shoulder"]]]
    assert np.array_equal(after.offset[:, others], edits.offset[:, others])
    assert np.array_equal(after.turn[:, others], edits.turn[:, others])
    assert np.array_equal(after.strength, edits.strength)


def test_a_bent_knee_bends_forward_from_a_straight_leg() -> None:
    base = still()
    to = base.joints()[0, J["left_ankle"]] + [0, 0, 0.2]
    pose = apply_edits(base, drag(base, Edits.none(1), Drag(J["left_ankle"], to)))
    knee = pose.joints[0, J["left_knee"]]
    assert knee[1] < -0.1, "the body faces -y"
    assert abs(knee[0] - 0.1) < 1e-3
    # The thigh does not spin about itself.
    across = pose.motion.globals()[0, J["left_hip"]] @ [1, 0, 0]
    assert across @ [1, 0, 0] > 0.99


@pytest.mark.parametrize("joint", range(24))
@pytest.mark.parametrize("base", [still(), posed(20)], ids=["straight", "bent"])
def test_nothing_is_undefined(base: SkeletonMotion, joint: int) -> None:
    joints = base.joints()[0]
    places = [joints[PARENTS[joint]], joints[PARENTS[PARENTS[joint]]], joints[joint], joints[joint] + [0, 0, 19.0]]
    for to, mode, children in product(places, ("free", "lengths"), (True, False)):
        pose = apply_edits(base, drag(base, Edits.none(1), Drag(joint, to, mode=mode, children=children)))  # type: ignore[arg-type]
        assert np.isfinite(pose.joints).all()
        assert np.isfinite(pose.motion.rotations).all()
        assert np.allclose(np.linalg.norm(pose.motion.rotations, axis=-1), 1)


def test_no_length_at_all() -> None:
    nothing = SkeletonMotion(np.zeros((1, 3)), np.tile(quaternions.IDENTITY, (1, 24, 1)), np.zeros((24, 3)))
    pose = apply_edits(nothing, some_edits(21, 1))
    assert np.isfinite(pose.joints).all()
    assert np.isfinite(pose.motion.rotations).all()


def test_half_a_stretch_goes_half_the_way() -> None:
    base, joint = posed(22), J["left_wrist"]
    edits = Edits.none(1)
    edits.offset[0, joint] = [0, 0, 2.0]
    places = []
    for stretch in (0.0, 0.5, 1.0):
        edits.stretch[0, joint] = stretch
        places.append(apply_edits(base, edits).joints[0, joint])
    assert np.linalg.norm(places[2] - places[1]) < np.linalg.norm(places[2] - places[0]) - 0.3
    wanted = base.joints()[0, joint] + base.globals()[0, joint] @ [0, 0, 2.0]
    assert np.abs(places[2] - wanted).max() < 1e-6


@pytest.mark.parametrize("value", [np.nan, np.inf, 100.0])
def test_absurd_edits_are_refused_in_words(value: float) -> None:
    none = Edits.none(3)
    offset = none.offset.copy()
    offset[1, J["left_elbow"], 2] = value
    with pytest.raises(BadArgument, match="left_elbow"):
        Edits(offset, none.turn, none.stretch, none.strength)
    with pytest.raises(BadArgument, match="left_elbow"):
        drag(still(), Edits.none(1), Drag(J["left_elbow"], (0, 0, value)))


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match="want 2"):
        apply_edits(posed(1, 2), Edits.none(3))
    with pytest.raises(ValueError, match="want 1"):
        drag(posed(1, 2), Edits.none(2), Drag(3, (0, 0, 0)))
    with pytest.raises(ValueError, match="joint"):
        Drag(24, (0, 0, 0))


def test_strength_is_handed_on() -> None:
    edits = Edits.none(2)
    edits.strength[1, 5] = 0.25
    assert np.array_equal(apply_edits(posed(1, 2), edits).strength, edits.strength)


def test_every_joint_either_turns_or_points() -> None:
    assert sorted((*TURNING, *TWISTING)) == list(range(24))
