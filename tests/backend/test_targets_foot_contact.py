"""Foot contact: locked soles hold still on the floor, heel and toe each in its time, and nothing pops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from inference_backend.targets import quaternions
from inference_backend.targets.feet import Legs, flat_rotation, with_legs
from inference_backend.targets.floor import layer as floor_layer
from inference_backend.targets.floor import pushed_out
from inference_backend.targets.foot_contact import layer
from inference_backend.targets.motion import SkeletonMotion
from inference_backend.targets.parameters import Floor, FootContact, Strip
from inference_backend.targets.reach import lifted
from inference_backend.targets.source import sole_points
from inference_backend.targets.vectors import swing, turn_about, turned

from .walkers import CAMERA, FEET, FPS, SOLES, Walk, jump, stand, walk

Array = NDArray[np.float64]
SETTINGS = FootContact(lift_heel=0.0)
"""Feet that are held to the millimetre; heels that lift have tests of their own."""


def strips(take: Walk) -> tuple[Strip, ...]:
    """The true ones."""
    out = []
    for place in range(4):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], take.stands[:, place].astype(int), [0]]))).reshape(-1, 2)
        for first, after in edges:
            side, part = ("left", "right")[place % 2], ("heel", "toe")[place // 2]
            out.append(Strip(side, part, (first - 0.25) / FPS, (after - 0.75) / FPS))
    return tuple(out)


def locked(take: Walk, motion: SkeletonMotion, **settings: object) -> SkeletonMotion:
    chosen = {"strips": strips(take), **settings}
    return layer(motion, take.source(motion), replace(SETTINGS, **chosen))  # type: ignore[arg-type]


def slide(motion: SkeletonMotion, stands: NDArray[np.bool_]) -> Array:
    """m/s of soles that stand."""
    soles = sole_points(motion, SOLES)
    speed = np.linalg.norm(np.diff(soles, axis=0), axis=-1) * FPS
    return np.asarray(speed[stands[1:] & stands[:-1]])


def height(motion: SkeletonMotion, stands: NDArray[np.bool_]) -> Array:
    return np.asarray(np.abs(sole_points(motion, SOLES)[..., 2] - FEET.sole_heights)[stands])


def disturbed(take: Walk, seed: int = 0, slow: float = 0.02, fast: float = 0.004) -> SkeletonMotion:
    """Sliding and hovering: a wandering root and a jitter of the legs."""
    rng, frames = np.random.default_rng(seed), len(take.motion)
    time = np.arange(frames) / FPS
    wander = sum(
        rng.normal(size=3) * np.sin(2 * np.pi * f * time[:, None] + rng.uniform(0, 6, 3)) for f in (0.3, 0.7, 1.3)
    )
    jitter = rng.normal(0, fast, (frames, 24, 3))
    jitter[:, [j for j in range(24) if j not in (1, 2, 4, 5, 7, 8)]] = 0.0
    rotations = quaternions.product(take.motion.rotations, quaternions.from_vector(3 * jitter))
    ray = take.motion.root[0] - CAMERA  # most of it in depth, which a picture shows least
    depth = 3 * slow * wander[:, :1] * ray / np.linalg.norm(ray)
    return SkeletonMotion(take.motion.root + depth + 0.2 * slow * wander, rotations, take.motion.rest_joints)


@pytest.mark.parametrize("make", [stand, walk, jump])
@pytest.mark.parametrize("seed", range(3))
def test_feet_that_stand_hold_still_on_the_floor(make: type, seed: int) -> None:
    take = make()
    motion = disturbed(take, seed)
    assert slide(motion, take.stands).mean() > 0.02
    out = locked(take, motion)
    assert slide(out, take.stands).mean() < 0.005
    assert slide(out, take.stands).max() < 0.1
    assert height(out, take.stands).mean() < 0.002


@pytest.mark.parametrize("make", [stand, walk, jump])
def test_the_pose_stays_as_right_as_it_was(make: type) -> None:
    take = make()
    motion = disturbed(take, 5)
    out = locked(take, floor_layer(motion, take.source(motion), Floor(drift=1.0), strips(take)))
    errors = []
    for other in (motion, out):
        joints, true = other.joints(), take.motion.joints()
        errors.append(np.linalg.norm(joints - joints[:, :1] - true + true[:, :1], axis=-1).mean())
    assert errors[1] < errors[0] + 0.002
    assert slide(out, take.stands).mean() < 0.002


def test_detected_strips_do_as_well() -> None:
    take = walk(150)
    motion = disturbed(take, 1)
    motion = floor_layer(motion, take.source(motion), Floor())
    out = layer(motion, take.source(motion), SETTINGS)
    assert slide(out, take.stands).mean() < 0.01
    assert height(out, take.stands).mean() < 0.01


def test_feet_that_hold_still_already_stay() -> None:
    take = walk()
    out = locked(take, take.motion)
    assert np.linalg.norm(out.joints() - take.motion.joints(), axis=-1).max() < 0.02
    assert np.linalg.norm(out.joints() - take.motion.joints(), axis=-1).mean() < 0.003


def test_nothing_pops() -> None:
    take = walk(150)
    motion = disturbed(take, 2, fast=0.0)
    out = locked(take, motion)
    change = np.linalg.norm(np.diff(out.joints() - motion.joints(), 2, axis=0), axis=-1) * FPS**2
    assert change.max() < 40, "m/s²: a pop of 4 cm from one frame to the next has 36"
    assert change.mean() < 2
    step = np.linalg.norm(np.diff(out.joints() - motion.joints(), axis=0), axis=-1)
    assert step.max() < 0.03


def test_bones_keep_their_lengths() -> None:
    take = walk()
    out = locked(take, disturbed(take))
    assert out.rest_joints is take.motion.rest_joints
    assert np.abs(np.linalg.norm(out.rotations, axis=-1) - 1).max() < 1e-9


def test_knees_bend_as_they_did() -> None:
    take = walk(150)
    before = disturbed(take, 3)
    out = locked(take, before)
    for hip, knee, ankle in ((1, 4, 7), (2, 5, 8)):
        normals = []
        for motion in (before, out):
            joints = motion.joints()
            normal = np.cross(joints[:, knee] - joints[:, hip], joints[:, ankle] - joints[:, knee])
            normals.append(normal / np.linalg.norm(normal, axis=-1, keepdims=True))
        assert (normals[0] * normals[1]).sum(-1).min() > 0.9


def test_legs_that_swing_aside_take_their_bend_along() -> None:
    take = stand(1)
    joints, rotations = take.motion.joints(), take.motion.globals()
    ankles = joints[:, [7, 8]].copy()
    ankles[:, 1] += [0.35, 0.4, 0.3]
    out = with_legs(take.motion, Legs(take.motion.root, ankles, rotations[:, [7, 8]], rotations[:, [10, 11]])).joints()
    assert np.abs(out[:, 8] - ankles[:, 1]).max() < 1e-9
    before, after = joints[0, 8] - joints[0, 2], out[0, 8] - out[0, 2]
    normal = np.cross(joints[0, 5] - joints[0, 2], before)
    wanted = swing(before, after) @ normal
    found = np.cross(out[0, 5] - out[0, 2], after)
    assert wanted @ found / np.linalg.norm(wanted) / np.linalg.norm(found) > 0.9999


def test_footprints_a_short_step_apart_are_both_held() -> None:
    take = stand()
    near = (Strip("left", "heel", 0.3, 0.8), Strip("left", "heel", 0.9, 1.5))
    out = locked(take, disturbed(take, 7), strips=near)
    for start, end in ((9, 25), (27, 46)):
        held = np.zeros((60, 4), bool)
        held[start:end, 0] = True
        assert slide(out, held).max() < 0.001


def test_one_heel_alone_is_held_alone() -> None:
    take = stand()
    motion = disturbed(take, 4)
    out = locked(take, motion, strips=(Strip("left", "heel", 0.5, 1.5),))
    held = np.zeros((60, 4), bool)
    held[15:46, 0] = True
    assert slide(out, held).max() < 0.001
    others = np.zeros((60, 4), bool)
    others[15:46, 1] = True
    assert slide(out, others).mean() > 0.01
    loose = pushed_out(motion, FEET, np.zeros(len(motion)))
    assert np.abs((out.joints() - loose.joints())[:10]).max() < 1e-9
    assert np.abs((out.joints() - loose.joints())[52:]).max() < 1e-9


def test_an_unlocked_strip_is_left_as_it_comes() -> None:
    take = walk()
    motion = disturbed(take)
    free = tuple(replace(strip, locked=False) for strip in strips(take))
    assert locked(take, motion, strips=free) is motion


def test_the_pelvis_goes_down_where_a_leg_is_too_short() -> None:
    take = walk(150)
    high = take.motion.changed(root=take.motion.root + np.array([0, 0, 0.11]))
    out = locked(take, high, lower_pelvis=0.3)
    lowered = (high.root - out.root)[:, 2]
    assert lowered.max() > 0.01
    assert np.abs(np.diff(lowered, 2)).max() * FPS**2 < 10
    assert slide(out, take.stands).mean() < 0.005
    fixed = locked(take, high, lower_pelvis=0.0)
    assert np.array_equal(fixed.root, high.root)


def test_the_body_goes_the_way_that_shows_least() -> None:
    take = walk(150)
    high = take.motion.changed(root=take.motion.root + np.array([0, 0, 0.11]))
    ray = high.root - CAMERA
    ray /= np.linalg.norm(ray, axis=-1, keepdims=True)
    moved = locked(take, high, lower_pelvis=0.3).root - high.root
    far = np.linalg.norm(moved, axis=-1) > 0.005
    assert far.sum() > 20
    along = (moved * ray).sum(-1)
    shown = np.linalg.norm(moved - along[:, None] * ray, axis=-1)
    assert (np.abs(along) > shown)[far].mean() > 0.8


@pytest.mark.parametrize("most", [0.01, 0.03])
def test_heels_lift_before_the_body_moves(most: float) -> None:
    take = stand(90)
    sway = 0.025 * (1 - np.cos(2 * np.pi * np.arange(90) / 45))
    high = take.motion.changed(root=take.motion.root + sway[:, None] * [0, 0, 1])
    still, raised = (locked(take, high, lift_heel=lift) for lift in (0.0, most))
    way = [np.linalg.norm(motion.root - high.root, axis=-1).mean() for motion in (still, raised)]
    assert way[1] < 0.6 * way[0]
    heels = (sole_points(raised, SOLES)[..., 2] - FEET.sole_heights)[:, :2]
    assert 0.005 < heels.max() < 1.5 * most
    toes = take.stands & [False, False, True, True]
    assert slide(raised, toes).max() < 0.002
    assert slide(raised, take.stands).max() < 0.02, "heels do not bob"
    assert np.abs(raised.joints()[:, 10:12] - still.joints()[:, 10:12]).max() < 0.003


@pytest.mark.parametrize("degrees", [0, 40, 60, 75])
def test_a_foot_on_its_toes_is_not_thrown_forward_by_a_lift(degrees: float) -> None:
    """A lift turns every foot about its ball by the same angle: the ankle of a steep one hardly rises by it."""
    pitch = np.linspace(0, np.radians(degrees), 40)
    flat = flat_rotation(np.zeros((40, 2)))
    foot = turn_about(flat[..., 0], np.repeat(pitch[:, None], 2, 1)) @ flat
    way, seconds = np.tile([0.0, 0.0, -0.9], (40, 2, 1)), np.arange(40) / FPS
    up, turned_foot = lifted(way, np.full((40, 2), 0.85), foot, FEET.ball, np.ones((40, 2)), seconds, 0.018)
    assert np.linalg.norm(up, axis=-1).max() < 0.03
    assert np.abs(np.diff(up, axis=0)).max() < 0.001, "nothing pops while the foot rolls"
    assert np.allclose(up[0, :, 2], 0.018, atol=0.002), "a flat foot comes up as far as it may"
    balls = [ankle + turned(rotation, FEET.ball) for ankle, rotation in ((up, turned_foot), (0 * up, foot))]
    assert np.allclose(*balls, atol=1e-12), "the ball stays"


def knees_aside(motion: SkeletonMotion) -> Array:
    """(F, 2) metres from the line through hip and ankle."""
    hips, knees, ankles = (motion.joints()[:, [joint, joint + 1]] for joint in (1, 4, 7))
    line = (ankles - hips) / np.linalg.norm(ankles - hips, axis=-1, keepdims=True)
    return np.asarray(np.linalg.norm(np.cross(knees - hips, line), axis=-1))


def test_the_body_comes_down_a_little_before_knees_leave_their_picture() -> None:
    take = stand(90)
    high = take.motion.changed(root=take.motion.root + np.array([0, 0, 0.03]))
    out = locked(take, high)
    assert slide(out, take.stands).max() < 0.001
    assert (knees_aside(high) - knees_aside(out)).max() < 0.05
    higher = take.motion.changed(root=take.motion.root + np.array([0, 0, 0.12]))
    assert knees_aside(locked(take, higher)).min() < 0.03, "who is far too high stands straight"


def test_legs_that_reach_leave_heels_down() -> None:
    take = stand()
    low = take.motion.changed(root=take.motion.root - np.array([0, 0, 0.05]))
    assert np.abs(locked(take, low, lift_heel=0.03).root - low.root).max() < 1e-9
    assert height(locked(take, low, lift_heel=0.03), take.stands).max() < 1e-4


def test_feet_do_not_go_through_the_floor() -> None:
    take = walk(150)
    out = locked(take, disturbed(take, 6, slow=0.03))
    soles = sole_points(out, SOLES)[..., 2] - FEET.sole_heights
    assert soles.min() > -0.005


@pytest.mark.parametrize("strength", [0.0, 0.5])
def test_strength(strength: float) -> None:
    take = walk()
    motion = disturbed(take)
    full, part = locked(take, motion), locked(take, motion, strength=strength)
    way = [np.linalg.norm(m.joints() - motion.joints(), axis=-1).mean() for m in (full, part)]
    assert way[1] == pytest.approx(strength * way[0], rel=0.2, abs=1e-9)


def test_a_foot_may_pivot_on_its_ball() -> None:
    take = stand()
    rotations = take.motion.rotations.copy()
    rotations[:, 0] = quaternions.product(
        quaternions.from_vector(np.linspace(0, 1.5, 60)[:, None] * [0, 0, 1]), rotations[:, 0]
    )
    spin = take.motion.changed(rotations=rotations)
    out = locked(take, spin, strips=(Strip("left", "toe", 0.0, 2.0),))
    ball = out.joints()[:, 10]
    assert np.linalg.norm(ball - ball[0], axis=-1).max() < 0.001
    foot = out.globals()[:, 7]
    turned = np.arctan2(foot[-1, 1, 2], foot[-1, 0, 2]) - np.arctan2(foot[0, 1, 2], foot[0, 0, 2])
    assert abs(turned) > 1.2
    toes = out.globals()[-1, 10]
    assert (toes[:, 2] @ foot[-1, :, 2]) > np.cos(np.radians(25)), "the toes do not stay behind"


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_short_clips(frames: int) -> None:
    take = stand(frames)
    out = locked(take, take.motion, strips=(Strip("left", "heel", 0.0, 0.01), Strip("right", "toe", 5.0, 6.0)))
    assert np.isfinite(out.rotations).all()


def test_strips_between_two_frames_do_nothing() -> None:
    take = stand()
    out = locked(take, disturbed(take), strips=(Strip("left", "heel", 0.51, 0.52),))
    assert np.isfinite(out.rotations).all()
