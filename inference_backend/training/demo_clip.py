"""The demo clip: the default body, dressed, moving in front of a still camera, with its exact truth beside it.

python -m inference_backend train demo
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..body import load_default_body
from ..geometry import axis_angle_to_matrix, matrix_to_axis_angle
from ..video_writer import Mp4Writer
from .appearance import Wardrobe
from .cameras import TO_CAMERA
from .motion import FPS

CLIP, FIRST, FRAMES = "daz/02_05", 150, 200
WIDTH, HEIGHT, FOCAL = 960, 720, 1000.0
TILT, YAW, DISTANCE, CAMERA_HEIGHT = 0.10, 0.6, 3.1, 1.2
STATURE, SEED = 1.70, 12
TILE = 0.5
"""Metres: the floor's tiles."""


def make(motion: Path, folder: Path) -> Path:
    """Writes `demo.mp4` and `truth.npz` (pose, betas, root, intrinsics; camera frame, metres)."""
    data = np.load(motion)
    row = data["name"].tolist().index(CLIP)
    at = slice(int(data["start"][row]) + FIRST, int(data["start"][row]) + FIRST + FRAMES)
    body = load_default_body()
    rng = np.random.default_rng(SEED)
    betas = body.betas_for_stature(torch.tensor(rng.normal(0, 0.8, (1, 10)), dtype=torch.float32), STATURE)
    local = torch.tensor(data["rotations"][at])
    path = torch.tensor(data["root"][at])
    turn = axis_angle_to_matrix(torch.tensor([0.0, YAW, 0.0]))
    tilt = TO_CAMERA @ tilt_matrix()
    centred = path - path.mean(0) * torch.tensor([1.0, 0.0, 1.0])
    root = (centred @ turn.T - torch.tensor([0.0, CAMERA_HEIGHT, DISTANCE])) @ tilt.T
    local[:, 0] = tilt @ turn @ local[:, 0]
    output = body.pose(local, betas, root - body.rest(betas)[1][:, 0])

    wardrobe = Wardrobe(body)
    look = replace(
        wardrobe.sample(HEIGHT, WIDTH, rng), background=studio(), occluder=None, grain=0.0, blur=0.6, quality=100
    )
    intrinsics = (FOCAL, FOCAL, (WIDTH - 1) / 2, (HEIGHT - 1) / 2)
    folder.mkdir(parents=True, exist_ok=True)
    with Mp4Writer(folder / "demo.mp4", FPS, (WIDTH, HEIGHT)) as writer:
        for vertices in output.vertices.numpy():
            writer.write(wardrobe.draw(vertices, intrinsics, look, rng))
    np.savez_compressed(
        folder / "truth.npz",
        pose=matrix_to_axis_angle(local).numpy().astype(np.float16),
        betas=betas[0].numpy(),
        root=root.numpy(),
        intrinsics=np.array(intrinsics, np.float32),
        stature=np.float32(STATURE),
    )
    return folder / "demo.mp4"


def studio() -> npt.NDArray[np.uint8]:
    """A plain wall over a tiled floor, seen by the demo's camera. Shape: (HEIGHT, WIDTH, 3)."""
    x, y = np.meshgrid((np.arange(WIDTH) - (WIDTH - 1) / 2) / FOCAL, (np.arange(HEIGHT) - (HEIGHT - 1) / 2) / FOCAL)
    rays = np.stack([x, y, np.ones_like(x)], -1) @ (TO_CAMERA @ tilt_matrix()).numpy()  # camera → world, row vectors
    depth = CAMERA_HEIGHT / np.maximum(-rays[..., 1], 1e-6)
    place = rays * depth[..., None]
    tiles = (np.floor(place[..., 0] / TILE) + np.floor(place[..., 2] / TILE)) % 2
    fade = np.exp(-depth / 12)
    floor = 150 + 22 * tiles * fade
    wall = np.broadcast_to(np.linspace(205, 180, HEIGHT)[:, None], (HEIGHT, WIDTH))
    grey = np.where((rays[..., 1] < 0) & (depth < 8), floor, wall)
    return np.asarray(np.clip(grey[..., None] * np.array([1.0, 0.98, 0.94]), 0, 255), np.uint8)


def tilt_matrix() -> Tensor:
    """The camera looks down by TILT. Shape: (3, 3)."""
    return axis_angle_to_matrix(torch.tensor([TILT, 0.0, 0.0]))
