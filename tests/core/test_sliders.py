"""Key values from 0 to 1: the same sums, and as few keys on their curves as before."""

from __future__ import annotations

import numpy as np
import pytest

from pchmr.pchmr_blender.core.sliders import bends, to_sliders

RANDOM = np.random.default_rng(2)


def made(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows = RANDOM.normal(scale=0.01, size=(values.shape[1], 300)).astype(np.float32)
    return rows, values.astype(np.float32)


def test_sums_stay_and_every_value_is_one_of_a_slider() -> None:
    rows, values = made(RANDOM.normal(size=(40, 12)))
    keys, sliders = to_sliders(rows, values)
    assert (keys.dtype, sliders.dtype) == (np.float32, np.float32)
    assert (len(keys), sliders.shape) == (13, (40, 13))
    assert (sliders.min(), sliders.max()) == (0, 1)
    np.testing.assert_array_equal(sliders[:, -1], 1)
    np.testing.assert_allclose(sliders @ keys, values @ rows, atol=1e-6)


@pytest.mark.parametrize("sign", [1, -1])
def test_keys_that_go_one_way_need_no_other(sign: int) -> None:
    rows, values = made(sign * np.abs(RANDOM.normal(size=(40, 5))) * (RANDOM.random((40, 5)) > 0.5))
    keys, sliders = to_sliders(rows, values)
    assert len(keys) == 5
    assert sliders.max() == 1
    np.testing.assert_array_equal(sliders == 0, values == 0)
    np.testing.assert_allclose(sliders @ keys, values @ rows, atol=1e-7)


def test_no_keys_and_keys_that_do_nothing() -> None:
    keys, sliders = to_sliders(np.zeros((0, 30), np.float32), np.zeros((7, 0), np.float32))
    assert (keys.shape, sliders.shape) == ((0, 30), (7, 0))
    keys, sliders = to_sliders(np.ones((1, 30), np.float32), np.zeros((7, 1), np.float32))
    assert not (sliders @ keys).any()


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        ([0, 0, 0, 5, 0, 0, 0], [2, 3, 4]),
        ([3, 3, 3, 3], [0]),
        ([3], [0]),
        ([1, 2], [0, 1]),
        ([0, 1, 1, 1, 2, 2], [0, 1, 3, 4]),
        ([0, 0, 0, 1], [2, 3]),
    ],
)
def test_level_stretches_are_keyed_at_their_ends(values: list[float], kept: list[int]) -> None:
    found = np.flatnonzero(bends(np.array(values, np.float32)))
    assert found.tolist() == kept
    np.testing.assert_array_equal(np.interp(np.arange(len(values)), found, np.array(values)[found]), values)
