"""2D detections that were put right: what follows for the frames around them, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from inference_backend.corrections import Correction, check, read_corrections, spread
from inference_backend.errors import BadArgument
from inference_backend.skeletons import LANDMARKS

WRIST, KNEE = LANDMARKS.index("left_wrist"), LANDMARKS.index("right_knee")
F, FPS = 60, 30.0
AWAY = np.array([80.0, -30.0])


def detections(wrong: slice = slice(0, 0)) -> tuple[np.ndarray, np.ndarray]:
    """Landmarks on arcs with a little noise, and where they truly are; the left wrist is off in some frames."""
    t = np.arange(F) / FPS
    draw = np.random.default_rng(3)
    true = np.stack([300 + 90 * np.sin(4 * t), 200 + 60 * np.cos(3 * t)], -1)[:, None] + np.arange(33)[:, None] * 3.0
    seen = true + draw.normal(size=true.shape)
    seen[wrong, WRIST] += AWAY
    return np.concatenate([seen, np.full((F, 33, 1), 0.7)], -1), true


def corrected(keypoints: np.ndarray, true: np.ndarray, *rows: int) -> Any:
    made = [Correction(row, WRIST, *true[row, WRIST]) for row in rows]
    return spread(keypoints, np.arange(F) / FPS, made)


def off(places: np.ndarray, true: np.ndarray) -> np.ndarray:
    return np.linalg.norm(places[:, WRIST, :2] - true[:, WRIST], axis=-1)


@pytest.mark.parametrize("row", [20, 25, 29])
def test_one_correction_holds_as_long_as_the_mistake(row: int) -> None:
    keypoints, true = detections(slice(20, 30))
    found = corrected(keypoints, true, row)
    assert off(keypoints, true)[20:30].min() > 60
    assert off(found.keypoints, true).max() < 8
    assert np.flatnonzero(found.share[:, WRIST]).tolist() == list(range(20, 30))
    assert found.keypoints[20:30, WRIST, 2].tolist() == [1.0] * 10


def test_a_spike_of_one_frame_leaves_its_neighbours() -> None:
    keypoints, true = detections(slice(31, 32))
    found = corrected(keypoints, true, 31)
    assert np.flatnonzero(found.share[:, WRIST]).tolist() == [31]


def test_a_correction_of_what_does_not_end_fades() -> None:
    keypoints, true = detections(slice(0, F))
    found = corrected(keypoints, true, 30)
    share = found.share[:, WRIST]
    assert share[30] == 1
    assert (np.diff(share[20:31]) >= 0).all()
    assert (np.diff(share[30:41]) <= 0).all()
    assert np.flatnonzero(share).tolist() == list(range(23, 38))  # less than FADE_SECONDS away


def test_between_two_corrections_it_is_interpolated() -> None:
    keypoints, true = detections()
    growing = np.linspace(0.2, 1.0, 16)[:, None] * AWAY
    keypoints[20:36, WRIST, :2] += growing
    found = corrected(keypoints, true, 20, 35)
    assert (found.share[20:36, WRIST] == 1).all()
    assert off(found.keypoints, true)[20:36].max() < 8


def test_where_the_detector_was_right_in_between_two_corrections_are_two() -> None:
    keypoints, true = detections(slice(20, 24))
    keypoints[32:36, WRIST, :2] += AWAY
    found = corrected(keypoints, true, 21, 34)
    assert np.flatnonzero(found.share[:, WRIST]).tolist() == [20, 21, 22, 23, 32, 33, 34, 35]
    assert off(found.keypoints, true).max() < 8


def test_far_corrections_do_not_meet() -> None:
    keypoints, true = detections(slice(0, F))
    share = corrected(keypoints, true, 5, 50).share[:, WRIST]
    assert not share[14:41].any()


def test_nothing_else_changes() -> None:
    keypoints, true = detections(slice(20, 30))
    found = corrected(keypoints, true, 25)
    others = np.delete(np.arange(33), WRIST)
    assert np.array_equal(found.keypoints[:, others], keypoints[:, others])
    assert not found.moved[:, others].any()
    assert np.array_equal(spread(keypoints, np.arange(F) / FPS, []).keypoints, keypoints)


def test_at_the_ends_of_the_clip() -> None:
    keypoints, true = detections(slice(0, 3))
    assert np.flatnonzero(corrected(keypoints, true, 0).share[:, WRIST]).tolist() == [0, 1, 2]
    keypoints, true = detections(slice(F - 3, F))
    assert np.flatnonzero(corrected(keypoints, true, F - 1).share[:, WRIST]).tolist() == [F - 3, F - 2, F - 1]
    one = spread(keypoints[:1], np.zeros(1), [Correction(0, KNEE, 5.0, 6.0)])
    assert one.keypoints[0, KNEE].tolist() == [5.0, 6.0, 1.0]


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ([], "no corrections"),
        ([Correction(0, 33, 1, 1)], "no landmark 33"),
        ([Correction(0, -1, 1, 1)], "no landmark -1"),
        ([Correction(F, KNEE, 1, 1)], "right_knee: row 60 of a take with 60 frames"),
        ([Correction(-1, KNEE, 1, 1)], "row -1"),
        ([Correction(3, KNEE, float("nan"), 1)], "not a number"),
        ([Correction(3, KNEE, 1, float("inf"))], "not a number"),
        ([Correction(3, KNEE, 1300, 1)], "far outside the picture of 640×360"),
        ([Correction(3, KNEE, 1, -400)], "far outside"),
        ([Correction(3, KNEE, 1, 1), Correction(3, KNEE, 2, 2)], "two corrections of row 3"),
    ],
)
def test_what_cannot_be_meant_is_refused(made: list[Correction], message: str) -> None:
    with pytest.raises(BadArgument, match=message):
        check(made, F, 640, 360)


def test_a_little_outside_the_picture_is_fine() -> None:
    check([Correction(3, KNEE, -200, 500)], F, 640, 360)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"row": 1, "landmark": 2, "x": 3}, r"corrections\.0: has"),
        ({"row": 1, "landmark": 2, "x": 3, "y": 4, "z": 5}, r"corrections\.0: has"),
        ({"row": 1.5, "landmark": 2, "x": 3, "y": 4}, r"corrections\.0\.row: 1\.5"),
        ({"row": 1, "landmark": "knee", "x": 3, "y": 4}, r"corrections\.0\.landmark: 'knee'"),
        ({"row": 1, "landmark": True, "x": 3, "y": 4}, r"corrections\.0\.landmark: True"),
        ({"row": 1, "landmark": 2, "x": None, "y": 4}, r"corrections\.0\.x: None"),
    ],
)
def test_other_forms_are_refused(value: dict[str, Any], message: str) -> None:
    with pytest.raises(BadArgument, match=message):
        read_corrections([value])
    assert read_corrections([{"row": 1, "landmark": 2, "x": 3, "y": 4.5}]) == (Correction(1, 2, 3.0, 4.5),)
