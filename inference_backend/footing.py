"""What one person stands on, and how far their feet are from where they should be beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import torch.nn.functional as F
from torch import Tensor

SINKING: Final = 0.3
"""Weight of feet under the floor, beside that of resting feet off it: enough against sinking steps, and little where
the floor is wrong."""

FLAT: Final = 1.0
"""Weight of feet of which heel and toes rest, but not on one level."""

TIPTOE: Final = 0.08
"""Metres between them from which that is meant: somebody stands on their toes."""


@dataclass(frozen=True, eq=False)
class Footing:
    """What is under a person's feet: the floor, or what else they rest on. Camera frame, metres, float32."""

    up: Tensor
    """(3,) unit length."""
    level: Tensor
    """(F,) its height along `up`; negative where the camera is above it."""
    clearance: Tensor
    """(4,) how high each of `standing.SOLES` is above what the foot rests on."""
    held: Tensor
    """(F, 4) how surely each of `standing.SOLES` rests on it, 0 to 1."""
    over: Tensor
    """(F,) how surely the feet are not under it, 0 to 1."""

    def part(self, start: int, stop: int) -> Footing:
        """Some of the frames."""
        return replace(self, level=self.level[start:stop], held=self.held[start:stop], over=self.over[start:stop])

    def cost(self, soles: Tensor) -> Tensor:
        """Metres that resting feet are off it, and any foot is under it, weighted: the mean over all frames.

        Shape: where each of `standing.SOLES` is seen (F, 4, 3) → ().
        """
        above = soles @ self.up - self.level[:, None] - self.clearance
        # Of a foot that rests on its heel or its toes, only the lower end is down.
        lower, held = (t.view(-1, 2, 2) for t in (above, self.held))
        floats: Tensor = (lower.amin(1).abs() * held.amax(1)).mean()
        sinks: Tensor = (F.relu(-above).amax(1) * self.over).mean()
        heel, toe = lower.unbind(1)
        tilt = (heel - toe).abs()
        flat: Tensor = (tilt * held.amin(1) * (tilt < TIPTOE)).mean()
        return floats + SINKING * sinks + FLAT * flat
