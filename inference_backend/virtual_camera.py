"""A body seen along its own axis, in units of its size in the picture: what the networks are shown.

An unknown size alone costs 29 mm, so nothing here has a length. The picture is turned so that the pelvis lies on the
optical axis and the trunk points up (a *virtual camera* per frame), and scaled by the body's size in it: somebody
upside down is seen as anybody else, and only told to be upside down.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .geometry import swing
from .skeletons import LANDMARKS

_BONES = (
    (11, 12, 0.175), (23, 24, 0.103), (11, 23, 0.285), (12, 24, 0.285), (11, 13, 0.159), (12, 14, 0.159),
    (13, 15, 0.153), (14, 16, 0.153), (23, 25, 0.224), (24, 26, 0.224), (25, 27, 0.234), (26, 28, 0.234),
    (27, 31, 0.102), (28, 32, 0.102),
)  # fmt: skip
"""Landmark pairs and their distance over the stature on the mean body, where BlazePose sees them."""

_STATURES = (1.35, 1.6, 1.9)
"""What the stature may be in sizes of the body in the picture."""

FEATURES = len(LANDMARKS) * 6 + 6 + len(_BONES) * len(_STATURES)
"""Per frame: 33 points, confidences and 3D hints; whether there are hints, the axis' direction, the size, where the
picture's foot is; the depths that the bones must have."""

_EDGES = (
    (11, 12), (23, 24), (11, 23), (12, 24), (23, 25), (25, 27), (24, 26), (26, 28), (11, 13), (13, 15),
    (12, 14), (14, 16), (7, 11), (8, 12),
)  # fmt: skip
"""Landmark pairs whose lengths in the picture make the body's size."""

FARTHEST = 5.0
"""Sizes of the body from its pelvis: no landmark is further off, but by a mistake."""

CENTRE_FRAMES, SIZE_FRAMES = 9, 31
"""Frames that the virtual camera's axis, its roll and the size are averaged over."""
_UPRIGHT = 0.08
"""Body sizes added to the trunk's picture, upwards: a trunk seen from its end, which points nowhere, is not rolled."""

_HINT_HEIGHT = 1.7
"""Metres: the stature BlazePose's world landmarks are drawn for, on average."""


@dataclass(frozen=True)
class Normalised:
    """Keypoints as the network sees them, and what is needed to go back."""

    points: Tensor
    """(B, F, 33, 2) in the virtual camera, over `size`."""
    turn: Tensor
    """(B, F, 3, 3) camera → virtual camera."""
    size: Tensor
    """(B, F) the body's size in the virtual camera's normalised picture."""
    features: Tensor
    """(B, FEATURES, F), as `FEATURES` says."""


def virtual_camera(points: Tensor) -> Tensor:
    """The turn that takes the pelvis' (smoothed) ray to the optical axis, and then the trunk's picture upright.

    Shape: (B, F, 33, 2) camera-normalised → (B, F, 3, 3) camera → virtual camera.
    """
    centre = moving_average(points[:, :, 23:25].mean(2), CENTRE_FRAMES)
    ray = torch.cat([centre, torch.ones_like(centre[..., :1])], -1)
    aim = swing(ray, torch.tensor([0.0, 0.0, 1.0], dtype=ray.dtype, device=ray.device).expand_as(ray).contiguous())
    seen = through(points, aim)
    trunk = seen[:, :, 11:13].mean(2) - seen[:, :, 23:25].mean(2)
    up = moving_average(trunk / body_size(seen)[..., None], CENTRE_FRAMES) - trunk.new_tensor([0.0, _UPRIGHT])
    up = up / up.square().sum(-1, keepdim=True).clamp_min(1e-8).sqrt()
    sine, cosine, none = up[..., 0], -up[..., 1], torch.zeros_like(up[..., 0])
    rows = [cosine, sine, none], [-sine, cosine, none], [none, none, none + 1]
    roll: Tensor = torch.stack([torch.stack(row, -1) for row in rows], -2)
    return roll @ aim


def through(points: Tensor, turn: Tensor) -> Tensor:
    """The picture of a camera turned on its spot. Shape: (B, F, K, 2), (B, F, 3, 3) → (B, F, K, 2)."""
    rays = torch.cat([points, torch.ones_like(points[..., :1])], -1) @ turn.transpose(-1, -2)
    return rays[..., :2] / rays[..., 2:].clamp_min(0.1)


def body_size(seen: Tensor) -> Tensor:
    """The body's size in the virtual camera's picture, smoothed. Shape: (B, F, 33, 2) → (B, F)."""
    a, b = (torch.tensor([edge[i] for edge in _EDGES], device=seen.device) for i in (0, 1))
    extent = (seen[:, :, a] - seen[:, :, b]).square().sum((-1, -2)).clamp_min(1e-8).sqrt()
    return moving_average(extent[..., None], SIZE_FRAMES)[..., 0]


def normalise(points: Tensor, confidence: Tensor, world: Tensor | None) -> Normalised:
    """Landmarks as the networks are shown them.

    Args:
        points: (B, F, 33, 2) camera-normalised.
        confidence: (B, F, 33) 0 to 1.
        world: (B, F, 33, 3) metres, the estimator's own 3D guess, camera's axes, origin between the hips; or None.
    """
    shape = points.shape[:2]
    if points.shape != (*shape, len(LANDMARKS), 2) or 0 in shape:
        raise ValueError(f"points: found {tuple(points.shape)}, want (B, F, {len(LANDMARKS)}, 2), none of them 0")
    if confidence.shape != points.shape[:3]:
        raise ValueError(f"confidence: found {tuple(confidence.shape)}, want {tuple(points.shape[:3])}")
    if world is not None and world.shape != (*points.shape[:3], 3):
        raise ValueError(f"world: found {tuple(world.shape)}, want {(*points.shape[:3], 3)}")
    turn = virtual_camera(points)
    seen = through(points, turn)
    size = body_size(seen)
    q = (seen / size[..., None, None]).clamp(-FARTHEST, FARTHEST)
    hint = torch.zeros(*q.shape[:-1], 3, dtype=q.dtype, device=q.device)
    if world is not None:
        hint = world @ turn.transpose(-1, -2) / _HINT_HEIGHT
    hinted = torch.full_like(size, 0.0 if world is None else 1.0)
    foot = turn[..., 0, 1], turn[..., 1, 1]
    context = torch.stack([hinted, turn[..., 0, 2], turn[..., 1, 2], size.log() / 2 + 0.7, *foot], -1)
    features = torch.cat([q.flatten(2), confidence, hint.flatten(2), context, bone_depths(q)], -1).transpose(1, 2)
    return Normalised(q, turn, size, features)


def bone_depths(points: Tensor) -> Tensor:
    """How far each bone must reach along the optical axis, for each supposed stature: √(l² - l_seen²), sign unknown.

    A convolution can hardly make this root by itself, and has only the sign left to find (Taylor 2000).
    Shape: (B, F, 33, 2) in sizes → (B, F, bones · statures).
    """
    a, b = (torch.tensor([bone[i] for bone in _BONES], device=points.device) for i in (0, 1))
    lengths = points.new_tensor([length * stature for _, _, length in _BONES for stature in _STATURES])
    square = (points[:, :, a] - points[:, :, b]).square().sum(-1).repeat_interleave(len(_STATURES), -1)
    room = lengths.square() - square
    # The root's gradient at 0 is infinite.
    return torch.where(room > 0, room, 1).sqrt() * (room > 0)


def moving_average(values: Tensor, frames: int) -> Tensor:
    """Centred mean over time, the ends padded with their edge. Shape: (B, F, C), odd `frames` → (B, F, C)."""
    padded = F.pad(values.transpose(1, 2), (frames // 2, frames // 2), mode="replicate")
    return F.avg_pool1d(padded, frames, stride=1).transpose(1, 2)
