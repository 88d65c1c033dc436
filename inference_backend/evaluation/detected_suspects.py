"""Do suspect scores find a 2D detector's mistakes, as what lifter, mesh stream and fit make of them?

    python -m inference_backend evaluate suspects --detections RENDERED.npz

The real BlazePose saw the clips; in some frames landmarks are then put elsewhere, its 3D guess with them, and the clip
goes through the whole pipeline. Lifter and fit smooth much of that away, and a frame whose result is right is no miss:
a frame counts as wrong where a joint that the landmarks show is more than 120 mm off, the pelvis on its own, and 60 mm
more than where nothing is planted. It is found where such a joint's score reaches the threshold.

False alarms are frames beyond `CONTEXT` of a mistake in which joints are listed and all of them are right. The same
share of the clips without the mistake tells how many of these the mistake has caused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from ..generators import Observation
from ..scene import on_one_floor
from ..skeletons import JOINTS
from ..solve import Solver
from ..solve_preset import SolvePreset
from ..suspect_measures import CONTEXT
from ..suspect_signs import suspect_inputs
from ..suspect_threshold import SUSPECT_THRESHOLD
from ..suspects import CAUSES, SuspectReport, suspects
from .accuracy import Evaluator
from .evaluate_corrections import Clip
from .planted_detections import MISTAKES, UNCORRECTED, Mistake, plant
from .suspect_predictions import RENDERED_FPS, WRONG

PLANTED: Final[Mapping[str, Mistake]] = {**MISTAKES, **UNCORRECTED}
"""Every mistake."""

MORE: Final = 0.06
"""Metres by which a joint is further off than without the mistake where the mistake has put it wrong."""


@dataclass(frozen=True)
class Row:
    """One kind of mistake, over all clips."""

    name: str
    """The mistake's."""
    planted: int
    """Frames in which the detections are wrong."""
    frames: int
    """Of them, those in which the result is wrong for it."""
    found: float
    """Share of these that are found; NaN where there are none."""
    false: float
    """Share of the frames away from the mistake that are false alarms."""
    false_without: float
    """The same of the clips without the mistake."""
    causes: tuple[tuple[str, float], ...]
    """What an artist is told of the frames that are found, the commonest first, and of how many of them."""


@dataclass(frozen=True, eq=False)
class _Judged:
    """What the scores say of a clip, and how far off it is."""

    report: SuspectReport
    away: NDArray[np.float64]
    """(F, 24) metres, the pelvis on its own."""


def rows(
    rendered: Path,
    clips: int,
    tick: Callable[[int, int], None] = lambda *_: None,
    mistakes: Mapping[str, Mistake] = PLANTED,
) -> list[Row]:
    """Every mistake, planted in so many clips, evenly taken from a rendered set. Raises as `Evaluator`."""
    evaluator = Evaluator(rendered)
    chosen = np.unique(np.linspace(0, len(evaluator.data) - 1, min(clips, len(evaluator.data))).astype(int))
    pairs: dict[str, list[tuple[_Judged, _Judged]]] = {name: [] for name in mistakes}
    for done, clip in enumerate(int(one) for one in chosen):
        without = _judged(evaluator, clip, None)
        for name, mistake in mistakes.items():
            pairs[name].append((without, _judged(evaluator, clip, mistake)))
        tick(done + 1, len(chosen))
    return [_row(name, mistakes[name], both) for name, both in pairs.items()]


def table(found: Sequence[Row]) -> str:
    """Markdown."""
    reached = f"mistake in the detections: scores ≥ {SUSPECT_THRESHOLD}"
    heads = (reached, "frames planted", "of them wrong in 3D", "found", "false alarms", "… unplanted", "told as")
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for row in found:
        told = ", ".join(f"{cause} {share:.0%}" for cause, share in row.causes)
        hit = f"{row.found:.1%}" if row.frames else "–"
        false = f"{row.false:.1%} | {row.false_without:.1%}"
        lines.append(f"| {row.name} | {row.planted} | {row.frames} | {hit} | {false} | {told} |")
    return "\n".join(lines)


def _judged(evaluator: Evaluator, clip: int, mistake: Mistake | None) -> _Judged:
    """A clip through the pipeline, with a mistake in its detections or as it is."""
    data, one = evaluator.data, Clip(evaluator.data, clip, evaluator.lifter)
    height = float(data.height[clip])
    footage = one.footage if mistake is None else plant(one.footage, mistake, one.tall, height)
    focal, centre = data.intrinsics[clip, :2].numpy(), data.intrinsics[clip, 2:].numpy()
    points = torch.tensor((footage.keypoints[..., :2] - centre) / focal, dtype=torch.float32)
    seen = Observation(points, torch.tensor(footage.keypoints[..., 2]), torch.tensor(footage.world_landmarks))
    solver = Solver(evaluator.body, evaluator.lifter, evaluator.generator, replace(SolvePreset(), height=height))
    streams = solver.streams(seen, evaluator.silhouettes(clip), footage.seconds, lambda *_: None)
    solve = on_one_floor([solver], [streams], True).targets(lambda *_: None)[0]
    inputs = suspect_inputs(solver, solve, footage.keypoints, footage.camera)
    off = solve.target.joints.numpy() - one.joints
    return _Judged(suspects(inputs, height, RENDERED_FPS), np.linalg.norm(off - off[:, :1], axis=-1))


def _row(name: str, mistake: Mistake, pairs: Sequence[tuple[_Judged, _Judged]]) -> Row:
    own, at = [JOINTS.index(joint) for joint in mistake.joints], np.array(mistake.frames)
    hits, told, false, before = [], Counter[str](), [], []
    for without, planted in pairs:
        away = planted.away[at][:, own]
        wrong = (away > WRONG) & (away > without.away[at][:, own] + MORE)
        scores = np.where(wrong, planted.report.score[at][:, own], 0)
        hit = wrong.any(1) & (scores.max(1) >= SUSPECT_THRESHOLD)
        worst = planted.report.causes[at][:, own][hit, scores[hit].argmax(1)]
        told.update(CAUSES[cause] for cause in worst.argmax(1))
        hits.append(hit[wrong.any(1)])
        beside = np.ones(len(planted.away), bool)
        for frame in mistake.frames:
            beside[max(frame - CONTEXT, 0) : frame + CONTEXT + 1] = False
        false.append(_alarms(planted)[beside])
        before.append(_alarms(without)[beside])
    hit = np.concatenate(hits)
    causes = tuple((cause, count / told.total()) for cause, count in told.most_common())
    found = float(hit.mean()) if len(hit) else np.nan
    alarms, usual = (float(np.concatenate(one).mean()) for one in (false, before))
    return Row(name, len(at) * len(pairs), len(hit), found, alarms, usual, causes)


def _alarms(judged: _Judged) -> NDArray[np.bool_]:
    """Frames in which joints are listed, and all of them are right. Shape: (F,)."""
    listed = judged.report.score >= SUSPECT_THRESHOLD
    return np.asarray(listed.any(1) & ~(listed & (judged.away > WRONG)).any(1))
