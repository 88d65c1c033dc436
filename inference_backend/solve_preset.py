"""Every setting of a solve: its meaning, its default and what it allows, told once.

Reading and writing of files, `--help` and the documentation follow from these dataclasses (`presets.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from .preset_options import Option, flag, number, options_of, sections_of, whole, word
from .suspect_threshold import SUSPECT_THRESHOLD


@dataclass(frozen=True)
class CalibrationPreset:
    """How the mesh is bent onto the target pose."""

    form: str = word(
        "chain",
        ("bone", "torso", "chain"),
        "how bones turn: each by itself, each after the torso was aligned, or composed along the chain",
    )
    strength: float = number(1.0, 0, 1, "0 keeps the mesh stream, 1 takes the target pose")
    non_rigid: bool = flag(True, "stretch vertices along their bones to meet the target's bone lengths")
    points: bool = flag(True, "turn head, hands and feet by the extra points; else they follow their parents")


@dataclass(frozen=True)
class FitPreset:
    """The fit of the body's poses to the lifted joints and the landmarks of the clip."""

    enabled: bool = flag(True, "fit the body to the whole clip; else only its bone lengths are made constant")
    iterations: int = whole(80, 1, 5000, "steps of the optimiser")
    reprojection: float = number(1.0, 0, 100, "weight of the distance to the 2D landmarks")
    smoothness: float = number(1.0, 0, 100, "weight of the acceleration; too much rounds off fast motion")
    contact: float = number(20.0, 0, 100, "weight against motion of feet that stand still in the picture")
    floor: float = number(2.0, 0, 100, "weight of the distance of standing feet to the floor; 0 lets them float")


@dataclass(frozen=True)
class CameraPreset:
    """The camera that took the footage."""

    focal: float | str = number(
        "auto", 1, 100000, "focal length in pixels of the upright image; auto: metadata, else a usual lens"
    )


@dataclass(frozen=True)
class TrajectoryPreset:
    """The way of the whole body through the world."""

    enabled: bool = flag(True, "estimate the way over the whole clip; else frame by frame")


@dataclass(frozen=True)
class SuspectsPreset:
    """Which joints are listed as likely wrong."""

    threshold: float = number(SUSPECT_THRESHOLD, 0, 1, "score from which a joint is listed", changes_result=False)


@dataclass(frozen=True)
class SolvePreset:
    """All settings of a solve."""

    height: float = number(1.7, 0.5, 2.5, "height of the people in metres, which sets the scale")
    estimator: str = word(
        "blazepose_heavy",
        ("blazepose_heavy", "blazepose_full"),
        "2D pose estimator: BlazePose with its heavy landmark model, or with the full one, faster and less exact",
    )
    lifter: str = word("videopose3d", ("videopose3d",), "2D to 3D lifter")
    generator: str = word("proxy", ("proxy",), "mesh generator")
    workers: int | str = whole(
        "auto", 1, 256, "processes that estimate 2D poses; auto: by the cores", changes_result=False
    )
    device: str = word(
        "auto", ("auto", "cpu", "cuda", "mps"), "where networks run; auto: the fastest", changes_result=False
    )
    calibration: CalibrationPreset = field(default_factory=CalibrationPreset)
    fit: FitPreset = field(default_factory=FitPreset)
    camera: CameraPreset = field(default_factory=CameraPreset)
    trajectory: TrajectoryPreset = field(default_factory=TrajectoryPreset)
    suspects: SuspectsPreset = field(default_factory=SuspectsPreset)


SECTIONS: Final[Mapping[str, Any]] = sections_of(SolvePreset)
"""The sections of a preset and what makes each with its defaults."""

OPTIONS: Final[Mapping[str, Option]] = options_of(SolvePreset)
"""Every setting by its dotted key, in the order of the files."""
