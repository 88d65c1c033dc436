"""One person over the clip: detections of the chosen track as arrays, gaps filled, and the masks for the shape."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .estimators import FramePoses
from .skeletons import JOINTS, LANDMARKS
from .tracking import Track

Float = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Sighting:
    """F consecutive frames from the person's first to last appearance."""

    frames: npt.NDArray[np.int64]
    """(F,) index in the footage."""
    seconds: npt.NDArray[np.float64]
    """(F,) time."""
    keypoints: Float
    """(F, 33, 3) px of the upright image, confidence; where the person was not seen: interpolated, confidence 0."""
    world: Float
    """(F, 33, 3) metres, the estimator's own 3D guess, camera's axes, origin between the hips; filled as they are."""
    boxes: Float
    """(F, 4) x0, y0, x1, y1 px; where the person was not seen: interpolated."""
    masks: npt.NDArray[np.uint8]
    """(M, 64, 64) 0 or 255."""
    mask_squares: Float
    """(M, 4) centre x, y and side in px, clockwise angle in rad."""
    mask_rows: npt.NDArray[np.int64]
    """(M,) the row of each mask."""

    @property
    def fps(self) -> float:
        """Mean frame rate; 30 for a single frame."""
        return mean_fps(self.seconds)


def gather(
    frames: Iterable[FramePoses],
    tracks: tuple[Track, ...],
    indices: npt.NDArray[np.int64],
    times: npt.NDArray[np.float64],
) -> list[Sighting]:
    """The sightings of the chosen tracks, in their order.

    Args:
        frames: every frame's poses, in order.
        indices: (C,) index in the footage of every frame that was read.
        times: (C,) their seconds.
    """
    if indices.ndim != 1 or times.shape != indices.shape:
        raise ValueError(f"indices, times: found {indices.shape}, {times.shape}, want (C,) twice")
    position = {int(index): row for row, index in enumerate(indices)}
    spans = [(position[track.start], position[track.end] + 1) for track in tracks]
    place = {number: k for k, track in enumerate(tracks) for number in (track.person, *track.also)}
    keypoints = [np.zeros((b - a, len(LANDMARKS), 3), np.float32) for a, b in spans]
    world = [np.zeros((b - a, len(LANDMARKS), 3), np.float32) for a, b in spans]
    boxes = [np.zeros((b - a, 4), np.float32) for a, b in spans]
    seen = [np.zeros(b - a, bool) for a, b in spans]
    masks: list[list[tuple[npt.NDArray[np.uint8], Float, int]]] = [[] for _ in spans]
    for frame in frames:
        for person in frame.people:
            k = place.get(person.person)
            if k is None:
                continue
            row = position[frame.index] - spans[k][0]
            keypoints[k][row], boxes[k][row], seen[k][row] = person.keypoints, person.box, True
            if person.world is not None:
                world[k][row] = person.world
            if person.mask is not None and person.mask_square is not None:
                masks[k].append((person.mask, person.mask_square, row))
    out = []
    for k, (a, b) in enumerate(spans):
        filled = interpolate(np.concatenate([keypoints[k][..., :2], world[k]], -1), seen[k])
        kept = masks[k]
        out.append(
            Sighting(
                frames=np.asarray(indices[a:b], np.int64),
                seconds=np.asarray(times[a:b], np.float64),
                keypoints=np.concatenate([filled[..., :2], keypoints[k][..., 2:]], -1),
                world=filled[..., 2:],
                boxes=interpolate(boxes[k][:, None], seen[k])[:, 0],
                masks=np.array([mask for mask, _, _ in kept], np.uint8).reshape(-1, 64, 64),
                mask_squares=np.array([square for _, square, _ in kept], np.float32).reshape(-1, 4),
                mask_rows=np.array([row for _, _, row in kept], np.int64),
            )
        )
    return out


def mean_fps(seconds: npt.NDArray[np.float64]) -> float:
    """Frames per second of these times (F,); 30 where there is only one."""
    return (len(seconds) - 1) / float(seconds[-1] - seconds[0]) if len(seconds) > 1 else 30.0


def interpolate(values: Float, seen: npt.NDArray[np.bool_]) -> Float:
    """Rows that were not seen, linearly between those that were; before the first and after the last, the nearest.

    Shape: (F, K, C), (F,) → (F, K, C).
    """
    if values.ndim != 3 or seen.shape != values.shape[:1]:
        raise ValueError(f"values, seen: found {values.shape}, {seen.shape}, want (F, K, C), (F,)")
    if seen.all() or not seen.any():
        return values
    rows = np.arange(len(values))
    known = np.flatnonzero(seen)
    after = np.searchsorted(known, rows).clip(0, len(known) - 1)
    high = known[after]
    low = known[np.where(known[after] > rows, np.maximum(after - 1, 0), after)]
    share = ((rows - low) / np.maximum(high - low, 1)).clip(0, 1)[:, None, None]
    return np.asarray(values[low] * (1 - share) + values[high] * share, np.float32)


_JOINT_LANDMARKS = {
    "pelvis": (23, 24), "spine1": (23, 24), "spine2": (11, 12, 23, 24), "spine3": (11, 12), "neck": (11, 12),
    "head": (0, 7, 8), "hip": (23,), "knee": (25,), "ankle": (27,), "foot": (31,), "collar": (11,), "shoulder": (11,),
    "elbow": (13,), "wrist": (15,), "hand": (19,),
}  # fmt: skip
"""The landmarks that show each joint; the left side's for the paired ones."""


def joint_landmarks() -> Float:
    """Weights of the landmarks that show each joint. Shape: (24, 33), rows sum to 1."""
    out = np.zeros((len(JOINTS), len(LANDMARKS)), np.float32)
    for j, name in enumerate(JOINTS):
        side, _, part = name.partition("_")
        if side in ("left", "right"):
            columns = [k + (side == "right") for k in _JOINT_LANDMARKS[part]]
        else:
            columns = list(_JOINT_LANDMARKS[name])
        out[j, columns] = 1 / len(columns)
    return out
