"""The default mesh stream: HMR (Kanazawa et al. 2018) on proxies of the picture instead of the picture.

Landmarks → pose and weak-perspective camera by iterative regression from the mean in three steps; person mask → shape.
It needs no photograph to be trained, so no licence binds it; it sees what the lifter sees, so their errors correlate,
and an image checkpoint of the user's is the stronger second opinion.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..body import BodyModel, load_default_body
from ..geometry import sixd_to_matrix
from ..network_files import read_network
from ..skeletons import JOINTS, LANDMARKS
from ..virtual_camera import FEATURES, Normalised, normalise
from ..weights import model_path
from . import MeshEstimate, Observation, Silhouettes

ITERATIONS = 3
"""Steps of the pose regression, as in HMR."""

SHAPES = 10
"""Betas."""

STATE = len(JOINTS) * 6 + 3
"""What is regressed: 6D rotations, then the camera (s, tx, ty)."""


class PoseRegressor(nn.Module):
    """θ and the camera (s, tx, ty) by iterative error feedback: state ← state + f(features, state), three times."""

    mean: Tensor
    """(STATE,) what the iteration starts from."""

    def __init__(self, width: int = 1024) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(FEATURES, width), nn.LayerNorm(width), nn.ReLU(),
            nn.Linear(width, width), nn.LayerNorm(width), nn.ReLU(),
        )  # fmt: skip
        self.step = nn.Sequential(
            nn.Linear(width + STATE, width), nn.LayerNorm(width), nn.ReLU(), nn.Linear(width, width // 2), nn.ReLU(),
            nn.Linear(width // 2, STATE),
        )  # fmt: skip
        last = self.step[-1]
        assert isinstance(last, nn.Linear)
        nn.init.normal_(last.weight, std=1e-3)
        nn.init.zeros_(last.bias)
        self.register_buffer("mean", torch.zeros(STATE))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Shape: (B, FEATURES) → local rotations (B, 24, 3, 3) in the virtual camera, camera (B, 3)."""
        encoded = self.encoder(features)
        state = self.mean.expand(len(features), -1)
        for _ in range(ITERATIONS):
            state = state + self.step(torch.cat([encoded, state], -1))
        return sixd_to_matrix(state[:, :-3].reshape(-1, len(JOINTS), 6)), state[:, -3:]


class ShapeRegressor(nn.Module):
    """Shape from the person mask and the landmarks in its square."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        channels = (1, width, width * 2, width * 4, width * 4)
        layers: list[nn.Module] = []
        for a, b in itertools.pairwise(channels):
            layers += [nn.Conv2d(a, b, 3, stride=2, padding=1), nn.GroupNorm(8, b), nn.ReLU()]
        self.convolutions = nn.Sequential(*layers)
        inputs = channels[-1] * 16 + len(LANDMARKS) * 3
        self.head = nn.Sequential(
            nn.Linear(inputs, 256), nn.LayerNorm(256), nn.ReLU(), nn.Dropout(0.3), nn.Linear(256, SHAPES * 2)
        )

    def forward(self, masks: Tensor, points: Tensor, confidence: Tensor) -> tuple[Tensor, Tensor]:
        """Betas and their log standard deviations.

        Shape: masks (B, 64, 64), points (B, 33, 2) in the square, confidence (B, 33) → (B, 10) twice.
        """
        image = self.convolutions(masks[:, None] * 2 - 1).flatten(1)
        out = self.head(torch.cat([image, points.flatten(1) * 2 - 1, confidence], -1))
        return out[:, :SHAPES], out[:, SHAPES:].clamp(-3, 1)


class ProxyNetwork(nn.Module):
    """Both regressors."""

    def __init__(self) -> None:
        super().__init__()
        self.pose = PoseRegressor()
        self.shape = ShapeRegressor()


class Proxy:
    """A `MeshGenerator` of the default body."""

    def __init__(self, path: Path | None = None, device: str = "cpu", body: BodyModel | None = None) -> None:
        """Raises WeightsMissing or WeightsCorrupt."""
        self.device = torch.device(device)
        self.body = load_default_body() if body is None else body
        self.network = load_network(model_path("proxy") if path is None else path).to(self.device).eval()

    @torch.no_grad()
    def shape(self, silhouettes: Silhouettes, height: float) -> Tensor:
        """The masks' mean shape, weighted by their certainty, moved to the stature. Shape: (10,), on the CPU."""
        count = len(silhouettes.masks)
        wanted = ((count, 64, 64), (count, len(LANDMARKS), 2), (count, len(LANDMARKS)))
        found = tuple(tuple(t.shape) for t in (silhouettes.masks, silhouettes.points, silhouettes.confidence))
        if found != wanted:
            raise ValueError(f"masks, points, confidence: found {found}, want {wanted}")
        if count == 0:
            betas = torch.zeros(1, SHAPES)
        else:
            inputs = (silhouettes.masks, silhouettes.points, silhouettes.confidence)
            each, log_deviation = (t.cpu() for t in self.network.shape(*(t.float().to(self.device) for t in inputs)))
            certainty = torch.exp(-2 * log_deviation)
            betas = ((each * certainty).sum(0) / certainty.sum(0))[None]
        return self.body.betas_for_stature(betas, height)[0]

    @torch.no_grad()
    def pose(self, seen: Observation, betas: Tensor) -> MeshEstimate:
        """Pose and place in every frame, for a body of shape `betas` (10,); on the CPU."""
        if betas.shape != (SHAPES,):
            raise ValueError(f"betas: found {tuple(betas.shape)}, want ({SHAPES},)")
        world = None if seen.world is None else seen.world[None].float().to(self.device)
        points, confidence = (t[None].float().to(self.device) for t in (seen.points, seen.confidence))
        view = normalise(points, confidence, world)
        local, camera = self.network.pose(view.features[0].T)
        local, camera, turn, size = local.cpu(), camera.cpu(), view.turn[0].cpu(), view.size[0].cpu()
        local[:, 0] = turn.transpose(-1, -2) @ local[:, 0]
        root = pelvis(camera, size, float(self.body.stature(betas[None])[0]))
        return MeshEstimate(local, (turn.transpose(-1, -2) @ root[..., None])[..., 0])


def pelvis(camera: Tensor, size: Tensor, height: Tensor | float) -> Tensor:
    """The weak-perspective camera as a place: depth e^s / size · height, aside (tx, ty) at that depth.

    Shape: camera (..., 3) as (s, tx, ty), size (...) → (..., 3) metres, virtual camera.
    """
    depth = camera[..., 0].exp() / size
    aside = camera[..., 1:] * size[..., None] * depth[..., None]
    place = torch.cat([aside, depth[..., None]], -1)
    return place * (height[..., None] if isinstance(height, Tensor) else height)


def features_of(view: Normalised) -> Tensor:
    """One row a frame. Shape: features (B, FEATURES, F) → (B·F, FEATURES)."""
    return view.features.transpose(1, 2).reshape(-1, FEATURES)


def load_network(path: Path) -> ProxyNetwork:
    """The networks of a file of `train proxy`. Raises WeightsMissing or WeightsCorrupt."""

    def build(_: Mapping[str, Any], state: Mapping[str, Tensor]) -> ProxyNetwork:
        network = ProxyNetwork()
        network.load_state_dict(state)
        return network

    return read_network(path, "mesh stream", "proxy", build)
