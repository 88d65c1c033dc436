"""Do the suspect scores find the frames in which something was planted? Part of `evaluate targets`.

A frame is suspect where any joint's score reaches the threshold that the panel in Blender has by default; it is found
where a joint that is out of its place does. Nothing is fitted or chosen on these takes: the model was fitted on clips
of other subjects.

The 2D detections show the truth, 0.6% of the stature off; but legs that are swapped are so in the picture already. The
mesh stream knows nothing of a mistake, or it makes half of it, too: on footage both streams follow one detector.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ..suspect_measures import CONTEXT
from ..suspect_threshold import SUSPECT_THRESHOLD
from ..suspects import CAUSES, SuspectInputs, suspects
from ..targets import quaternions
from ..targets.motion import Array, SkeletonMotion, local_quaternions
from .planted_mistakes import FAULTS
from .planted_takes import CAMERA, FPS, Mask, PlantedTake

LEAST: Final = 0.05
"""Metres from which a joint is out of its place."""
HEIGHT: Final = 1.7
"""Metres, of the bodies."""
_NOISE: Final = 0.006
"""Of the detections, in statures."""
LOCAL: Final = ("spikes", "swapped legs", "lost arm", "wrong elbow")
"""The mistakes that some frames have and others have not."""
JUDGED: Final = (*LOCAL, "all of these")
"""With all of them the takes shake, float and slide, too: that is in every frame, and must hide nothing."""
FOLLOWS: Final = (0.0, 0.5)
"""Shares of a mistake that the mesh stream makes, too."""


@dataclass(frozen=True)
class Found:
    """What the scores make of one kind of mistake, over all takes."""

    name: str
    """The mistake's."""
    follows: float
    """Share of the mistake that the mesh stream makes, too."""
    frames: int
    """With a joint out of its place."""
    found: float
    """Share of them that are suspect; NaN where there is none."""
    false: float
    """Share of the other frames that are, but for `CONTEXT` frames around a mistake, where the causes see it."""
    causes: tuple[tuple[str, float], ...]
    """What an artist is told of the frames that are found, the commonest first, and of how many of them."""


def found(clean: Sequence[PlantedTake], threshold: float = SUSPECT_THRESHOLD) -> list[Found]:
    """Nothing planted, then each of `JUDGED`. Takes that are too short for a mistake raise ValueError."""
    asked = [("nothing", 0.0), *((name, follows) for follows in FOLLOWS for name in JUDGED)]
    return [_found(clean, name, follows, threshold) for name, follows in asked]


def _found(clean: Sequence[PlantedTake], name: str, follows: float, threshold: float) -> Found:
    hits, alarms, told = [], [], Counter[str]()
    for number, take in enumerate(clean):
        inputs, away = planted_inputs(take, number, name, follows)
        report = suspects(inputs, HEIGHT, FPS)
        planted = away.any(1)
        near = np.convolve(planted, np.ones(2 * CONTEXT + 1), "same") > 0
        scores = np.where(away, report.score, 0)
        hit = planted & (scores.max(1) >= threshold)
        worst = report.causes[hit, scores[hit].argmax(1)]
        told.update(CAUSES[cause] for cause in worst.argmax(1))
        hits.append(hit[planted])
        alarms.append((report.score.max(1) >= threshold)[~near])
    hit, alarm = np.concatenate(hits), np.concatenate(alarms)
    causes = tuple((cause, count / told.total()) for cause, count in told.most_common())
    return Found(name, follows, len(hit), float(hit.mean()) if len(hit) else np.nan, float(alarm.mean()), causes)


def table(rows: Sequence[Found]) -> str:
    """Markdown."""
    reached = f"planted mistake: scores ≥ {SUSPECT_THRESHOLD}"
    heads = (reached, "in the mesh stream", "frames", "found", "false alarms", "told as")
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for row in rows:
        told = ", ".join(f"{cause} {share:.0%}" for cause, share in row.causes)
        hit = f"{row.found:.1%}" if row.frames else "–"
        lines.append(f"| {row.name} | {row.follows:.0%} | {row.frames} | {hit} | {row.false:.1%} | {told} |")
    return "\n".join(lines)


def planted_inputs(clean: PlantedTake, number: int, fault: str, follows: float) -> tuple[SuspectInputs, Mask]:
    """What the scores of a take with a mistake are made from, and what is out of its place, (F, 24).

    Args:
        clean: the take without it.
        number: of the take, which the mistake's place is drawn by.
        fault: of `FAULTS`.
        follows: share of the mistake that the mesh stream makes, too.
    """
    draw = np.random.default_rng([number, sorted(FAULTS).index(fault)])
    take = FAULTS[fault](clean, draw)
    made, true = take.source.fitted.joints(), take.truth.joints()
    shown = made if fault == "swapped legs" else true
    distance = np.linalg.norm(made[:, :1] - CAMERA, axis=-1)
    error = np.linalg.norm(_picture(made) - _picture(shown), axis=-1) * distance / HEIGHT
    inputs = SuspectInputs(
        joints_lifted=made,
        joints_hmr=_following(take, follows).joints(),
        joints_fitted=made,
        log_error=take.source.log_error,
        reprojection=np.hypot(error, _NOISE * np.linalg.norm(draw.normal(size=(*error.shape, 2)), axis=-1)),
        visibility=take.source.visibility,
    )
    return inputs, take.displaced(LEAST)


def _following(take: PlantedTake, share: float) -> SkeletonMotion:
    """The mesh stream, each of its bones turned by a share of what the mistake turned the fitted one by."""
    stream = take.source.mesh_stream
    made, true, own = (quaternions.from_matrix(motion.globals()) for motion in (take.source.fitted, take.truth, stream))
    off = share * quaternions.to_vector(quaternions.product(made, quaternions.conjugate(true)))
    turned = quaternions.product(quaternions.from_vector(off), own)
    return stream.changed(rotations=local_quaternions(quaternions.to_matrix(turned)))


def _picture(points: Array) -> Array:
    """What the camera, which looks along +y, sees. Shape: (..., 3) → (..., 2)."""
    ray = points - CAMERA
    return np.asarray(ray[..., [0, 2]] / ray[..., 1:2])
