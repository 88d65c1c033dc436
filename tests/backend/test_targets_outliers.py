"""Leaps and exchanged limbs are found and put right; motion without errors, however fast, is left exactly as it is."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from inference_backend.evaluation.fast_actions import ACTIONS
from inference_backend.targets import outliers, quaternions, vectors
from inference_backend.targets.leaps import clearest
from inference_backend.targets.motion import SkeletonMotion, local_quaternions
from inference_backend.targets.parameters import Outliers
from inference_backend.targets.swaps import ARMS, LEGS, exchanged, swapped

from .made_motion import REST, J, apart, jittery, source_of, steady, turned_joint, walking

T = steady()
TRUTH = walking(T)
DEFAULT = Outliers()


def mended(motion: SkeletonMotion, settings: Outliers = DEFAULT, seconds: np.ndarray = T, **changed) -> SkeletonMotion:
    return outliers.layer(motion, source_of(motion, seconds, **changed), settings)


# Leaps.


@pytest.mark.parametrize("joint", ["pelvis", "left_hip", "right_elbow", "spine2", "neck"])
@pytest.mark.parametrize("frames", [1, 2, 4, 12, 20])
def test_a_leap_is_put_back(joint: str, frames: int) -> None:
    rows = slice(40, 40 + frames)
    wrong = turned_joint(TRUTH, joint, rows, [0.3, 0.6, -0.4])
    after = mended(wrong, mesh_stream=jittery(TRUTH, 1, 4.0, 0.02))
    assert apart(after, TRUTH)[rows].mean() < 0.25 * apart(wrong, TRUTH)[rows].mean()
    assert apart(after, TRUTH)[rows].max() < 60
    assert np.array_equal(np.delete(after.rotations, rows, 0), np.delete(wrong.rotations, rows, 0))


@pytest.mark.parametrize("frames", [1, 3, 10])
def test_a_leap_of_the_root_is_put_back(frames: int) -> None:
    root = TRUTH.root.copy()
    root[30 : 30 + frames] += [0.1, 0.4, 0.0]
    after = mended(TRUTH.changed(root=root), mesh_stream=TRUTH)
    assert apart(after, TRUTH).max() < 12


def test_leaps_are_found_in_jitter_and_jitter_is_left() -> None:
    shaky = jittery(TRUTH, 3)
    wrong = turned_joint(shaky, "left_elbow", slice(50, 53), [0, 0, 1.2])
    assert apart(mended(wrong), TRUTH)[50:53].max() < 80
    assert apart(mended(shaky), shaky).max() == 0


def test_a_long_leap_follows_the_mesh_stream() -> None:
    bend = np.sin(np.linspace(0, np.pi, 16))[:, None] * [0.0, -0.7, 0.0]
    truth = turned_joint(TRUTH, "left_elbow", slice(40, 56), bend)
    wrong = turned_joint(truth, "left_elbow", slice(41, 55), [1.2, 0, 0.8])
    wrist = J["left_wrist"]
    with_mesh, without = (mended(wrong, mesh_stream=stream) for stream in (truth, TRUTH))
    assert apart(with_mesh, truth)[:, wrist].max() < 40
    assert apart(without, truth)[:, wrist].max() > 80


@pytest.mark.parametrize("action", sorted(ACTIONS))
@pytest.mark.parametrize("fps", [24.0, 30.0, 60.0, 120.0])
def test_fast_actions_are_no_leaps(action: str, fps: float) -> None:
    seconds = steady(round(5 * fps), fps)
    motion = ACTIONS[action][0](REST, seconds)
    assert apart(mended(motion, seconds=seconds), motion).max() == 0


def test_what_does_not_come_back_is_no_leap() -> None:
    after_cut = turned_joint(TRUTH, "pelvis", slice(45, 90), [0, 1.5, 0])
    assert apart(mended(after_cut), after_cut).max() == 0


def test_long_leaps_are_taken_as_motion_and_the_limit_is_seconds() -> None:
    for fps in (30.0, 60.0):
        seconds = steady(round(3 * fps), fps)
        truth = walking(seconds)
        wrong = turned_joint(truth, "right_shoulder", slice(round(fps), round(1.5 * fps)), [0.8, 0, 0])
        left, put_back = (
            mended(wrong, Outliers(longest_seconds=longest), seconds, mesh_stream=truth) for longest in (0.4, 0.6)
        )
        assert apart(left, wrong).max() == 0
        assert apart(put_back, truth).max() < 60


@pytest.mark.parametrize("settings", [Outliers(strength=0.0), Outliers(spikes=False), Outliers(threshold=50.0)])
def test_settings_that_leave_a_leap(settings: Outliers) -> None:
    shaky = jittery(TRUTH, 3)
    wrong = turned_joint(shaky, "left_elbow", slice(50, 51), [0, 0, 0.5])
    assert apart(mended(wrong, settings), wrong).max() == 0


def test_half_the_strength_goes_half_the_way() -> None:
    wrong = turned_joint(TRUTH, "left_elbow", slice(50, 51), [0, 0, 1.0])
    half = mended(wrong, Outliers(strength=0.5))
    assert apart(half, TRUTH).max() == pytest.approx(0.5 * apart(wrong, TRUTH).max(), rel=0.1)


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 6])
def test_clips_of_a_few_frames(frames: int) -> None:
    motion = jittery(walking(steady(frames)), 0, 40.0)
    after = mended(motion, seconds=steady(frames))
    assert np.isfinite(after.joints()).all()
    assert len(after) == frames


def test_a_rate_that_varies() -> None:
    seconds = np.cumsum(np.random.default_rng(0).uniform(0.015, 0.05, 90))
    truth = walking(seconds)
    wrong = turned_joint(truth, "left_knee", slice(40, 42), [1.0, 0, 0])
    assert apart(mended(wrong, seconds=seconds), truth).max() < 15
    assert apart(mended(truth, seconds=seconds), truth).max() == 0


def test_the_clearest_of_overlapping_stretches() -> None:
    clear = np.zeros(30)
    clear[[4, 5, 6, 20]] = [1.2, 3.0, 1.1, 0.9]
    assert clearest(clear, 3) == [5]
    clear[9] = 1.5
    assert clearest(clear, 3) == [5, 9]


# Exchanged limbs.


def with_exchanged(truth: SkeletonMotion, limbs: tuple, rows: slice) -> SkeletonMotion:
    """Each limb points at the places of the other side's, by the smallest turns: how a fit meets exchanged joints."""
    turned, joints = truth.globals()[rows], truth.joints()[rows]
    found = turned.copy()
    for side in (0, 1):
        own, other = ([pair[k] for pair in limbs] for k in (side, 1 - side))
        place = joints[:, own[0]]
        for k in range(3):
            bone = vectors.turned(turned[:, own[k]], REST[own[k + 1]] - REST[own[k]])
            turn = vectors.swing(bone, joints[:, other[k + 1]] - place)
            found[:, own[k]] = turn @ turned[:, own[k]]
            place = place + vectors.turned(turn, bone)
    rotations = truth.rotations.copy()
    rotations[rows] = local_quaternions(found)
    return truth.changed(rotations=rotations)


@pytest.mark.parametrize("frames", [1, 3, 8, 18])
@pytest.mark.parametrize("limbs", [LEGS, ARMS])
def test_exchanged_limbs_are_found_and_exchanged_back(limbs: tuple, frames: int) -> None:
    rows = slice(48, 48 + frames)
    wrong = with_exchanged(TRUTH, limbs, rows)
    found = swapped(wrong, limbs, T, 0.7)
    assert np.flatnonzero(found).tolist() == list(range(rows.start, rows.stop))
    ends = [joint for pair in limbs[1:3] for joint in pair]
    if limbs is LEGS:  # arms do not reach to each other's places, and so not all the way back
        assert apart(exchanged(wrong, limbs, found), TRUTH)[rows][:, ends].mean() < 20
    whole = mended(wrong, mesh_stream=jittery(TRUTH, 1, 4.0, 0.02))
    assert apart(whole, TRUTH)[rows][:, ends].mean() < 20
    assert np.array_equal(np.delete(whole.rotations, rows, 0), np.delete(TRUTH.rotations, rows, 0))


@pytest.mark.parametrize(("seed", "start"), [(0, 31), (0, 55), (1, 36), (2, 37), (2, 50)])
def test_exchanges_of_near_legs_are_found_in_jitter(seed: int, start: int) -> None:
    """Short steps: where the exchange begins or ends, the legs pass each other."""
    steps = quaternions.to_vector(TRUTH.rotations)
    steps[:, [1, 2, 4, 5]] *= 0.3
    short = jittery(TRUTH.changed(rotations=quaternions.from_vector(steps)), seed, 2.0, 0.0)
    assert not swapped(short, LEGS, T, 0.7).any()
    found = swapped(with_exchanged(short, LEGS, slice(start, start + 8)), LEGS, T, 0.7)
    assert np.flatnonzero(found).tolist() == list(range(start, start + 8))


def test_exchanging_keeps_bones_and_knees_the_right_way_round() -> None:
    rows = np.ones(90, bool)
    legs = exchanged(TRUTH, LEGS, rows)
    lengths = np.linalg.norm(np.diff(legs.joints()[:, [1, 4, 7]], axis=1), axis=-1)
    assert np.allclose(lengths, np.linalg.norm(np.diff(REST[[1, 4, 7]], axis=0), axis=-1))
    knees = legs.rotations[:, [J["left_knee"], J["right_knee"]]]
    assert (knees[..., 1] * knees[..., 0] > 0).all()  # bent about +x, as in the walk


def test_exchanged_arms_bend_as_arms_do() -> None:
    rotations = TRUTH.rotations.copy()
    rotations[:, [16, 17]] = quaternions.from_vector([[0, -1.4, 0], [0, 1.4, 0]])  # both forward, near each other
    rotations[:, [18, 19]] = quaternions.from_vector([[0, -1.2, 0], [0, 0.8, 0]])
    arms = exchanged(TRUTH.changed(rotations=rotations), ARMS, np.ones(90, bool))
    bends = quaternions.to_vector(arms.rotations[:, [18, 19]])
    assert (bends[:, 0, 1] < -0.3).all()
    assert (bends[:, 1, 1] > 0.3).all()
    assert (np.abs(bends[..., 1]) > 0.8 * np.linalg.norm(bends, axis=-1)).all()


def test_a_walk_is_not_exchanged_nor_legs_that_pass_each_other() -> None:
    for motion in (TRUTH, jittery(TRUTH, 0, 3.0), ACTIONS["kick"][0](REST, T)):
        assert not swapped(motion, LEGS, T, 0.7).any()
        assert not swapped(motion, ARMS, T, 0.7).any()


def test_swaps_can_be_left() -> None:
    wrong = with_exchanged(TRUTH, LEGS, slice(48, 56))
    kept = mended(wrong, dataclasses.replace(DEFAULT, swaps=False, spikes=False))
    assert apart(kept, wrong).max() == 0
