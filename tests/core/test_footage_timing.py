"""Which picture stands at a scene frame, by Blender's own arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from pchmr.pchmr_blender.core.footage_timing import Footage, PictureTiming, picture_timing
from pchmr.pchmr_blender.core.timing import Placing


def shown(timing: PictureTiming, frames: np.ndarray) -> np.ndarray:
    """Number of the picture that Blender shows: `BKE_image_user_frame_get`, with a keyed `frame_offset`."""
    times, offsets = zip(*timing.keys, strict=True)
    since = np.clip(frames - timing.frame_start + 1, 0, timing.frame_duration)
    return (since + np.floor(np.interp(frames, times, offsets) + 0.5)).astype(int)


@pytest.mark.parametrize("first", [1, 0, 1001])
@pytest.mark.parametrize(("rate", "fps"), [(30, 30), (24, 30), (60, 24), (29.97, 30), (10, 24), (240, 24)])
@pytest.mark.parametrize("start", [1.0, -12.0, 100.4])
def test_each_scene_frame_shows_the_nearest_picture(rate, fps, start, first):
    footage, placing = Footage(rate, 300, first), Placing(fps, start)
    timing = picture_timing(footage, placing)
    frames = np.arange(np.ceil(start), np.floor(start + 299 / rate * fps) + 1)
    numbers = shown(timing, frames)
    exact = placing.seconds(frames) * rate + first
    assert np.abs(numbers - exact).max() <= 0.5 + 1e-6
    assert numbers[0] - first <= max(1, rate / fps)
    assert first + 299 - numbers[-1] <= max(1, rate / fps)
    assert len(timing.keys) == (1 if rate == fps else 2)


def test_an_offset_shows_the_footage_later():
    timing = picture_timing(Footage(30, 100), Placing(30, 1), offset=5)
    np.testing.assert_array_equal(shown(timing, np.array([6, 7, 50])), [1, 2, 45])


def test_beyond_its_ends():
    timing = picture_timing(Footage(60, 101), Placing(30, 1))
    assert list(shown(timing, np.array([51, 52, 500]))) == [101, 101, 101]  # the last one is held
    assert shown(timing, np.array([-20]))[0] <= 0  # none yet
