"""Limbs that were seen, are not for a while, and are seen again: what is lifted there is a guess.

A joint that is never seen, as the hands of somebody who turns their back, is guessed as well, and it is told by what
the lifter expects of itself; but nobody could say where it is. A lost limb has been somewhere else before and after.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from .skeletons import JOINTS

AROUND_SECONDS: Final = 0.75
"""Before and after a frame, within which the joint has been seen."""

LOST, UNSURE = 0.15, 0.3
"""Visibility up to which a joint is lost, and from which it is not."""

LEAST_GAIN, SURE_GAIN = 0.2, 0.6
"""How much better it was seen before and after: from the one on it was lost for a while, from the other surely."""

_LIMBS: Final = tuple(
    tuple(JOINTS.index(f"{side}_{part}") for part in parts)
    for side in ("left", "right")
    for parts in (("elbow", "wrist", "hand"), ("knee", "ankle", "foot"))
)
"""The joints of each limb that may be lost, from the body outwards."""


def lost_limbs(visibility: npt.NDArray[Any], fps: float) -> npt.NDArray[np.float64]:
    """How surely each joint is lost for a while together with its limb: with its elbow or knee, and they with the wrist
    or ankle. What is not of a limb never is. Shape: (F, 24) visibility → (F, 24), 0 to 1."""
    seen = visibility.astype(np.float64)
    reach = max(1, round(AROUND_SECONDS * fps))
    padded = np.pad(seen, ((reach, reach), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, reach + 1, axis=0).max(-1)
    around = np.minimum(windows[: len(seen)], windows[reach:])  # the best before and with the frame, with it and after
    gone = np.clip((UNSURE - seen) / (UNSURE - LOST), 0, 1)
    lost = gone * np.clip((around - seen - LEAST_GAIN) / (SURE_GAIN - LEAST_GAIN), 0, 1)
    out = np.zeros(lost.shape)
    for middle, *outer in _LIMBS:
        out[:, middle] = np.minimum(lost[:, middle], lost[:, outer[0]])
        for joint in outer:
            out[:, joint] = np.minimum(lost[:, middle], lost[:, joint])
    return out
