"""Every setting of a solve: its meaning, its default and what it allows, told once.

Reading and writing of files, `--help` and the documentation follow from these dataclasses (`presets.py`).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(frozen=True)
class Option:
    """What one setting means and allows; hangs on its dataclass field as metadata."""

    text: str
    """What it does, with its unit."""
    default: bool | int | float | str
    words: tuple[str, ...] = ()
    """Words it may be."""
    number: type[int] | type[float] | None = None
    """The kind of number it may be."""
    low: float = 0.0
    """Least number allowed."""
    high: float = 0.0
    """Greatest number allowed."""
    changes_result: bool = True
    """Whether a take made with another value is another take."""

    @property
    def allowed(self) -> str:
        """What it allows, as a person reads it."""
        if isinstance(self.default, bool):
            return "true, false"
        kind = "whole number" if self.number is int else "number"
        numbers = [f"{kind} {self.low:g} to {self.high:g}"] if self.number else []
        return ", ".join([*map(json.dumps, self.words), *numbers])

    def accepts(self, value: object) -> bool:
        """Whether the setting may have this value. A whole number is a number; true is not 1."""
        if isinstance(self.default, bool) or isinstance(value, bool):
            return isinstance(self.default, bool) and isinstance(value, bool)
        if isinstance(value, str):
            return value in self.words
        kinds = (int,) if self.number is int else (int, float) if self.number else ()
        return isinstance(value, kinds) and self.low <= value <= self.high


def _flag(default: bool, text: str) -> Any:
    return _field(Option(text, default))


def _word(default: str, words: tuple[str, ...], text: str, *, changes_result: bool = True) -> Any:
    return _field(Option(text, default, words, changes_result=changes_result))


def _int(default: int | str, low: int, high: int, text: str, *, changes_result: bool = True) -> Any:
    words = (default,) if isinstance(default, str) else ()
    return _field(Option(text, default, words, int, low, high, changes_result))


def _float(default: float | str, low: float, high: float, text: str, *, changes_result: bool = True) -> Any:
    words = (default,) if isinstance(default, str) else ()
    return _field(Option(text, default, words, float, low, high, changes_result))


def _field(option: Option) -> Any:
    return field(default=option.default, metadata={"option": option})


@dataclass(frozen=True)
class CalibrationPreset:
    """How the mesh is bent onto the target pose."""

    form: str = _word(
        "chain",
        ("bone", "torso", "chain"),
        "how bones turn: each by itself, each after the torso was aligned, or composed along the chain",
    )
    strength: float = _float(1.0, 0, 1, "0 keeps the mesh stream, 1 takes the target pose")
    non_rigid: bool = _flag(True, "stretch vertices along their bones to meet the target's bone lengths")
    points: bool = _flag(True, "turn head, hands and feet by the extra points; else they follow their parents")


@dataclass(frozen=True)
class FitPreset:
    """The fit of the body's poses to the lifted joints and the landmarks of the clip."""

    enabled: bool = _flag(True, "fit the body to the whole clip; else only its bone lengths are made constant")
    iterations: int = _int(80, 1, 5000, "steps of the optimiser")
    reprojection: float = _float(1.0, 0, 100, "weight of the distance to the 2D landmarks")
    smoothness: float = _float(1.0, 0, 100, "weight of the acceleration; too much rounds off fast motion")
    contact: float = _float(10.0, 0, 100, "weight against motion of feet that stand still in the picture")


@dataclass(frozen=True)
class CameraPreset:
    """The camera that took the footage."""

    focal: float | str = _float(
        "auto", 1, 100000, "focal length in pixels of the upright image; auto: metadata, else a usual lens"
    )


@dataclass(frozen=True)
class TrajectoryPreset:
    """The way of the whole body through the world."""

    enabled: bool = _flag(True, "estimate the way over the whole clip; else frame by frame")


@dataclass(frozen=True)
class SuspectsPreset:
    """Which joints are listed as likely wrong."""

    threshold: float = _float(0.5, 0, 1, "score from which a joint is listed", changes_result=False)


@dataclass(frozen=True)
class SolvePreset:
    """All settings of a solve."""

    height: float = _float(1.7, 0.5, 2.5, "height of the people in metres, which sets the scale")
    estimator: str = _word("blazepose", ("blazepose",), "2D pose estimator")
    lifter: str = _word("videopose3d", ("videopose3d",), "2D to 3D lifter")
    generator: str = _word("proxy", ("proxy",), "mesh generator")
    workers: int | str = _int(
        "auto", 1, 256, "processes that estimate 2D poses; auto: by the cores", changes_result=False
    )
    device: str = _word(
        "auto", ("auto", "cpu", "cuda", "mps"), "where networks run; auto: the fastest", changes_result=False
    )
    calibration: CalibrationPreset = field(default_factory=CalibrationPreset)
    fit: FitPreset = field(default_factory=FitPreset)
    camera: CameraPreset = field(default_factory=CameraPreset)
    trajectory: TrajectoryPreset = field(default_factory=TrajectoryPreset)
    suspects: SuspectsPreset = field(default_factory=SuspectsPreset)


SECTIONS: Final[Mapping[str, Any]] = {
    entry.name: entry.default_factory
    for entry in dataclasses.fields(SolvePreset)
    if entry.default_factory is not dataclasses.MISSING
}
"""The sections of a preset and what makes each with its defaults."""

OPTIONS: Final[Mapping[str, Option]] = {
    prefix + entry.name: entry.metadata["option"]
    for prefix, owner in {"": SolvePreset, **{f"{name}.": owner for name, owner in SECTIONS.items()}}.items()
    for entry in dataclasses.fields(owner)
    if "option" in entry.metadata
}
"""Every setting by its dotted key, in the order of the files."""
