"""Keys around an edit."""

from __future__ import annotations

import numpy as np
import pytest

from pchmr.pchmr_blender.core.edit_keys import covered, edit_keys


def test_an_edit_alone_comes_and_goes() -> None:
    keys = edit_keys([40.0], [], 5, 8)
    assert keys.edited.tolist() == [40.0]
    assert keys.ended.tolist() == [35.0, 48.0]


def test_between_edited_frames_the_curve_runs() -> None:
    keys = edit_keys([50, 40, 45], [], 5, 5)
    assert keys.edited.tolist() == [40, 45, 50]
    assert keys.ended.tolist() == [35, 55]


@pytest.mark.parametrize(
    ("known", "ended"), [([37], [45]), ([43], [35]), ([35, 45], []), ([30, 60], [35, 45]), ([40], [35, 45])]
)
def test_a_key_nearby_takes_the_falloff_s_place(known: list[float], ended: list[float]) -> None:
    assert edit_keys([40], known, 5, 5).ended.tolist() == ended


@pytest.mark.parametrize(("known", "span"), [([], (35, 48)), ([30], (30, 48)), ([20, 60], (35, 48)), ([52], (35, 52))])
def test_the_span_ends_where_the_edit_does_or_its_neighbour_is(known: list[float], span: tuple[float, float]) -> None:
    assert edit_keys([40], known, 5, 8).span == span


@pytest.mark.parametrize(("frames", "before", "after"), [([], 5, 5), ([1], 0, 5), ([1], 5, -1)])
def test_nonsense_is_refused(frames: list[float], before: float, after: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        edit_keys(frames, [], before, after)


def test_where_a_channel_is_away_from_its_rest() -> None:
    keys, values = [10, 20, 30, 50, 60], [[0.0], [1.0], [0.0], [2.0], [0.0]]
    assert covered(keys, values, [0]) == [(10, 30), (30, 60)]
    assert covered(keys, [[0.0], [1.0], [1.0], [2.0], [0.0]], [0]) == [(10, 60)]
    assert covered([10], [[1.0]], [0]) == [(-np.inf, np.inf)]
    assert covered([10, 20], [[0.0], [1.0]], [0]) == [(10, np.inf)]
    assert covered([], np.zeros((0, 1)), [0]) == []
    assert covered([10, 20], [[1.0, 0, 0, 0], [1.0, 0, 0, 0]], [1, 0, 0, 0]) == []
