"""The default mesh stream: iterative regression, camera to place, shape over the masks, and weight files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from inference_backend.errors import WeightsCorrupt, WeightsMissing
from inference_backend.generators import Observation, Silhouettes
from inference_backend.generators.proxy import (
    ITERATIONS,
    STATE,
    PoseRegressor,
    Proxy,
    ProxyNetwork,
    features_of,
    load_network,
    pelvis,
)
from inference_backend.geometry import axis_angle_to_matrix, sixd_to_matrix
from inference_backend.virtual_camera import FEATURES, normalise

from .synthetic_body import synthetic_body


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    torch.manual_seed(0)
    network = ProxyNetwork()
    torch.nn.init.normal_(network.pose.step[-1].weight, std=0.02)
    network.pose.mean[:144] = torch.tensor([1.0, 0, 0, 0, 1, 0]).repeat(24)
    path = tmp_path_factory.mktemp("weights") / "proxy.pt"
    torch.save({"network": network.state_dict()}, path)
    return path


@pytest.fixture(scope="module")
def proxy(weights: Path) -> Proxy:
    return Proxy(weights, body=synthetic_body())


def observation(frames: int) -> Observation:
    points = 0.1 * torch.randn(33, 2, generator=rng(0)) + 0.01 * torch.randn(frames, 33, 2, generator=rng(1))
    return Observation(points, torch.rand(frames, 33, generator=rng(2)), torch.randn(frames, 33, 3, generator=rng(3)))


def silhouettes(count: int) -> Silhouettes:
    return Silhouettes(
        torch.rand(count, 64, 64, generator=rng(4)).round(),
        torch.rand(count, 33, 2, generator=rng(5)),
        torch.rand(count, 33, generator=rng(6)),
    )


# Pose


@pytest.mark.parametrize("frames", [1, 2, 3, 40])
@pytest.mark.parametrize("world", [True, False])
def test_pose_shapes(proxy: Proxy, frames: int, world: bool) -> None:
    seen = observation(frames) if world else replace(observation(frames), world=None)
    estimate = proxy.pose(seen, torch.zeros(10))
    assert estimate.pose.shape == (frames, 24, 3, 3)
    assert estimate.root.shape == (frames, 3)
    assert estimate.pose.dtype == estimate.root.dtype == torch.float32
    eye = torch.eye(3).expand(frames, 24, 3, 3)
    torch.testing.assert_close(estimate.pose @ estimate.pose.mT, eye, atol=1e-5, rtol=0)
    assert estimate.root.isfinite().all()


def test_regression_goes_on_from_the_mean_in_three_steps() -> None:
    """The readable twin, one frame at a time."""
    torch.manual_seed(0)
    model = PoseRegressor(width=32)
    model.mean.copy_(torch.randn(STATE))
    torch.nn.init.normal_(model.step[-1].weight, std=0.1)
    features = torch.randn(5, FEATURES)
    rotations, camera = model(features)
    assert ITERATIONS == 3
    for row, feature in enumerate(features):
        state = model.mean
        for _ in range(3):
            state = state + model.step(torch.cat([model.encoder(feature[None])[0], state])[None])[0]
        torch.testing.assert_close(camera[row], state[144:], atol=1e-5, rtol=1e-5)
        for joint in range(24):
            wanted = sixd_to_matrix(state[6 * joint : 6 * joint + 6])
            torch.testing.assert_close(rotations[row, joint], wanted, atol=1e-5, rtol=0)


def test_an_untrained_network_says_the_mean(weights: Path) -> None:
    torch.manual_seed(0)
    model = PoseRegressor(width=32)
    model.mean.copy_(torch.randn(STATE))
    _, camera = model(torch.zeros(1, FEATURES))
    torch.testing.assert_close(camera[0], model.mean[144:], atol=0.1, rtol=0)


def test_the_camera_is_undone(monkeypatch, proxy: Proxy) -> None:
    """A network that says the truth in the virtual camera gives it back in the camera, in metres."""
    frames, betas = 12, 0.5 * torch.randn(10, generator=rng(7))
    seen = observation(frames)
    seen = replace(seen, points=seen.points + torch.tensor([0.5, -0.3]))
    view = normalise(seen.points[None], seen.confidence[None], None)
    turn, size = view.turn[0], view.size[0]
    local = axis_angle_to_matrix(torch.randn(frames, 24, 3, generator=rng(8)))
    root = torch.tensor([2.2, -1.3, 4.5]) + 0.2 * torch.randn(frames, 3, generator=rng(9))
    height = float(proxy.body.stature(betas[None])[0])

    def network(features: Tensor) -> tuple[Tensor, Tensor]:
        assert features.shape == (frames, FEATURES)
        place = (turn @ root[..., None])[..., 0] / height
        scale = (place[:, 2] * size).log()
        aside = place[:, :2] / place[:, 2:] / size[:, None]
        turned = local.clone()
        turned[:, 0] = turn @ local[:, 0]
        return turned, torch.cat([scale[:, None], aside], -1)

    monkeypatch.setitem(proxy.network._modules, "pose", network)
    estimate = proxy.pose(seen, betas)
    torch.testing.assert_close(estimate.pose, local, atol=1e-5, rtol=0)
    torch.testing.assert_close(estimate.root, root, atol=1e-4, rtol=0)


def test_pelvis_is_where_the_picture_shows_it() -> None:
    camera, size = torch.tensor([0.7, 0.2, -0.1]), torch.tensor(0.5)
    place = pelvis(camera, size, 1.8)
    torch.testing.assert_close(place[2], camera[0].exp() / size * 1.8)
    torch.testing.assert_close(place[:2] / place[2], camera[1:] * size)
    heights = torch.tensor([1.0, 2.0])
    both = pelvis(camera.expand(2, 3), size.expand(2), heights)
    torch.testing.assert_close(both[1], 2 * both[0])


def test_features_of_are_frames_in_order() -> None:
    seen = [observation(6), observation(6)]
    points = torch.stack([seen[0].points, 2 * seen[1].points])
    view = normalise(points, torch.ones(2, 6, 33), None)
    rows = features_of(view)
    assert rows.shape == (12, FEATURES)
    torch.testing.assert_close(rows[7], view.features[1, :, 1])


def test_pose_gradient() -> None:
    torch.manual_seed(0)
    network = ProxyNetwork()
    rotations, camera = network.pose(torch.randn(3, FEATURES))
    betas, log_deviation = network.shape(*vars(silhouettes(3)).values())
    sum(t.square().sum() for t in (rotations[..., 0, 1], camera, betas, log_deviation)).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


# Shape


@pytest.mark.parametrize("count", [0, 1, 5])
@pytest.mark.parametrize("height", [1.4, 1.9])
def test_the_shape_has_the_stature(proxy: Proxy, count: int, height: float) -> None:
    betas = proxy.shape(silhouettes(count), height)
    assert betas.shape == (10,)
    assert proxy.body.stature(betas[None]).item() == pytest.approx(height, abs=1e-5)
    if count == 0:
        torch.testing.assert_close(betas, proxy.body.betas_for_stature(torch.zeros(1, 10), height)[0])


def test_certain_masks_count_more(monkeypatch, proxy: Proxy) -> None:
    each = torch.stack([torch.ones(10), torch.full((10,), 4.0)])
    deviation = torch.tensor([1.0, 2.0])

    def network(*inputs: Tensor) -> tuple[Tensor, Tensor]:
        return each, deviation.log()[:, None].expand(2, 10)

    monkeypatch.setitem(proxy.network._modules, "shape", network)
    mean = torch.full((1, 10), (1 * 1 + 4 * 0.25) / 1.25)  # by 1 / σ²
    torch.testing.assert_close(proxy.shape(silhouettes(2), 1.7), proxy.body.betas_for_stature(mean, 1.7)[0])


def test_wrong_shapes_are_named(proxy: Proxy) -> None:
    some = silhouettes(3)
    for wrong in (replace(some, masks=some.masks[:, :32]), replace(some, confidence=some.confidence[:2])):
        with pytest.raises(ValueError, match="masks, points, confidence: found"):
            proxy.shape(wrong, 1.7)
    with pytest.raises(ValueError, match=r"betas: found \(1, 10\)"):
        proxy.pose(observation(3), torch.zeros(1, 10))
    with pytest.raises(ValueError, match="confidence: found"):
        proxy.pose(replace(observation(3), confidence=torch.ones(4, 33)), torch.zeros(10))


# Weight files


def test_a_weight_file_reads_back(weights: Path) -> None:
    stored = torch.load(weights, weights_only=True)["network"]
    assert all(torch.equal(value, stored[key]) for key, value in load_network(weights).state_dict().items())


def test_a_missing_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing):
        Proxy(tmp_path / "none.pt", body=synthetic_body())


@pytest.mark.parametrize("content", [b"", b"no weights", [1], {"network": 3}, {"network": {}}, {"channels": 4}])
def test_rubbish_is_corrupt(tmp_path: Path, content) -> None:
    path = tmp_path / "proxy.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(WeightsCorrupt) as caught:
        load_network(path)
    assert caught.value.facts["path"] == str(path)


@pytest.mark.parametrize("change", ["missing", "unexpected", "size"])
def test_keys_are_strict(tmp_path: Path, weights: Path, change: str) -> None:
    state = dict(torch.load(weights, weights_only=True)["network"])
    if change == "missing":
        del state["pose.mean"]
    elif change == "unexpected":
        state["pose.extra"] = torch.zeros(1)
    else:
        state["pose.mean"] = torch.zeros(3)
    torch.save({"network": state}, tmp_path / "proxy.pt")
    with pytest.raises(WeightsCorrupt, match="is not a mesh stream of this version"):
        load_network(tmp_path / "proxy.pt")
