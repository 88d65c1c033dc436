"""Do the suspect scores find the frames in which something was planted? Part of `evaluate targets`.

A frame is suspect where any joint's score is above a threshold: the one above which 4% of the frames of takes without
mistakes are. That is far below the one that the panel begins with; what is found above that one is told, too. A frame
is found where a joint that is out of its place is. The 2D detections show the truth, 0.6% of the stature off; but legs
that are swapped are so in the picture already. The mesh stream knows nothing of the mistakes, which is kinder than
footage: there both streams follow one detector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..suspects import CONTEXT, SuspectInputs, suspects
from ..targets.motion import Array
from .planted_mistakes import FAULTS
from .planted_takes import CAMERA, FPS, PlantedTake

ALLOWED: Final = 0.04
"""Share of the frames of takes without mistakes that are suspect."""
LEAST: Final = 0.05
"""Metres from which a joint is out of its place."""
SHOWN: Final = 0.5
"""The threshold that the panel in Blender begins with."""
_HEIGHT: Final = 1.7
"""Metres, of the bodies."""
_NOISE: Final = 0.006
"""Of the detections, in statures."""
LOCAL: Final = ("spikes", "swapped legs", "lost arm", "wrong elbow")
"""The mistakes that some frames have and others have not."""


@dataclass(frozen=True)
class Found:
    """What the scores make of one kind of mistake, over all takes."""

    name: str
    """The mistake's."""
    frames: int
    """With a joint out of its place."""
    found: float
    """Share of them that are suspect."""
    found_as_shown: float
    """Share of them above `SHOWN`."""
    false: float
    """Share of the other frames that are, but for `CONTEXT` frames around a mistake, which a score looks at."""


def found(clean: Sequence[PlantedTake]) -> list[Found]:
    """Each of `LOCAL` planted alone. Nobody found in no frames: takes too short for a mistake raise ValueError."""
    threshold = np.quantile(
        np.concatenate([_scores(take, k, "nothing")[0].max(1) for k, take in enumerate(clean)]), 1 - ALLOWED
    )
    out = []
    for name in LOCAL:
        hits, sure, alarms = [], [], []
        for k, take in enumerate(clean):
            scores, away = _scores(take, k, name)
            planted = away.any(1)
            near = np.convolve(planted, np.ones(2 * CONTEXT + 1), "same") > 0
            highest = np.where(away, scores, 0).max(1)[planted]
            hits.append(highest > threshold)
            sure.append(highest > SHOWN)
            alarms.append((scores.max(1) > threshold)[~near])
        hit, alarm = np.concatenate(hits), np.concatenate(alarms)
        out.append(Found(name, len(hit), float(hit.mean()), float(np.concatenate(sure).mean()), float(alarm.mean())))
    return out


def table(rows: Sequence[Found]) -> str:
    """Markdown."""
    lines = [f"| planted mistake: suspects | frames | found | false alarms | found above {SHOWN} |", "|---" * 5 + "|"]
    lines += [
        f"| {row.name} | {row.frames} | {row.found:.1%} | {row.false:.1%} | {row.found_as_shown:.1%} |" for row in rows
    ]
    return "\n".join(lines)


def _scores(clean: PlantedTake, number: int, fault: str) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Scores and what is out of its place, of a take with a mistake. Shape: (F, 24) twice."""
    draw = np.random.default_rng([number, sorted(FAULTS).index(fault)])
    take = FAULTS[fault](clean, draw)
    made, true = take.source.fitted.joints(), take.truth.joints()
    shown = made if fault == "swapped legs" else true
    distance = np.linalg.norm(made[:, :1] - CAMERA, axis=-1)
    error = np.linalg.norm(_picture(made) - _picture(shown), axis=-1) * distance / _HEIGHT
    inputs = SuspectInputs(
        joints_lifted=made,
        joints_hmr=take.source.mesh_stream.joints(),
        joints_fitted=made,
        log_error=take.source.log_error,
        reprojection=np.hypot(error, _NOISE * np.linalg.norm(draw.normal(size=(*error.shape, 2)), axis=-1)),
        visibility=take.source.visibility,
    )
    return suspects(inputs, _HEIGHT, FPS).score, take.displaced(LEAST)


def _picture(points: Array) -> Array:
    """What the camera, which looks along +y, sees. Shape: (..., 3) → (..., 2)."""
    ray = points - CAMERA
    return np.asarray(ray[..., [0, 2]] / ray[..., 1:2])
