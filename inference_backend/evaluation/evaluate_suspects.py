"""Do suspect scores find the joints that are wrong? And the fit of the causes' weights, to predictions of other clips.

    python -m inference_backend evaluate suspects                                          # judge the model
    python -m inference_backend evaluate suspects --fit TRAIN.npz --planted RENDERED.npz   # fit a model, and judge that
    python -m inference_backend evaluate suspects --detections RENDERED.npz                # `detected_suspects.py`

A joint is wrong where it is more than 120 mm off, the pelvis of estimate and truth on one place. "Overall" compares all
joints of all frames, and so rewards knowing that hands are worse than hips; "within each joint" is the mean over the
joints of what tells a joint's bad frames from its good ones. The pelvis is left out. What fits the leap's weight:
`fit_leaps.py`.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize

from ..errors import BadArgument
from ..skeletons import JOINTS
from ..suspect_threshold import SUSPECT_THRESHOLD
from ..suspects import CAUSES, MODEL, SIGNS, CauseHalves, SuspectInputs, SuspectModel, logistic, sign_scores
from . import fit_leaps
from .metrics import auroc
from .suspect_predictions import RENDERED_FPS, WRONG, Predictions, joint_errors, load_predictions

Float = NDArray[np.floating]

_RIDGE: Final = 1e-4
_RARE: Final = ("leap_seen", "limb_lost")
"""Signs that are not judged alone: predictions hold no detections that leap, and hardly a limb that is lost."""


@dataclass(frozen=True)
class Discrimination:
    """How well a number tells wrong joints from right ones, as areas under the ROC curve: 0.5 is chance, 1 always."""

    overall: float
    """Over all joints of all frames."""
    within_joint: float
    """Mean over the joints of the area over a joint's own frames, without joints that are always or never wrong."""


@dataclass(frozen=True)
class SuspectEvaluation:
    """What `evaluate` finds."""

    frames: int
    """Frames judged."""
    wrong: float
    """Share of the joints that are wrong."""
    joints: int
    """Joints that are sometimes wrong and sometimes right, of 23."""
    score: Discrimination
    """Of the suspect score."""
    signs: dict[str, Discrimination]
    """Of each of `SIGNS` alone, but for `_RARE`."""
    listed: float
    """Share of the joints that score at least `SUSPECT_THRESHOLD`."""
    precision: float
    """Share of the listed that are wrong; NaN where none is listed."""
    recall: float
    """Share of the wrong that are listed; NaN where none is wrong."""


def clip_signs(predictions: Predictions, fps: float) -> NDArray[np.float64]:
    """`suspects.sign_scores` of each clip by itself. Shape: (F, 24, 9)."""
    p, out = predictions, np.empty((len(predictions.clip), len(JOINTS), len(SIGNS)))
    for clip in np.unique(p.clip):
        rows = p.clip == clip
        fitted = None if p.joints_fitted is None else p.joints_fitted[rows]
        inputs = SuspectInputs(
            joints_lifted=p.joints_lifted[rows],
            joints_hmr=p.joints_hmr[rows],
            joints_fitted=fitted,
            log_error=p.log_error[rows],
            reprojection=p.reprojection[rows],
            visibility=p.visibility[rows],
        )
        out[rows] = sign_scores(inputs, float(p.height[rows][0]), fps, CauseHalves())
    return out


def evaluate(predictions: Predictions, fps: float = RENDERED_FPS, model: SuspectModel = MODEL) -> SuspectEvaluation:
    """Judge the scores on frames whose truth is known."""
    signs = clip_signs(predictions, fps)[:, 1:]
    wrong = joint_errors(predictions)[:, 1:] > WRONG
    score = logistic(signs @ model.weights + model.intercept)
    listed = score >= SUSPECT_THRESHOLD
    hits = int((listed & wrong).sum())
    return SuspectEvaluation(
        frames=len(wrong),
        wrong=float(wrong.mean()),
        joints=int((wrong.any(0) & ~wrong.all(0)).sum()),
        score=discrimination(score, wrong),
        signs={name: discrimination(signs[..., c], wrong) for c, name in enumerate(SIGNS) if name not in _RARE},
        listed=float(listed.mean()),
        precision=hits / int(listed.sum()) if listed.any() else math.nan,
        recall=hits / int(wrong.sum()) if wrong.any() else math.nan,
    )


def discrimination(score: Float, wrong: NDArray[np.bool_]) -> Discrimination:
    """Areas of a number that is high where a joint is wrong; NaN where nothing can be told. Shape: (F, J) twice."""
    scores, labels = torch.from_numpy(np.ascontiguousarray(score)), torch.from_numpy(np.ascontiguousarray(wrong))
    areas = [auroc(scores[:, joint], labels[:, joint]) for joint in range(scores.shape[1])]
    known = [area for area in areas if not math.isnan(area)]
    return Discrimination(auroc(scores.reshape(-1), labels.reshape(-1)), sum(known) / len(known) if known else math.nan)


def fit(predictions: Predictions, fps: float = RENDERED_FPS, leap: float = MODEL.leap) -> SuspectModel:
    """The logistic model of greatest likelihood with weights ≥ 0, so that its score is the chance of a wrong joint.

    The leap has the weight that is given: predictions hardly ever leap. A lost limb keeps the shipped model's.

    Raises BadArgument where no joint is wrong, or all are.
    """
    signs = clip_signs(predictions, fps)[:, 1:].reshape(-1, len(SIGNS))
    x, known = signs[:, : len(CAUSES)], leap * signs[:, SIGNS.index("leap")]
    known = known + MODEL.limb_lost * signs[:, SIGNS.index("limb_lost")]
    y = (joint_errors(predictions)[:, 1:] > WRONG).reshape(-1).astype(np.float64)
    if not 0 < y.mean() < 1:
        raise BadArgument(
            f"{y.mean():.0%} of the joints are wrong: nothing to fit", hint="Use more clips, or another lifter's."
        )

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z = x @ parameters[1:] + parameters[0] + known
        ridge = np.append(0.0, _RIDGE * parameters[1:])
        value = np.logaddexp(0, z).mean() - y @ z / len(y) + 0.5 * ridge @ parameters
        residual = (logistic(z) - y) / len(y)
        return float(value), np.append(residual.sum(), residual @ x) + ridge

    bounds = [(None, None)] + [(0, None)] * len(CAUSES)
    best = minimize(loss, np.zeros(1 + len(CAUSES)), jac=True, method="L-BFGS-B", bounds=bounds, tol=1e-10).x
    return SuspectModel(*(float(value) for value in (*best, leap, MODEL.leap_seen, MODEL.limb_lost)))


def refuse_shared_frames(train: Predictions, test: Predictions) -> None:
    """Raise BadArgument where a frame's truth is in both sets: a model is never judged on what it was fitted to."""
    rows = [{row.tobytes() for row in p.joints_true.astype(np.float32)} for p in (train, test)]
    if shared := len(rows[0] & rows[1]):
        raise BadArgument(
            f"training and test set have {shared} frames in common", hint="Fit on the training subjects' clips only."
        )


def table(evaluation: SuspectEvaluation) -> str:
    """The result as Markdown."""
    e = evaluation
    lines = ["| area under the ROC curve | overall | within each joint |", "|---|---|---|"]
    rows = {"**suspect score**": e.score, **{f"{name} alone": row for name, row in e.signs.items()}}
    lines += [f"| {name} | {row.overall:.3f} | {row.within_joint:.3f} |" for name, row in rows.items()]
    counted = (
        f"{e.frames} frames; {e.wrong:.1%} of the joints are wrong; within: {e.joints} joints of {len(JOINTS) - 1}."
    )
    listed = f"{e.listed:.1%} of the joints; precision {e.precision:.2f}, recall {e.recall:.2f}."
    return "\n".join([*lines, "", counted, f"Scores ≥ {SUSPECT_THRESHOLD}: {listed}"])


def source(model: SuspectModel) -> str:
    """The model as the lines that stand in `suspects.py`."""
    values = [f"    {name}={value:.3f}," for name, value in dataclasses.asdict(model).items()]
    return "\n".join(["MODEL: Final = SuspectModel(", *values, ")"])


def run(
    test: Path, train: Path | None = None, fps: float = RENDERED_FPS, planted: Path | None = None
) -> SuspectEvaluation:
    """Print the table of the test set.

    With a training set, fit the causes' weights to that first, and with rendered clips of training subjects the leap's
    to mistakes planted in them; print the coefficients.

    Raises BadArgument as `load_predictions`, `fit`, `refuse_shared_frames` and `planted_takes.takes`.
    """
    judged, model = load_predictions(test), MODEL
    if train is not None:
        fitted_to = load_predictions(train)
        refuse_shared_frames(fitted_to, judged)
        model = fit(fitted_to, fps)
    if planted is not None:
        model = fit_leaps.fit(planted, model)
    if model is not MODEL:
        print(source(model), end="\n\n")
    evaluation = evaluate(judged, fps, model)
    print(table(evaluation))
    return evaluation
