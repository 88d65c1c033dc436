# SPDX-License-Identifier: GPL-3.0-or-later
"""What each key of an edit in a file means, and how its value is read. `edit_list` has the file's form."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from ...inference_backend.skeletons import JOINTS
from .row_ranges import read_runs
from .skeleton import BONE_NAMES

FARTHEST: Final = 20.0
"""Metres that a joint may be moved by; the backend refuses more. Nobody means it."""

FALLOFF: Final = (0.1, 1000.0)
"""Scene frames that an edit's coming and going may take, as in the panel."""

FIELDS: Final[Mapping[str, str]] = {
    "clip": "name of the clip, its file or its take (dance, dance.mp4, dance.take); may be left out where there is one",
    "person": "index in the take; may be left out where the .blend shows one person",
    "frames": 'footage frames, counted from 0, the last included: "12-40,55", or a number',
    "joint": "a joint (left_wrist) or its bone (wrist.L)",
    "offset": "[x, y, z] metres that the joint is moved by, in its own axes: the rest pose's (x to the body's left, y "
    "up, z to its front), turned as the joint; the pelvis takes the whole body along, in the axes of Blender's world",
    "to": "[x, y, z] where the joint is to be, in place of offset: metres, Blender's world",
    "turn": "[w, x, y, z] or [x, y, z] in degrees: turns pelvis, chest, head, hands and feet in the joint's own axes, "
    "and the other joints about their own bone",
    "stretch": "0 to 1: how far the bone that ends in the joint may leave its length to follow",
    "strength": "0 to 1: 0 shows the mesh stream at this joint, 1 the target",
    "falloff": "scene frames over which the edit comes in and goes out: a number, or [before, after]",
}
"""What an edit may say: key → meaning. `frames`, `joint` and one of `MEANT` are needed."""


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{value!r} is no name")
    return value


def _index(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is no index, which count from 0")
    return value


def _frames(value: object) -> tuple[tuple[int, int], ...]:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    runs = []
    if isinstance(value, str):
        try:
            runs = read_runs(value)
        except ValueError:
            runs = []
    if not runs:
        raise ValueError(f"{value!r} are no frames")
    return tuple(runs)


def _joint(value: object) -> int:
    for names in (JOINTS, BONE_NAMES):
        if value in names:
            return names.index(str(value))
    raise ValueError(f"{value!r} is no joint. {nearest(str(value), (*JOINTS, *BONE_NAMES))}Joints: {', '.join(JOINTS)}")


def _place(value: object) -> tuple[float, ...]:
    return _numbers(value, 3)


def _offset(value: object) -> tuple[float, ...]:
    offset = _numbers(value, 3)
    if max(map(abs, offset)) > FARTHEST:
        raise ValueError(f"moved by {max(map(abs, offset)):g} m, which nobody means: {FARTHEST:g} m at most")
    return offset


def _turn(value: object) -> tuple[float, ...]:
    numbers = _numbers(value, 3, 4)
    if len(numbers) == 3:
        return _quaternion(numbers)
    length = math.hypot(*numbers)
    if length < 1e-6:
        raise ValueError(f"{value!r} is no turn: its length is 0")
    return tuple(number / length for number in numbers)


def _quaternion(degrees: Sequence[float]) -> tuple[float, ...]:
    """About x, then y, then z of the axes that stay, as Blender's XYZ Euler. w, x, y, z."""
    (cx, sx), (cy, sy), (cz, sz) = ((math.cos(half), math.sin(half)) for half in (math.radians(d) / 2 for d in degrees))
    return (
        cx * cy * cz + sx * sy * sz,
        sx * cy * cz - cx * sy * sz,
        cx * sy * cz + sx * cy * sz,
        cx * cy * sz - sx * sy * cz,
    )


def _share(value: object) -> float:
    number = _number(value)
    if not 0 <= number <= 1:
        raise ValueError(f"{value!r} is not between 0 and 1")
    return number


def _falloff(value: object) -> tuple[float, float]:
    before, after = _numbers(value, 2) if is_list(value) else (_number(value),) * 2
    if not all(FALLOFF[0] <= length <= FALLOFF[1] for length in (before, after)):
        raise ValueError(f"{value!r} is not between {FALLOFF[0]:g} and {FALLOFF[1]:g}")
    return before, after


READERS: Final[Mapping[str, Callable[[object], Any]]] = {
    "clip": _text,
    "person": _index,
    "frames": _frames,
    "joint": _joint,
    "offset": _offset,
    "to": _place,
    "turn": _turn,
    "stretch": _share,
    "strength": _share,
    "falloff": _falloff,
}
"""How the value of each key is read; raises ValueError with what is wrong."""


def _numbers(value: object, *sizes: int) -> tuple[float, ...]:
    if not is_list(value) or len(value) not in sizes:  # type: ignore[arg-type]
        raise ValueError(f"{value!r} is no list of {' or '.join(map(str, sizes))} numbers")
    return tuple(_number(one) for one in value)  # type: ignore[attr-defined]


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{value!r} is no number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is not finite")
    return number


def is_list(value: object) -> bool:
    """Whether it is one, as JSON has them."""
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def nearest(name: str, known: Iterable[str]) -> str:
    """A question whether something known was meant, for a hint; empty where nothing is alike."""
    near = difflib.get_close_matches(name, list(known), 1)
    return f"Did you mean {near[0]}? " if near else ""
