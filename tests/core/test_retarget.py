from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from pchmr.inference_backend.errors import BadArgument
from pchmr.pchmr_blender.core import turns
from pchmr.pchmr_blender.core.axes import quaternions_to_matrices
from pchmr.pchmr_blender.core.bone_map import Bone, BoneMap
from pchmr.pchmr_blender.core.foot_lock import FootSlide
from pchmr.pchmr_blender.core.hip_path import along
from pchmr.pchmr_blender.core.leg_ik import reach_for
from pchmr.pchmr_blender.core.plain_rig import plain_rig
from pchmr.pchmr_blender.core.retarget import (
    Retargeted,
    RetargetSettings,
    RootMotion,
    direction_errors,
    retarget,
)
from pchmr.pchmr_blender.core.rig_pose import TargetRig
from pchmr.pchmr_blender.core.source_motion import SourceMotion

from ..people import PARENTS, REST_JOINTS, MadeUpPerson, turned
from ..rigs import BUILDS, MadeRig, make_rig

Array = NDArray[np.float64]

FREE = RetargetSettings(foot_lock=False)
MOVED = np.eye(4)
MOVED[:3, :3] = 0.01 * turned(np.array([0.2, 0.1, 1.0]), np.array([1.2]))[0]
MOVED[:3, 3] = 3.0, -2.0, 0.5
"""An armature object that is scaled, turned and somewhere else."""


def dancer(frames: int = 40) -> SourceMotion:
    """Every joint turns, farther than a person's can."""
    person = MadeUpPerson(frame_count=frames)
    return SourceMotion(person.rest_joints, person.rotations, person.joints, person.seconds)


def bender() -> SourceMotion:
    """The trunk leans and twists by up to 50°."""
    local = np.tile(np.eye(3), (20, 24, 1, 1))
    for joint in (0, 3, 6, 9):
        local[:, joint] = turned(np.array([1.0, joint, 3.0]), np.linspace(0, 0.22, 20))
    return forward(local, np.tile([0.0, 0, 0.95], (20, 1)), np.arange(20) / 30)


def forward(local: Array, root: Array, seconds: Array) -> SourceMotion:
    """Rotations relative to the parents as a motion."""
    turn, joints = local.copy(), np.empty((len(local), 24, 3))
    joints[:, 0] = root
    for joint, parent in enumerate(PARENTS[1:], 1):
        turn[:, joint] = turn[:, parent] @ local[:, joint]
        joints[:, joint] = joints[:, parent] + turn[:, parent] @ (REST_JOINTS[joint] - REST_JOINTS[parent])
    return SourceMotion(REST_JOINTS, turn, joints, seconds)


def walker(frames: int = 150, speed: float = 0.5, hips: float = 0.895) -> SourceMotion:
    """Walks to the front; each foot stands flat for six tenths of its cycle. The higher the hips, the straighter."""
    seconds = np.arange(frames) / 30
    leg = 0.85
    local = np.tile(np.eye(3), (frames, 24, 1, 1))
    root = np.stack([np.zeros(frames), -speed * seconds, np.full(frames, 0.0)], -1)
    root[:, 2] = hips + 0.005 * np.cos(10 * seconds)
    ankles = {}
    for hip, phase in ((1, 0.0), (2, 0.5)):
        cycle = seconds / 1.1 + phase
        step, part = np.floor(cycle), cycle % 1.0
        swing = np.clip((part - 0.6) / 0.4, 0, 1)
        eased = swing * swing * (3 - 2 * swing)
        stride = 1.1 * speed
        y = -stride * (step - phase + 0.3 + eased)
        lift = 0.12 * np.sin(np.pi * swing)
        ankles[hip] = np.stack([np.full(frames, REST_JOINTS[hip, 0]), y, 0.08 + lift], -1)
    for hip, ankle in ankles.items():
        start = root + REST_JOINTS[hip] - REST_JOINTS[0]
        way = ankle - start
        far = np.minimum(np.linalg.norm(way, axis=-1), 0.999 * leg)
        bend = np.arccos(np.clip((0.41**2 + far**2 - 0.44**2) / (2 * 0.41 * far), -1, 1))
        lean = np.arctan2(-way[:, 1], -way[:, 2])
        thigh = turned(np.array([-1.0, 0, 0]), lean + bend)
        knee = np.arccos(np.clip((0.41**2 + 0.44**2 - far**2) / (2 * 0.41 * 0.44), -1, 1))
        local[:, hip] = thigh
        local[:, hip + 3] = turned(np.array([-1.0, 0, 0]), -(np.pi - knee))
        local[:, hip + 6] = (local[:, hip] @ local[:, hip + 3]).swapaxes(-1, -2)
    local[:, 18] = turned(np.array([0, 0, -1.0]), 0.6 + 0.5 * np.sin(6 * seconds))
    return forward(local, root, seconds)


def axes_of(made: MadeRig) -> dict[str, Array]:
    """Any axes and rolls, as importers leave them."""
    random = np.random.default_rng(3)
    names = [name for name, *_ in made.bones]
    return {name: turned(random.normal(size=3), random.uniform(0, 3, 1))[0] for name in names}


def bones_of(made: MadeRig) -> list[Bone]:
    return [Bone(*row) for row in made.bones]


def target(make: str, world: Array | None = None) -> TargetRig:
    made = make_rig(make)
    unit = np.diag([*(1 / BUILDS[make].unit,) * 3, 1.0])
    return plain_rig(bones_of(made), BoneMap(made.truth), axes_of(made), unit if world is None else world)


def posed(make: str, rig: TargetRig, result: Retargeted, world: Array) -> dict[str, Array]:
    """The readable twin: what Blender does with the channels, matrix by matrix; heads in the world, by bone."""
    made, axes = make_rig(make), axes_of(make_rig(make))
    rest, shown = {}, {}
    for name, parent, head, _ in made.bones:
        rest[name] = np.eye(4)
        rest[name][:3, :3], rest[name][:3, 3] = axes[name], head
        basis = np.tile(np.eye(4), (len(result.quaternions), 1, 1))
        if name in rig.names:
            bone = rig.names.index(name)
            basis[:, :3, :3] = quaternions_to_matrices(result.quaternions[:, bone])
            if bone in result.locations:
                basis[:, :3, 3] = result.locations[bone]
        above = shown[parent] @ np.linalg.inv(rest[parent]) if parent else np.eye(4)
        shown[name] = above @ rest[name] @ basis
    return {name: (world @ matrices)[:, :3, 3] for name, matrices in shown.items()}


def worst(source: SourceMotion, rig: TargetRig, joints: Array, roles: tuple[str, ...] = ()) -> float:
    errors = direction_errors(source, rig, joints)
    assert errors
    return max(float(error.max()) for role, error in errors.items() if not roles or role.startswith(roles))


@pytest.mark.parametrize("make", BUILDS)
def test_directions_are_the_source_s(make: str) -> None:
    source, rig = dancer(), target(make)
    result = retarget(source, rig, FREE)
    assert worst(source, rig, result.joints) < 1e-6
    limbs = len(direction_errors(source, rig, result.joints))
    assert limbs == 10 if rig.index("neck1") is not None else 9


@pytest.mark.parametrize("make", ["mixamo", "ue4", "daz", "no neck, no clavicles"])
def test_the_channels_pose_it_so_in_a_moved_and_scaled_object(make: str) -> None:
    source, rig = dancer(12), target(make, MOVED)
    result = retarget(source, rig, FREE)
    heads = posed(make, rig, result, MOVED)
    for bone, name in enumerate(rig.names):
        assert np.allclose(heads[name], result.joints[:, bone], atol=1e-9), name
    assert worst(source, rig, result.joints) < 1e-6


def test_a_copy_of_the_skeleton_moves_as_the_skeleton() -> None:
    """The same proportions, another scale: then every joint is the source's, scaled, and rotations are equal."""
    source = dancer()
    names = {joint: f"bone{joint}" for joint in range(24)} | {-1: ""}
    roles = {"pelvis": 0, "spine1": 3, "spine2": 6, "spine3": 9, "neck1": 12, "head": 15}
    for side, first in (("left", 0), ("right", 1)):
        parts = ("thigh", "shin", "foot", "toe", "clavicle", "upper_arm", "forearm", "hand")
        roles |= {f"{side}_{p}": j + first for p, j in zip(parts, (1, 4, 7, 10, 13, 16, 18, 20), strict=True)}
    scale = 0.6
    bones = [
        Bone(names[j], names[p], scale * REST_JOINTS[j], scale * REST_JOINTS[j] + (0, 0, 0.1))
        for j, p in enumerate(PARENTS)
    ]
    axes = {name: np.eye(3) for name in names.values()}
    rig = plain_rig(bones, BoneMap({role: names[j] for role, j in roles.items()}), axes, np.eye(4))
    result = retarget(source, rig, FREE)
    assert result.scale == pytest.approx(scale)
    own = result.joints - result.joints[:, :1]
    for role, joint in roles.items():
        wanted = scale * (source.joints[:, joint] - source.joints[:, 0])
        assert np.allclose(own[:, rig.at(role)], wanted, atol=1e-9), role
    heights = result.joints[:, 0, 2] - scale * source.joints[:, 0, 2]
    assert np.ptp(heights) < 1e-9


@pytest.mark.parametrize("make", BUILDS)
def test_hands_point_where_the_source_s_do(make: str) -> None:
    source, rig = dancer(), target(make)
    turn = world_turns(rig, retarget(source, rig, FREE))
    for role, wrist, knuckle in (("left_hand", 20, 22), ("right_hand", 21, 23)):
        bone = rig.at(role)
        own = turns.turned(turn[bone], rig.tips[bone] - rig.heads[bone])
        assert np.allclose(turns.unit(own), turns.unit(source.joints[:, knuckle] - source.joints[:, wrist])), role


@pytest.mark.parametrize("make", BUILDS)
def test_who_stands_upright_stands_upright_on_flat_feet(make: str) -> None:
    joints = REST_JOINTS[None] + (0, 0, 0.0125 * 0.85 - REST_JOINTS[10, 2])
    source = SourceMotion(REST_JOINTS, np.tile(np.eye(3), (1, 24, 1, 1)), joints, np.zeros(1))
    rig = target(make)
    result = retarget(source, rig, FREE)
    turn = world_turns(rig, result)
    for role in ("left_foot", "right_foot", "head", "pelvis"):
        level = turn[rig.at(role)][0] @ BUILDS[make].axes
        assert np.allclose(level[2], (0, 0, 1), atol=1e-6), role
    exact = rig.index("left_toe") is not None and not BUILDS[make].at_hips
    assert result.joints[0, rig.at("left_foot"), 2] == pytest.approx(BUILDS[make].ankle, abs=1e-3 if exact else 0.02)


def test_high_heels_stay_on_the_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BUILDS, "heels", replace(BUILDS["ue4"], ankle=0.15))
    rig = target("heels")
    result = retarget(walker(), rig)
    assert result.joints[:, rig.at("left_foot"), 2].min() == pytest.approx(0.15, abs=0.005)
    assert result.joints[:, rig.at("left_toe"), 2].min() == pytest.approx(0.015, abs=0.01)


def test_head_and_feet_face_where_the_source_s_do() -> None:
    source, rig = dancer(), target("ue4")
    result = retarget(source, rig, FREE)
    turn = world_turns(rig, result)
    for role, joint in (("head", 15), ("left_foot", 7), ("right_foot", 8), ("pelvis", 0)):
        front = turn[rig.at(role)] @ np.array([0, -1.0, 0])
        wanted = source.rotations[:, joint] @ np.array([0, -1.0, 0])
        # The rig's toes point outwards by a little; the source's too, by another.
        assert np.sum(front * wanted, -1).min() > np.cos(np.radians(8)), role


@pytest.mark.parametrize("make", ["ue4", "ue5", "biped", "joints"])
def test_spines_of_any_number_end_as_the_chest(make: str) -> None:
    """1, 2, 3 and 5 bones: the last has the shoulders, so it is turned as the chest, or nearly."""
    source, rig = bender(), target(make)
    turn = {bone: turn @ BUILDS[make].axes for bone, turn in world_turns(rig, retarget(source, rig, FREE)).items()}
    spine = [bone for bone, role in enumerate(rig.roles) if role.startswith("spine")]
    for axis in np.eye(3):
        off = np.sum((turn[spine[-1]] @ axis) * (source.rotations[:, 9] @ axis), -1)
        assert off.min() > np.cos(np.radians(15)), make
    steps = [rig.at("pelvis"), *spine]
    for before, after in pairwise(steps):
        angle = np.arccos(
            np.clip((np.trace(turn[before].swapaxes(-1, -2) @ turn[after], axis1=-2, axis2=-1) - 1) / 2, -1, 1)
        )
        assert np.degrees(angle[-1]) < 100 / len(spine)  # nobody has to bend for all


def world_turns(rig: TargetRig, result: Retargeted) -> dict[int, Array]:
    """How each bone is turned from its rest, in the world."""
    own = quaternions_to_matrices(result.quaternions)
    turn = {-1: np.tile(np.eye(3), (len(own), 1, 1))}
    for bone, above in enumerate(rig.turned_by):
        turn[bone] = turn[above] @ rig.axes[bone] @ own[:, bone] @ rig.axes[bone].T
    return turn


@pytest.mark.parametrize("make", ["mixamo", "ue4", "daz", "biped", "joints", "no neck, no clavicles"])
def test_locked_feet_stand(make: str) -> None:
    source, rig = walker(), target(make)
    free, locked = retarget(source, rig, FREE), retarget(source, rig)
    assert len(locked.slides) == 2
    for before, after in zip(free.slides, locked.slides, strict=True):
        assert after.frames > 60
        assert after.source < 1.0
        assert after.free == pytest.approx(before.rig)
        assert after.rig < 1.0, after
        assert after.rig < 1.1 * locked.scale * after.source + 0.01
        assert after.free > 2 * after.rig, after
    # Only legs pay for it, and not much.
    assert worst(source, rig, locked.joints, ("left_up", "right_up", "left_fore", "right_fore", "trunk", "neck")) < 1e-6
    assert worst(source, rig, locked.joints) < 0.2


def tiptoer(frames: int = 90) -> SourceMotion:
    """Goes up on the balls of both feet and down again, on straight legs; the balls stay where they are."""
    seconds = np.arange(frames) / 30
    local = np.tile(np.eye(3), (frames, 24, 1, 1))
    for ankle in (7, 8):
        local[:, ankle] = turned(np.array([1.0, 0, 0]), 0.4 * (1 - np.cos(2 * seconds)))
    made = forward(local, np.zeros((frames, 3)), seconds)
    balls = made.joints[:, [10, 11]].mean(1, keepdims=True)
    return replace(made, joints=made.joints - balls + (0, 0, 0.0125 * 0.85))


@pytest.mark.parametrize("make", ["mixamo", "ue4", "daz", "biped"])
def test_hips_go_with_the_feet_so_that_straight_legs_stay_straight(make: str) -> None:
    source, rig = tiptoer(), target(make)
    result = retarget(source, rig)
    assert all(slide.frames == len(source.joints) and slide.rig < 0.5 for slide in result.slides)
    # A leg needs 0.03 to have a knee at all (`foot_lock._REACH`); with hips on their own way it is 0.046 to 0.16.
    assert worst(source, rig, result.joints) < 0.042
    free = retarget(source, rig, FREE)
    assert np.allclose(hips(rig, result)[:, :2], hips(rig, free)[:, :2], atol=1e-9)


@pytest.mark.parametrize("make", ["mixamo", "ue4", "daz", "biped"])
def test_hips_that_follow_feet_let_legs_point_as_the_source_s(make: str) -> None:
    source, rig = walker(), target(make)
    kept, followed = (retarget(source, rig, RetargetSettings(hips_follow=follow)) for follow in (False, True))
    errors = [np.stack(list(direction_errors(source, rig, one.joints).values())) for one in (kept, followed)]
    assert errors[1].mean() < 0.85 * errors[0].mean()
    assert errors[1].max() < 0.85 * errors[0].max()
    for before, after in zip(kept.slides, followed.slides, strict=True):
        assert after.rig < before.rig + 0.2, after
    # It is the feet's mean place that is kept: the hips stay near their path, come back to it, and do not shake.
    off = hips(rig, followed) - hips(rig, kept)
    assert 0.0005 < np.abs(off[:, :2]).max() < 0.02
    assert np.abs(off[:, :2].mean(0)).max() < 0.005
    assert np.abs(np.diff(off, 2, axis=0)).max() < 0.002


@pytest.mark.parametrize("root", RootMotion)
def test_who_moves_where_hips_follow_feet(root: RootMotion) -> None:
    source, rig = walker(), target("ue4")
    plain = retarget(source, rig, RetargetSettings(hips_follow=True))
    result = retarget(source, rig, RetargetSettings(root, hips_follow=True))
    assert np.array_equal(result.quaternions, plain.quaternions)
    at = hips(rig, result)
    if root is RootMotion.IN_PLACE:
        assert np.allclose(at[:, :2], 0, atol=1e-9)
    else:
        assert np.allclose(at, hips(rig, plain), atol=1e-9)
    if root is RootMotion.ROOT:
        assert np.allclose(result.joints[:, rig.at("root"), :2], at[:, :2])


def test_of_two_feet_the_straighter_leg_decides_how_high_the_hips_are() -> None:
    still = np.zeros((10, 3))
    thigh, shin = np.array([0.0, 0.0, -0.4]), np.array([0.0, 0.0, -0.4])
    straight = (still, still + thigh, still + thigh + shin)
    bent = (still, still + np.array([0.0, -0.24, -0.32]), still + np.array([0.0, 0.0, -0.64]))
    up, ones, seconds = still + np.array([0.0, 0.0, 0.02]), np.ones(10), np.arange(10) / 30
    moved, left = along([straight, bent], [up, still], [ones, ones], seconds, level=False)
    assert 0.014 < moved[0, 2] < 0.02
    assert np.allclose(left[0], up - moved)
    assert np.allclose(left[1], -moved)
    same, _ = along([bent, bent], [up, still], [ones, ones], seconds, level=False)
    assert np.allclose(same[:, 2], 0.01)
    none, rest = along([straight, bent], [still, still], [0 * ones, 0 * ones], seconds, level=True)
    assert not none.any()
    assert not np.any(rest)


def test_a_lock_makes_no_jump() -> None:
    source, rig = walker(), target("biped")
    free, locked = retarget(source, rig, FREE), retarget(source, rig)
    for role in ("left_foot", "right_shin", "pelvis"):
        jumps = [
            np.linalg.norm(np.diff(result.joints[:, rig.at(role)], 2, axis=0), axis=-1).max()
            for result in (free, locked)
        ]
        assert jumps[1] < 1.1 * jumps[0] + 0.002, role


def test_hips_come_down_where_a_leg_is_too_short() -> None:
    source, rig = walker(hips=0.92), target("biped")
    free, locked = retarget(source, rig, FREE), retarget(source, rig)
    down = hips(rig, free)[:, 2] - hips(rig, locked)[:, 2]
    assert 0.001 < down.max() < 0.05
    assert down.min() > -0.005  # up by less than that, with a foot that stands higher than equal directions put it
    assert np.abs(np.diff(down, 2)).max() < 0.004
    assert all(slide.rig < 1.1 * locked.scale * slide.source + 0.3 for slide in locked.slides), locked.slides


def test_feet_stand_on_the_rig_s_floor() -> None:
    source = walker()
    for make in ("mixamo", "ue4", "ue5", "daz", "cmu"):
        rig = target(make)
        result = retarget(source, rig)
        lowest = result.joints[:, rig.at("left_foot"), 2].min()
        assert lowest == pytest.approx(BUILDS[make].ankle, abs=0.012), make


def test_the_path_is_scaled_by_the_legs() -> None:
    source, rig = walker(), target("mixamo")
    result = retarget(source, rig)
    legs = 0.42 + 0.46
    assert result.scale == pytest.approx(legs / source.leg, rel=0.01)
    own, wanted = (joints[-1] - joints[0] for joints in (hips(rig, result), source.joints[:, [1, 2]].mean(1)))
    assert np.allclose(own[:2], result.scale * wanted[:2], atol=1e-6)


def test_the_rig_stands_where_its_object_is() -> None:
    source = walker()
    moved = np.eye(4)
    moved[:3, 3] = 5.0, 6.0, 1.0
    here, there = (hips(rig, retarget(source, rig)) for rig in (target("ue5", np.eye(4)), target("ue5", moved)))
    assert np.allclose(there - here, [5, 6, 1], atol=1e-9)


def hips(rig: TargetRig, result: Retargeted) -> Array:
    return result.joints[:, [rig.at("left_thigh"), rig.at("right_thigh")]].mean(1)


def test_in_place_and_root_bone() -> None:
    source, rig = walker(), target("ue4")
    plain = retarget(source, rig)
    in_place = retarget(source, rig, RetargetSettings(RootMotion.IN_PLACE))
    by_root = retarget(source, rig, RetargetSettings(RootMotion.ROOT))
    assert np.allclose(hips(rig, in_place)[:, :2], 0, atol=1e-9)
    assert np.allclose(hips(rig, in_place)[:, 2], hips(rig, plain)[:, 2])
    assert np.array_equal(in_place.quaternions, plain.quaternions)
    assert np.allclose(by_root.joints[:, 1:], plain.joints[:, 1:], atol=1e-9)
    root = by_root.joints[:, rig.at("root")]
    assert np.allclose(root[:, :2], hips(rig, plain)[:, :2])
    assert np.allclose(root[:, 2], 0)
    assert set(plain.locations) == {rig.at("pelvis")}
    assert set(by_root.locations) == {rig.at("pelvis"), rig.at("root")}


def test_a_pelvis_that_is_connected_is_moved_by_the_root() -> None:
    source, rig = walker(), target("ue4")
    connected = TargetRig(**{**vars(rig), "reach": {**rig.reach, "pelvis": np.zeros((3, 3))}})
    for root in RootMotion:
        own = retarget(source, connected, RetargetSettings(root))
        assert set(own.locations) == {rig.at("root")}
        wanted = retarget(source, rig, RetargetSettings(root))
        assert np.allclose(own.joints[:, 1:], wanted.joints[:, 1:], atol=1e-9)


def test_rows_are_told_apart_from_neighbours_only_by_locks() -> None:
    source, rig = dancer(), target("mixamo")
    some = SourceMotion(source.rest_joints, source.rotations[5:9], source.joints[5:9], source.seconds[5:9])
    whole, part = retarget(source, rig, FREE), retarget(some, rig, FREE)
    assert np.allclose(whole.joints[5:9], part.joints, atol=1e-12)


def test_one_frame_is_enough() -> None:
    source = dancer(1)
    result = retarget(source, target("unity"))
    assert result.quaternions.shape == (1, len(target("unity").names), 4)
    assert all(slide == FootSlide(slide.side, 0, 0.0, 0.0, 0.0) for slide in result.slides)


def test_a_stretched_bone_keeps_its_direction() -> None:
    source = dancer()
    source.joints[:, 20] += (0.05, 0.02, 0.03)  # the left wrist, off its bone
    rig = target("ue4")
    assert worst(source, rig, retarget(source, rig, FREE).joints) < 1e-6


def test_what_cannot_be_is_refused() -> None:
    source, rig = walker(8), target("mixamo")
    with pytest.raises(BadArgument, match="root bone cannot be moved"):
        retarget(source, rig, RetargetSettings(RootMotion.ROOT))
    fixed = TargetRig(**{**vars(rig), "reach": {"pelvis": np.zeros((3, 3))}})
    with pytest.raises(BadArgument, match="pelvis bone cannot be moved"):
        retarget(source, fixed)
    flat = TargetRig(**{**vars(rig), "heads": np.zeros_like(rig.heads), "tips": np.zeros_like(rig.tips)})
    with pytest.raises(BadArgument, match="legs have no size"):
        retarget(source, flat)


def test_a_swing_turns_one_direction_into_another() -> None:
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, 50, 3))
    a[0], b[0] = (0, 0, 2), (0, 0, -1)  # opposite
    a[1], b[1] = (1, 2, 3), (2, 4, 6)  # the same
    a[2] = 0
    turn = turns.swing(a, b)
    assert np.allclose(turn @ turn.swapaxes(-1, -2), np.eye(3), atol=1e-9)
    assert np.allclose(np.linalg.det(turn), 1)
    assert np.allclose(turns.turned(turn, turns.unit(a))[[0, 1, *range(3, 50)]], turns.unit(b)[[0, 1, *range(3, 50)]])
    assert np.allclose(turn[1:3], np.eye(3))


def test_between_is_on_the_short_way() -> None:
    axis = np.array([1.0, 2, -1])
    a, b = turned(axis, np.array([0.2])), turned(axis, np.array([2.9]))
    for share in (0.0, 0.25, 1.0):
        assert np.allclose(turns.between(a, b, share), turned(axis, np.array([0.2 + 2.7 * share])))
    assert np.allclose(turns.between(a, a, 0.5), a)


def test_a_leg_reaches_its_goal_in_its_own_plane() -> None:
    random = np.random.default_rng(1)
    n = 200
    start, middle = np.zeros((n, 3)), random.normal(size=(n, 3))
    end = middle + random.normal(size=(n, 3))
    goal = end + 0.1 * random.normal(size=(n, 3))
    first, second = reach_for(start, middle, end, goal, np.tile([0.0, -1, 0], (n, 1)))
    knee = turns.turned(first, middle)
    reached = knee + turns.turned(second, end - middle)
    lengths = [np.linalg.norm(way, axis=-1) for way in (middle, end - middle)]
    far = np.linalg.norm(goal, axis=-1)
    can = (far < sum(lengths)) & (far > np.abs(lengths[0] - lengths[1]))
    assert can.sum() > 100
    assert np.allclose(reached[can], goal[can], atol=1e-6)
    assert np.isfinite(reached).all()
    same, also = reach_for(start, middle, end, end, np.tile([0.0, -1, 0], (n, 1)))
    bent = np.linalg.norm(np.cross(turns.unit(middle), turns.unit(end)), axis=-1) > 0.1
    assert np.allclose(same[bent], np.eye(3), atol=1e-5)
    assert np.allclose(also[bent], np.eye(3), atol=1e-5)


def test_a_straight_leg_bends_forward() -> None:
    start, middle, end = np.zeros((1, 3)), np.array([[0, 0, -1.0]]), np.array([[0, 0, -2.0]])
    first, second = reach_for(start, middle, end, np.array([[0, 0, -1.9]]), np.array([[0, -1.0, 0]]))
    knee = turns.turned(first, middle)
    assert knee[0, 1] < -0.3
    assert np.allclose(knee + turns.turned(second, end - middle), [[0, 0, -1.9]], atol=1e-9)
