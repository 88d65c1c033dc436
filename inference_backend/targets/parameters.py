"""The parameters of the layers: what the .blend owns as JSON and `presets/cleanup/*.toml` hold.

Standard library only: Blender's add-on shows them.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ..errors import BadArgument
from ..preset_options import Option, flag, number, options_of, sections_of

SIDES: Final = ("left", "right")
PARTS: Final = ("heel", "toe")

_ENABLED: Final = "whether the layer does anything"
_STRENGTH: Final = "0 leaves the motion as it comes, 1 takes all of what the layer does"


@dataclass(frozen=True)
class GapFill:
    """Joints that were hidden: from the mesh stream, fastened to what was seen before and after."""

    enabled: bool = flag(True, _ENABLED)
    strength: float = number(1.0, 0, 1, _STRENGTH)
    visibility: float = number(0.3, 0, 1, "a joint that was seen less than this was hidden")
    only_uncertain: bool = flag(
        True, "leave a hidden joint as far as the lifter expects to err no more than the filling"
    )
    bridge_seconds: float = number(0.15, 0, 2, "gaps up to this long are bridged from their neighbours alone")
    longest_seconds: float = number(5.0, 0, 60, "longer gaps are left as they come")
    blend_seconds: float = number(0.1, 0, 1, "over this long the mesh stream is fastened to the frames that were seen")


@dataclass(frozen=True)
class Outliers:
    """Frames that leap out of the motion and come back, and limbs taken for the other side's."""

    enabled: bool = flag(True, _ENABLED)
    strength: float = number(1.0, 0, 1, _STRENGTH)
    spikes: bool = flag(True, "put back bones that leap away and come back")
    swaps: bool = flag(True, "exchange limbs that were taken for the other side's")
    threshold: float = number(5.0, 1, 50, "a leap is this many times what the motion around it usually misses by")
    longest_seconds: float = number(0.7, 0, 5, "longer leaps and exchanges are taken as motion")


@dataclass(frozen=True)
class Smoothing:
    """Jitter taken out, without lag. Factors say how much more or less each part of the body is smoothed."""

    enabled: bool = flag(True, _ENABLED)
    strength: float = number(1.0, 0, 1, _STRENGTH)
    seconds: float = number(0.4, 0, 5, "reach before and after a frame, where the motion is calm")
    edge_preserving: bool = flag(True, "reach less far in fast motion, so that claps, kicks and landings stay sharp")
    tolerance: float = number(0.3, 0, 50, "wobble of this many millimetres is taken as jitter, however regular")
    root: float = number(1.0, 0, 5, "factor for the path through the world")
    torso: float = number(1.0, 0, 5, "factor for pelvis, spine and collars")
    head: float = number(1.0, 0, 5, "factor for neck and head")
    arms: float = number(1.0, 0, 5, "factor for shoulders and elbows")
    hands: float = number(1.0, 0, 5, "factor for wrists and hands")
    legs: float = number(1.0, 0, 5, "factor for hips and knees")
    feet: float = number(1.0, 0, 5, "factor for ankles and feet")


@dataclass(frozen=True)
class Floor:
    """The body stands on the floor at z = 0, and does not drift."""

    enabled: bool = flag(True, _ENABLED)
    strength: float = number(1.0, 0, 1, _STRENGTH)
    keep_picture: bool = flag(True, "move the body along the camera's view, so that it stays on its picture; else up")
    smooth_seconds: float = number(0.3, 0.02, 5, "corrections change within about this time")
    drift: float = number(0.15, 0, 1, "how much of the sliding of feet that stand is taken out of the path")
    push_out: bool = flag(True, "lift feet that are below the floor")


@dataclass(frozen=True)
class Strip:
    """A time in which a part of a foot stands."""

    side: str
    """One of `SIDES`."""
    part: str
    """One of `PARTS`."""
    start: float
    """Seconds of the take."""
    end: float
    """Seconds of the take; above start."""
    locked: bool = True
    """Whether the foot is held; else the strip says that it stands, and is left as it comes."""


@dataclass(frozen=True)
class FootContact:
    """Feet that stand are held where they stand, by the legs."""

    enabled: bool = flag(True, _ENABLED)
    strength: float = number(1.0, 0, 1, _STRENGTH)
    speed: float = number(0.5, 0.01, 5, "metres a second below which a heel or toe tip may stand")
    height: float = number(0.08, 0.005, 1, "metres above the ground below which it may stand")
    shortest_seconds: float = number(0.12, 0, 2, "shorter contacts are not believed")
    blend_seconds: float = number(0.12, 0, 1, "over this long a foot is led to where it stands, and let go")
    lift_heel: float = number(0.018, 0, 0.1, "metres by which a heel may come up where a leg is too short")
    lower_pelvis: float = number(0.08, 0, 0.5, "metres by which the body may move for a leg that still is too short")
    strips: tuple[Strip, ...] | None = None
    """Where the artist says that feet stand; None: where they are detected to."""


@dataclass(frozen=True)
class Layers:
    """All layers in their order. Plain values only."""

    gap_fill: GapFill = field(default_factory=GapFill)
    outliers: Outliers = field(default_factory=Outliers)
    smoothing: Smoothing = field(default_factory=Smoothing)
    floor: Floor = field(default_factory=Floor)
    foot_contact: FootContact = field(default_factory=FootContact)

    @classmethod
    def off(cls) -> Layers:
        """Nothing is done: the base pose is the fitted pose."""
        return cls(**{name: make(enabled=False) for name, make in SECTIONS.items()})

    def values(self) -> dict[str, Any]:
        """Plain nested values for JSON, which `read_layers` reads back."""
        values: dict[str, Any] = dataclasses.asdict(self)
        strips = values["foot_contact"]["strips"]
        values["foot_contact"]["strips"] = None if strips is None else list(strips)
        return values

    def canonical(self) -> str:
        """The same as JSON that is equal for equal layers: what rows of a take are hashed with."""
        return json.dumps(self.values(), sort_keys=True, separators=(",", ":"))


SECTIONS: Final[Mapping[str, Any]] = sections_of(Layers)
"""The layers by name, in their order, and what makes each with its defaults."""

OPTIONS: Final[Mapping[str, Option]] = options_of(Layers)
"""Every setting by its dotted key, as `smoothing.seconds`. The strips are not among them: they belong to one take."""


def read_layers(values: Mapping[str, Any]) -> Layers:
    """Layers from nested plain values, as JSON gives them; what is not named keeps its default.

    Raises:
        BadArgument: an unknown key, or a value that is not allowed; names the key and what is allowed.
    """
    layers = {}
    for name, entries in values.items():
        if name not in SECTIONS:
            raise BadArgument(f"{name} is no layer", hint=f"Layers: {', '.join(SECTIONS)}.", key=name)
        if not isinstance(entries, Mapping):
            raise BadArgument(f"{name} = {entries!r} is not allowed", hint=f"{name} holds settings by name.", key=name)
        layers[name] = SECTIONS[name](**{key: _value(f"{name}.{key}", value) for key, value in entries.items()})
    return Layers(**layers)


def _value(key: str, value: object) -> Any:
    if key == "foot_contact.strips":
        return _strips(value)
    if key not in OPTIONS:
        layer = key.partition(".")[0]
        known = [name.partition(".")[2] for name in OPTIONS if name.startswith(f"{layer}.")]
        raise BadArgument(f"{key} is no setting", hint=f"Settings of {layer}: {', '.join(known)}.", key=key)
    option = OPTIONS[key]
    if not option.accepts(value):
        raise _refused(key, value, option.allowed)
    return float(value) if option.number is float and isinstance(value, int) else value


def _strips(values: object) -> tuple[Strip, ...] | None:
    if values is None:
        return None
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise _refused("foot_contact.strips", values, "a list of strips, or nothing for detected ones")
    return tuple(_strip(f"foot_contact.strips[{i}]", value) for i, value in enumerate(values))


def _strip(key: str, value: object) -> Strip:
    names = [entry.name for entry in dataclasses.fields(Strip)]
    if not isinstance(value, Mapping) or not set(value) <= set(names) or not set(names) - {"locked"} <= set(value):
        raise _refused(key, value, f"the keys {', '.join(names)}")
    strip = Strip(**value)
    for name, words in (("side", SIDES), ("part", PARTS)):
        if getattr(strip, name) not in words:
            raise _refused(f"{key}.{name}", getattr(strip, name), ", ".join(words))
    for name in ("start", "end"):
        time = getattr(strip, name)
        if isinstance(time, bool) or not isinstance(time, (int, float)) or not math.isfinite(time):
            raise _refused(f"{key}.{name}", time, "seconds")
    if not strip.end > strip.start:
        raise _refused(f"{key}.end", strip.end, f"seconds after start = {strip.start:g}")
    if not isinstance(strip.locked, bool):
        raise _refused(f"{key}.locked", strip.locked, "true, false")
    return strip


def _refused(key: str, value: object, allowed: str) -> BadArgument:
    return BadArgument(
        f"{key} = {value!r} is not allowed", hint=f"Allowed: {allowed}.", key=key, value=repr(value), allowed=allowed
    )
