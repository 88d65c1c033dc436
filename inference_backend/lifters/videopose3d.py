"""The default lifter: VideoPose3D's temporal model over BlazePose's landmarks, trained by `train lifter`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..geometry import matrix_to_sixd, sixd_to_matrix
from ..network_files import read_network
from ..skeletons import JOINTS, JOINTS_MIRROR, LANDMARKS, LANDMARKS_MIRROR
from ..virtual_camera import FEATURES, Normalised, normalise
from ..weights import model_path
from . import Keypoints, LiftedPose
from .size_normalised import OUTPUTS, TARGETS, TARGETS_MIRROR, Prediction, decode
from .temporal_model import TemporalModel, load_state


class LifterNetwork(nn.Module):
    """Landmarks over time → the pose in the virtual camera, over the subject's height."""

    placement: Tensor
    """(35, 33): where each target lies among the 2D landmarks; rows sum to 1."""

    def __init__(self, channels: int = 512, dropout: float = 0.1) -> None:
        super().__init__()
        self.channels = channels
        self.temporal = TemporalModel(FEATURES, OUTPUTS, channels=channels, dropout=dropout, pad_clip=False)
        self.register_buffer("placement", torch.zeros(TARGETS, len(LANDMARKS)))
        nn.init.normal_(self.temporal.shrink.weight, std=1e-3)
        assert self.temporal.shrink.bias is not None
        nn.init.zeros_(self.temporal.shrink.bias)

    def forward(self, points: Tensor, confidence: Tensor, world: Tensor | None) -> tuple[Prediction, Tensor]:
        """Prediction, and the turn (B, F, 3, 3) from the camera to the virtual camera.

        Shape: points (B, F, 33, 2) camera-normalised, confidence (B, F, 33), world (B, F, 33, 3) metres or None.
        """
        seen = normalise(points, confidence, world)
        return self.decode_features(seen.features, seen)

    def decode_features(self, features: Tensor, seen: Normalised) -> tuple[Prediction, Tensor]:
        """As `forward`, from the features (B, FEATURES, F) and the views they were made from."""
        return decode(self.temporal(features), seen, self.placement), seen.turn


class VideoPose3D:
    """A `Lifter` with the weights that are shipped, or a file of `train lifter`."""

    fps = 30.0

    def __init__(self, path: Path | None = None, device: str = "cpu") -> None:
        """Raises WeightsMissing or WeightsCorrupt."""
        path = model_path("lifter") if path is None else path
        self.device = torch.device(device)
        self.network = load_network(path).to(self.device).eval()

    @torch.no_grad()
    def lift(self, keypoints: Keypoints, height: float) -> LiftedPose:
        """The pose of a person of this stature in metres; frames at `fps`. All on the CPU.

        The mean of the clip's pose and its mirror image's, as VideoPose3D does at test time.
        """
        if keypoints.points.shape[1:] != (len(LANDMARKS), 2):
            raise ValueError(f"points: found {tuple(keypoints.points.shape)}, want (F, {len(LANDMARKS)}, 2)")
        points, confidence = (t.float().to(self.device) for t in (keypoints.points, keypoints.confidence))
        world = None if keypoints.world is None else keypoints.world.float().to(self.device)
        swap, flip = list(LANDMARKS_MIRROR), torch.diag(points.new_tensor([-1.0, 1.0, 1.0]))
        prediction, turn = self.network(
            torch.stack([points, points[:, swap] @ flip[:2, :2]]),
            torch.stack([confidence, confidence[:, swap]]),
            None if world is None else torch.stack([world, world[:, swap] @ flip]),
        )
        targets = ((prediction.targets + prediction.pelvis[:, :, None]) * height) @ turn
        rotations = turn.transpose(-1, -2)[:, :, None] @ prediction.rotations
        targets = (targets[0] + targets[1][:, list(TARGETS_MIRROR)] @ flip) / 2
        again = flip @ rotations[1][:, list(JOINTS_MIRROR)] @ flip
        log_error = (prediction.log_error[0] + prediction.log_error[1][:, list(TARGETS_MIRROR)]) / 2
        count = len(JOINTS)
        return LiftedPose(
            joints=targets[:, :count].cpu(),
            points=targets[:, count:].cpu(),
            rotations=sixd_to_matrix(matrix_to_sixd(rotations[0]) + matrix_to_sixd(again)).cpu(),
            log_error=(log_error[:, :count] + math.log(height)).cpu(),
        )


def load_network(path: Path) -> LifterNetwork:
    """The network of a file of `train lifter`. Raises WeightsMissing or WeightsCorrupt."""

    def build(file: Mapping[str, Any], state: Mapping[str, Tensor]) -> LifterNetwork:
        network = LifterNetwork(channels=int(file["channels"]))
        load_state(network, dict(state))
        return network

    return read_network(path, "lifter", "lifter", build)
