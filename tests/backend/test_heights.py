"""Heights of several people: one for all or one each, and what a take keeps of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inference_backend.errors import BadArgument, PresetInvalid
from inference_backend.heights import each, settings_with, with_heights
from inference_backend.presets import result_settings
from inference_backend.solve_preset import SolvePreset

PRESET = replace(SolvePreset(), height=1.6)


def test_a_single_height_is_the_preset_s() -> None:
    assert with_heights(PRESET, (), "all", "test") == (PRESET, ())
    assert with_heights(PRESET, (1.82,), "largest", "test") == (replace(PRESET, height=1.82), ())
    assert with_heights(PRESET, (1.82,), "all", "test") == (replace(PRESET, height=1.82), ())


def test_several_heights_are_of_all_people() -> None:
    assert with_heights(PRESET, (1.82, 1.65), "all", "test") == (PRESET, (1.82, 1.65))
    for people in ("largest", "1"):
        with pytest.raises(BadArgument, match="2 heights for one person"):
            with_heights(PRESET, (1.82, 1.65), people, "test")


@pytest.mark.parametrize("heights", [(9.0,), (1.7, 0.2), (float("nan"), 1.7)])
def test_each_height_is_checked(heights: tuple[float, ...]) -> None:
    with pytest.raises(PresetInvalid, match="height = "):
        with_heights(PRESET, heights, "all", "test")


def test_everyone_gets_a_height() -> None:
    assert each((), PRESET, 3) == (1.6, 1.6, 1.6)
    assert each((1.82, 1.65), PRESET, 2) == (1.82, 1.65)
    with pytest.raises(BadArgument, match=r"2 heights are given, and 3 people were found") as caught:
        each((1.82, 1.65), PRESET, 3)
    assert caught.value.facts["found"] == 3
    with pytest.raises(BadArgument, match="1 person was found"):
        each((1.82, 1.65), PRESET, 1)


def test_a_take_tells_them_apart() -> None:
    assert settings_with(PRESET, ()) == result_settings(PRESET)
    kept = [settings_with(PRESET, heights)["height"] for heights in ((), (1.82, 1.65), (1.65, 1.82))]
    assert kept == [1.6, [1.82, 1.65], [1.65, 1.82]]
