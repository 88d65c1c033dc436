"""Where BlazePose sees its landmarks on the body, measured on the renders, as offsets from the anatomical places.

    python -m inference_backend train landmarks

A hip is seen two centimetres further in and lower than the hip joint, an ankle higher than the ankle joint: constant
in the joint's own frame, so one offset a landmark takes most of it out. `train body` bakes them into the body.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor

from ..body import load_default_body
from ..skeletons import LANDMARKS, LANDMARKS_MIRROR
from .bake_body import OFFSETS
from .lifting_data import RenderedSet, Truth

VISIBLE, FARTHEST = 0.8, 0.07
"""Only landmarks seen this surely count, and none further off than this share of the stature: those are mistakes."""


def measure(rendered: Path, out: Path = OFFSETS) -> Tensor:
    """Measures the offsets by least squares over all frames, symmetric, and writes the table.

    The table: landmark → x, y, z in thousandths of the stature, in the rest frame of the joint that carries it.
    Shape: (33, 3), over the stature.
    """
    truth = Truth(load_default_body())
    r = RenderedSet([rendered], truth)
    carrier = truth.rig.shares.argmax(1)
    towards = -torch.nn.functional.normalize(r.targets[:, :, 15], dim=-1)
    facing = (r.rotations[:, :, 15, :, 2] * towards).sum(-1) > 0.2  # a face seen from behind is guessed
    offsets = torch.zeros(len(LANDMARKS), 3)
    for k in range(len(LANDMARKS)):
        place, depth = r.landmarks[:, :, k], r.landmarks[:, :, k, 2]
        stature = r.height[:, None] / depth
        missed = (r.points[:, :, k] - place[..., :2] / depth[..., None]) / stature[..., None]
        # d(x/z, y/z) = [I | -(x/z, y/z)] R d / z, both sides over the stature in the picture.
        ray = place[..., :2] / depth[..., None]
        R = r.rotations[:, :, int(carrier[k])]
        A = R[..., :2, :] - ray[..., None] * R[..., 2:, :]
        good = r.found & (r.confidence[:, :, k] > VISIBLE) & (missed.norm(dim=-1) < FARTHEST)
        if k <= 10:
            good &= facing
        offsets[k] = torch.linalg.lstsq(A[good].reshape(-1, 3), missed[good].reshape(-1, 1)).solution[:, 0]
    mirror = offsets[list(LANDMARKS_MIRROR)] * torch.tensor([-1.0, 1.0, 1.0])
    offsets = (offsets + mirror) / 2
    table = {name: [round(1000 * v, 1) for v in row] for name, row in zip(LANDMARKS, offsets.tolist(), strict=True)}
    out.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    return offsets
