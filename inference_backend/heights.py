"""How tall the people of a clip are: one height for all, or one each in the order of their size in the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from .errors import BadArgument
from .presets import override, result_settings
from .solve_preset import SolvePreset

UNTIL_PEOPLE: Final = ("height", "clip.people")
"""Settings of a take that nothing depends on before its people are known: detections are of everyone."""


def with_heights(
    preset: SolvePreset, heights: Sequence[float], people: str, source: str
) -> tuple[SolvePreset, tuple[float, ...]]:
    """What was asked for as a job takes it: a single height belongs to the preset, several stand beside it.

    Args:
        preset: the one to start from.
        heights: metres, the largest person's first; none: the preset's for everyone.
        people: whom the take shall be about.
        source: a file's name or "command line", for the error.

    Raises:
        PresetInvalid: a height is out of range.
        BadArgument: several heights for one person.
    """
    for height in heights:
        changed = override(preset, {"height": height}, source)
    if not heights:
        return preset, ()
    if len(heights) == 1:
        return changed, ()
    if people != "all":
        raise BadArgument(
            f"{len(heights)} heights for one person",
            hint="Give one height, or choose all people.",
            heights=list(heights),
            people=people,
        )
    return preset, tuple(heights)


def each(heights: Sequence[float], preset: SolvePreset, count: int) -> tuple[float, ...]:
    """The height of each of `count` people, metres. Raises BadArgument where several are given, but not that many."""
    if not heights:
        return (preset.height,) * count
    if len(heights) != count:
        raise BadArgument(
            f"{len(heights)} heights are given, and {count} {'person was' if count == 1 else 'people were'} found",
            hint="Give one height for everyone, or one for each, the largest in the picture first.",
            heights=list(heights),
            found=count,
        )
    return tuple(heights)


def settings_with(preset: SolvePreset, heights: Sequence[float]) -> Mapping[str, Any]:
    """What a take keeps and is compared by: `result_settings`, with the height of each where there are several."""
    return {**result_settings(preset), **({"height": list(heights)} if heights else {})}
