"""What one person stands on, and how far their feet are from where they should be beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from .virtual_camera import moving_average

SINKING: Final = 0.3
"""Weight of feet under the floor, beside that of resting feet off it: enough against sinking steps, and little where
the floor is wrong."""

FLAT: Final = 1.0
"""Weight of feet of which heel and toes rest, but not on one level."""

TIPTOE, LASTING_TIPTOE = 0.08, 0.2
"""Metres between them from which that is meant: somebody stands on their toes; and where the foot stands for long.
Nobody holds still on their toes, but heels that were detected too high, as of those seen from behind, stay there."""

LASTING_SECONDS, LASTING_SHARE = 2.0, 0.6
"""A foot stands for long where it has at least this share of so many seconds about a frame."""
BESIDE_SECONDS: Final = 0.5
"""And as long before and after: what stands there still or already is held at one place with the rest."""


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
    tiptoe: Tensor
    """(F, 2) metres between heel and toe tip of each foot from which it is meant to stand on its toes."""

    def part(self, start: int, stop: int) -> Footing:
        """Some of the frames."""
        cut = {name: getattr(self, name)[start:stop] for name in ("level", "held", "over", "tiptoe")}
        return replace(self, **cut)

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
        flat: Tensor = (tilt * held.amin(1) * (tilt < self.tiptoe)).mean()
        return floats + SINKING * sinks + FLAT * flat


def tiptoes(held: Tensor, fps: float) -> Tensor:
    """`Footing.tiptoe` of feet whose soles rest so surely. Shape: (F, 4) → (F, 2) metres."""
    stands = held.view(-1, 2, 2).amin(1)
    about = 2 * round(LASTING_SECONDS * fps / 2) + 1
    share = moving_average(stands[None], about)[0]
    beside = round(BESIDE_SECONDS * fps)
    share = F.max_pool1d(share.T[None], 2 * beside + 1, stride=1, padding=beside)[0].T
    return torch.where(share < LASTING_SHARE, TIPTOE, LASTING_TIPTOE)
