"""Which feet stand, from the picture alone: what rests in a still camera's picture rests in the world.

The lifter's depth of a standing leg wavers by centimetres a second, while its picture does not move. The fit holds
such feet still (`fit.py`).
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from .skeletons import LANDMARKS
from .virtual_camera import body_size, moving_average

SOLES: Final = tuple(LANDMARKS.index(f"{side}_{part}") for part in ("heel", "foot_index") for side in ("left", "right"))
"""Heels, then toe tips, left before right."""

STILL, MOVING = 0.05, 0.12
"""Statures a second in the picture: slower points stand, faster ones move. BlazePose's noise alone makes 0.02."""

HERE, AWAY = 0.005, 0.01
"""Statures in the picture from where a point stands up to which it stands there already, or still, and from which on it
does not."""

_REACH: Final = 0.1
"""Seconds before and after a frame over which a point's motion is judged."""

_STATURE: Final = 1.55
"""Of a person in sizes of the body in the picture (`virtual_camera.body_size`), on average."""

_SEEN: Final = 0.5
"""Confidence from which a point is judged."""


def standing(points: Tensor, confidence: Tensor, fps: float) -> Tensor:
    """How surely each of `SOLES` stands still, 0 to 1.

    Over a fifth of a second, so that a foot at the top of its swing, which rests for a moment, is not taken for one
    that stands.

    Args:
        points: (F, 33, 2) camera-normalised 2D landmarks of a still camera.
        confidence: (F, 33)
        fps: frames a second.

    Returns:
        (F, 4)
    """
    frames = len(points)
    reach = max(1, round(_REACH * fps))
    if frames <= 2 * reach:
        return points.new_zeros(frames, len(SOLES))
    tall = _STATURE * body_size(points[None])[0]
    soles = points[:, list(SOLES)]
    steady = moving_average(soles.flatten(1)[None], 2 * (reach // 2) + 1)[0].view_as(soles)
    last = torch.arange(frames)
    before, after = (last - reach).clamp_min(0), (last + reach).clamp_max(frames - 1)
    moved = (steady[after] - steady[before]).norm(dim=-1) / tall[:, None]
    speed = moved / ((after - before)[:, None] / fps)
    still = ((MOVING - speed) / (MOVING - STILL)).clamp(0, 1)
    seen = torch.minimum(torch.minimum(confidence[before], confidence[after]), confidence)[:, list(SOLES)]
    return torch.where(seen > _SEEN, still, torch.zeros_like(still))


def stances(points: Tensor, confidence: Tensor, fps: float) -> Tensor:
    """As `standing`, which a moving foot beside a stance blurs, with stances as long as the foot is at the same place:
    what the fit holds must hold until it leaves. Shapes as there."""
    still = standing(points, confidence, fps)
    frames, reach = len(points), max(1, round(_REACH * fps))
    tall = _STATURE * body_size(points[None])[0]
    soles, seen = points[:, list(SOLES)], confidence[:, list(SOLES)] > _SEEN
    out = still
    for step in (*range(-reach, 0), *range(1, reach + 1)):
        other = (torch.arange(frames) + step).clamp(0, frames - 1)
        away = (soles[other] - soles).norm(dim=-1) / tall[:, None]
        here = ((AWAY - away) / (AWAY - HERE)).clamp(0, 1)
        out = torch.maximum(out, still[other] * here * seen)
    return out
