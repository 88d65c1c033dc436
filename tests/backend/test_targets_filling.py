"""Filled frames meet their neighbours; gap fill follows whom it should, and touches nothing that was seen."""

from __future__ import annotations

import numpy as np
import pytest

from inference_backend.targets import gap_fill
from inference_backend.targets import quaternions as q
from inference_backend.targets.filling import across, bridged, gaps, guided
from inference_backend.targets.parameters import GapFill

from .made_motion import J, apart, jittery, somewhere, source_of, steady, turned_joint, walking

T = steady()
TRUTH = walking(T)
GAP = slice(40, 60)
ARM = [J[f"left_{part}"] for part in ("shoulder", "elbow", "wrist", "hand")]


def lost_arm(error: float = 0.25):
    """The left arm is hidden for 20 frames, points somewhere else, and the lifter expects `error` metres there."""
    swell = np.sin(np.pi * np.arange(0.5, 20) / 20)[:, None]
    wrong = turned_joint(TRUTH, "left_shoulder", GAP, swell * [0.5, 1.0, 0.8])
    visibility, log_error = np.full((90, 24), 0.95), np.full((90, 24), np.log(0.08))
    visibility[GAP, ARM[1:]], log_error[GAP, ARM[1:]] = 0.05, np.log(error)
    bias = q.from_vector(np.full((90, 24, 3), 0.1))
    mesh = TRUTH.changed(rotations=q.product(jittery(TRUTH, 0).rotations, bias))
    return source_of(wrong, T, mesh_stream=mesh, visibility=visibility, log_error=log_error)


def test_gaps() -> None:
    assert gaps(np.array([0, 1, 1, 0, 0, 1, 0], bool)) == [(0, 1), (3, 5), (6, 7)]
    assert gaps(np.ones(3, bool)) == []
    assert gaps(np.zeros(3, bool)) == [(0, 3)]


@pytest.mark.parametrize("rate", [1.0, 1.7])
def test_a_bridge_follows_what_turns_and_moves_steadily(rate: float) -> None:
    seconds = np.cumsum(np.where(np.arange(20) % 3, 1.0, rate)) / 30
    turning = q.from_vector(np.outer(seconds, [0.4, 2.0, 1.0]))[:, None]
    places = np.outer(seconds**2, [1.0, -2.0, 0.5])[:, None]
    assert q.angle_between(bridged(turning, seconds, 7, 12), turning[7:12]).max() < 1e-6
    share = ((seconds[7:12] - seconds[6]) / (seconds[12] - seconds[6]))[:, None, None]
    straight = places[6] + share * (places[12] - places[6])
    bent = bridged(places, seconds, 7, 12)
    assert np.abs(bent - places[7:12]).max() < 0.2 * np.abs(straight - places[7:12]).max()
    many = across(places, seconds, np.array([3, 7]), 5)
    assert np.allclose(many(2)[1], bridged(places, seconds, 7, 12)[2])


def test_a_bridge_at_the_clips_ends_is_finite() -> None:
    places = np.outer(T[:5], [1.0, 0, 0])[:, None]
    assert np.isfinite(bridged(places, T[:5], 1, 4)).all()


@pytest.mark.parametrize(("start", "stop"), [(10, 20), (0, 10), (20, 30), (1, 29)])
def test_the_guides_own_motion_comes_back_whatever_it_is_off_by(start: int, stop: int) -> None:
    t = T[:30]
    turning = somewhere(1).rotations[:, :2] + np.zeros((30, 1, 1))
    turning = q.product(turning, q.from_vector(np.stack([np.sin(3 * t), t, 0 * t], -1))[:, None])
    guide = q.product(turning, q.from_vector([0.3, -0.2, 0.5]))
    assert q.angle_between(guided(turning, guide, t, start, stop, 0.1), turning[start:stop]).max() < 1e-6
    places = np.stack([np.sin(3 * t), t, 0 * t], -1)[:, None]
    assert np.allclose(guided(places, places + 3, t, start, stop, 0.1), places[start:stop])


def test_a_guide_without_anything_to_fasten_it_to() -> None:
    with pytest.raises(ValueError, match="whole clip"):
        guided(TRUTH.rotations, TRUTH.rotations, T, 0, 90, 0.1)


def test_a_filling_does_not_pop() -> None:
    rng = np.random.default_rng(0)
    guide = q.product(TRUTH.rotations, q.from_vector(0.2 + 0.05 * np.cumsum(rng.normal(size=(90, 24, 3)), 0) / 9))
    values = TRUTH.rotations.copy()
    filled = values.copy()
    filled[GAP] = guided(values, guide, T, GAP.start, GAP.stop, 0.1)
    steps = q.angle_between(filled[1:], filled[:-1])
    usual = np.maximum(q.angle_between(guide[1:], guide[:-1]), q.angle_between(values[1:], values[:-1]))
    assert (steps[[39, 59]] < 2 * usual.max()).all()


def test_the_last_frame_beside_a_gap_is_met_and_then_left() -> None:
    guide = np.zeros((90, 1, 3))
    values = guide + np.array([1.0, 0, 0])
    values[39], values[60] = [1.5, 0, 0], [0.5, 0, 0]
    filled = guided(values, guide, T, 40, 60, 0.1)[:, 0, 0]
    means = values[36:40, 0, 0].mean(), values[60:64, 0, 0].mean()
    assert filled[0] > 1.4
    assert filled[-1] < 0.6
    assert filled[4] == pytest.approx(means[0], abs=0.05)
    assert filled[-5] == pytest.approx(means[1], abs=0.05)


# The layer.


def test_a_lost_arm_follows_the_mesh_stream() -> None:
    source = lost_arm()
    before = apart(source.fitted, TRUTH)[GAP][:, ARM]
    after = apart(gap_fill.layer(source.fitted, source, GapFill()), TRUTH)[GAP][:, ARM]
    assert before.mean() > 150
    assert after.mean() < 0.15 * before.mean()


def test_what_was_seen_is_not_touched() -> None:
    source = lost_arm()
    filled = gap_fill.layer(source.fitted, source, GapFill())
    changed = np.abs(filled.rotations - source.fitted.rotations).max(-1) > 0
    seen = np.ones((90, 24), bool)
    seen[GAP, ARM] = False
    assert not changed[seen].any()
    assert np.array_equal(filled.root, source.fitted.root)


def test_a_lifter_that_is_sure_is_believed_unless_asked_not_to() -> None:
    source = lost_arm(error=0.08)
    assert apart(gap_fill.layer(source.fitted, source, GapFill()), source.fitted).max() == 0
    always = gap_fill.layer(source.fitted, source, GapFill(only_uncertain=False))
    assert apart(always, TRUTH)[GAP][:, ARM].mean() < 20


def test_a_short_gap_does_not_ask_the_mesh_stream() -> None:
    visibility, log_error = np.full((90, 24), 0.95), np.full((90, 24), np.log(0.08))
    visibility[40:43, J["left_elbow"]], log_error[40:43, J["left_elbow"]] = 0.0, np.log(0.4)
    wrong = turned_joint(TRUTH, "left_elbow", slice(40, 43), [0, -1.0, 0])
    source = source_of(wrong, T, mesh_stream=somewhere(90), visibility=visibility, log_error=log_error)
    assert apart(gap_fill.layer(wrong, source, GapFill(bridge_seconds=0.2)), TRUTH).max() < 25
    assert apart(gap_fill.layer(wrong, source, GapFill(bridge_seconds=0.0)), TRUTH).max() > 100


@pytest.mark.parametrize("settings", [GapFill(strength=0.0), GapFill(longest_seconds=0.3), GapFill(visibility=0.01)])
def test_settings_that_leave_the_gap(settings: GapFill) -> None:
    source = lost_arm()
    assert apart(gap_fill.layer(source.fitted, source, settings), source.fitted).max() == 0


def test_strength_blends() -> None:
    source = lost_arm()
    full, half = (gap_fill.layer(source.fitted, source, GapFill(strength=strength)) for strength in (1.0, 0.5))
    joint = J["left_shoulder"]
    whole, part = (q.angle_between(source.fitted.rotations, m.rotations)[GAP, joint] for m in (full, half))
    assert np.allclose(part, 0.5 * whole)


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_nobody_was_ever_seen(frames: int) -> None:
    seconds = steady(frames)
    motion = walking(seconds)
    source = source_of(motion, seconds, detected=np.zeros(frames, bool))
    assert apart(gap_fill.layer(motion, source, GapFill(only_uncertain=False)), motion).max() == 0


@pytest.mark.parametrize("hidden", [slice(0, 30), slice(60, 90)])
def test_a_gap_at_an_end_of_the_clip_hangs_on_its_one_side(hidden: slice) -> None:
    visibility, log_error = np.full((90, 24), 0.95), np.full((90, 24), np.log(0.08))
    visibility[hidden, J["right_wrist"]], log_error[hidden, J["right_wrist"]] = 0.0, np.log(0.4)
    wrong = turned_joint(TRUTH, "right_elbow", hidden, [0, 1.0, 0])
    source = source_of(wrong, T, mesh_stream=TRUTH, visibility=visibility, log_error=log_error)
    filled = gap_fill.layer(wrong, source, GapFill())
    assert apart(filled, TRUTH).mean() < 0.3 * apart(wrong, TRUTH).mean()


@pytest.mark.parametrize("start", [0, 12])
def test_where_neither_leg_is_seen_the_fitted_ones_are_left(start: int) -> None:
    """As where the picture's edge cuts somebody off: the mesh stream, as blind, may have folded them up."""
    sides = [[J[f"{side}_{part}"] for part in ("hip", "knee", "ankle", "foot")] for side in ("left", "right")]
    lower = [J["pelvis"], J["spine1"], *sides[0], *sides[1]]
    folded = TRUTH.rotations.copy()
    for joint in (J["pelvis"], sides[0][1], sides[1][1]):
        folded[start : start + 12, joint] = q.from_vector(np.array([1.5, 0.4, 0]))
    visibility = np.full((90, 24), 0.95)
    visibility[start : start + 12, lower] = 0
    settings = GapFill(only_uncertain=False)
    mesh = TRUTH.changed(rotations=folded)
    blind = source_of(TRUTH, T, mesh_stream=mesh, visibility=visibility)
    filled = gap_fill.layer(TRUTH, blind, settings)
    assert np.array_equal(filled.rotations[:, lower], TRUTH.rotations[:, lower])
    visibility[start : start + 12, sides[1]] = 0.95  # one leg is seen: the other follows the mesh stream
    half = gap_fill.layer(TRUTH, source_of(TRUTH, T, mesh_stream=mesh, visibility=visibility), settings)
    assert apart(half, TRUTH)[start : start + 12, sides[0][2]].max() > 50
