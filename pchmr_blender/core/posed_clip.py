# SPDX-License-Identifier: GPL-3.0-or-later
"""A clip's meshes beside what its skeleton makes of the rest pose, read in batches: memory stays flat in its length."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .inverse_skinning import Skin, pose_points, unpose, unpose_exactly

NEGLIGIBLE: Final = 0.3
"""Of the tolerance: what damping may leave."""

_BATCH: Final = 16


@dataclass(frozen=True, eq=False)
class Batch:
    """Some frames."""

    skin: Skin
    """Its rest pose is (3, N), or (n, 3, N) where each frame has its own."""
    blends: NDArray[np.float32]
    """(n, 3, 4, N) of `Skin.blends`."""
    target: NDArray[np.float32]
    """(n, 3, N) the take's vertices: metres, world."""

    def offsets(self) -> NDArray[np.float32]:
        """What the rest pose lacks, but for vertices whose joint is turned inside out: metres, rest frame.

        Shape: (n, 3N), x of all vertices, then y, then z.
        """
        return unpose(self.blends, self.skin.rest, self.target).reshape(len(self.target), -1)

    def exact_offsets(self, tolerance: float) -> NDArray[np.float32]:
        """The same with those vertices, wherever `offsets` leaves more than a part of the tolerance (metres)."""
        offsets = self.offsets()
        far = (self.distances(offsets) > NEGLIGIBLE * tolerance).any(0)
        exact = unpose_exactly(self.blends[..., far], self.skin.rest[..., far], self.target[..., far])
        offsets.reshape(self.target.shape)[..., far] = exact
        return offsets

    def distances(self, offsets: NDArray[np.float32]) -> NDArray[np.float32]:
        """How far each vertex is off, metres, with these offsets and posed. Shape: (n, 3N) → (n, N)."""
        off = pose_points(self.blends, self.skin.rest + offsets.reshape(self.target.shape)) - self.target
        return np.asarray(np.sqrt(np.einsum("fkn,fkn->fn", off, off)))


@dataclass(frozen=True, eq=False)
class PosedClip:
    """All frames."""

    vertices: Callable[[int, int], NDArray[np.float32]]
    """Rows [start, stop) of the take's mesh. Shape: (stop - start, N, 3), metres, world."""
    skin: Skin
    transforms: NDArray[np.float32]
    """(F, 24, 3, 4) `deform_transforms` of the same frames."""
    rests: NDArray[np.float32] | None = None
    """(F, 3, N) each frame's own rest pose, metres; None: the skin's for all."""

    @property
    def frames(self) -> int:
        """F"""
        return len(self.transforms)

    @property
    def vertex_count(self) -> int:
        """N"""
        return int(self.skin.rest.shape[1])

    def batches(self) -> Iterator[tuple[slice, Batch]]:
        """All frames in order, and which they are."""
        for start in range(0, self.frames, _BATCH):
            stop = min(start + _BATCH, self.frames)
            yield slice(start, stop), self.read(start, stop)

    def read(self, start: int, stop: int) -> Batch:
        """Frames [start, stop)."""
        target = np.ascontiguousarray(self.vertices(start, stop).transpose(0, 2, 1), np.float32)
        skin = self.skin if self.rests is None else Skin(self.rests[start:stop], self.skin.weights)
        return Batch(skin, self.skin.blends(self.transforms[start:stop]), target)
