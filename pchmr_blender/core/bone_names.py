# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bone's name says: its side and the part of the body, in the conventions that programs and studios use.

mixamorig:LeftUpLeg   upperarm_l   lForeArm   CC_Base_R_Calf   Bip01 L Thigh   thigh.L.001   J_Bip_L_UpperArm   左ひじ
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

_SYNONYMS: Final[Mapping[str, str]] = {
    word: part
    for part, words in {
        "root": "root reference trajectory",
        "pelvis": "pelvis hips 下半身",
        "head": "head skull 頭",
        "neck": "neck 首",
        "clavicle": "clavicle collar collarbone clav scapula 肩",
        "upper_arm": "upperarm uparm armupper humerus shldr shlder 腕",
        "forearm": "forearm lowerarm lowarm armlower elbow ひじ",
        "hand": "hand wrist 手首",
        "thigh": "thigh upperleg upleg legupper femur 足",
        "shin": "shin calf lowerleg lowleg leglower knee tibia shank ひざ",
        "foot": "foot ankle 足首",
        "toe": "toe toes toebase ball つま先",
        "?shoulder": "shoulder",
        "?arm": "arm",
        "?leg": "leg",
        "?hip": "hip",
    }.items()
    for word in words.split()
}
"""Words → parts. What begins with ? depends on what else there is: a shoulder is a clavicle or an upper arm."""

_SIDES: Final[Mapping[str, str]] = {
    "l": "left", "left": "left", "lf": "left", "lft": "left", "左": "left",
    "r": "right", "right": "right", "rt": "right", "rgt": "right", "右": "right",
}  # fmt: skip
_NOISE: Final = frozenset({
    "jnt", "joint", "jt", "bone", "bind", "bnd", "def", "deform", "skin", "ctrl", "ctl", "control", "con", "fk", "x",
    "c", "m", "mid", "center", "centre", "bend", "stretch", "grp",
})  # fmt: skip
"""Words that say nothing about the part."""
_HELPERS: Final = frozenset({
    "ik", "pole", "target", "mch", "org", "tweak", "vis", "wgt", "twist", "roll", "helper", "dummy", "prop", "socket",
    "weapon", "attach", "end", "nub", "tip", "eff", "effector", "parent", "share", "corrective", "muscle", "swing",
    "mirror", "camera",
})  # fmt: skip
"""A bone with one of these words is not of the chain itself."""
_WORD: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[左右]|[^\W\d_A-Za-z左右]+")


def part_of(name: str) -> tuple[str, str]:
    """Side (left, right, or empty) and part of a bone; the part is empty where the name says none.

    Parts are those of roles, less their sides, `spine` not among them, and `?shoulder`, `?arm`, `?leg` and `?hip`,
    whose meaning depends on other names.
    """
    words = [word.lower() for word in _WORD.findall(re.split(r"[:|]", name)[-1])]
    if _HELPERS & set(words):
        return "", ""
    sides = [_SIDES[word] for word in words if word in _SIDES]
    words = [word for word in words if word not in _SIDES and word not in _NOISE]
    for first in range(len(words)):
        part = _SYNONYMS.get("".join(words[first:]))
        if part is not None:
            return (sides[-1] if sides else ""), part
    return _glued(words[-1]) if words and not sides else ("", "")


def is_helper(name: str) -> bool:
    """Whether a name says that the bone is none of the body's own: a twist, an IK target, a chain's end."""
    return bool(_HELPERS & {word.lower() for word in _WORD.findall(re.split(r"[:|]", name)[-1])})


def plain(names: Iterable[str]) -> dict[str, str]:
    """Names without the namespace that they share, in lower case → names.

    A namespace ends in a colon or bar, or is what nine in ten names begin with, up to a separator.
    """
    listed = list(names)
    bare = {name: re.split(r"[:|]", name)[-1] for name in listed}
    begun: dict[str, int] = {}
    for name in bare.values():
        for match in re.finditer(r"[ _.\-]", name):
            begun[name[: match.end()]] = begun.get(name[: match.end()], 0) + 1
    shared = max(
        (start for start, count in begun.items() if count > 3 and count >= 0.9 * len(bare)), key=len, default=""
    )
    return {bare[name].removeprefix(shared).lower(): name for name in reversed(listed)}


def _glued(word: str) -> tuple[str, str]:
    """A side that is written together with the part: lthigh, armright."""
    for mark, side in _SIDES.items():
        for rest in (word.removeprefix(mark), word.removesuffix(mark)):
            if rest != word and rest in _SYNONYMS:
                return side, _SYNONYMS[rest]
    return "", ""
