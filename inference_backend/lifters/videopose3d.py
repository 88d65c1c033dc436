"""The default lifter: VideoPose3D's temporal model over BlazePose's landmarks, trained by `train lifter`."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from ..errors import WeightsCorrupt
from ..skeletons import JOINTS, LANDMARKS
from ..virtual_camera import FEATURES, Normalised, normalise
from ..weights import model_path
from . import Keypoints, LiftedPose
from .size_normalised import OUTPUTS, TARGETS, Prediction, decode
from .temporal_model import TemporalModel, load_state


class LifterNetwork(nn.Module):
    """Landmarks over time → the pose in the virtual camera, over the subject's height."""

    placement: Tensor

    def __init__(self, channels: int = 512, dropout: float = 0.1) -> None:
        super().__init__()
        self.channels = channels
        self.temporal = TemporalModel(FEATURES, OUTPUTS, channels=channels, dropout=dropout, pad_clip=False)
        self.register_buffer("placement", torch.zeros(TARGETS, len(LANDMARKS)))
        nn.init.normal_(self.temporal.shrink.weight, std=1e-3)
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
        """The pose of a person of this stature in metres; frames at `fps`."""
        world = None if keypoints.world is None else keypoints.world[None].float().to(self.device)
        prediction, turn = self.network(
            keypoints.points[None].float().to(self.device), keypoints.confidence[None].float().to(self.device), world
        )
        back = turn[0].transpose(-1, -2)
        targets = (prediction.targets[0] + prediction.pelvis[0, :, None]) * height @ turn[0]
        count = len(JOINTS)
        return LiftedPose(
            joints=targets[:, :count],
            points=targets[:, count:],
            rotations=back[:, None] @ prediction.rotations[0],
            log_error=prediction.log_error[0, :, :count] + torch.log(torch.tensor(height)),
        )


def load_network(path: Path) -> LifterNetwork:
    """The network of a weight file. Raises WeightsCorrupt."""
    try:
        file = torch.load(path, map_location="cpu", weights_only=True)
        network = LifterNetwork(channels=int(file["channels"]))
        load_state(network, {key: value.float() for key, value in file["network"].items()})
    except (KeyError, RuntimeError, EOFError, ValueError, OSError) as fault:
        raise WeightsCorrupt(
            f"{path.name} is not a lifter of this version",
            hint="Install the backend again, or remake the file with: python -m inference_backend train lifter",
            path=str(path),
            reason=str(fault),
        ) from fault
    return network
