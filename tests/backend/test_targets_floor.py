"""The floor layer: feet that stand come to the floor and stop drifting, jumps stay jumps, the picture is kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from inference_backend.targets import quaternions
from inference_backend.targets.contacts import detected_strips
from inference_backend.targets.floor import layer
from inference_backend.targets.foot_contact import layer as lock_feet
from inference_backend.targets.motion import SkeletonMotion
from inference_backend.targets.parameters import Floor, FootContact, Strip
from inference_backend.targets.source import sole_points
from inference_backend.targets.under_feet import heights_under

from .walkers import CAMERA, FEET, FPS, SOLES, Walk, jump, stand, walk

Array = NDArray[np.float64]
SETTINGS = Floor()


def heights(motion: SkeletonMotion) -> Array:
    return np.asarray(sole_points(motion, SOLES)[..., 2] - FEET.sole_heights)


def moved(take: Walk, by: Array) -> SkeletonMotion:
    return take.motion.changed(root=take.motion.root + by)


def floored(take: Walk, motion: SkeletonMotion, settings: Floor = SETTINGS) -> SkeletonMotion:
    return layer(motion, take.source(motion), settings)


def test_who_stands_on_the_floor_stays() -> None:
    for take in (stand(), walk(), jump()):
        assert np.abs(floored(take, take.motion).root - take.motion.root).max() < 0.005


@pytest.mark.parametrize("make", [stand, walk, jump])
@pytest.mark.parametrize("height", [0.05, -0.05])
def test_a_body_that_hovers_or_sinks_comes_to_the_floor(make: type, height: float) -> None:
    take = make()
    out = floored(take, moved(take, np.array([0, 0, height])))
    assert np.abs(heights(out)[take.stands]).mean() < 0.003


@pytest.mark.parametrize("height", [0.4, 2.5, -1.0])
def test_who_stands_on_something_else_stays_there(height: float) -> None:
    take = stand()
    roof = moved(take, np.array([0, 0, height]))
    assert np.abs(floored(take, roof).root - roof.root).max() < 0.005
    source = take.source(roof)
    assert len(detected_strips(roof, source, FootContact())) == 4
    out = lock_feet(floored(take, roof), source, FootContact())
    assert np.abs(heights(out)[take.stands] - height).max() < 0.005


def test_the_way_down_belongs_to_the_lower_level() -> None:
    take = stand(150)
    way = np.interp(np.arange(150), [60, 70], [1.0, 0.0])
    source = take.source(moved(take, way[:, None] * [0, 0, 1]))
    standing = source.standing.copy()
    standing[60:70] = 0
    source = replace(source, standing=standing)
    under = heights_under(source.fitted, source)
    assert under[:60] == pytest.approx(1.0, abs=0.01)
    assert (under[60:] == 0).all()


@pytest.mark.parametrize("keep_picture", [True, False])
def test_a_wavering_height_is_taken_out(keep_picture: bool) -> None:
    take = walk(150)
    wave = 0.04 * np.sin(2 * np.pi * np.arange(150) / 90)[:, None] * [0, 0, 1]
    out = floored(take, moved(take, wave), Floor(keep_picture=keep_picture))
    assert np.abs(heights(out)[take.stands]).mean() < 0.006


def test_the_picture_is_kept_or_the_place() -> None:
    take = stand()
    hovering = moved(take, np.array([0, 0, 0.05]))
    kept, straight = floored(take, hovering), floored(take, hovering, Floor(keep_picture=False))
    assert np.abs((straight.root - hovering.root)[:, :2]).max() < 1e-6

    def off_picture(motion: SkeletonMotion) -> float:
        ray = hovering.joints() - CAMERA
        ray /= np.linalg.norm(ray, axis=-1, keepdims=True)
        return float(np.linalg.norm(np.cross(ray, motion.joints() - hovering.joints()), axis=-1).mean())

    assert off_picture(kept) < 0.8 * off_picture(straight)
    # Away from the camera, where what is higher in the picture lies.
    assert np.linalg.norm(kept.root - CAMERA, axis=-1).mean() > np.linalg.norm(hovering.root - CAMERA, axis=-1).mean()


def test_a_standing_body_does_not_drift() -> None:
    take = stand(150)
    ray = take.motion.root[0] - CAMERA
    drift = 0.3 * (np.arange(150) / 150)[:, None] * (ray / np.linalg.norm(ray)) * [1, 1, 0]
    before, after = moved(take, drift), floored(take, moved(take, drift), Floor(drift=1.0))
    speed = [np.linalg.norm(np.diff(m.root[:, :2], axis=0), axis=-1).mean() * FPS for m in (before, after)]
    assert speed[1] < 0.05 * speed[0]
    kept = floored(take, before, Floor(drift=0.0))
    assert np.linalg.norm(np.diff(kept.root[:, :2], axis=0), axis=-1).mean() * FPS > 0.8 * speed[0]


def test_slides_across_the_view_are_left_to_the_feet() -> None:
    """There the picture knows better; in depth it knows next to nothing."""
    take = walk(150)
    ray = take.motion.root[75] - CAMERA
    depth = ray * [1, 1, 0] / np.linalg.norm(ray[:2])
    sway = 0.03 * np.sin(2 * np.pi * np.arange(150) / 60)[:, None]
    kept = []
    for way in (depth, np.cross(depth, [0, 0, 1])):
        swaying = moved(take, sway * way)
        out = floored(take, swaying)
        kept.append(np.linalg.norm((out.root - take.motion.root) @ way) / np.linalg.norm(sway))
    assert kept[0] < 0.45 < 0.7 < kept[1], kept
    straight = floored(take, swaying, Floor(keep_picture=False))
    assert np.linalg.norm((straight.root - take.motion.root) @ way) / np.linalg.norm(sway) < 0.4


def test_a_tilted_foot_stands_on_its_lower_end() -> None:
    take = stand()
    tiptoe = take.motion.rotations.copy()
    tiptoe[:, [7, 8]] = quaternions.from_vector([0.15, 0.0, 0.0])  # heels up
    up = take.motion.changed(rotations=tiptoe)
    up = up.changed(root=up.root - [0, 0, heights(up).min()])
    assert heights(up)[:, :2].min() > 0.02
    out = floored(take, up)
    assert np.abs(out.root - up.root).max() < 0.004


def test_what_is_far_below_the_floor_says_nothing_of_it() -> None:
    """Legs that the picture's edge cuts off may be anywhere."""
    take = stand()
    deep = moved(take, np.array([0, 0, -2.0]))
    source = replace(take.source(deep), standing=np.zeros((60, 4)))
    out = layer(deep, source, replace(SETTINGS, push_out=True), ())
    assert np.abs(out.root - deep.root).max() < 0.01


def test_a_short_dip_far_below_the_floor_does_not_raise_the_body() -> None:
    """As of somebody who leaves the picture: the last detections are wrong, and the body went up by 20 cm."""
    take = stand()
    dip = np.zeros((60, 1))
    raised = []
    for frames in (2, 20):
        dip[60 - frames :] = -0.15
        deep = moved(take, dip * [0, 0, 1])
        source = replace(take.source(deep), standing=np.zeros((60, 4)))
        raised.append(float((layer(deep, source, SETTINGS, ()).root - deep.root)[:, 2].max()))
    assert raised[0] < 0.02
    assert raised[1] > 0.12


def test_what_was_not_seen_does_not_push_the_body_up() -> None:
    take = stand()
    deep = moved(take, np.array([0, 0, -0.1]))
    source = replace(take.source(deep), standing=np.zeros((60, 4)))
    hidden = replace(source, visibility=np.zeros((60, 24)))
    seen, unseen = (layer(deep, one, SETTINGS, ()).root - deep.root for one in (source, hidden))
    assert seen[:, 2].min() > 0.08
    assert np.abs(unseen).max() < 1e-6


def test_a_walk_goes_as_far_as_it_did() -> None:
    take = walk(150)
    out = floored(take, moved(take, np.array([0, 0, 0.04])))
    way = [np.linalg.norm(m.root[-1] - m.root[0]) for m in (take.motion, out)]
    assert way[1] == pytest.approx(way[0], rel=0.03)


def test_a_jump_stays_a_jump() -> None:
    take = jump()
    lift = np.linspace(0.05, -0.03, 75)[:, None] * [0, 0, 1]
    out = floored(take, moved(take, lift))
    air = slice(31, 45)
    fall = np.diff(out.root[air, 2], 2) * FPS**2
    assert np.abs(fall + 9.81).max() < 1.0
    assert out.root[:, 2].max() - out.root[0, 2] == pytest.approx(
        take.motion.root[:, 2].max() - take.motion.root[0, 2], abs=0.02
    )
    assert (heights(out)[36:40] > 0.2).all()


def test_a_strip_in_the_air_does_not_bring_a_jump_down() -> None:
    take = jump()
    strips = detected_strips(take.motion, take.source(), FootContact())
    out = layer(take.motion, take.source(), SETTINGS, (*strips, Strip("left", "toe", 1.1, 1.4)))
    assert np.abs(out.root - take.motion.root).max() < 0.05


def test_corrections_have_no_pops() -> None:
    take = jump()
    out = floored(take, moved(take, np.array([0, 0, 0.06])))
    shift = out.root - take.motion.root
    assert np.abs(np.diff(shift, 2, axis=0)).max() * FPS**2 < 0.5


@pytest.mark.parametrize("drift", [0.0, 1.0])
def test_a_wrong_strip_does_not_pull_the_body(drift: float) -> None:
    take = walk(120)
    swing = np.flatnonzero(~take.stands[30:, [0, 2]].any(1))[3] + 30
    wrong = (Strip("left", "heel", (swing - 4) / FPS, (swing + 6) / FPS),)
    strips = detected_strips(take.motion, take.source(), FootContact())
    out, pulled = (layer(take.motion, take.source(), Floor(drift=drift), strips + more) for more in ((), wrong))
    assert np.linalg.norm(pulled.root - out.root, axis=-1).max() < 0.03


def test_nothing_is_below_the_floor() -> None:
    take = walk()
    sunk = take.motion.rotations.copy()
    sunk[:, 7] = [np.cos(0.3), np.sin(0.3), 0, 0]  # the left foot points down
    out = floored(take, take.motion.changed(rotations=sunk))
    assert heights(out).min() > -1e-6


def test_feet_may_be_left_below_the_floor() -> None:
    take = walk()
    sunk = take.motion.rotations.copy()
    sunk[40:45, 7] = [np.cos(0.4), np.sin(0.4), 0, 0]
    motion = take.motion.changed(rotations=sunk)
    assert heights(floored(take, motion, Floor(push_out=False))).min() < -0.005


def test_who_lies_is_not_stood_up() -> None:
    take = stand()
    lying = np.tile([1.0, 0, 0, 0], (60, 24, 1))  # on its back, its limbs stretched out
    motion = SkeletonMotion(np.tile([0.0, 0, 0.15], (60, 1)), lying, take.motion.rest_joints)
    out = layer(motion, replace(take.source(motion), standing=np.zeros((60, 4))), SETTINGS)
    assert np.linalg.norm(out.root - motion.root, axis=-1).max() < 0.05


def test_who_lies_in_the_floor_is_raised() -> None:
    lying = SkeletonMotion(
        np.tile([0.0, 0, -0.05], (60, 1)), np.tile([1.0, 0, 0, 0], (60, 24, 1)), stand().motion.rest_joints
    )
    out = layer(lying, replace(stand().source(lying), standing=np.zeros((60, 4))), SETTINGS)
    assert out.joints()[:, [1, 2, 18, 19], 2].min() > 0.01


@pytest.mark.parametrize("strength", [0.0, 0.5])
def test_strength(strength: float) -> None:
    take = stand()
    hovering = moved(take, np.array([0, 0, 0.05]))
    out = floored(take, hovering, Floor(strength=strength))
    assert heights(out)[take.stands].mean() == pytest.approx(0.05 * (1 - strength), abs=0.002)


def test_times_may_vary() -> None:
    take = walk(120)
    rows = np.sort(np.random.default_rng(1).choice(120, 80, replace=False))
    motion = take.motion.changed(root=take.motion.root[rows] + [0, 0, 0.05], rotations=take.motion.rotations[rows])
    source = replace(Walk(motion, take.stands[rows]).source(), seconds=rows / FPS)
    out = layer(motion, source, SETTINGS)
    assert np.abs(heights(out)[take.stands[rows]]).mean() < 0.004


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_short_clips(frames: int) -> None:
    take = stand(frames)
    out = floored(take, moved(take, np.array([0, 0, 0.05])))
    assert np.isfinite(out.root).all()
