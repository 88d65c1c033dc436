"""Smoothing takes jitter out without lag, keeps what is fast, and leaves calm, clean motion next to unchanged."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from inference_backend.evaluation.fast_actions import ACTIONS, kept
from inference_backend.skeletons import JOINTS
from inference_backend.targets import quaternions as q
from inference_backend.targets import smoothing
from inference_backend.targets.effects import jerk
from inference_backend.targets.local_fit import LocalFit, fitted_changes
from inference_backend.targets.motion import SkeletonMotion
from inference_backend.targets.parameters import Smoothing

from .made_motion import REST, J, apart, jittery, somewhere, source_of, steady, walking

T = steady(150)
TRUTH = walking(T)
UNEVEN = np.cumsum(np.random.default_rng(0).uniform(0.012, 0.055, 150))
DEFAULT = Smoothing()


def smoothed(motion: SkeletonMotion, settings: Smoothing = DEFAULT, seconds: np.ndarray = T) -> SkeletonMotion:
    return smoothing.layer(motion, source_of(motion, seconds), settings)


# Local fits.


@pytest.mark.parametrize("seconds", [T, UNEVEN])
@pytest.mark.parametrize("width", [0.12, 0.3])
def test_parabolas_are_left_at_the_ends_too(seconds: np.ndarray, width: float) -> None:
    fit = LocalFit.of(seconds, width)
    places = np.outer(seconds**2, [1, -2, 0.5]) + np.outer(seconds, [0, 3, 1.0]) + 7
    assert np.allclose(fit.weights.sum(1), 1)
    assert np.abs(fitted_changes(places, [fit])[0]).max() < 1e-9
    spinning = q.from_vector(np.outer(seconds, [0.5, 3.0, -1.0]))
    assert np.abs(fitted_changes(spinning, [fit])[0]).max() < 1e-9


def test_the_fitted_value_is_the_least_squares_one() -> None:
    rng = np.random.default_rng(0)
    values, fit = rng.normal(size=(150, 3)), LocalFit.of(UNEVEN, 0.2)
    moved = values + fitted_changes(values, [fit])[0]
    for frame in (0, 3, 70, 149):
        away = (UNEVEN - UNEVEN[frame]) / 0.2
        kernel = np.clip(1 - np.abs(away) ** 3, 0, None) ** 3
        for axis in range(3):
            wanted = np.polyfit(away, values[:, axis], 2, w=np.sqrt(kernel))[-1]
            assert moved[frame, axis] == pytest.approx(wanted, abs=1e-9)


def test_spreads_are_those_of_noise() -> None:
    noise = np.random.default_rng(1).normal(size=(150, 4000, 3))
    fit = LocalFit.of(T, 0.2)
    change = fitted_changes(noise, [fit])[0]
    assert np.allclose((noise + change).std((1, 2)), fit.spread, rtol=0.05)
    assert np.allclose(change.std((1, 2)), fit.residual_spread, rtol=0.05)


@pytest.mark.parametrize("frames", [0, 1, 2, 3])
def test_too_few_frames_for_a_parabola_keep_their_values(frames: int) -> None:
    fit = LocalFit.of(steady(frames), 0.3)
    assert np.array_equal(
        fitted_changes(np.random.default_rng(0).normal(size=(frames, 3)), [fit])[0], np.zeros((frames, 3))
    )


# The layer.


@pytest.mark.parametrize("seconds", [T, UNEVEN])
def test_jitter_falls_and_so_does_the_error(seconds: np.ndarray) -> None:
    truth = walking(seconds)
    shaky = jittery(truth, 0)
    calm = smoothed(shaky, seconds=seconds)
    assert apart(calm, truth).mean() < 0.6 * apart(shaky, truth).mean()
    roughness = [jerk(m.joints(), seconds).mean() for m in (truth, calm, shaky)]
    assert roughness[1] - roughness[0] < 0.15 * (roughness[2] - roughness[0])


def test_clean_motion_is_next_to_unchanged() -> None:
    assert np.median(apart(smoothed(TRUTH), TRUTH)) < 0.5
    assert apart(smoothed(TRUTH), TRUTH).max() < 5


def test_there_is_no_lag() -> None:
    """Backwards in time the same comes out backwards, and the best shift against the truth is none."""
    shaky = jittery(TRUTH, 0)
    back = SkeletonMotion(shaky.root[::-1], shaky.rotations[::-1], REST)
    ahead, behind = smoothed(shaky), smoothed(back)
    assert np.allclose(ahead.joints(), behind.joints()[::-1], atol=1e-9)
    wrist = smoothed(shaky).joints()[:, J["left_wrist"]]
    errors = [np.linalg.norm(wrist[5:-5] - walking(T + shift).joints()[5:-5, J["left_wrist"]], axis=-1).mean()
              for shift in (-0.02, 0.0, 0.02)]  # fmt: skip
    assert errors[1] == min(errors)


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_fast_actions_keep_speed_and_extent(action: str) -> None:
    make, joints = ACTIONS[action]
    truth = make(REST, T)
    assert min(kept(smoothed(truth), truth, T, joints)) > 0.97
    shares = [kept(smoothed(jittery(truth, seed)), truth, T, joints) for seed in range(4)]
    assert min(np.mean(shares, axis=0)) > 0.92
    plain = smoothed(truth, Smoothing(edge_preserving=False))
    assert min(kept(plain, truth, T, joints)) < 0.8


def test_turns_that_cancel_stay_cancelled() -> None:
    """A shoulder that rolls about a straight arm while the elbow rolls back moves no hand, however wildly."""
    roll = np.cumsum(np.random.default_rng(0).normal(0, 0.5, 150))
    roll[75:] += 2.5
    rotations = TRUTH.rotations.copy()
    bone = (REST[18] - REST[16]) / np.linalg.norm(REST[18] - REST[16])
    off = q.from_vector(np.outer(roll, bone))
    rotations[:, 16] = q.product(rotations[:, 16], off)
    rotations[:, 18] = q.product(q.conjugate(off), rotations[:, 18])
    rolling = TRUTH.changed(rotations=rotations)
    assert apart(rolling, TRUTH).max() < 1e-9
    assert apart(smoothed(rolling), TRUTH)[:, J["left_hand"]].max() < 5


@pytest.mark.parametrize("group", sorted({*smoothing.GROUPS, "root"}))
def test_a_factor_of_0_leaves_its_part(group: str) -> None:
    shaky = jittery(TRUTH, 0)
    left = smoothed(shaky, dataclasses.replace(DEFAULT, **{group: 0.0}))
    if group == "root":
        assert np.array_equal(left.root, shaky.root)
        return
    own = [j for j, name in enumerate(JOINTS) if name.rpartition("_")[2] in smoothing.GROUPS[group]]
    same = np.abs(left.globals() - shaky.globals()).max((0, 2, 3)) < 1e-12
    assert np.flatnonzero(same).tolist() == own


def test_every_joint_has_a_factor() -> None:
    names = [part for parts in smoothing.GROUPS.values() for part in parts]
    assert sorted(names) == sorted({name.rpartition("_")[2] for name in JOINTS})
    assert set(smoothing.GROUPS) < {field.name for field in dataclasses.fields(Smoothing)}


def test_more_of_everything_smooths_more() -> None:
    shaky = jittery(TRUTH, 0)
    ways = [Smoothing(strength=0.5), DEFAULT, Smoothing(tolerance=4.0), Smoothing(tolerance=12.0)]
    rough = [float(jerk(smoothed(shaky, way).joints(), T).mean()) for way in ways]
    assert rough == sorted(rough, reverse=True)
    short, long = (smoothed(shaky, Smoothing(seconds=seconds)) for seconds in (0.15, 0.4))
    assert jerk(long.joints(), T).mean() < jerk(short.joints(), T).mean()


@pytest.mark.parametrize("settings", [Smoothing(strength=0.0), Smoothing(seconds=0.0)])
def test_settings_that_leave_all(settings: Smoothing) -> None:
    shaky = jittery(TRUTH, 0)
    assert apart(smoothed(shaky, settings), shaky).max() < 1e-9


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("fps", [5.0, 30.0, 240.0])
def test_short_clips_at_any_rate_are_finite(frames: int, fps: float) -> None:
    motion = somewhere(frames)
    assert np.isfinite(smoothed(motion, seconds=steady(frames, fps)).joints()).all()


@pytest.mark.parametrize("fps", [12.0, 24.0, 60.0, 120.0])
def test_other_rates_are_smoothed_too(fps: float) -> None:
    seconds = steady(round(5 * fps), fps)
    truth = walking(seconds)
    shaky = jittery(truth, 0)
    calm = smoothed(shaky, seconds=seconds)
    assert apart(calm, truth).mean() < (0.75 if fps < 20 else 0.65) * apart(shaky, truth).mean()
