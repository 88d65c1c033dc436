from __future__ import annotations

import numpy as np
import pytest

from pchmr.inference_backend.errors import BadArgument, SceneChanged
from pchmr.pchmr_blender.core.bone_guess import guess
from pchmr.pchmr_blender.core.bone_map import EXPECTED, REQUIRED, ROLES, Bone, BoneMap, Switch, checked, label
from pchmr.pchmr_blender.core.bone_names import part_of, plain

from ..rigs import BUILDS, MadeRig, make_rig


def bones_of(rig: MadeRig) -> list[Bone]:
    return [Bone(*row) for row in rig.bones]


@pytest.mark.parametrize("make", BUILDS)
def test_every_make_is_guessed(make: str) -> None:
    rig = make_rig(make)
    found = guess(bones_of(rig))
    assert dict(found.bones) == rig.truth
    assert set(found.missing()) == {role for role in EXPECTED if role not in rig.truth}


@pytest.mark.parametrize("make", ["ue4", "cmu", "joints", "biped"])
@pytest.mark.parametrize("turn", range(3))
def test_shape_alone_finds_limbs_in_any_axes(make: str, turn: int) -> None:
    rig = make_rig(make)
    axes = np.roll(np.eye(3), turn, axis=0) @ np.diag([1.0, -1.0, -1.0])
    numbers = {name: f"joint{row}" for row, (name, *_) in enumerate(rig.bones)} | {"": ""}
    bones = [Bone(numbers[name], numbers[parent], axes @ head, axes @ tail) for name, parent, head, tail in rig.bones]
    assert dict(guess(bones).bones) == {role: numbers[name] for role, name in rig.truth.items()}


def test_helpers_beside_the_chain_are_passed_over() -> None:
    rig = make_rig("ue4")
    extra = [
        ("ik_foot_root", "root", np.zeros(3), np.ones(3)),
        ("ik_foot_l", "ik_foot_root", rig.head("foot_l"), rig.head("ball_l")),
        ("upperarm_twist_01_l", "upperarm_l", rig.head("upperarm_l"), rig.head("lowerarm_l")),
        ("index_01_l", "hand_l", rig.head("hand_l") + 1, rig.head("hand_l") + 2),
    ]
    assert dict(guess([*bones_of(rig), *(Bone(*row) for row in extra)]).bones) == rig.truth


def test_a_hip_joint_of_no_length_is_not_the_thigh() -> None:
    rig = make_rig("joints")
    bones = []
    for name, parent, head, tail in rig.bones:
        if name in ("LeftHip", "RightHip"):
            joint = f"{name[0]}HipJoint"
            bones.append(Bone(joint, parent, rig.head("Hips"), head))
            parent = joint
        bones.append(Bone(name, parent, head, tail))
    assert dict(guess(bones).bones) == rig.truth


def test_a_pelvis_that_carries_only_the_legs_is_not_the_pelvis() -> None:
    # Character Creator: the hip has both the pelvis, with the legs, and the waist.
    rows = [("CC_Base_Hip", "", (0, 0, 1)), ("CC_Base_Pelvis", "CC_Base_Hip", (0, 0, 1)),
            ("CC_Base_Waist", "CC_Base_Hip", (0, 0, 1.1)), ("CC_Base_Head", "CC_Base_Waist", (0, 0, 1.6))]  # fmt: skip
    for side, sign in (("L", 1), ("R", -1)):
        rows += [(f"CC_Base_{side}_Thigh", "CC_Base_Pelvis", (0.1 * sign, 0, 1)),
                 (f"CC_Base_{side}_Calf", f"CC_Base_{side}_Thigh", (0.1 * sign, 0, 0.5))]  # fmt: skip
    found = guess(Bone(name, parent, np.array(head, float), np.array(head, float)) for name, parent, head in rows)
    assert found.bones["pelvis"] == "CC_Base_Hip"
    assert found.bones["spine1"] == "CC_Base_Waist"


@pytest.mark.parametrize(
    ("name", "side", "part"),
    [
        ("thigh.L", "left", "thigh"),
        ("thigh_l", "left", "thigh"),
        ("Thigh-R", "right", "thigh"),
        ("lThighBend", "left", "thigh"),
        ("LThigh", "left", "thigh"),
        ("lthigh", "left", "thigh"),
        ("ValveBiped.Bip01_R_Thigh", "right", "thigh"),
        ("J_Bip_L_UpperArm", "left", "upper_arm"),
        ("mixamorig1:LeftForeArm", "left", "forearm"),
        ("Left arm", "left", "?arm"),
        ("RightToeBase", "right", "toe"),
        ("DEF-upper_arm.L.001", "left", "upper_arm"),
        ("upperarm_twist_01_l", "", ""),
        ("LeftHandThumb1", "", ""),
        ("ear.L", "", ""),
        ("Head_end", "", ""),
        ("foot_ik.L", "", ""),
        ("", "", ""),
        ("...", "", ""),
    ],
)
def test_names_say_side_and_part(name: str, side: str, part: str) -> None:
    assert part_of(name) == (side, part)


def test_namespaces_are_taken_off() -> None:
    assert plain(["mixamorig1:Hips", "mixamorig1:Head"]) == {"hips": "mixamorig1:Hips", "head": "mixamorig1:Head"}
    listed = [f"Neo_{name}" for name in ("Hips", "Head", "Neck", "Spine")]
    assert plain(listed)["hips"] == "Neo_Hips"


@pytest.mark.parametrize("how", ["nothing", "a chain", "a quadruped's legs only", "zero lengths", "a loose heap"])
def test_what_is_no_body_is_refused(how: str) -> None:
    points = {
        "nothing": [],
        "a chain": [("a", "", (0, 0, 0)), *((f"a{i}", f"a{i - 1}" if i else "a", (0, 0, i + 1.0)) for i in range(6))],
        "a quadruped's legs only": [("body", "", (0, 0, 1)), ("tail", "body", (0, 1, 1))],
        "zero lengths": [("a", "", (0, 0, 0)), *((f"b{i}", "a", (0, 0, 0)) for i in range(6))],
        "a loose heap": [(f"b{i}", "", (i, i * i, 0)) for i in range(9)],
    }[how]
    with pytest.raises(BadArgument, match="no pelvis with two legs"):
        guess(Bone(name, parent, np.array(head, float), np.array(head, float)) for name, parent, head in points)


def pairs() -> dict[str, str]:
    return make_rig("ue4").truth


def test_a_map_is_checked_and_told_in_words() -> None:
    names = set(pairs().values())
    made = checked(pairs().items(), names, (Switch("hand_l", "x", 1.0), Switch("nobody", "x", 1.0)))
    assert isinstance(made, BoneMap)
    assert made.bones == pairs()
    assert [switch.bone for switch in made.switches] == ["hand_l"]
    assert made.missing() == ()
    with pytest.raises(BadArgument, match="no bone is mapped to Left Shin") as lacking:
        checked([(role, bone) for role, bone in pairs().items() if role != "left_shin"], names)
    assert "Guess Bones" in lacking.value.hint
    with pytest.raises(BadArgument, match="calf_l is mapped twice, to Left Shin and Left Foot"):
        checked({**pairs(), "left_foot": "calf_l"}.items(), names)
    with pytest.raises(SceneChanged, match=r"no bone named calf_l \(Left Shin\)") as gone:
        checked(pairs().items(), names - {"calf_l"})
    assert "renamed" in gone.value.hint
    with pytest.raises(BadArgument, match="wing is no role"):
        checked({**pairs(), "wing": "x"}.items(), names)


def test_roles_have_labels() -> None:
    assert [label(role) for role in ("left_upper_arm", "spine2", "root")] == ["Left Upper Arm", "Spine 2", "Root"]
    assert len({label(role) for role in ROLES}) == len(ROLES)
    assert set(REQUIRED) <= set(ROLES)
