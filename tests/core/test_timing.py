"""Seconds to scene frames and back."""

from __future__ import annotations

import numpy as np
import pytest

from pchmr.pchmr_blender.core.timing import Placing


def test_seconds_stand_at_frames_of_the_scene() -> None:
    placing = Placing(fps=24, start=1)
    np.testing.assert_allclose(placing.frames([0, 0.5, 1.0]), [1, 13, 25])
    np.testing.assert_allclose(placing.seconds(placing.frames([0.0, 0.337, 9.1])), [0.0, 0.337, 9.1], atol=1e-12)


@pytest.mark.parametrize(("fps", "start"), [(0, 1), (-24, 1), (float("nan"), 1), (24, float("inf"))])
def test_no_line_without_a_rate(fps: float, start: float) -> None:
    with pytest.raises(ValueError, match="want a rate above 0"):
        Placing(fps, start)
