"""Which frames of a clip are estimated."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from inference_backend.errors import BadArgument
from inference_backend.estimation import frames_of
from inference_backend.video import VideoSource


def info(frames: int) -> Any:
    return SimpleNamespace(frame_count=frames)


def test_the_frames_of_a_part_of_the_clip() -> None:
    assert frames_of(VideoSource(Path("a.mp4"), 2, 99, 3), info(10)).tolist() == [2, 5, 8]


@pytest.mark.parametrize(
    ("start", "stop", "step", "asked"),
    [
        (10, None, 1, "none of them is from 10 on"),
        (500, 601, 1, "none of them is from 500 to 600"),
        (5, 3, 2, "none of them is from 5 to 2, 2 apart"),
    ],
)
def test_a_part_without_frames_is_told_as_it_was_asked_for(start: int, stop: int | None, step: int, asked: str) -> None:
    with pytest.raises(BadArgument) as caught:
        frames_of(VideoSource(Path("a.mp4"), start, stop, step), info(10))
    assert caught.value.message == f"the clip has 10 frames, counted from 0, and {asked}"
