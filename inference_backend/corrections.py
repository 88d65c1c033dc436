"""2D detections that an artist has put right in a few frames, and what follows for the frames around them.

Numpy only: no network, no body.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .errors import BadArgument
from .skeletons import LANDMARKS

Array = NDArray[np.float64]

FADE_SECONDS: Final = 0.25
"""Over which a correction fades where the detector goes on with its mistake, or drifts back by itself."""

JUMP_SECONDS: Final = 0.5
"""How far away the detector may jump back for the correction to hold until there."""

BRIDGE_SECONDS: Final = 1.0
"""How far apart two corrections of a landmark may be to be one that goes on between them."""

OUTSIDE: Final = 1.0
"""Pictures beside the picture: a corrected landmark further outside is refused, for nobody means it."""


@dataclass(frozen=True)
class Correction:
    """Where a landmark is in truth."""

    row: int
    """Of the take."""
    landmark: int
    """Of `skeletons.LANDMARKS`."""
    x: float
    """Pixels of the upright picture."""
    y: float
    """Pixels of the upright picture."""


@dataclass(frozen=True, eq=False)
class Corrected:
    """Detections of F frames with corrections in them."""

    keypoints: Array
    """(F, 33, 3) pixels of the upright picture, confidence: 1 where corrected."""
    moved: Array
    """(F, 33, 2) pixels by which that differs from what was detected."""
    share: Array
    """(F, 33) how much of a correction each landmark has got, 0 to 1."""
    given: NDArray[np.bool_]
    """(F, 33) what the artist has corrected, and nothing that follows from it."""


def read_corrections(values: Iterable[Mapping[str, Any]]) -> tuple[Correction, ...]:
    """From the wire. Raises BadArgument for other fields, or values of other types."""
    kinds = {"row": (int,), "landmark": (int,), "x": (int, float), "y": (int, float)}
    out = []
    for k, one in enumerate(values):
        if set(one) != {field.name for field in fields(Correction)}:
            raise BadArgument(f"corrections.{k}: has {sorted(one)}", hint=f"It has {', '.join(kinds)}.")
        for name, allowed in kinds.items():
            if type(one[name]) not in allowed:
                raise BadArgument(f"corrections.{k}.{name}: {one[name]!r} is no number", hint="Correct the value.")
        out.append(Correction(one["row"], one["landmark"], float(one["x"]), float(one["y"])))
    return tuple(out)


def check(corrections: Sequence[Correction], frames: int, width: int, height: int) -> None:
    """Raise BadArgument for what cannot be: rows and landmarks that are not there, a place far outside the picture."""
    if not corrections:
        raise BadArgument("no corrections", hint="Drag a landmark to where it is in the picture first.")
    seen = set()
    for one in corrections:
        if not 0 <= one.landmark < len(LANDMARKS):
            raise BadArgument(f"no landmark {one.landmark}", hint=f"They are 0 to {len(LANDMARKS) - 1}.")
        name = LANDMARKS[one.landmark]
        if not 0 <= one.row < frames:
            raise BadArgument(
                f"{name}: row {one.row} of a take with {frames} frames", hint="Correct frames that the take has."
            )
        if (one.row, one.landmark) in seen:
            raise BadArgument(f"{name}: two corrections of row {one.row}", hint="Give one.")
        seen.add((one.row, one.landmark))
        if not (math.isfinite(one.x) and math.isfinite(one.y)):
            raise BadArgument(f"{name}: its place in row {one.row} is not a number", hint="Correct the value.")
        beside = max(-one.x / width, one.x / width - 1, -one.y / height, one.y / height - 1)
        if beside > OUTSIDE:
            raise BadArgument(
                f"{name}: ({one.x:.0f}, {one.y:.0f}) in row {one.row} is far outside the picture of {width}×{height}",
                hint="Put it where the landmark is, or would be just outside the picture.",
            )


def spread(keypoints: NDArray[Any], seconds: Array, corrections: Sequence[Correction]) -> Corrected:
    """The detections with the corrections, which go on into the frames around them.

    What is corrected is by how much the detector was off. Between two corrections of a landmark that is interpolated.
    Outside of them it holds until the detector jumps back to where the landmark is, if it soon does; else it fades.

    Args:
        keypoints: (F, 33, 3) pixels of the upright picture, confidence.
        seconds: (F,) times, strictly increasing.
        corrections: checked.
    """
    found = np.asarray(keypoints, np.float64)
    moved, share = np.zeros((*found.shape[:2], 2)), np.zeros(found.shape[:2])
    given = np.zeros(found.shape[:2], bool)
    given[[one.row for one in corrections], [one.landmark for one in corrections]] = True
    for landmark in sorted({one.landmark for one in corrections}):
        own = sorted((one for one in corrections if one.landmark == landmark), key=lambda one: one.row)
        off = {one.row: np.array([one.x, one.y]) - found[one.row, landmark, :2] for one in own}
        moved[:, landmark], share[:, landmark] = _over_time(found[:, landmark, :2], seconds, off)
    out = found.copy()
    out[..., :2] += moved
    out[..., 2] += share * np.maximum(1 - out[..., 2], 0)
    return Corrected(out, moved, share, given)


def _over_time(places: Array, seconds: Array, off: Mapping[int, Array]) -> tuple[Array, Array]:
    """How far a landmark (F, 2) is to be moved in each frame (F, 2), and its share (F,), from where that is known."""
    moved, share = np.zeros_like(places), np.zeros(len(places))
    jumps = _jumps(places)
    rows = sorted(off)
    for row in rows:
        moved[row], share[row] = off[row], 1.0
    for first, second in zip([None, *rows], [*rows, None], strict=True):
        if first is not None and second is not None and seconds[second] - seconds[first] <= BRIDGE_SECONDS:
            between = np.arange(first, second + 1)
            along = ((seconds[between] - seconds[first]) / (seconds[second] - seconds[first]))[:, None]
            way = off[first] + along * (off[second] - off[first])
            if not (_back(jumps[between[1:]], way[:-1]) | _back(-jumps[between[1:]], way[1:])).any():
                moved[between], share[between] = way, 1.0
                continue
        if first is not None:
            last = len(places) if second is None else second
            _fade(moved, share, jumps, seconds, off[first], range(first + 1, last))
        if second is not None:
            start = -1 if first is None else first
            _fade(moved, share, jumps, seconds, off[second], range(second - 1, start, -1))
    return moved, share


def _fade(moved: Array, share: Array, jumps: Array, seconds: Array, off: Array, rows: range) -> None:
    """Carry a correction on through rows that lead away from it."""
    if not len(rows):
        return
    start = seconds[rows[0] - rows.step]
    for row in rows:
        if abs(seconds[row] - start) > JUMP_SECONDS:
            break
        # Forwards the detector jumps into this row, backwards out of it.
        jump = jumps[row] if rows.step > 0 else -jumps[row + 1]
        if _back(jump, off):
            held = np.arange(rows[0], row, rows.step)
            moved[held], share[held] = off, 1.0
            return
    for row in rows:
        left = 1 - abs(seconds[row] - start) / FADE_SECONDS
        if left <= 0:
            return
        weight = left * left * (3 - 2 * left)
        if weight > share[row]:  # two corrections may fade into each other
            moved[row], share[row] = weight * off, weight


def _jumps(places: Array) -> Array:
    """What each step has beyond the steps around it. Shape: (F, 2) → (F, 2), of the step into each frame."""
    steps = np.diff(places, axis=0, prepend=places[:1])
    padded = np.pad(steps, ((2, 2), (0, 0)), mode="edge")
    usual = np.median(np.stack([padded[k : k + len(steps)] for k in range(5)]), axis=0)
    return np.asarray(steps - usual)


def _back(jump: Array, off: Array) -> NDArray[np.bool_]:
    """Whether a jump leads more than half the way from the mistake to the truth. Shape: (..., 2) twice → (...)."""
    return np.asarray((jump * off).sum(-1) > 0.5 * (off * off).sum(-1))
