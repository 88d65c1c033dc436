"""The target stack: the layers in their order, from the fitted skeleton to the pose that the artist's edits start from.

Each layer is given the motion so far and the take's sources, and gives another motion on the same bones, whose lengths
hold by construction. The artist's edits come last and are made row by row (`edits.py`).

When feet stand is decided before the floor layer, for it and for the feet's: an artist who takes the detected strips
over changes nothing by it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np

from ..errors import BadArgument
from . import floor, foot_contact, gap_fill, outliers, smoothing
from .contacts import standing_frames, strips_of
from .effects import Effects, effects
from .motion import SkeletonMotion
from .parameters import Layers, Strip
from .source import StackSource

Layer = Callable[[SkeletonMotion, StackSource, Layers], SkeletonMotion]
"""The motion so far, the sources, all layers' settings → the motion."""

LAYERS: Final[Mapping[str, Layer]] = {
    "gap_fill": lambda motion, source, layers: gap_fill.layer(motion, source, layers.gap_fill),
    "outliers": lambda motion, source, layers: outliers.layer(motion, source, layers.outliers),
    "smoothing": lambda motion, source, layers: smoothing.layer(motion, source, layers.smoothing),
    "floor": lambda motion, source, layers: floor.layer(motion, source, layers.floor, layers.foot_contact.strips),
    "foot_contact": lambda motion, source, layers: foot_contact.layer(motion, source, layers.foot_contact),
}
"""In the order in which they are applied, by the names of their settings in `Layers`."""


@dataclass(frozen=True)
class LayerReport:
    """What one layer did."""

    name: str
    """Its name in `Layers`."""
    enabled: bool
    """Whether it was on; else nothing has changed."""
    before: Effects
    """The motion that it was given."""
    after: Effects
    """The motion that it gave."""
    moved: float
    """mm: mean distance by which it moved the joints."""


class Stacked(NamedTuple):
    """What the layers make of a take."""

    motion: SkeletonMotion
    """The base pose."""
    reports: tuple[LayerReport, ...]
    """What each layer did, in their order; none where that was not asked for."""
    strips: tuple[Strip, ...]
    """When feet stand: the artist's strips, or the detected ones where there are none."""


def apply_layers(source: StackSource, layers: Layers, *, reports: bool = True) -> Stacked:
    """The base pose, and what each layer did to it, if `reports` are wanted: they take a fifth of the time.

    Raises BadArgument, with the `layer`, where one comes to nothing with these sources.
    """
    motion, told = source.fitted, []
    reporter = _Reporter(source, layers) if reports else None
    for name, layer in LAYERS.items():
        try:
            if name == "floor":
                strips = _strips(motion, source, layers)
                layers = replace(layers, foot_contact=replace(layers.foot_contact, strips=strips))
            enabled = bool(getattr(layers, name).enabled)
            made = layer(motion, source, layers) if enabled and len(source) else motion
        except np.linalg.LinAlgError as error:
            raise _failed(name) from error
        if not (np.isfinite(made.root).all() and np.isfinite(made.rotations).all()):
            raise _failed(name)
        if reporter is not None:
            told.append(reporter.report(name, enabled, motion, made))
        motion = made
    return Stacked(motion, tuple(told), strips)


class _Reporter:
    """Says what one layer after the other does: on the contacts that the fitted pose has, or the artist gave."""

    def __init__(self, source: StackSource, layers: Layers) -> None:
        self._source = source
        strips = strips_of(source.fitted, source, layers.foot_contact)
        self._stands = standing_frames(strips, source.seconds)
        self._last = effects(source.fitted, source, self._stands)

    def report(self, name: str, enabled: bool, given: SkeletonMotion, made: SkeletonMotion) -> LayerReport:
        """Of the next layer."""
        before, way = self._last, 0.0
        if made is not given:
            self._last = effects(made, self._source, self._stands)
            way = float(np.linalg.norm(made.joints() - given.joints(), axis=-1).mean())
        return LayerReport(name, enabled, before, self._last, 1000 * way)


def _failed(name: str) -> BadArgument:
    return BadArgument(
        f"the clean-up layer {name.replace('_', ' ')} comes to nothing here",
        hint="Turn it off, or change its settings.",
        layer=name,
    )


def _strips(motion: SkeletonMotion, source: StackSource, layers: Layers) -> tuple[Strip, ...]:
    """The artist's strips; else those detected on a first floor, where height and speed of feet say more."""
    strips = strips_of(motion, source, layers.foot_contact)
    if layers.foot_contact.strips is not None or not layers.floor.enabled or not len(source):
        return strips
    free = replace(layers.floor, strength=1.0, keep_picture=False, drift=1.0)  # nobody sees this floor
    return strips_of(floor.layer(motion, source, free, strips), source, layers.foot_contact)
