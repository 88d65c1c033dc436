"""The tables of `evaluate accuracy`."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .metrics import macro_average

if TYPE_CHECKING:
    from .accuracy import Evaluation

METRICS = ("MPJPE", "PA-MPJPE", "MPVE", "limbs", "limbs PA", "head°", "hand°", "foot°", "twist°")

COLUMNS = (
    ("BlazePose 2D, %", "BlazePose's world landmarks", "2D"),
    ("BlazePose limbs", "BlazePose's world landmarks", "limbs"),
    ("lifter limbs", "lifter alone", "limbs"),
    ("lifter MPJPE", "lifter alone", "MPJPE"),
    ("lifter PA", "lifter alone", "PA-MPJPE"),
    ("fitted MPJPE", "lifter, fitted", "MPJPE"),
    ("PC-HMR MPVE", "parallel PC-HMR", "MPVE"),
)
"""What is told of each stratum and category: title, system, metric."""


ERRORS = (0, 1.5, 2, 3, 5, 10, 100)
"""Hundredths of the person's height by which BlazePose's landmarks are off in the picture, on average."""


def table(evaluation: Evaluation) -> str:
    """Markdown: a line a system, for all frames and for those with the whole body; then strata and categories."""
    everything = torch.ones(len(evaluation.categories), dtype=torch.bool)
    lines = systems("all frames", evaluation, everything)
    lines += ["", *systems("whole body in the picture", evaluation, evaluation.strata["whole_in_picture"])]
    named = sorted(set(evaluation.categories))
    categories = {c: torch.tensor([x == c for x in evaluation.categories]) for c in named}
    seen = evaluation.rows["BlazePose's world landmarks"]["2D"]
    by_error = {f"{low} to {high}": (seen >= low) & (seen < high) for low, high in (*pairwise(ERRORS), (0, 3))}
    for title, groups in (("stratum", evaluation.strata), ("category", categories), ("2D error, %", by_error)):
        heads = " | ".join(head for head, _, _ in COLUMNS)
        lines += ["", f"| {title} | frames | {heads} |", "|---|---|" + "---|" * len(COLUMNS)]
        for name, mask in groups.items():
            if not bool(mask.any()):
                continue
            cells = [f"{float(evaluation.rows[system][metric][mask].mean()):.1f}" for _, system, metric in COLUMNS]
            lines.append(f"| {name} | {int(mask.sum())} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def systems(title: str, evaluation: Evaluation, mask: Tensor) -> list[str]:
    """Lines of a table: each system's means over the frames (n,) bool of a category, then over categories."""
    frames = [category for category, chosen in zip(evaluation.categories, mask.tolist(), strict=True) if chosen]
    lines = [f"| {title} | " + " | ".join(METRICS) + " |", "|---|" + "---|" * len(METRICS)]
    for system, metrics in evaluation.rows.items():
        cells = [f"{macro_average(metrics[m][mask], frames):.1f}" if m in metrics else "–" for m in METRICS]
        lines.append(f"| {system} | " + " | ".join(cells) + " |")
    return lines
