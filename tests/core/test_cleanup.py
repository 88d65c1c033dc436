"""The clean-up as an artist handles it: what parameters are called, strips in scene frames, effects in words."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pchmr.inference_backend.errors import BadArgument
from pchmr.inference_backend.targets.parameters import OPTIONS, PARTS, SECTIONS, SIDES, Layers, Strip
from pchmr.pchmr_blender.core import layer_effects
from pchmr.pchmr_blender.core.cleanup_fields import LAYERS, SECONDS, SHARE, same, typed
from pchmr.pchmr_blender.core.contact_strips import Clock, frames_of, inserted, label, lane, removed, replaced
from pchmr.pchmr_blender.core.timing import Placing

FIELDS = {f"{layer}.{key}": field for layer, own in LAYERS.items() for key, field in own.fields.items()}
CLOCK = Clock(Placing(fps=24.0, start=101.0), np.arange(60) / 30)
"""A take of two seconds at 30 pictures a second, in a scene of 24 frames a second."""

# Names of the parameters.


def test_every_parameter_has_its_place_in_the_panel() -> None:
    assert list(LAYERS) == list(SECTIONS)
    assert set(FIELDS) == set(OPTIONS), "name what is new in core/cleanup_fields.py, and take away what is gone"


def test_the_panel_can_show_every_kind_of_parameter_there_is() -> None:
    for key, option in OPTIONS.items():
        assert isinstance(option.default, (bool, float)), f"{key}: scene/cleanup_settings.py knows no such property"


def test_sliders_stay_inside_what_is_allowed() -> None:
    for key, field in FIELDS.items():
        option = OPTIONS[key]
        if isinstance(option.default, bool):
            assert field.soft is None, key
            continue
        low, high = field.soft or (option.low, option.high)
        assert option.low <= low < high <= option.high, key
        assert low <= option.default <= high, f"{key}: a slider that cannot show its default"
        assert field.unit != SHARE or (low, high) == (0, 1), key
        assert (field.unit == SECONDS) == key.endswith("seconds"), key


def test_names_are_there_and_differ_within_a_layer() -> None:
    for layer in LAYERS.values():
        names = [field.name for field in layer.fields.values()]
        assert all(names)
        assert len(set(names)) == len(names), names
        usual = [key for key, field in layer.fields.items() if not field.advanced]
        assert usual[:2] == ["enabled", "strength"]


@pytest.mark.parametrize("number", [0.0, 0.3, 0.35, 0.005, 5.0, 1 / 3, 60.0, 0.123456])
def test_numbers_are_those_that_were_typed(number: float) -> None:
    from_blender = float(np.float32(number))
    assert same(from_blender, number)
    assert typed(from_blender) == pytest.approx(number, rel=1e-7)
    assert len(str(typed(from_blender))) <= len(str(from_blender))
    if number != 1 / 3:
        assert typed(from_blender) == number


# Strips.


def test_strips_are_whole_frames_and_back() -> None:
    for first, last in ((101, 101), (103, 110), (140, 148)):
        start, end = CLOCK.start_of(first), CLOCK.end_of(last)
        assert frames_of(Strip("left", "heel", start, end), CLOCK.placing) == (first, last)


def test_a_frame_of_the_strip_is_in_its_seconds() -> None:
    strip = Strip("left", "toe", CLOCK.start_of(105), CLOCK.end_of(107))
    seconds = CLOCK.placing.seconds([104, 105, 107, 108])
    assert [bool(strip.start <= one <= strip.end) for one in seconds] == [False, True, True, False]


def test_detected_strips_at_the_scene_s_rate_begin_and_end_with_their_frames() -> None:
    placing = Placing(fps=30.0, start=1.0)
    strip = Strip("left", "heel", 9.5 / 30, 20.5 / 30)  # rows 10 to 20
    assert frames_of(strip, placing) == (11, 21)


def test_edges_move_one_at_a_time() -> None:
    strip = CLOCK.new("right", "toe", 110)
    assert frames_of(strip, CLOCK.placing) == (110, 116)
    assert frames_of(CLOCK.with_first(strip, 105), CLOCK.placing) == (105, 116)
    assert frames_of(CLOCK.with_last(strip, 140), CLOCK.placing) == (110, 140)
    assert strip.locked


@pytest.mark.parametrize(
    ("change", "message", "hint"),
    [
        (
            lambda strip: CLOCK.with_first(strip, 130),
            "Right toe: its last frame, 116, is before its first, 130",
            "after",
        ),
        (lambda strip: CLOCK.with_last(strip, 90), "its last frame, 90, is before its first, 110", "after it begins"),
        (lambda strip: CLOCK.new("left", "heel", 400), "no picture of the take is in frames 400 to 406", "101 to 148"),
        (lambda strip: CLOCK.new("left", "heel", 20), "no picture of the take is in frames 20 to 26", "101 to 148"),
    ],
)
def test_impossible_strips_are_refused(change: object, message: str, hint: str) -> None:
    with pytest.raises(BadArgument) as caught:
        change(CLOCK.new("right", "toe", 110))  # type: ignore[operator]
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_a_list_of_strips_keeps_its_order() -> None:
    one, two, three = (CLOCK.new("left", "heel", frame) for frame in (103, 120, 140))
    strips, place = inserted((one, three), two)
    assert (strips, place) == ((one, two, three), 1)
    assert inserted((), one) == ((one,), 0)
    late = CLOCK.with_first(CLOCK.with_last(one, 148), 145)
    assert replaced(strips, 0, late) == (late, two, three)
    assert removed(strips, 1) == (one, three)


def test_every_part_has_its_lane_and_its_name() -> None:
    strips = [Strip(side, part, 0.0, 1.0) for side in SIDES for part in PARTS]
    assert [lane(strip) for strip in strips] == [0, 1, 2, 3]
    assert [label(strip) for strip in strips] == ["Left heel", "Left toe", "Right heel", "Right toe"]


# Effects.

BEFORE = {"foot_slide": 91.3, "floor_error": None, "jerk": 167.07, "bone_length_spread": 4e-13}
AFTER = {"foot_slide": 0.04, "floor_error": None, "jerk": 69.5, "bone_length_spread": 5e-13}
TOLD = {
    "layers": [
        {"name": "smoothing", "enabled": True, "before": BEFORE, "after": AFTER, "moved": 1.2},
        {"name": "floor", "enabled": False, "before": AFTER, "after": AFTER, "moved": 0.0},
    ],
    "strips": [{"side": "left", "part": "heel", "start": 0.5, "end": 1.0, "locked": False}],
}


def test_effects_are_read_back() -> None:
    layers = Layers().canonical()
    text = layer_effects.written(layers, TOLD)
    json.loads(text)
    measured = layer_effects.read(text)
    assert measured is not None
    assert measured.layers == layers
    assert measured.strips == (Strip("left", "heel", 0.5, 1.0, locked=False),)
    smoothing = measured.of("smoothing")
    assert smoothing is not None
    assert (smoothing.before, smoothing.after, smoothing.moved) == (BEFORE, AFTER, 1.2)
    assert measured.of("gap_fill") is None
    assert layer_effects.read("") is None


def test_effects_in_words() -> None:
    assert dict(layer_effects.lines(BEFORE, AFTER)) == {
        "Foot slide": "91.3 → 0.0 mm/s",
        "Floor error": "–",
        "Jerk": "167 → 69.5 m/s³",
        "Lengths vary": "0.0 mm",
    }
    assert not any("→" in number for _, number in layer_effects.lines(AFTER, AFTER))


def test_a_layer_says_what_it_changes() -> None:
    measured = layer_effects.read(layer_effects.written("", TOLD))
    assert measured is not None
    smoothing, floor = measured.effects
    assert dict(layer_effects.changes(smoothing)) == {
        "Foot slide": "91.3 → 0.0 mm/s",
        "Jerk": "167 → 69.5 m/s³",
        "Moves joints by": "1.2 mm",
    }
    assert layer_effects.changes(floor) == [("Changes", "nothing")]
