"""What the fit makes small: how far a posed clip is from what was lifted and seen, and how restless it is.

`FitCost.plain` says it in torch. The fit takes it from `fit_kernel.py`, which gives the same value and gradient in one
pass over the frames: on a few hundred of them torch spends its time between the operations, not in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from .footing import Footing
from .skeletons import JOINTS, LANDMARKS
from .standing import SOLES

ENDS: Final = tuple(JOINTS.index(name) for name in ("head", "left_wrist", "right_wrist", "left_ankle", "right_ankle"))
"""No bone holds head, hands and feet: what turns their parents must not turn them along."""

FACE_AND_HANDS: Final = 0.25
"""What their landmarks say of the body: they are many, close together and often guessed."""

NEAR, FAR = 0.01, 0.05
"""Metres, at the pelvis' depth, up to which the square of a detection's distance counts, then the distance itself, then
its logarithm: what is that far off was detected wrong, and must not pull the harder for it."""

MEETS: Final = 5.0
"""Weight of the detections beside the lifted joints. Between 4 and 5 the fitted joints of rendered clips err least; on
footage, whose detections are better, more would still meet the picture better."""

SAYS: Final = torch.tensor([FACE_AND_HANDS if k <= 10 or 17 <= k <= 22 else 1.0 for k in range(len(LANDMARKS))])
"""(33,) what each landmark says of the body."""


@dataclass(frozen=True)
class FitSettings:
    """Weights of the fit."""

    iterations: int = 80
    """Steps of Adam; 0 only makes the bone lengths constant."""
    joints: float = 1.0
    """Pull towards the lifted joints, over their expected errors."""
    reprojection: float = 1.0
    """Pull of the 2D landmarks."""
    rotation: float = 0.3
    """Pull towards the lifter's rotations."""
    smoothness: float = 1.0
    """Against acceleration."""
    contact: float = 20.0
    """Against motion of feet that stand in the picture."""
    floor: float = 2.0
    """Pull of standing feet to the floor, and of feet under the floor out of it."""


@dataclass(frozen=True, eq=False)
class FitCost:
    """The cost of F frames as a function of their pose. Camera frame, metres, float32."""

    place: Tensor
    """(F, 3) the lifted pelvis."""
    relative: Tensor
    """(F, 24, 3) the lifted joints, from the pelvis."""
    weight: Tensor
    """(F, 24) what a metre of each costs."""
    ends: Tensor
    """(F, 5, 3, 3) the global rotations that `ENDS` should keep."""
    seen: Tensor
    """(F, 33, 2) the 2D detections, camera-normalised."""
    trust: Tensor
    """(F, 33) weight of each."""
    stands: Tensor
    """(F - 1, 4) how surely each of `standing.SOLES` stands still from one frame to the next."""
    fps: float
    """Frames per second."""
    settings: FitSettings
    """Weights."""
    footing: Footing | None
    """The floor, where it is known."""

    @property
    def depth(self) -> Tensor:
        """(F,) metres; what moves the pelvis is in units of it, sideways and along the ray alike."""
        return self.place[:, 2].clamp_min(0.3)

    def root(self, shift: Tensor) -> Tensor:
        """Where the pelvis is. Shape: (F, 3) depths → (F, 3)."""
        return self.place + shift * self.depth[:, None]

    def plain(self, places: Tensor, rotations: Tensor, turn: Tensor, shift: Tensor) -> Tensor:
        """The cost, in torch: the readable twin of `fit_kernel.cost_of`.

        Args:
            places: (F, 24 + 33, 3) joints and landmarks, from the pelvis.
            rotations: (F, 24, 3, 3) global.
            turn: (F, 24, 3) radians that the local rotations are turned by.
            shift: (F, 3) depths that the pelvis is moved by.
        """
        settings, root = self.settings, self.root(shift)
        joints, landmarks = places[:, :24], places[:, 24:] + root[:, None]
        data = ((joints - self.relative).norm(dim=-1) * self.weight).mean()
        pixels = landmarks[..., :2] / landmarks[..., 2:].clamp_min(0.1) - self.seen
        off = (pixels * self.depth[:, None, None]).norm(dim=-1)
        near = F.smooth_l1_loss(off, torch.zeros_like(off), reduction="none", beta=NEAR)
        far = FAR - NEAR / 2 + FAR * (off.clamp_min(FAR) / FAR).log()
        reprojection = torch.where(off < FAR, near, far) * self.trust
        drift = (shift[:, 2] * self.depth).square().mean()
        ends = (rotations[:, list(ENDS)] - self.ends).square().sum((-1, -2)).mean()
        cost: Tensor = settings.joints * data + MEETS * settings.reprojection * reprojection.mean() + 0.05 * drift
        cost = cost + settings.rotation * (0.1 * turn.square().sum(-1).mean() + 0.2 * ends)
        if len(places) > 2:
            bend = (joints + root[:, None]).diff(n=2, dim=0) * (self.fps / 30.0) ** 2  # weighed as at 30 frames/s
            aside, deep = bend[..., :2].norm(dim=-1).mean(), bend[..., 2].abs().mean()
            slide = landmarks[:, list(SOLES)].diff(dim=0).norm(dim=-1) * (self.fps / 30.0)
            cost = cost + settings.smoothness * (2.0 * aside + deep) + settings.contact * (slide * self.stands).mean()
        if self.footing is not None:
            cost = cost + settings.floor * self.footing.cost(landmarks[:, list(SOLES)])
        return cost
