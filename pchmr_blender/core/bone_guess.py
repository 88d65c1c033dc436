# SPDX-License-Identifier: GPL-3.0-or-later
"""Guessing which bone of an armature does what: by names, and where these say too little, by the rest pose's shape.

Names give limbs and head. Spine and neck are what lies between: names differ too much there, and hierarchies do not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ...inference_backend.errors import BadArgument
from .bone_map import ARM, LEG, NECK, REQUIRED, SIDES, SPINE, Bone, BoneMap
from .bone_names import is_helper, part_of
from .bone_shape import limbs_by_shape
from .bone_tree import BoneTree


def guess(bones: Iterable[Bone]) -> BoneMap:
    """The likeliest map.

    Raises:
        BadArgument: neither by names nor by shape has the armature two legs below a pelvis.
    """
    tree = BoneTree(tuple(bones))
    found = _limbs_by_name(tree)
    if not all(f"{side}_{part}" in found for side in SIDES for part in ("thigh", "shin")):
        found = limbs_by_shape(tree)
    roles = {**found, **_trunk(tree, found)}
    if not all(role in roles for role in REQUIRED):
        raise BadArgument(
            "no pelvis with two legs was found in the armature",
            hint="Choose another armature, or choose its bones in the list by hand.",
            bones=len(tree.bones),
        )
    return BoneMap(roles)


def _limbs_by_name(tree: BoneTree) -> dict[str, str]:
    """Head, pelvis and limbs, as far as names say them and the hierarchy agrees."""
    named: dict[str, dict[str, list[str]]] = {"": {}, "left": {}, "right": {}}
    for name in tree.top_down:
        side, part = part_of(name)
        if part:
            named[side].setdefault(part, []).append(name)
    found: dict[str, str] = {}
    for side in SIDES:
        chosen = _settled(named[side])
        for limb in (ARM, LEG):
            for role, bone in _in_line(tree, [(part, chosen.get(part, ())) for part in limb]).items():
                found[f"{side}_{role}"] = bone
    for part in ("head", "pelvis", "root"):
        names = named[""].get(part) or (named[""].get("?hip") if part == "pelvis" else None)
        if names:
            found[part] = names[0]
    return found


def _settled(named: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """One side's names by part, the ambiguous ones decided by what else there is."""
    parts = {part: names for part, names in named.items() if not part.startswith("?")}
    arm, shoulder, leg, hip = (named.get(f"?{word}", ()) for word in ("arm", "shoulder", "leg", "hip"))
    if arm:
        parts.setdefault("forearm" if "upper_arm" in parts else "upper_arm", arm)
    if shoulder:
        parts.setdefault("clavicle" if "upper_arm" in parts else "upper_arm", shoulder)
    if leg:
        parts.setdefault("thigh" if "shin" in parts and not hip else "shin", leg)
    if hip:
        parts.setdefault("thigh", hip)
    return parts


def _in_line(tree: BoneTree, wanted: Sequence[tuple[str, Sequence[str]]]) -> dict[str, str]:
    """For each part the topmost bone below the part before it."""
    found: dict[str, str] = {}
    above = ""
    for part, names in wanted:
        fitting = [name for name in names if not above or above in tree.above(name)]
        # Some makes begin a leg with a bone of no length: LHipJoint, then LeftHip.
        apart = [name for name in fitting if not tree.at_parent(name)]
        if fitting:
            found[part] = above = (apart or fitting)[0]
    return found


def _trunk(tree: BoneTree, limbs: Mapping[str, str]) -> dict[str, str]:
    """Root, pelvis, spine, neck and head around the limbs."""
    thighs = [limbs[f"{side}_thigh"] for side in SIDES if f"{side}_thigh" in limbs]
    arms = [_first(limbs, side, ARM) for side in SIDES]
    arms = [arm for arm in arms if arm]
    if len(thighs) < 2:
        return {}
    upper = [*(tree.parent[arm] for arm in arms), *([limbs["head"]] if "head" in limbs else [])]
    meeting = tree.common([*(tree.parent[thigh] for thigh in thighs), *upper])
    if not meeting:
        return {}
    named = limbs.get("pelvis", "")
    # The pelvis must carry both legs and the trunk: a bone of that name that does not is only their hips' helper.
    pelvis = named if named and named in (meeting, *tree.above(meeting)) else meeting
    chest = tree.common([tree.parent[arm] for arm in arms]) if len(arms) == 2 else ""
    head = limbs.get("head", "") or _unnamed_head(tree, chest, {*limbs.values()})
    found = {"pelvis": pelvis}
    spine, neck = _between(tree, pelvis, chest, head)
    found |= dict(zip(SPINE, _thinned(spine, len(SPINE)), strict=False))
    found |= dict(zip(NECK, _thinned(neck, len(NECK)), strict=False))
    if head:
        found["head"] = head
    top = next(iter(reversed(tree.above(pelvis))), "")
    if top and not is_helper(top):
        found["root"] = top
    return found


def _first(limbs: Mapping[str, str], side: str, limb: Sequence[str]) -> str:
    return next((limbs[f"{side}_{part}"] for part in limb if f"{side}_{part}" in limbs), "")


def _between(tree: BoneTree, pelvis: str, chest: str, head: str) -> tuple[list[str], list[str]]:
    """Bones of the spine, up to the one that has the arms, and of the neck."""
    way = [name for name in reversed([head, *tree.above(head)]) if pelvis in tree.above(name)] if head else []
    if not way and chest:
        way = [name for name in reversed([chest, *tree.above(chest)]) if pelvis in tree.above(name)]
    way = [name for name in way if name != head and not is_helper(name)]
    in_neck = [index for index, name in enumerate(way) if part_of(name)[1] == "neck"]
    if chest in way:
        split = way.index(chest) + 1
    elif in_neck:
        split = in_neck[0]
    else:
        split = len(way)
    return way[:split], way[split:]


def _unnamed_head(tree: BoneTree, chest: str, limbs: set[str]) -> str:
    """The end of the chain that goes on from the chest between the arms; empty where there is none."""
    at = chest
    while at:
        onward = [
            child for child in tree.children[at] if not is_helper(child) and not {child, *tree.below(child)} & limbs
        ]
        middle = [child for child in onward if not part_of(child)[0]]
        if not middle or (at != chest and len(onward) > 1):  # a face begins here
            break
        at = max(middle, key=lambda name: tree.reach(name))
    return at if at != chest else ""


def _thinned(names: Sequence[str], most: int) -> list[str]:
    """At most so many of a chain, first and last among them."""
    if len(names) <= most:
        return list(names)
    return [names[index] for index in np.linspace(0, len(names) - 1, most).round().astype(int)]
