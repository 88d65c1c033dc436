# SPDX-License-Identifier: GPL-3.0-or-later
"""Limbs found by the shape of the rest pose, for armatures whose names say nothing: Bone.001, joint7.

A body is mirrored: limbs are pairs of chains that hang on the same bone. The two longest pairs are arms and legs; the
legs are the pair whose carrier carries the other's. Left is where the feet's points say that it is.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .bone_map import ARM, LEG
from .bone_tree import BoneTree

Array = NDArray[np.float64]

_NEAR: Final = 0.04
"""How far mirrored bones may be off, as a share of the armature's size."""


def limbs_by_shape(tree: BoneTree) -> dict[str, str]:
    """Roles of arms and legs; empty where the armature has no two pairs of limbs, or not even one."""
    pairs = _pairs(tree)
    if not pairs:
        return {}
    legs, arms = (pairs[0], pairs[1] if len(pairs) > 1 else None)
    if arms is not None and tree.parent[arms[0]] in tree.above(tree.parent[legs[0]]):
        legs, arms = arms, legs
    across = tree.bones[legs[0]].head - tree.bones[legs[1]].head
    if np.linalg.norm(across) == 0:
        return {}
    leg_chains = [_main_bones(tree, name, LEG) for name in legs]
    arm_chains = [_main_bones(tree, name, ARM) for name in arms] if arms is not None else [{}, {}]
    if any("shin" not in chain for chain in leg_chains):
        return {}
    first_is_left = float(np.dot(np.cross(_front(tree, leg_chains), across), _down(tree, leg_chains))) < 0
    sides = ("left", "right") if first_is_left else ("right", "left")
    if arms is not None and float(np.dot(tree.bones[arms[0]].head - tree.bones[arms[1]].head, across)) < 0:
        arm_chains.reverse()
    return {
        f"{side}_{part}": name
        for side, *chains in zip(sides, leg_chains, arm_chains, strict=True)
        for chain in chains
        for part, name in chain.items()
    }


def _pairs(tree: BoneTree) -> list[tuple[str, str]]:
    """Pairs of long mirrored chains, the longest first, none within another."""
    heads = np.array([bone.head for bone in tree.bones.values()]).reshape(-1, 3)
    size = float((heads.max(0) - heads.min(0)).max()) if len(heads) else 0.0
    found: list[tuple[float, str, str]] = []
    for children in tree.children.values():
        for index, one in enumerate(children):
            for other in children[index + 1 :]:
                length = [_length(tree, name) for name in (one, other)]
                if min(length) > 0.15 * size and _mirrored(tree, one, other, _NEAR * size):
                    found.append((min(length), one, other))
    found.sort(key=lambda pair: -pair[0])
    kept: list[tuple[str, str]] = []
    for _, one, other in found:
        if not any({one, other} & {*pair, *tree.below(pair[0]), *tree.below(pair[1])} for pair in kept):
            kept.append((one, other))
    return kept[:2]


def _length(tree: BoneTree, name: str) -> float:
    """Of the chain that begins with a bone."""
    heads = [tree.bones[one].head for one in tree.chain(name)]
    return float(sum(np.linalg.norm(after - before) for before, after in pairwise(heads)))


def _mirrored(tree: BoneTree, one: str, other: str, near: float) -> bool:
    """Whether two chains are each other's picture in a plane."""
    a, b = ([tree.bones[name].head for name in tree.chain(start)] for start in (one, other))
    if len(a) != len(b) or len(a) < 3:
        return False
    left, right = np.array(a), np.array(b)
    across = (left - right).sum(0)
    if np.linalg.norm(across) < near:
        return False
    across /= np.linalg.norm(across)
    middle = (left + right).mean(0) / 2
    pictured = right - 2 * ((right - middle) @ across)[:, None] * across
    return float(np.linalg.norm(pictured - left, axis=-1).max()) < near


def _main_bones(tree: BoneTree, start: str, parts: tuple[str, ...]) -> dict[str, str]:
    """A limb's parts: its two longest neighbouring bones, what comes before them and after them."""
    arm = parts is ARM
    chain = tree.chain(start)
    heads = np.array([tree.bones[name].head for name in chain])
    lengths = np.linalg.norm(np.diff(heads, axis=0), axis=-1)
    # Where fingers begin, the limb is at its end; feet part into heel and toes, and go on.
    forks = [index for index, name in enumerate(chain) if len(tree.children[name]) > 2] if arm else []
    usable = lengths[: forks[0]] if forks and forks[0] >= 2 else lengths
    if len(usable) < 2:
        return {}
    long = int(np.argmax(usable[:-1] + usable[1:]))
    names = dict(zip(parts[1:] if arm else parts, chain[long:], strict=False))
    if arm and long > 0:
        names["clavicle"] = chain[long - 1]
    return names


def _front(tree: BoneTree, legs: list[dict[str, str]]) -> Array:
    """Where the feet point; else where the knees are bent to."""
    front = np.zeros(3)
    for leg in legs:
        thigh, shin = (tree.bones[leg[part]].head for part in ("thigh", "shin"))
        if "foot" not in leg:
            continue
        foot = tree.bones[leg["foot"]]
        point = tree.bones[leg["toe"]].head if "toe" in leg else foot.tail
        down = (foot.head - thigh) / np.linalg.norm(foot.head - thigh)
        ahead = point - foot.head
        front += ahead - (ahead @ down) * down
        if "toe" not in leg:
            knee = shin - thigh
            front += 0.1 * (knee - (knee @ down) * down)
    return front


def _down(tree: BoneTree, legs: list[dict[str, str]]) -> Array:
    ends = [tree.bones[leg["shin"]].head - tree.bones[leg["thigh"]].head for leg in legs]
    return np.asarray(np.sum(ends, 0))
