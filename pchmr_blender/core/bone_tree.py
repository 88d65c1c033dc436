# SPDX-License-Identifier: GPL-3.0-or-later
"""An armature's bones as a tree: who is above and below whom, and where chains part."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

import numpy as np

from .bone_map import Bone


class BoneTree:
    """Bones by name. Names are unique in an armature."""

    def __init__(self, bones: tuple[Bone, ...]) -> None:
        self.bones = {bone.name: bone for bone in bones}
        self.parent = {bone.name: bone.parent if bone.parent in self.bones else "" for bone in bones}
        self.children: dict[str, list[str]] = {name: [] for name in self.bones}
        for name, parent in self.parent.items():
            if parent:
                self.children[parent].append(name)

    @cached_property
    def top_down(self) -> list[str]:
        """All names, parents before children, siblings as they were given."""
        order = [name for name, parent in self.parent.items() if not parent]
        for name in order:
            order.extend(self.children[name])
        return order

    def above(self, name: str) -> list[str]:
        """The bone's parent, its parent, and so on."""
        found, at = [], self.parent.get(name, "")
        while at:
            found.append(at)
            at = self.parent[at]
        return found

    def below(self, name: str) -> list[str]:
        """Everything that hangs on a bone, itself not among it."""
        found = list(self.children[name])
        for child in found:
            found.extend(self.children[child])
        return found

    def common(self, names: Iterable[str]) -> str:
        """The lowest bone that carries, or is, all of these; empty where there is none, or a name is."""
        ways = [[name, *self.above(name)] if name else [] for name in names]
        return next((name for name in (ways[0] if ways else ()) if all(name in way for way in ways)), "")

    def reach(self, name: str) -> float:
        """How far the heads of what hangs on a bone go from its own; of a bone at an end, its length."""
        head = self.bones[name].head
        ends = [self.bones[one].head for one in self.below(name)] or [self.bones[name].tail]
        return float(max(np.linalg.norm(end - head) for end in ends))

    def at_parent(self, name: str) -> bool:
        """Whether a bone starts where its parent does."""
        parent = self.parent[name]
        return bool(parent) and np.allclose(self.bones[name].head, self.bones[parent].head, atol=1e-6)

    def chain(self, name: str) -> list[str]:
        """From a bone on, the child that reaches farthest at each parting."""
        found = [name]
        while self.children[found[-1]]:
            head = self.bones[found[-1]].head
            found.append(
                max(
                    self.children[found[-1]],
                    key=lambda child: float(np.linalg.norm(self.bones[child].head - head)) + self.reach(child),
                )
            )
        return found
