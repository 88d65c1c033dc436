"""Suspect scores: how likely each joint of each frame is wrong, and why, so that an artist fixes those and not all.

Nine signs of a mistake are measured, each is squeezed to 0-1 (one half at a stated value), and a logistic model of
them says how likely the joint is wrong: more than 120 mm off, or thrown out of its place for some frames. Six of the
signs are the causes that an artist is told. Leaps of the joint and of its detections tell of mistakes whose edges
alone are odd; they are told as jerk. A limb that is lost for a while is told as visibility. The six look at a frame and
`suspect_measures.CONTEXT` on either side, the others at little more than a second.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .skeletons import BONES, JOINTS
from .suspect_leaps import LEAST_SEEN, leaps
from .suspect_losses import lost_limbs
from .suspect_measures import bone_lengths, jerk, length_change

Float = NDArray[np.floating]

CAUSES: Final = ("streams_disagree", "reprojection", "bone_length", "jerk", "visibility", "lifter_error")
"""What an artist is told, in the order of the last axis of `SuspectReport.causes`."""

SIGNS: Final = (*CAUSES, "leap", "leap_seen", "limb_lost")
"""The signs of a mistake: what the model weighs, in its order."""

_LEAP_POWER: Final = 4
"""The leap is squeezed more steeply than the others: half a leap is common, and a whole one almost never right."""


@dataclass(frozen=True)
class CauseHalves:
    """The value of each sign that scores one half."""

    streams_disagree: float = 0.06
    """Distance between the mesh stream's and the lifted joint, the pelvis of both on one place, in body heights."""
    reprojection: float = 0.04
    """Distance to the detection in the picture, times its visibility, in heights of the body in the picture."""
    bone_length: float = 0.1
    """Change of the length of a bone that meets at the joint, as a fraction of the length."""
    jerk: float = 1000.0
    """Third derivative of the joint's place relative to the pelvis, body heights per second³."""
    visibility: float = 0.5
    """Visibility; here less scores more: 0 scores 1, and twice this value scores 0."""
    lifter_error: float = 0.06
    """What the lifter expects its error to be, in body heights."""
    leap: float = 0.6
    """Clearness of the lifted joint's leap (`suspect_leaps`), or of the fitted one's where that is clearer: the fit
    blurs what a detector's mistake makes of the lifted joints."""
    leap_seen: float = 0.6
    """Clearness of the leap of the detections in the picture: lifter and fit blur it, and are misled by it. Out of a
    guess into sight is no leap."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if not getattr(self, field.name) > 0:
                raise ValueError(f"{field.name} is {getattr(self, field.name)}, want a number above 0")


@dataclass(frozen=True)
class SuspectModel:
    """A logistic model: the score is 1 / (1 + exp(-(intercept + Σ weight · sign)))."""

    intercept: float
    """What is left when no sign speaks."""
    streams_disagree: float
    """Weight of the cause; all weights are ≥ 0, so that a sign never makes a joint less suspect."""
    reprojection: float
    """Weight of the cause."""
    bone_length: float
    """Weight of the cause."""
    jerk: float
    """Weight of the cause."""
    visibility: float
    """Weight of the cause."""
    lifter_error: float
    """Weight of the cause."""
    leap: float
    """Weight of the leap."""
    leap_seen: float
    """Weight of the detections' leap."""
    limb_lost: float
    """Weight of a limb's being lost for a while."""

    @property
    def weights(self) -> NDArray[np.float64]:
        """(9,) in the order of `SIGNS`."""
        return np.array([getattr(self, name) for name in SIGNS])


MODEL: Final = SuspectModel(
    intercept=-6.404,
    streams_disagree=0.596,
    reprojection=0.985,
    bone_length=0.526,
    jerk=0.000,
    visibility=0.618,
    lifter_error=9.598,
    leap=3.612,
    leap_seen=6.000,
    limb_lost=0.800,
)
"""Fitted by `evaluate suspects --fit PREDICTIONS --planted rendered_train.npz`, which prints this table. PREDICTIONS:
what both streams say of the last 120 clips of rendered_train.npz, which the lifter's training holds back, by `evaluate
predict --rendered`; the leap: mistakes planted in clips of training subjects. Jerk tells nothing that the lifter's own
error does not; it stays as what an artist is told. The detections' leap and the lost limb are not fitted. Their weights
were chosen by what `evaluate suspects --detections` finds: the former in 30 clips of rendered_test.npz, the latter in
100 that the command does not take from it."""


@dataclass(frozen=True)
class SuspectInputs:
    """What the pipeline knows of F frames. Arrays of real numbers, all finite. Camera frame: OpenCV, metres."""

    joints_lifted: Float
    """(F, 24, 3) what the lifter says."""
    joints_hmr: Float
    """(F, 24, 3) what the mesh stream says."""
    joints_fitted: Float | None
    """(F, 24, 3) what the fit over the clip made of the lifted joints, whose bones have the take's lengths; or None."""
    log_error: Float
    """(F, 24) natural log of the error that the lifter expects of itself, in metres."""
    reprojection: Float
    """(F, 24) distance between the placed body's landmarks and the detected ones that show the joint, in heights of the
    body in the picture. It counts as much as the joint is visible."""
    visibility: Float
    """(F, 24) of the detected landmarks that show the joint, 0-1; 0 where nobody was detected."""
    seen: Float | None = None
    """(F, 24, 2) where the detections show the joint in the picture, in heights of the body in it; or None."""
    bone_lengths: Float | None = None
    """(23,) metres, the take's lengths in the order of `skeletons.BONES`. None: the median over the frames of
    `joints_fitted`, or of `joints_lifted` where that is None, for which all frames of the clip must be given at once.
    """


@dataclass(frozen=True)
class SuspectReport:
    """How likely each joint is wrong, and why."""

    score: NDArray[np.float32]
    """(F, 24) 0-1, how likely the joint is more than 120 mm off, or thrown out of its place."""
    causes: NDArray[np.uint8]
    """(F, 24, 6) 0-255, how strong each of `CAUSES` is; 128 is one half."""


def suspects(
    inputs: SuspectInputs,
    body_height: float,
    fps: float,
    halves: CauseHalves | None = None,
    model: SuspectModel = MODEL,
) -> SuspectReport:
    """Score every joint of every frame. The pelvis is where the joints are measured from: it is never far off itself.

    Args:
        inputs: F frames in a row, evenly spaced in time.
        body_height: metres.
        fps: frames per second.
        halves: what scores one half; None: the defaults.
        model: how the causes make a score.

    Raises:
        ValueError: an array of another shape or with values that are not finite, a height or fps that is not above 0.
    """
    signs = sign_scores(inputs, body_height, fps, halves or CauseHalves())
    score = logistic(signs @ model.weights + model.intercept)
    causes = signs[..., : len(CAUSES)]
    jumps = CAUSES.index("jerk")
    for leap in ("leap", "leap_seen"):
        np.maximum(causes[..., jumps], signs[..., SIGNS.index(leap)], out=causes[..., jumps])
    return SuspectReport(score.astype(np.float32), np.rint(255 * causes).astype(np.uint8))


def sign_scores(inputs: SuspectInputs, body_height: float, fps: float, halves: CauseHalves) -> NDArray[np.float64]:
    """The features of the model, (F, 24, 9) from 0 to 1 in the order of `SIGNS`. Raises as `suspects`."""
    _check(inputs, body_height, fps)
    lifted = (inputs.joints_lifted - inputs.joints_lifted[:, :1]).astype(np.float64)
    hmr = (inputs.joints_hmr - inputs.joints_hmr[:, :1]).astype(np.float64)
    signs = {
        "streams_disagree": np.linalg.norm(lifted - hmr, axis=-1) / body_height,
        "reprojection": inputs.reprojection.astype(np.float64) * inputs.visibility,
        "bone_length": length_change(lifted, _bone_lengths(inputs)),
        "jerk": jerk(lifted, fps) / body_height,
        "lifter_error": np.exp(inputs.log_error.astype(np.float64)) / body_height,
    }
    scores = {name: value / (value + getattr(halves, name)) for name, value in signs.items()}
    scores["visibility"] = np.clip(1 - inputs.visibility.astype(np.float64) / (2 * halves.visibility), 0, 1)
    clearness = leaps(inputs.joints_lifted, body_height, fps)
    if inputs.joints_fitted is not None:
        clearness = np.maximum(clearness, leaps(inputs.joints_fitted, body_height, fps))
    scores["leap"] = _steep(clearness, halves.leap)
    scores["leap_seen"] = np.zeros(clearness.shape)
    if inputs.seen is not None:
        flat = np.concatenate([inputs.seen, np.zeros_like(inputs.seen[..., :1])], -1)
        scores["leap_seen"] = _steep(leaps(flat, 1.0, fps, LEAST_SEEN, inputs.visibility), halves.leap_seen)
    scores["limb_lost"] = lost_limbs(inputs.visibility, fps)
    return np.stack([scores[name] for name in SIGNS], -1)


def logistic(x: Float) -> NDArray[np.float64]:
    """1 / (1 + exp(-x)), without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * x.astype(np.float64)))


def _steep(clearness: NDArray[np.float64], half: float) -> NDArray[np.float64]:
    """Squeezed to 0-1."""
    power = clearness**_LEAP_POWER
    return np.asarray(power / (power + half**_LEAP_POWER))


def _bone_lengths(inputs: SuspectInputs) -> NDArray[np.float64]:
    """(23,)"""
    if inputs.bone_lengths is not None:
        return inputs.bone_lengths.astype(np.float64)
    joints = inputs.joints_lifted if inputs.joints_fitted is None else inputs.joints_fitted
    return np.median(bone_lengths(joints), axis=0) if len(joints) else np.ones(len(BONES))


def _check(inputs: SuspectInputs, body_height: float, fps: float) -> None:
    if not (body_height > 0 and fps > 0):
        raise ValueError(f"body_height is {body_height} and fps {fps}, want numbers above 0")
    frames, joints = len(inputs.joints_lifted), len(JOINTS)
    for field in dataclasses.fields(inputs):
        array = getattr(inputs, field.name)
        if array is None:
            continue
        axes = (2,) if field.name == "seen" else (3,) if field.name.startswith("joints_") else ()
        want = (len(BONES),) if field.name == "bone_lengths" else (frames, joints, *axes)
        if array.shape != want:
            raise ValueError(f"{field.name} is {array.shape}, want {want}")
        if not np.isfinite(array).all():
            raise ValueError(f"{field.name} has values that are not finite")
