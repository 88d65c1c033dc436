"""Several people: who is who from frame to frame, how long each was there, and which of them a take is about."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from .errors import NoPersonFound

MIN_OVERLAP: Final = 0.2
"""Squares around one person's boxes, seen a short while apart, overlap by at least this (intersection over union):
the person moved sideways by two thirds of their height at most."""

MIN_SECONDS: Final = 0.5
"""A track that was seen for less is spurious."""

JOIN_SECONDS: Final = 2.0
"""Somebody who is seen again within this time near where they were lost is the same person."""

JOIN_REACH, JOIN_SPEED = 0.7, 1.2
"""How far away that may be, in sizes of the person (longer sides of the box), and how much further a second later."""

JOIN_SIZES: Final = 1.7
"""How many times larger or smaller they may be."""

SURE_PRESENCE: Final = 0.95
"""People have a mean presence of 0.99, things that look a little like people 0.75 to 0.94: where some track reaches
this, those that do not are spurious."""


def overlaps(boxes_a: npt.NDArray[Any], boxes_b: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Intersection over union of boxes (A, 4) and (B, 4), each (x0, y0, x1, y1): (A, B); 0 for empty unions."""
    if boxes_a.shape[1:] != (4,) or boxes_b.shape[1:] != (4,):
        raise ValueError(f"boxes must be (A, 4) and (B, 4), found {boxes_a.shape} and {boxes_b.shape}")
    a, b = np.asarray(boxes_a, np.float64)[:, None], np.asarray(boxes_b, np.float64)[None]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = np.prod(np.clip(sides, 0, None), axis=-1)
    union = np.prod(a[..., 2:] - a[..., :2], axis=-1) + np.prod(b[..., 2:] - b[..., :2], axis=-1) - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0), np.float64)


def squares(boxes: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Boxes (N, 4) widened about their centres to squares (N, 4): a standing person's box is too narrow to meet
    itself again a few steps on."""
    low, high = np.asarray(boxes[:, :2], np.float64), np.asarray(boxes[:, 2:], np.float64)
    middle, half = (low + high) / 2, (high - low).max(axis=1, keepdims=True) / 2
    return np.concatenate([middle - half, middle + half], axis=1)


def associate(
    boxes_a: npt.NDArray[Any], boxes_b: npt.NDArray[Any], min_overlap: float = MIN_OVERLAP
) -> list[tuple[int, int]]:
    """Pairs (index in A, index in B) with the largest sum of overlaps of `squares`, each box in one pair at most.

    Args:
        boxes_a: (A, 4). boxes_b: (B, 4). min_overlap: pairs below are no pairs.
    """
    if len(boxes_a) == 0 or len(boxes_b) == 0:
        return []
    overlap = overlaps(squares(boxes_a), squares(boxes_b))
    if min(overlap.shape) == 1:
        i, j = np.unravel_index(np.argmax(overlap), overlap.shape)
        return [(int(i), int(j))] if overlap[i, j] >= min_overlap else []
    from scipy.optimize import linear_sum_assignment  # 0.3 s, which a worker need not wait for to follow one person

    # what is no pair must not be traded for a better sum elsewhere
    gain = np.where(overlap >= min_overlap, overlap, 0.0)
    rows, columns = linear_sum_assignment(gain, maximize=True)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if overlap[i, j] >= min_overlap]


@dataclass(frozen=True)
class Track:
    """One person over the clip."""

    person: int
    """The number the estimator gave."""
    frames: npt.NDArray[np.int64]
    """(T,) ascending indices in the footage of the frames the person was seen in."""
    boxes: npt.NDArray[np.float32]
    """(T, 4) x0, y0, x1, y1 px, one per frame."""
    presence: float
    """Mean confidence in [0, 1] that there is a person."""
    also: tuple[int, ...] = ()
    """Further numbers the estimator gave the same person, after losing them."""

    @property
    def start(self) -> int:
        """First frame the person was seen in."""
        return int(self.frames[0])

    @property
    def end(self) -> int:
        """Last frame the person was seen in."""
        return int(self.frames[-1])

    @property
    def size(self) -> float:
        """Mean area of the box, px², times the number of frames: large and long comes first."""
        return float(np.prod(self.boxes[:, 2:].astype(np.float64) - self.boxes[:, :2], axis=1).sum())


@dataclass
class _Notes:
    """What is noted of one person."""

    frames: list[int] = field(default_factory=list)
    boxes: list[npt.NDArray[np.float32]] = field(default_factory=list)
    presence: float = 0.0
    also: tuple[int, ...] = ()

    def follow(self, person: int, later: _Notes) -> None:
        """Go on with what was noted under another number, later."""
        self.frames += later.frames
        self.boxes += later.boxes
        self.presence += later.presence
        self.also = (*self.also, person, *later.also)


class TrackBook:
    """Collects tracks frame by frame (a box and an index per person and frame)."""

    def __init__(self) -> None:
        self._people: dict[int, _Notes] = {}

    def add(self, index: int, person: int, box: npt.NDArray[np.float32], presence: float = 1.0) -> None:
        """Note that `person` was seen in frame `index` at `box` (4,). Frames of a person come in ascending order."""
        notes = self._people.setdefault(person, _Notes())
        if notes.frames and notes.frames[-1] >= index:
            raise ValueError(f"frames must ascend: person {person} at {index} after {notes.frames[-1]}")
        notes.frames.append(index)
        notes.boxes.append(np.asarray(box, np.float32))
        notes.presence += presence

    def tracks(self, fps: float, min_seconds: float = MIN_SECONDS) -> tuple[Track, ...]:
        """All tracks by falling `size`, without the spurious ones: seen for too short, or hardly a person.

        Args:
            fps: frames noted per second of footage, for `min_seconds`. Where no track is that long, all are kept.
        """
        tracks = [
            Track(
                person,
                np.array(notes.frames, np.int64),
                np.stack(notes.boxes),
                notes.presence / len(notes.frames),
                notes.also,
            )
            for person, notes in _joined(self._people, fps).items()
        ]
        tracks = [track for track in tracks if len(track.frames) >= min_seconds * fps] or tracks
        sure = [track for track in tracks if track.presence >= SURE_PRESENCE]
        return tuple(sorted(sure or tracks, key=lambda track: (-track.size, track.person)))


def _joined(people: Mapping[int, _Notes], fps: float) -> dict[int, _Notes]:
    """People who were lost and seen again under another number, as one. The nearest pairs first.

    Args:
        people: by number. fps: noted frames a second.
    """
    # Indices are the footage's, of which only every step-th is noted.
    steps = [int(np.diff(notes.frames).min()) for notes in people.values() if len(notes.frames) > 1]
    rate = fps * min(steps, default=1)
    out = {number: replace(notes, frames=[*notes.frames], boxes=[*notes.boxes]) for number, notes in people.items()}
    while True:
        pairs = [
            (distance, early, late)
            for early, before in out.items()
            for late, after in out.items()
            if (distance := _apart(before, after, rate)) < 1
        ]
        if not pairs:
            return out
        _, early, late = min(pairs)
        out[early].follow(late, out.pop(late))


def _apart(before: _Notes, after: _Notes, rate: float) -> float:
    """How far from where they were lost people are seen again, over how far that may be; infinite for others.

    `rate`: indices a second.
    """
    seconds = (after.frames[0] - before.frames[-1]) / rate
    if not 0 < seconds <= JOIN_SECONDS:
        return math.inf
    (place_a, size_a), (place_b, size_b) = (_typical(n.boxes[rows]) for n, rows in ((before, _END), (after, _START)))
    if size_a <= 0 or size_b <= 0 or max(size_a / size_b, size_b / size_a) > JOIN_SIZES:
        return math.inf
    reach = (JOIN_REACH + JOIN_SPEED * seconds) * (size_a + size_b) / 2
    return float(np.linalg.norm(place_b - place_a)) / reach


_START, _END = slice(None, 5), slice(-5, None)


def _typical(boxes: list[npt.NDArray[np.float32]]) -> tuple[npt.NDArray[np.float64], float]:
    """Median centre (2,) and longer side of some boxes (4,)."""
    array = np.stack(boxes).astype(np.float64)
    return np.median((array[:, :2] + array[:, 2:]) / 2, axis=0), float(np.median((array[:, 2:] - array[:, :2]).max(1)))


def choose(tracks: Sequence[Track], which: int | Literal["largest", "all"] = "largest") -> tuple[Track, ...]:
    """The tracks a take is about.

    Args:
        tracks: by falling size, as `TrackBook.tracks` gives them.
        which: the largest, all, or one by its place in this order (0 is the largest).

    Raises:
        NoPersonFound: there is none, or not that many.
    """
    if not tracks:
        raise NoPersonFound(
            "no person was found in any frame",
            hint="Check that a whole person is visible, upright and large enough in the picture.",
        )
    if which == "all":
        return tuple(tracks)
    place = 0 if which == "largest" else which
    if not 0 <= place < len(tracks):
        raise NoPersonFound(
            f"there is no person {place}: {len(tracks)} found",
            hint="Choose 0, who is the only one."
            if len(tracks) == 1
            else f"Choose a person from 0 to {len(tracks) - 1}; 0 is the largest.",
            found=len(tracks),
            wanted=place,
        )
    return (tracks[place],)
