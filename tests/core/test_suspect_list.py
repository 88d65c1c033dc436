"""The list of doubtful joints: spans, order, causes, colours; and where landmarks of the picture stand in a view."""

from __future__ import annotations

import numpy as np
import pytest

from pchmr.inference_backend.skeletons import LANDMARKS
from pchmr.inference_backend.take_format import SUSPECT_CAUSES
from pchmr.pchmr_blender.core.lens import CAMERA_AXES, Pinhole
from pchmr.pchmr_blender.core.picture_overlay import LINES, region_points, row_at
from pchmr.pchmr_blender.core.suspect_list import CAUSES_IN_WORDS, COLOUR_LEVELS, Suspect, find_suspects, score_colour

ELBOW, WRIST = 18, 20


def made(rows: int = 20) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores of 0.1 and no cause, 30 rows a second."""
    return np.full((rows, 24), 0.1, np.float32), np.zeros((rows, 24, 6), np.uint8), np.arange(rows) / 30


def test_a_span_has_its_worst_row_and_the_cause_there() -> None:
    score, causes, seconds = made()
    score[4:8, ELBOW] = 0.6, 0.7, 0.9, 0.6
    causes[4, ELBOW, SUSPECT_CAUSES.index("jerk")] = 250
    causes[6, ELBOW] = 10, 20, 30, 40, 200, 50
    (found,) = find_suspects(score, causes, seconds, 0.5)
    assert found == Suspect(ELBOW, 4, 7, 6, pytest.approx(0.9), "visibility")


def test_the_worst_comes_first_and_then_the_earliest() -> None:
    score, causes, seconds = made(40)
    score[[2, 35], WRIST] = 0.7
    score[9, ELBOW] = 0.95
    found = find_suspects(score, causes, seconds, 0.5)
    assert [(one.joint, one.first) for one in found] == [(ELBOW, 9), (WRIST, 2), (WRIST, 35)]


def test_what_is_wrong_for_long_comes_before_what_is_worse_for_a_moment() -> None:
    score, causes, seconds = made()
    score[3:13, WRIST], score[15, ELBOW] = 0.75, 0.95
    assert [one.joint for one in find_suspects(score, causes, seconds, 0.7)] == [WRIST, ELBOW]


@pytest.mark.parametrize(
    ("between", "spans"),
    [(1, [(3, 5)]), (3, [(3, 7)]), (14, [(3, 18)]), (15, [(3, 3), (19, 19)])],  # (between + 1) / 30 s apart
)
def test_short_gaps_are_closed(between: int, spans: list[tuple[int, int]]) -> None:
    score, causes, seconds = made()
    score[[3, 4 + between], ELBOW] = 0.8
    assert [(one.first, one.last) for one in find_suspects(score, causes, seconds, 0.5)] == spans


def test_rows_that_follow_each_other_are_one_span_at_any_rate() -> None:
    score, causes, _ = made(4)
    score[1:3, ELBOW] = 0.8
    (found,) = find_suspects(score, causes, np.arange(4) * 1.0, 0.5)
    assert (found.first, found.last) == (1, 2)


def test_the_threshold_itself_is_listed_and_what_is_below_is_not() -> None:
    score, causes, seconds = made()
    score[3, ELBOW], score[3, WRIST] = 0.5, 0.49
    assert [one.joint for one in find_suspects(score, causes, seconds, 0.5)] == [ELBOW]
    assert find_suspects(score, causes, seconds, 0.6) == ()
    assert find_suspects(*(part[:0] for part in made()), 0.5) == ()


def test_shapes_that_do_not_fit_are_refused() -> None:
    score, causes, seconds = made()
    with pytest.raises(ValueError, match="do not fit"):
        find_suspects(score, causes[:, :, :5], seconds, 0.5)


def test_every_cause_has_words() -> None:
    assert tuple(CAUSES_IN_WORDS) == SUSPECT_CAUSES


def test_colours_go_from_blue_to_red_in_few_steps() -> None:
    colours = [score_colour(score) for score in np.linspace(-0.1, 1.1, 500)]
    assert len(set(colours)) == COLOUR_LEVELS
    assert all(0 <= value <= 1 for colour in colours for value in colour)
    blue, red = colours[0], colours[-1]
    assert blue[2] > blue[0]
    assert red[0] > 0.9 > red[2]


@pytest.mark.parametrize(("at", "row"), [(0.0, 0), (0.049, 1), (0.082, 2), (-0.04, None), (0.2, None), (0.118, 3)])
def test_the_row_of_a_moment(at: float, row: int | None) -> None:
    assert row_at(np.array([0.0, 1 / 30, 2 / 30, 0.1]), at) == row


def test_no_row_where_the_take_has_a_hole() -> None:
    seconds = np.array([0.0, 0.1, 0.2, 1.0, 1.1])
    assert row_at(seconds, 0.6) is None
    assert row_at(seconds, 0.98) == 3
    assert row_at(np.zeros(0), 0.0) is None


def test_lines_join_landmarks_of_one_side() -> None:
    for a, b in LINES:
        sides = {LANDMARKS[a].split("_")[0], LANDMARKS[b].split("_")[0]}
        assert a != b
        assert len(sides) == 1 or (a, b) in LINES[-4:]


def test_pixels_come_back_through_depth() -> None:
    pinhole = Pinhole(640, 360, 700.0, 720.0, 300.0, 200.0)
    pixels = np.random.default_rng(1).uniform(0, 640, (33, 2))
    np.testing.assert_allclose(pinhole.project(pinhole.unproject(pixels, 3.5)), pixels, atol=1e-9)


def test_the_picture_fills_a_region_that_shows_just_it() -> None:
    """By a projection written down from OpenGL's definition: the picture's edges are the region's."""
    pinhole = Pinhole(640, 360, 700.0, 720.0, 300.0, 200.0)
    near, far = 0.1, 100.0
    left, right = (-0.5 - 300) / 700 * near, (639.5 - 300) / 700 * near
    top, bottom = (200 + 0.5) / 720 * near, (200 - 359.5) / 720 * near
    projection = np.array(
        [
            [2 * near / (right - left), 0, (right + left) / (right - left), 0],
            [0, 2 * near / (top - bottom), (top + bottom) / (top - bottom), 0],
            [0, 0, -(far + near) / (far - near), -2 * far * near / (far - near)],
            [0, 0, -1, 0],
        ]
    )
    place = np.eye(4)
    place[:3, :3] = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]
    place[:3, 3] = 1, 2, 3
    pixels = np.array([(-0.5, -0.5), (639.5, 359.5), (319.5, 179.5)], np.float32)
    shown = region_points(
        pixels, pinhole, place @ CAMERA_AXES @ CAMERA_AXES, projection @ np.linalg.inv(place), 1280, 720
    )
    np.testing.assert_allclose(shown, [(0, 720), (1280, 0), (640, 360)], atol=1e-3)
