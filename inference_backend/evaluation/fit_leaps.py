"""The weight of the leap in the suspect score, fitted to mistakes planted in clips of the training subjects.

The other weights stay as they are: planted takes know nothing of how a real lifter errs, and real predictions hardly
ever leap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from ..suspects import SIGNS, CauseHalves, SuspectModel, logistic, sign_scores
from .planted_suspects import FOLLOWS, HEIGHT, LOCAL, planted_inputs
from .planted_takes import FPS, PlantedTake, takes

TAKES: Final = 40

_GREATEST: Final = 20.0


def fit(rendered: Path, model: SuspectModel) -> SuspectModel:
    """The model with the leap's weight of greatest likelihood on rendered clips. Raises as `planted_takes.takes`."""
    return fit_to(takes(rendered, TAKES), model)


def fit_to(clean: Sequence[PlantedTake], model: SuspectModel) -> SuspectModel:
    """The same on takes without mistakes, in which each of `LOCAL` is planted."""
    rest = replace(model, leap=0.0)
    known, leap, wrong = [], [], []
    for follows in FOLLOWS:
        for fault in ("nothing", *LOCAL):
            for number, take in enumerate(clean):
                inputs, away = planted_inputs(take, number, fault, follows)
                signs = sign_scores(inputs, HEIGHT, FPS, CauseHalves())[:, 1:]
                known.append((signs @ rest.weights + rest.intercept).ravel())
                leap.append(signs[..., SIGNS.index("leap")].ravel())
                wrong.append(away[:, 1:].ravel())
    z, x, y = np.concatenate(known), np.concatenate(leap), np.concatenate(wrong)
    best = minimize_scalar(_loss, bounds=(0.0, _GREATEST), method="bounded", args=(z, x, y)).x
    return replace(model, leap=float(best))


def _loss(weight: float, known: NDArray[np.float64], leap: NDArray[np.float64], wrong: NDArray[np.bool_]) -> float:
    chance = logistic(known + weight * leap)
    return -float(np.log(np.where(wrong, chance, 1 - chance)).mean())
