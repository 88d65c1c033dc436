"""The lifter: decoding, lifting and its mirror image, and weight files."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from inference_backend.errors import WeightsCorrupt, WeightsMissing
from inference_backend.geometry import axis_angle_to_matrix, matrix_to_sixd
from inference_backend.lifters import Keypoints
from inference_backend.lifters.size_normalised import OUTPUTS, TARGETS, TARGETS_MIRROR, Prediction, decode
from inference_backend.lifters.videopose3d import LifterNetwork, VideoPose3D, load_network
from inference_backend.skeletons import JOINTS_MIRROR, LANDMARKS_MIRROR
from inference_backend.virtual_camera import FEATURES, normalise

D = torch.float64


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# Decoding


def scene(frames: int = 20, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Targets (F, 35, 3) metres, camera frame; landmarks (F, 33, 2) of their picture; rotations (F, 24, 3, 3)."""
    generator = rng(seed)
    body = torch.randn(1, 35, 3, dtype=D, generator=generator) * torch.tensor([0.3, 0.6, 0.3], dtype=D)
    body = body + 0.05 * torch.randn(frames, 35, 3, dtype=D, generator=generator)
    targets = body + torch.tensor([0.8, -0.4, 4.5], dtype=D)
    landmarks = targets[:, :33, :2] / targets[:, :33, 2:]
    rotations = axis_angle_to_matrix(torch.randn(frames, 24, 3, dtype=D, generator=generator))
    return targets, landmarks, rotations


def placement() -> Tensor:
    """Targets on landmarks of their own, but for two between many."""
    rows = torch.eye(35, 33, dtype=D)
    rows[33:] = torch.rand(2, 33, dtype=D, generator=rng(3)).softmax(1)
    return rows


def encode(targets: Tensor, rotations: Tensor, landmarks: Tensor, log_error: Tensor) -> tuple[Tensor, object]:
    """What the network has to say for `decode` to give this pose. Over the stature; (OUTPUTS, F) and the views."""
    view = normalise(landmarks[None], torch.ones(1, *landmarks.shape[:2], dtype=D), None)
    turn, size = view.turn[0], view.size[0]
    virtual = targets @ turn.mT
    depth = virtual[..., 2]
    place = placement() @ view.points[0]
    offset = virtual[..., :2] - place * (size[:, None] * depth)[..., None]
    upright = torch.tensor([1.0, 0, 0, 0, -1, 0], dtype=D)
    sixd = matrix_to_sixd(turn[:, None] @ rotations) - upright
    log_depth = (depth[:, :1] * size[:, None]).log()
    rows = [log_depth, depth - depth[:, :1], offset.flatten(1), log_error + 3.5, sixd.flatten(1)]
    return torch.cat(rows, 1).T, view


def test_exact_depths_decode_to_the_exact_pose() -> None:
    targets, landmarks, rotations = scene()
    log_error = -5 + 3 * torch.rand(20, TARGETS, dtype=D, generator=rng(4))
    output, view = encode(targets / 1.8, rotations, landmarks, log_error)
    assert output.shape == (OUTPUTS, 20)
    # Where a target is a landmark, the picture and the depth are enough.
    assert output[1 + TARGETS : 1 + TARGETS + 66].abs().max() < 1e-12
    prediction = decode(output[None], view, placement())
    virtual = (targets / 1.8) @ view.turn[0].mT
    torch.testing.assert_close(prediction.pelvis[0], virtual[:, 0])
    torch.testing.assert_close(prediction.targets[0], virtual - virtual[:, :1], atol=1e-12, rtol=0)
    torch.testing.assert_close(prediction.rotations[0], view.turn[0][:, None] @ rotations)
    torch.testing.assert_close(prediction.log_error[0], log_error)
    torch.testing.assert_close(prediction.log_depth[0], (virtual[:, 0, 2] * view.size[0]).log())


def test_decoding_shapes_and_limits() -> None:
    _, landmarks, _ = scene(4)
    view = normalise(landmarks[None], torch.ones(1, 4, 33, dtype=D), None)
    for value in (-1e4, 0.0, 1e4):
        prediction = decode(torch.full((1, OUTPUTS, 4), value, dtype=D), view, placement())
        assert prediction.targets.shape == (1, 4, 35, 3)
        assert prediction.rotations.shape == (1, 4, 24, 3, 3)
        assert all(getattr(prediction, name).isfinite().all() for name in prediction.__dataclass_fields__)
        assert (prediction.targets[:, :, 0] == 0).all()
        assert (prediction.pelvis[..., 2] > 0).all()
        assert -6 <= prediction.log_error.min() <= prediction.log_error.max() <= 1


def test_decoding_has_a_gradient() -> None:
    targets, landmarks, rotations = scene(2)
    output, view = encode(targets / 1.8, rotations, landmarks, torch.full((2, TARGETS), -4.0, dtype=D))

    def decoded(output: Tensor) -> tuple[Tensor, ...]:
        p = decode(output[None], view, placement())
        return p.targets, p.pelvis, p.rotations, p.log_error

    assert torch.autograd.gradcheck(decoded, output.requires_grad_(), fast_mode=True)


# Lifting


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    torch.manual_seed(0)
    network = LifterNetwork(channels=16)
    torch.nn.init.normal_(network.temporal.shrink.weight, std=0.05)
    network.placement.copy_(torch.rand(35, 33).softmax(1))
    path = tmp_path_factory.mktemp("weights") / "lifter.pt"
    torch.save({"channels": 16, "network": network.state_dict()}, path)
    return path


def keypoints(frames: int) -> Keypoints:
    points = scene(frames)[1].float()
    confidence, world = torch.rand(frames, 33, generator=rng(5)), torch.randn(frames, 33, 3, generator=rng(6))
    return Keypoints(points, confidence, world)


@pytest.mark.parametrize("frames", [1, 2, 3, 50])
def test_lifted_shapes(weights: Path, frames: int) -> None:
    seen = keypoints(frames)
    for given in (seen, replace(seen, world=None)):
        pose = VideoPose3D(weights).lift(given, 1.7)
        assert pose.joints.shape == (frames, 24, 3)
        assert pose.points.shape == (frames, 11, 3)
        assert pose.log_error.shape == (frames, 24)
        torch.testing.assert_close(pose.rotations @ pose.rotations.mT, torch.eye(3).expand(frames, 24, 3, 3))
        assert pose.joints.dtype == torch.float32
        assert not pose.joints.requires_grad


def test_a_network_that_knows_lifts_exactly(monkeypatch, weights: Path) -> None:
    """From the virtual camera back to the camera, from statures to metres, and the mirrored clip back."""
    targets, landmarks, rotations = scene()
    swap, flip = list(TARGETS_MIRROR), torch.diag(torch.tensor([-1.0, 1, 1], dtype=D))
    log_error = torch.linspace(-5, -3, TARGETS, dtype=D).expand(20, -1)
    truths = [
        (targets, rotations, landmarks, log_error),
        (
            (targets @ flip)[:, swap],
            flip @ rotations[:, list(JOINTS_MIRROR)] @ flip,
            (landmarks @ flip[:2, :2])[:, list(LANDMARKS_MIRROR)],
            log_error[:, swap],
        ),
    ]
    lifter = VideoPose3D(weights)
    confidence, world = torch.rand(20, 33, generator=rng(1)), torch.randn(20, 33, 3, generator=rng(2))

    def network(points: Tensor, given: Tensor, hint: Tensor) -> tuple[object, Tensor]:
        torch.testing.assert_close(points, torch.stack([truth[2] for truth in truths]).float())
        torch.testing.assert_close(given, torch.stack([confidence, confidence[:, list(LANDMARKS_MIRROR)]]))
        torch.testing.assert_close(hint[1], (world @ flip.float())[:, list(LANDMARKS_MIRROR)])
        parts = []
        for target, rotation, landmark, error in truths:
            output, view = encode(target / 1.8, rotation, landmark, error)
            parts.append((output, view))
        view = normalise(torch.stack([t[2] for t in truths]), torch.ones(2, 20, 33, dtype=D), None)
        prediction = decode(torch.stack([p[0] for p in parts]), view, placement())
        values = {name: getattr(prediction, name).float() for name in prediction.__dataclass_fields__}
        return Prediction(**values), view.turn.float()

    monkeypatch.setattr(lifter, "network", network)
    pose = lifter.lift(Keypoints(landmarks, confidence, world), 1.8)
    torch.testing.assert_close(torch.cat([pose.joints, pose.points], 1).double(), targets, atol=1e-5, rtol=0)
    torch.testing.assert_close(pose.rotations.double(), rotations, atol=1e-5, rtol=0)
    torch.testing.assert_close(pose.log_error.double(), log_error[:, :24] + math.log(1.8), atol=1e-5, rtol=0)


def test_the_mirrored_clip_gives_the_mirrored_pose(weights: Path) -> None:
    seen, lifter = keypoints(30), VideoPose3D(weights)
    assert seen.world is not None
    swap, flip = list(LANDMARKS_MIRROR), torch.diag(torch.tensor([-1.0, 1, 1]))
    mirrored = Keypoints((seen.points @ flip[:2, :2])[:, swap], seen.confidence[:, swap], (seen.world @ flip)[:, swap])
    pose, other = lifter.lift(seen, 1.7), lifter.lift(mirrored, 1.7)
    joints = list(JOINTS_MIRROR)
    torch.testing.assert_close(other.joints, (pose.joints @ flip)[:, joints], atol=1e-5, rtol=0)
    torch.testing.assert_close(other.rotations, flip @ pose.rotations[:, joints] @ flip, atol=1e-5, rtol=0)
    torch.testing.assert_close(other.log_error, pose.log_error[:, joints], atol=1e-5, rtol=0)


def test_stature_is_the_scale(weights: Path) -> None:
    small, large = (VideoPose3D(weights).lift(keypoints(10), height) for height in (1.0, 2.0))
    torch.testing.assert_close(large.joints, 2 * small.joints)
    torch.testing.assert_close(large.rotations, small.rotations)
    torch.testing.assert_close(large.log_error, small.log_error + math.log(2))


def test_lifting_wrong_shapes(weights: Path) -> None:
    lifter, seen = VideoPose3D(weights), keypoints(5)
    with pytest.raises(ValueError, match=r"points: found \(5, 17, 2\)"):
        lifter.lift(Keypoints(seen.points[:, :17], seen.confidence[:, :17], None), 1.7)
    with pytest.raises(ValueError, match="confidence: found"):
        lifter.lift(Keypoints(seen.points, seen.confidence[:4], None), 1.7)
    with pytest.raises(ValueError, match="points: found"):
        lifter.lift(Keypoints(seen.points[:0], seen.confidence[:0], None), 1.7)


def test_the_networks_gradient_reaches_all_its_weights() -> None:
    torch.manual_seed(0)
    network = LifterNetwork(channels=8)
    prediction, _ = network(keypoints(10).points[None], torch.ones(1, 10, 33), None)
    sum(getattr(prediction, name).sum() for name in ("targets", "rotations", "log_error")).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    assert network.temporal.expand_conv.weight.shape[1] == FEATURES


# Weight files


def test_a_weight_file_reads_back(weights: Path) -> None:
    network = load_network(weights)
    assert network.channels == 16
    stored = torch.load(weights, weights_only=True)["network"]
    assert all(torch.equal(value, stored[key]) for key, value in network.state_dict().items())


def test_half_precision_is_read_as_single(tmp_path: Path, weights: Path) -> None:
    file = torch.load(weights, weights_only=True)
    torch.save({**file, "network": {key: value.half() for key, value in file["network"].items()}}, tmp_path / "half.pt")
    assert load_network(tmp_path / "half.pt").temporal.shrink.weight.dtype == torch.float32


def test_a_missing_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing) as caught:
        VideoPose3D(tmp_path / "none.pt")
    assert "none.pt" in str(caught.value.facts["path"])


class Tool:
    """Something that a weight file must not bring along."""


RUBBISH = {
    "empty": b"",
    "text": b"these are no weights",
    "a longer text": b"(dp0\nThe weights are elsewhere.\n",
    "zip": b"PK\x03\x04 and then nothing",
    "list": [1, 2],
    "tensor": torch.zeros(3),
    "no network": {"channels": 16},
    "no tensors": {"channels": 16, "network": {"placement": 3}},
    "network of another kind": {"channels": 16, "network": [torch.zeros(2)]},
    "another network": {"channels": 16, "network": {"weight": torch.zeros(2)}},
    "no number": {"channels": "many", "network": {}},
    "code": {"channels": 16, "network": Tool()},
}


@pytest.mark.filterwarnings("ignore:Using a non-tuple sequence")
@pytest.mark.parametrize("name", RUBBISH)
def test_rubbish_is_corrupt(tmp_path: Path, name: str) -> None:
    path, content = tmp_path / "lifter.pt", RUBBISH[name]
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(WeightsCorrupt) as caught:
        load_network(path)
    assert caught.value.facts["path"] == str(path)


def test_other_sizes_and_a_cut_file_are_corrupt(tmp_path: Path, weights: Path) -> None:
    file = torch.load(weights, weights_only=True)
    torch.save({**file, "channels": 32}, tmp_path / "wide.pt")
    data = weights.read_bytes()
    (tmp_path / "cut.pt").write_bytes(data[: len(data) // 2])
    for name in ("wide.pt", "cut.pt"):
        with pytest.raises(WeightsCorrupt, match="is not a lifter of this version"):
            load_network(tmp_path / name)
