"""Mistakes of a 2D detector, planted in detections whose truth is known, and the corrections an artist would make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..corrections import Correction
from ..lift_window import Footage
from ..skeletons import LANDMARKS, LANDMARKS_MIRROR

COUNT: Final = 10
WRONG: Final = slice(20, 20 + COUNT)
"""The wrong frames."""
AWAY: Final = 0.15
"""Statures in the picture by which a landmark is off."""
LOST: Final = 0.1
"""Confidence of a landmark that is lost."""
_ASIDE: Final = np.array([0.8, -0.6], np.float32)
"""Where to."""


@dataclass(frozen=True)
class Mistake:
    """What is planted."""

    landmarks: tuple[str, ...]
    """What is off; the first one is corrected, and the others go along with it."""
    joints: tuple[str, ...]
    """What they show."""
    swapped: bool = False
    """With the other side's, and each is corrected; else all are off in one direction."""
    frames: tuple[int, ...] = tuple(range(WRONG.start, WRONG.stop))
    """In which."""
    lost: bool = False
    """The landmarks stay where they were before, and are hardly believed in."""


_HAND: Final = ("left_wrist", "left_pinky", "left_index", "left_thumb")
_FOOT: Final = ("right_ankle", "right_heel", "right_foot_index")
MISTAKES: Final[Mapping[str, Mistake]] = {
    "wrist": Mistake(_HAND, ("left_wrist", "left_hand")),
    "knee": Mistake(("right_knee",), ("right_knee",)),
    "ankle": Mistake(_FOOT, ("right_ankle", "right_foot")),
    "swapped lower legs": Mistake(
        ("left_knee", "left_ankle", "left_heel", "left_foot_index"),
        ("left_knee", "right_knee", "left_ankle", "right_ankle", "left_foot", "right_foot"),
        swapped=True,
    ),
}
"""What `evaluate corrections` corrects."""

_ARM: Final = ("left_elbow", *_HAND)
UNCORRECTED: Final[Mapping[str, Mistake]] = {
    "wrong elbow": Mistake(("left_elbow",), ("left_elbow",)),
    "spikes of a wrist": Mistake(_HAND, ("left_wrist", "left_hand"), frames=(12, 20, 28, 36)),
    "swapped legs for 3 frames": Mistake(
        MISTAKES["swapped lower legs"].landmarks, MISTAKES["swapped lower legs"].joints, True, (20, 21, 22)
    ),
    "lost arm for 20 frames": Mistake(
        _ARM, ("left_elbow", "left_wrist", "left_hand"), frames=tuple(range(15, 35)), lost=True
    ),
}
"""What only suspects are judged by (`evaluate suspects --detections`)."""


def plant(footage: Footage, mistake: Mistake, tall: float, height: float) -> Footage:
    """The detections with a mistake in the wrong frames; the estimator's own 3D guess makes it, too.

    `tall`: the body's height in the picture, pixels. `height`: metres.
    """
    keypoints, guess = footage.keypoints.copy(), footage.world_landmarks.copy()
    own, at = [LANDMARKS.index(name) for name in mistake.landmarks], np.array(mistake.frames)[:, None]
    if mistake.swapped:
        other = [LANDMARKS_MIRROR[k] for k in own]
        for array in (keypoints, guess):
            array[at, own], array[at, other] = array[at, other], array[at, own].copy()
    elif mistake.lost:
        before = mistake.frames[0] - 1
        keypoints[at, own], guess[at, own] = keypoints[before, own], guess[before, own]
        keypoints[at, own, 2] = LOST
    else:
        keypoints[at, own, :2] += np.float32(AWAY * tall) * _ASIDE
        guess[at, own, :2] += np.float32(AWAY * height) * _ASIDE
    return replace(footage, keypoints=keypoints, world_landmarks=guess)


def corrections(
    pixels: NDArray[np.floating], planted: Footage, mistake: Mistake, frames: Sequence[int]
) -> list[Correction]:
    """The mistake's landmarks where they truly are, those that go along by as much as the first one is moved.

    Shape: pixels (F, 33, 2), true places in the picture.
    """
    own = [LANDMARKS.index(name) for name in mistake.landmarks]
    out = []
    for row in frames:
        if mistake.swapped:
            places = {k: pixels[row, k] for k in [*own, *(LANDMARKS_MIRROR[k] for k in own)]}
        else:
            by = pixels[row, own[0]] - planted.keypoints[row, own[0], :2]
            places = {k: planted.keypoints[row, k, :2] + by for k in own}
        out += [Correction(row, k, float(x), float(y)) for k, (x, y) in places.items()]
    return out
