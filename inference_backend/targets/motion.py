"""A skeleton in motion: where the root is and how each joint is turned. Bone lengths hold by construction.

World frame: Blender's (metres, z up, floor at z = 0). Rest frame: T-pose, y up, facing +z, the body's left at +x.
Numpy only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..skeletons import JOINTS, PARENTS
from . import quaternions

Array = NDArray[np.float64]

LEVELS: Final = ((1, 2, 3), (4, 5, 6), (7, 8, 9), (10, 11, 12, 13, 14), (15, 16, 17), (18, 19), (20, 21), (22, 23))
"""The joints by their distance from the pelvis: those of one level are posed at once."""

_ABOVE: Final = tuple(tuple(PARENTS[joint] for joint in level) for level in LEVELS)


@dataclass(frozen=True, eq=False)
class SkeletonMotion:
    """F frames of the 24 joints. float64; other shapes raise ValueError. Nothing of it is ever changed: what follows
    from it is found once."""

    root: Array
    """(F, 3) the pelvis, metres, world."""
    rotations: Array
    """(F, 24, 4) unit quaternions w, x, y, z relative to the parent joint; the pelvis': rest frame → world."""
    rest_joints: Array
    """(24, 3) metres, rest frame."""

    def __post_init__(self) -> None:
        frames, joints = len(self.root), len(JOINTS)
        wanted = {"root": (frames, 3), "rotations": (frames, joints, 4), "rest_joints": (joints, 3)}
        for name, shape in wanted.items():
            array = np.asarray(getattr(self, name), np.float64)
            if array.shape != shape:
                raise ValueError(f"{name}: found {array.shape}, want {shape}")
            object.__setattr__(self, name, array)

    def __len__(self) -> int:
        return len(self.root)

    def globals(self) -> Array:
        """How each joint is turned; read-only. Shape: (F, 24, 3, 3), rest frame → world."""
        return self._globals

    def joints(self) -> Array:
        """Forward kinematics; read-only. Shape: (F, 24, 3) metres, world."""
        return self._joints

    @cached_property
    def _globals(self) -> Array:
        local = quaternions.to_matrix(self.rotations)
        turned = local.copy()
        for level, above in zip(LEVELS, _ABOVE, strict=True):
            turned[:, level] = turned[:, above] @ local[:, level]
        turned.setflags(write=False)
        return turned

    @cached_property
    def _joints(self) -> Array:
        turned, places = self._globals, np.empty((len(self), len(JOINTS), 3))
        places[:, 0] = self.root
        for level, above in zip(LEVELS, _ABOVE, strict=True):
            bones = self.rest_joints[list(level)] - self.rest_joints[list(above)]
            places[:, level] = places[:, above] + (turned[:, above] @ bones[..., None])[..., 0]
        places.setflags(write=False)
        return places

    def rows(self, start: int, stop: int) -> SkeletonMotion:
        """The frames [start, stop)."""
        return SkeletonMotion(self.root[start:stop], self.rotations[start:stop], self.rest_joints)

    def changed(self, *, root: Array | None = None, rotations: Array | None = None) -> SkeletonMotion:
        """With another path or other rotations."""
        return replace(
            self,
            root=self.root if root is None else root,
            rotations=self.rotations if rotations is None else rotations,
        )

    def blended(self, other: SkeletonMotion, share: float) -> SkeletonMotion:
        """From this motion (share 0) to another on the same bones (share 1), along the shortest turns."""
        if share == 0:
            return self
        if share == 1:
            return other
        shares = np.full(self.rotations.shape[:2], share)
        return self.changed(
            root=self.root + share * (other.root - self.root),
            rotations=quaternions.between(self.rotations, other.rotations, shares),
        )

    @classmethod
    def from_camera(cls, root: ArrayLike, pose: ArrayLike, rest_joints: ArrayLike, world: ArrayLike) -> SkeletonMotion:
        """A pose as the take keeps it.

        Args:
            root: (F, 3) metres, camera frame: the pelvis.
            pose: (F, 24, 3) axis-angle relative to the parent joint; the pelvis': rest frame → camera frame.
            rest_joints: (24, 3) metres, rest frame.
            world: (4, 4) rigid, camera frame → Blender's world.
        """
        matrix = _rigid(world)
        rotations = quaternions.from_vector(pose)
        rotations[:, 0] = quaternions.product(quaternions.from_matrix(matrix[:3, :3]), rotations[:, 0])
        moved = np.asarray(root, np.float64) @ matrix[:3, :3].T + matrix[:3, 3]
        return cls(moved, rotations, np.asarray(rest_joints, np.float64))

    def to_camera(self, world: ArrayLike) -> tuple[Array, Array]:
        """The inverse of `from_camera`. Shape: world (4, 4) → root (F, 3), pose (F, 24, 3) axis-angle."""
        matrix = _rigid(world)
        rotations = self.rotations.copy()
        back = quaternions.conjugate(quaternions.from_matrix(matrix[:3, :3]))
        rotations[:, 0] = quaternions.product(back, rotations[:, 0])
        return (self.root - matrix[:3, 3]) @ matrix[:3, :3], quaternions.to_vector(rotations)


def local_quaternions(turned: ArrayLike) -> Array:
    """Rotations relative to the parents, of global ones. Shape: (F, 24, 3, 3) → (F, 24, 4)."""
    turned = np.asarray(turned, np.float64)
    local = turned.copy()
    local[:, 1:] = np.swapaxes(turned[:, PARENTS[1:]], -1, -2) @ turned[:, 1:]
    return quaternions.from_matrix(local)


def _rigid(world: ArrayLike) -> Array:
    matrix = np.asarray(world, np.float64)
    if matrix.shape != (4, 4):
        raise ValueError(f"world: found {matrix.shape}, want (4, 4)")
    return matrix
