# SPDX-License-Identifier: GPL-3.0-or-later
"""What an artist should look at first: the joints and times that are likely wrong, the worst first, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...inference_backend.take_format import SUSPECT_CAUSES

CAUSES_IN_WORDS: Final[Mapping[str, str]] = {
    "streams_disagree": "mesh stream and lifted pose disagree",
    "reprojection": "not where it was seen",
    "bone_length": "bone changes its length",
    "jerk": "jumps",
    "visibility": "hidden",
    "lifter_error": "its depth is unsure",
}
"""Of each of `SUSPECT_CAUSES`, as short as a row of a list wants it."""

GAP_SECONDS: Final = 0.5
"""Two spans of a joint that are no farther apart are one: nobody edits them one by one."""

SHORTEST_SECONDS: Final = 0.1
"""A span costs an artist at least as much as one of this length."""

COLOUR_LEVELS: Final = 8
"""Scores are shown in as many colours, so that a small change of the score changes nothing on the screen."""

_CALM, _DOUBTFUL, _WRONG = (0.35, 0.55, 0.75), (1.0, 0.8, 0.1), (1.0, 0.1, 0.1)


@dataclass(frozen=True)
class Suspect:
    """A joint that is likely wrong for a while."""

    joint: int
    """Index in `skeletons.JOINTS`."""
    first: int
    """Row of the take."""
    last: int
    """Row of the take, included."""
    worst: int
    """The row with the highest score."""
    score: float
    """Of the worst row, 0 to 1."""
    cause: str
    """Of `SUSPECT_CAUSES`: the strongest sign in the worst row."""


def find_suspects(
    score: NDArray[np.float32],
    causes: NDArray[np.uint8],
    seconds: NDArray[np.float64],
    threshold: float,
    gap: float = GAP_SECONDS,
) -> tuple[Suspect, ...]:
    """Spans in which a joint's score reaches the threshold, what costs an artist most first: score times length.

    Args:
        score: (F, 24) 0 to 1. causes: (F, 24, 6) 0 to 255. seconds: (F,) time of each row, rising.
        threshold: 0 to 1.
        gap: seconds; spans of a joint that are no farther apart are one.

    Raises:
        ValueError: shapes that do not fit.
    """
    if score.ndim != 2 or causes.shape != (*score.shape, len(SUSPECT_CAUSES)) or seconds.shape != score.shape[:1]:
        raise ValueError(f"score {score.shape}, causes {causes.shape}, seconds {seconds.shape} do not fit")
    found = []
    for joint in range(score.shape[1]):
        for first, last in _spans(np.flatnonzero(score[:, joint] >= threshold), seconds, gap):
            worst = first + int(np.argmax(score[first : last + 1, joint]))
            cause = SUSPECT_CAUSES[int(np.argmax(causes[worst, joint]))]
            found.append(Suspect(joint, first, last, worst, float(score[worst, joint]), cause))
    return tuple(sorted(found, key=lambda one: (-_cost(one, seconds), one.first, one.joint)))


def score_colour(score: float) -> tuple[float, float, float]:
    """Red, green, blue of a score, 0 to 1 each: blue, yellow at one half, red; one of `COLOUR_LEVELS`."""
    level = round(min(max(score, 0.0), 1.0) * (COLOUR_LEVELS - 1)) / (COLOUR_LEVELS - 1)
    low, high = (_CALM, _DOUBTFUL) if level < 0.5 else (_DOUBTFUL, _WRONG)
    part = 2 * level - (level >= 0.5)
    red, green, blue = (a + (b - a) * part for a, b in zip(low, high, strict=True))
    return red, green, blue


def _cost(one: Suspect, seconds: NDArray[np.float64]) -> float:
    """Score times seconds."""
    return one.score * max(float(seconds[one.last] - seconds[one.first]), SHORTEST_SECONDS)


def _spans(rows: NDArray[np.intp], seconds: NDArray[np.float64], gap: float) -> Iterator[tuple[int, int]]:
    """First and last of each run of rising rows; a run goes on over rows that are left out, for `gap` at most."""
    if not len(rows):
        return
    apart = (np.diff(rows) > 1) & (np.diff(seconds[rows]) > gap)
    for run in np.split(rows, np.flatnonzero(apart) + 1):
        yield int(run[0]), int(run[-1])
