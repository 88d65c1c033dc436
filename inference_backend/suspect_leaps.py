"""How clearly each joint has leapt away and come back: swapped limbs, spikes, a forearm that points aside for a while.

Inside such a stretch nothing moves oddly, and both streams may follow the same wrong detection: its two edges tell.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from .targets.leaps import Leaps

LONGEST_SECONDS: Final = 0.5
"""Longer stretches are taken as motion."""

LEAST: Final = 0.03
"""Body heights. A shorter way is no leap."""

LEAST_SEEN: Final = 0.07
"""The same of detections: 120 mm of a man, from which a joint is wrong. They shake more than what is lifted from them,
and a shorter leap puts no joint that far off."""

USUAL_MISSES: Final = 3.0
"""A leap is this many times what the motion around it usually misses by."""

_BESIDE: Final = 2
"""Frames on either side of a stretch that it is judged by."""

_FAINT: Final = 0.02
"""Visibility that makes no difference."""

_SEEN: Final = 0.5
"""Visibility from which on a joint is not guessed; how much less it is goes by the square."""


def leaps(
    joints: npt.NDArray[Any],
    body_height: float,
    fps: float,
    least: float = LEAST,
    seen: npt.NDArray[Any] | None = None,
) -> npt.NDArray[np.float64]:
    """The clearness of the clearest leap that each joint of each frame is part of, 0 where there is none.

    From 1 on it has leapt (`targets.leaps`). Frames are judged by what is little more than a second away.

    Args:
        joints: (F, 24, 3) metres. Where the pelvis is does not matter.
        body_height: metres.
        fps: frames per second.
        least: body heights; a shorter way is no leap.
        seen: (F, 24) visibility, 0 to 1. A stretch is the less clear the more the frames beside it were guessed, and
            it was not: what comes into sight leaps away from a guess, not from where it was.

    Returns:
        (F, 24)
    """
    places = (joints - joints[:, :1]).astype(np.float64) / body_height
    count = len(places)
    out = np.zeros(places.shape[:2])
    longest = min(int(LONGEST_SECONDS * fps), count - 2 * _BESIDE)
    if longest < 1:
        return out
    judged = Leaps(places, np.arange(count) / fps, USUAL_MISSES, least)
    for frames in range(1, longest + 1):
        clear = judged.clearness(frames)
        if seen is not None:
            clear = clear * _beside(seen, frames)
        for k in range(frames):
            np.maximum(out[k:], clear[: count - k], out=out[k:])
    return out


def _beside(seen: npt.NDArray[Any], frames: int) -> npt.NDArray[np.float64]:
    """How little the frames beside each stretch of so many frames were guessed: 1 where the joint was seen there, or no
    worse than at the stretch's ends. Shape: (F, 24) → (F, 24), the stretches by their first frame; 1 at the clip's
    ends."""
    sight = seen.astype(np.float64) + _FAINT
    known = (sight / _SEEN) ** 2
    out = np.ones(sight.shape)
    first, stop = slice(1, len(sight) - frames), -frames - 1
    before = np.maximum(sight[:stop] / sight[first], known[:stop])
    after = np.maximum(sight[frames + 1 :] / sight[frames:-1], known[frames + 1 :])
    out[first] = np.minimum(np.minimum(before, after), 1.0)
    return out
