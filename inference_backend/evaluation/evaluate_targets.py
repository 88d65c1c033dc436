"""Does the target stack mend what is wrong, and leave what is right? Judged on takes with planted mistakes.

    python -m inference_backend evaluate targets

Truth and contacts: `planted_takes.py`; mistakes: `planted_mistakes.py`. Each figure is the mean over the takes. MPJPE
is root-relative, over all frames, so a mistake of a few frames weighs little; foot slide and floor error are of the
soles that truly rest on the floor, on the surface of the foot.

Whether the suspect scores find what was planted: `planted_suspects.py`; what an artist's edit mends of it:
`planted_edits.py`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from ..targets import smoothing
from ..targets.effects import bone_length_spread, jerk
from ..targets.motion import SkeletonMotion
from ..targets.parameters import Layers, Smoothing
from ..targets.source import StackSource, sole_points
from ..targets.stack import LAYERS, apply_layers
from . import planted_edits, planted_suspects
from .fast_actions import ACTIONS, SECONDS, kept
from .planted_mistakes import FAULTS, jittered
from .planted_takes import FPS, PlantedTake, takes

PAIRS: Final = (
    ("gap_fill", "lost arm"), ("outliers", "spikes"), ("outliers", "swapped legs"), ("outliers", "wrong elbow"),
    ("smoothing", "jitter"), ("floor", "floating, sliding root"), ("foot_contact", "jitter"),
)  # fmt: skip
"""Layers and the mistakes that they are there for."""


@dataclass(frozen=True)
class Figures:
    """What a motion is worth, beside the truth."""

    mpjpe: float
    """mm, the pelvis of both on one place."""
    place: float
    """mm: mean distance of the joints in the world."""
    foot_slide: float
    """mm/s of soles that truly rest."""
    floor_error: float
    """mm: distance from the floor of soles that truly rest."""
    jerk: float
    """m/s³, as `effects.Effects`."""
    bone_length_spread: float
    """mm, as `effects.Effects`."""


HEADS: Final = ("MPJPE mm", "place mm", "foot slide mm/s", "floor mm", "jerk m/s³", "bone lengths mm")
"""Of the columns: the fields of `Figures`."""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    """What was planted, and what mends it."""
    before: Figures
    """Of the motion with the mistake."""
    after: Figures
    """Of what was made of it."""


@dataclass(frozen=True)
class Kept:
    """What is left of a fast action, as shares of the true ones."""

    action: str
    """Its name in `ACTIONS`."""
    clean: tuple[float, float]
    """Peak speed and greatest extent after smoothing the true motion."""
    jittery: tuple[float, float]
    """After smoothing it with the jitter of the takes in it; the mean of some draws."""
    plain: tuple[float, float]
    """After smoothing the true motion by windows of half the reach without regard to edges."""


def figures(motion: SkeletonMotion, take: PlantedTake) -> Figures:
    """Of one motion of a take."""
    joints, true = motion.joints(), take.truth.joints()
    relative = (joints - joints[:, :1]) - (true - true[:, :1])
    soles = sole_points(motion, take.soles)
    speed = np.linalg.norm(np.diff(soles, axis=0), axis=-1) * FPS
    return Figures(
        mpjpe=1000 * float(np.linalg.norm(relative, axis=-1).mean()),
        place=1000 * float(np.linalg.norm(joints - true, axis=-1).mean()),
        foot_slide=1000 * float(speed[take.contacts[:-1]].mean()),
        floor_error=1000 * float(np.abs(soles[take.contacts][:, 2]).mean()),
        jerk=float(jerk(joints, take.source.seconds).mean()),
        bone_length_spread=1000 * bone_length_spread(joints),
    )


def rows(clean: Sequence[PlantedTake], tick: Callable[[int, int], None] = lambda *_: None) -> list[Row]:
    """Every layer alone on the mistakes that it is for, then the default stack on each mistake and on all of them."""
    only = {name: dataclasses.replace(Layers.off(), **{name: getattr(Layers(), name)}) for name in LAYERS}
    asked = [(f"{fault}: {layer} alone", fault, only[layer]) for layer, fault in PAIRS]
    asked += [(f"{fault}: default stack", fault, Layers()) for fault in FAULTS]
    out = []
    for done, (name, fault, layers) in enumerate(asked):
        planted = [FAULTS[fault](take, np.random.default_rng(k)) for k, take in enumerate(clean)]
        before = [figures(take.source.fitted, take) for take in planted]
        after = [figures(apply_layers(take.source, layers, reports=False).motion, take) for take in planted]
        out.append(Row(name, _mean(before), _mean(after)))
        tick(done + 1, len(asked))
    return out


def actions_kept(like: StackSource, draws: int = 8) -> list[Kept]:
    """How much of fast actions the default smoothing leaves, on the body of a take."""
    seconds = np.arange(round(SECONDS * FPS)) / FPS
    out = []
    for name, (make, joints) in ACTIONS.items():
        truth = make(like.fitted.rest_joints, seconds)
        source = dataclasses.replace(
            like, fitted=truth, mesh_stream=truth, seconds=seconds,
            **{key: np.resize(getattr(like, key), (len(seconds), *getattr(like, key).shape[1:]))
               for key in ("visibility", "suspect", "log_error", "standing", "detected")},
        )  # fmt: skip

        def share(
            motion: SkeletonMotion, settings: Smoothing, source: StackSource = source,
            truth: SkeletonMotion = truth, joints: tuple[str, ...] = joints,
        ) -> tuple[float, float]:  # fmt: skip
            return kept(smoothing.layer(motion, source, settings), truth, seconds, joints)

        noisy = [share(jittered(truth, np.random.default_rng(k)), Smoothing()) for k in range(draws)]
        speed, extent = np.mean(noisy, axis=0)
        plain = share(truth, Smoothing(seconds=Smoothing().seconds / 2, edge_preserving=False))
        out.append(Kept(name, share(truth, Smoothing()), (float(speed), float(extent)), plain))
    return out


def table(found: Sequence[Row], actions: Sequence[Kept]) -> str:
    """Markdown: before → after."""
    lines = ["| planted mistake: mended by | " + " | ".join(HEADS) + " |", "|---" * (1 + len(HEADS)) + "|"]
    for row in found:
        pairs = zip(dataclasses.astuple(row.before), dataclasses.astuple(row.after), strict=True)
        lines.append(f"| {row.name} | " + " | ".join(f"{a:.1f} → {b:.1f}" for a, b in pairs) + " |")
    lines += [
        "",
        "| peak speed, extent kept | smoothed | jitter planted, smoothed | without regard to edges |",
        "|---" * 4 + "|",
    ]
    for action in actions:
        cells = [
            f"{100 * speed:.0f}%, {100 * extent:.0f}%" for speed, extent in (action.clean, action.jittery, action.plain)
        ]
        lines.append(f"| {action.action} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def run(rendered: Path, count: int, tick: Callable[[int, int], None] = lambda *_: None) -> str:
    """Everything on so many takes, as tables. Raises BadArgument as `planted_takes.takes`."""
    clean = takes(rendered, count)
    layers = table(rows(clean, tick), actions_kept(clean[0].source))
    suspects = planted_suspects.table(planted_suspects.found(clean))
    return "\n\n".join([layers, suspects, planted_edits.table(planted_edits.mended(clean))])


def _mean(found: Sequence[Figures]) -> Figures:
    return Figures(*np.mean([dataclasses.astuple(one) for one in found], axis=0).tolist())
