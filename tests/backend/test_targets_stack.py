"""The stack, what it says of its layers, their parameters and presets."""

from __future__ import annotations

import dataclasses
import json
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest

from inference_backend.errors import BadArgument, PresetInvalid
from inference_backend.skeletons import BONES
from inference_backend.targets.effects import bone_length_spread, effects, jerk, slide_speeds
from inference_backend.targets.parameters import OPTIONS, SECTIONS, FootContact, Layers, Strip, read_layers
from inference_backend.targets.presets import CLEANUP_FOLDER, cleanup_names, dump, load_cleanup, override
from inference_backend.targets.stack import LAYERS, apply_layers

from .made_motion import REST, jittery, somewhere, source_of, steady, turned_joint, walking

T = steady()
TRUTH = walking(T)
STRIPS = (Strip("left", "heel", 0.5, 1.25), Strip("right", "toe", 1, 2.0, locked=False))


def faulty(seed: int = 0):
    """Jitter, a leap, a hidden wrist, somebody whom nobody saw for a moment; feet that stand by turns."""
    rng = np.random.default_rng(seed)
    motion = turned_joint(jittery(TRUTH, seed), "left_elbow", slice(40, 45), [0, 0, 1.2])
    visibility = np.full((90, 24), 0.95)
    visibility[60:70, 20] = 0.0
    standing = (np.sin(2 * np.pi * 0.8 * T)[:, None] * [1, -1, 1, -1] > 0).astype(float)
    return source_of(
        motion, T, mesh_stream=jittery(TRUTH, 9, 4.0), visibility=visibility, standing=standing,
        log_error=rng.normal(-2.5, 0.4, (90, 24)), detected=np.arange(90) // 3 != 25,
    )  # fmt: skip


def test_nothing_on_is_the_fitted_pose_bit_for_bit() -> None:
    source = faulty()
    motion, reports, _ = apply_layers(source, Layers.off())
    assert motion is source.fitted
    assert [(report.name, report.enabled, report.moved) for report in reports] == [
        (name, False, 0.0) for name in LAYERS
    ]
    assert all(report.before == report.after for report in reports)


def test_layers_are_those_of_the_parameters_in_their_order() -> None:
    assert list(LAYERS) == list(SECTIONS) == [field.name for field in dataclasses.fields(Layers)]
    assert list(LAYERS) == ["gap_fill", "outliers", "smoothing", "floor", "foot_contact"]


@pytest.mark.parametrize("on", list(product([False, True], repeat=5)))
def test_bone_lengths_hold_with_any_set_of_layers(on: tuple[bool, ...]) -> None:
    layers = Layers(**{name: make(enabled=flag) for (name, make), flag in zip(SECTIONS.items(), on, strict=True)})
    motion, reports, _ = apply_layers(faulty(), layers)
    parent, child = np.array(BONES).T
    joints = motion.joints()
    lengths = np.linalg.norm(joints[:, child] - joints[:, parent], axis=-1)
    assert np.abs(lengths - np.linalg.norm(REST[child] - REST[parent], axis=-1)).max() < 1e-3
    assert np.allclose(np.linalg.norm(motion.rotations, axis=-1), 1)
    assert all(report.after.bone_length_spread < 1e-6 for report in reports)
    assert [report.enabled for report in reports] == list(on)


def test_reports_follow_each_other() -> None:
    motion, reports, _ = apply_layers(faulty(), Layers())
    for one, next_ in pairwise(reports):
        assert one.after == next_.before
    assert reports[-1].after.jerk < 0.5 * reports[0].before.jerk
    assert all(report.moved > 0 for report in reports)
    by_name = {report.name: report for report in reports}
    assert by_name["smoothing"].after.jerk < by_name["smoothing"].before.jerk
    forearm = [(m.joints()[:, 20] - m.joints()[:, 18])[40:45] for m in (motion, faulty().fitted, TRUTH)]
    assert np.linalg.norm(forearm[0] - forearm[2], axis=-1).max() < 0.05
    assert np.linalg.norm(forearm[1] - forearm[2], axis=-1).min() > 0.15


def test_the_same_twice_is_the_same_bit_for_bit() -> None:
    first, second = (apply_layers(faulty(), Layers())[0] for _ in range(2))
    assert np.array_equal(first.rotations, second.rotations)
    assert np.array_equal(first.root, second.root)


@pytest.mark.parametrize("name", [*cleanup_names()])
@pytest.mark.parametrize("frames", [1, 2, 5, 9])
def test_short_clips(name: str, frames: int) -> None:
    motion = somewhere(frames)
    made = apply_layers(source_of(motion, steady(frames), detected=np.zeros(frames, bool)), load_cleanup(name)).motion
    assert np.isfinite(made.joints()).all()


# Effects.


def test_effects_of_known_motion() -> None:
    seconds = np.cumsum(np.random.default_rng(0).uniform(0.02, 0.05, 30))
    still = walking(np.zeros(30))
    way = np.stack([0.1 * seconds, 0 * seconds, seconds**3], -1)
    moving = still.changed(root=still.root + way)
    assert np.allclose(jerk(moving.joints(), seconds), 6)
    source = source_of(moving, seconds)
    stands = np.zeros((30, 4), bool)
    assert effects(moving, source, stands).foot_slide is None
    assert effects(moving, source, stands).floor_error is None
    assert effects(moving, source, stands).jerk == pytest.approx(6)
    assert effects(moving.rows(0, 3), source_of(moving.rows(0, 3), seconds[:3]), stands[:3]).jerk == 0
    stands[4:10, 1] = True
    sliding = still.changed(root=still.root + way * np.array([1, 0, 0]))
    assert effects(sliding, source, stands).foot_slide == pytest.approx(100)
    lifted = still.changed(root=still.root + np.array([0, 0, 0.5]))
    low, high = (effects(m, source, stands).floor_error for m in (still, lifted))
    assert abs(high - low) <= 500.001
    assert high > 250


def test_slides_count_where_soles_stand_in_both_frames() -> None:
    soles = np.zeros((4, 4, 3))
    soles[:, 2, 0] = [0, 1, 3, 7]
    stands = np.zeros((4, 4), bool)
    stands[[0, 1, 3], 2] = True
    assert slide_speeds(soles, stands, np.array([0, 0.5, 1, 2.0])).tolist() == [2.0]


def test_spread_of_bones() -> None:
    joints = np.tile(REST, (5, 1, 1))
    assert bone_length_spread(joints) == 0
    joints[3, 22, 0] += 0.02
    assert bone_length_spread(joints) == pytest.approx(0.02)
    assert bone_length_spread(joints[:0]) == 0


# Parameters.


@pytest.mark.parametrize(
    "layers",
    [
        Layers(),
        Layers.off(),
        Layers(foot_contact=FootContact(strips=STRIPS)),
        Layers(foot_contact=FootContact(strips=())),
    ],
)
def test_json_is_read_back(layers: Layers) -> None:
    again = read_layers(json.loads(layers.canonical()))
    assert again == layers
    assert again.canonical() == layers.canonical()


def test_what_is_not_named_keeps_its_default() -> None:
    layers = read_layers({"smoothing": {"seconds": 1}})
    assert layers == dataclasses.replace(Layers(), smoothing=dataclasses.replace(Layers().smoothing, seconds=1.0))
    assert isinstance(layers.smoothing.seconds, float)


STRIP = {"side": "left", "part": "toe", "start": 1.0, "end": 2.0}


@pytest.mark.parametrize(
    ("values", "named", "allowed"),
    [
        ({"smoothin": {}}, "smoothin", "Layers: gap_fill, outliers, smoothing"),
        ({"smoothing": 3}, "smoothing", "settings by name"),
        ({"smoothing": {"second": 1}}, "smoothing.second", "enabled, strength, seconds"),
        ({"smoothing": {"seconds": -1}}, "smoothing.seconds", "number 0 to 5"),
        ({"smoothing": {"seconds": float("nan")}}, "smoothing.seconds", "number 0 to 5"),
        ({"smoothing": {"enabled": 1}}, "smoothing.enabled", "true, false"),
        ({"foot_contact": {"strips": "heel"}}, "foot_contact.strips", "a list of strips"),
        ({"foot_contact": {"strips": [{}]}}, "foot_contact.strips[0]", "side, part, start, end"),
        ({"foot_contact": {"strips": [STRIP, STRIP | {"side": "up"}]}}, "foot_contact.strips[1].side", "left, right"),
        ({"foot_contact": {"strips": [STRIP | {"part": 3}]}}, "foot_contact.strips[0].part", "heel, toe"),
        ({"foot_contact": {"strips": [STRIP | {"end": 1.0}]}}, "foot_contact.strips[0].end", "after start = 1"),
        ({"foot_contact": {"strips": [STRIP | {"start": float("inf")}]}}, "foot_contact.strips[0].start", "seconds"),
        ({"foot_contact": {"strips": [STRIP | {"locked": 1}]}}, "foot_contact.strips[0].locked", "true, false"),
        ({"foot_contact": {"strips": [STRIP | {"more": 1}]}}, "foot_contact.strips[0]", "side, part, start, end"),
    ],
)
def test_values_that_are_not_allowed_are_named(values: dict, named: str, allowed: str) -> None:
    with pytest.raises(BadArgument) as caught:
        read_layers(values)
    assert named in caught.value.message
    assert allowed in caught.value.hint
    assert caught.value.facts["key"] == named


def test_every_default_is_allowed_and_told() -> None:
    for key, option in OPTIONS.items():
        assert option.accepts(option.default), key
        assert option.text, key
    assert not any(key.endswith("strips") for key in OPTIONS)


# Presets.


def test_the_presets_are_there_and_differ() -> None:
    assert {"default", "gentle", "strong", "fast_action", "off"} <= set(cleanup_names())
    found = [load_cleanup(name) for name in cleanup_names()]
    assert len(set(found)) == len(found)
    assert load_cleanup("off").canonical() == Layers.off().canonical()


def test_default_file_names_every_setting_with_its_default() -> None:
    text = (CLEANUP_FOLDER / "default.toml").read_text(encoding="utf-8")
    assert load_cleanup("default") == Layers()
    assert text.endswith(dump(Layers())), "write it again with targets.presets.dump(Layers())"


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine ü.toml"
    layers = override(Layers(), {"smoothing.seconds": 2, "floor.enabled": False}, "test")
    path.write_text(dump(layers), encoding="utf-8")
    assert load_cleanup(path) == layers
    path.write_text("[smoothing]\nsecond = 1\n", encoding="utf-8")
    with pytest.raises(PresetInvalid, match=r"smoothing\.second is no setting"):
        load_cleanup(path)
    with pytest.raises(PresetInvalid, match="no preset gentel"):
        load_cleanup("gentel")


def test_presets_go_from_gentle_to_strong() -> None:
    source = source_of(jittery(TRUTH, 0), T)
    rough = [
        apply_layers(source, load_cleanup(name))[1][2].after.jerk for name in ("off", "gentle", "default", "strong")
    ]
    assert rough == sorted(rough, reverse=True)
