"""Where BlazePose looks for people: in the whole frame, where some were lost, and closer as long as all are small."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from .blazepose_detector import FINE, FINE_STEP, LARGE, PoseDetector, Roi, parts
from .blazepose_landmarks import PoseLandmarks

LOST_WINDOW: Final = 1.6
"""Side of the window in which someone lost is looked for, relative to their last ROI's."""


def candidates(
    detector: PoseDetector, image: npt.NDArray[np.uint8], poses: Mapping[int, PoseLandmarks], lost: Sequence[Roi],
    *, parted: bool, fine: bool,
) -> Iterator[Roi]:  # fmt: skip
    """Where people may be, from the whole frame to its parts; within each of these the best come first.

    Args:
        poses: who has been found in the frame; may grow between candidates.
        lost: where people were lost.
        parted: look in parts of the frame, too, as long as all who are found are small; `fine`: in finer ones as well.
    """
    found = detector.detect(image)
    for roi in lost:
        found += detector.detect(image, Roi(roi.cx, roi.cy, LOST_WINDOW * roi.size, 0.0))
    yield from _best_first(found)
    height, width = image.shape[:2]
    if parted and not _somebody_large(image, poses):
        yield from _best_first([roi for part in parts(width, height) for roi in detector.detect(image, part)])
        # Whom a run does not find at its start is lost for all of it.
        if fine and poses and not _somebody_large(image, poses):
            closer = parts(width, height, FINE, FINE_STEP)
            yield from _best_first([roi for part in closer for roi in detector.detect(image, part)])


def _best_first(found: list[Roi]) -> list[Roi]:
    return sorted(found, key=lambda roi: -roi.score)


def _somebody_large(image: npt.NDArray[np.uint8], poses: Mapping[int, PoseLandmarks]) -> bool:
    return any(pose.next_roi.size > LARGE * min(image.shape[:2]) for pose in poses.values())
