"""Both streams over a clip: the same whether in windows or whole, at any frame rate, of any length."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from inference_backend import streams
from inference_backend.generators import Observation
from inference_backend.generators.proxy import Proxy, ProxyNetwork
from inference_backend.geometry import angle_between, axis_angle_to_matrix
from inference_backend.lifters import Keypoints
from inference_backend.lifters.videopose3d import LifterNetwork, VideoPose3D
from inference_backend.streams import MARGIN, Clock, lift_clip, mesh_clip

from .synthetic_body import synthetic_body

PARTS = ("joints", "points", "rotations", "log_error")


@pytest.fixture(scope="module")
def lifter(tmp_path_factory) -> VideoPose3D:
    """A small network with random weights, all of its outputs alive."""
    torch.manual_seed(0)
    network = LifterNetwork(channels=16)
    torch.nn.init.normal_(network.temporal.shrink.weight, std=0.05)
    network.placement.copy_(torch.rand(35, 33).softmax(1))
    path = tmp_path_factory.mktemp("weights") / "lifter.pt"
    torch.save({"channels": 16, "network": network.state_dict()}, path)
    return VideoPose3D(path)


@pytest.fixture(scope="module")
def generator(tmp_path_factory) -> Proxy:
    torch.manual_seed(0)
    network = ProxyNetwork()
    torch.nn.init.normal_(network.pose.step[-1].weight, std=0.02)
    network.pose.mean[:144] = torch.tensor([1.0, 0, 0, 0, 1, 0]).repeat(24)
    path = tmp_path_factory.mktemp("weights") / "proxy.pt"
    torch.save({"network": network.state_dict()}, path)
    return Proxy(path, body=synthetic_body())


def observation(frames: int, seed: int = 0, world: bool = True) -> Observation:
    """Landmarks that wander."""
    rng = torch.Generator().manual_seed(seed)
    points = 0.1 * torch.randn(33, 2, generator=rng) + 0.01 * torch.randn(frames, 33, 2, generator=rng).cumsum(0)
    hint = 0.4 * torch.randn(frames, 33, 3, generator=rng) if world else None
    return Observation(points, torch.rand(frames, 33, generator=rng), hint)


def steady(frames: int) -> Clock:
    return Clock.at(np.arange(frames) / 30, 30.0)


@pytest.mark.parametrize("window", [40, 100, 128])
@pytest.mark.parametrize("world", [True, False])
def test_windows_equal_the_whole_clip(
    monkeypatch, lifter: VideoPose3D, generator: Proxy, window: int, world: bool
) -> None:
    frames = 300
    seen, betas = observation(frames, world=world), torch.zeros(10)
    whole = lifter.lift(Keypoints(seen.points, seen.confidence, seen.world), 1.8)
    mesh = generator.pose(seen, betas)
    monkeypatch.setattr(streams, "WINDOW", window)
    done: list[int] = []
    cut = lift_clip(lifter, seen, steady(frames), 1.8, done.append)
    assert done == [*range(window, frames, window), frames]
    for name in PARTS:
        torch.testing.assert_close(getattr(cut, name), getattr(whole, name), atol=1e-5, rtol=1e-5)
    cut_mesh = mesh_clip(generator, seen, steady(frames), betas)
    torch.testing.assert_close(cut_mesh.pose, mesh.pose, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(cut_mesh.root, mesh.root, atol=1e-5, rtol=1e-5)


def test_a_smaller_margin_would_show(monkeypatch, lifter: VideoPose3D) -> None:
    """That the test above can fail."""
    seen = observation(300)
    whole = lifter.lift(Keypoints(seen.points, seen.confidence, seen.world), 1.8)
    monkeypatch.setattr(streams, "WINDOW", 100)
    monkeypatch.setattr(streams, "MARGIN", 20)
    cut = lift_clip(lifter, seen, steady(300), 1.8, lambda _: None)
    assert (cut.joints - whole.joints).abs().max() > 1e-4


def test_the_margin_is_what_an_output_depends_on(lifter: VideoPose3D) -> None:
    """No frame further off than the margin's documented 78 changes anything, and that one does."""
    seen = observation(181, world=False)
    points = seen.points.double().requires_grad_()
    network = LifterNetwork(channels=16)
    network.load_state_dict(lifter.network.state_dict())
    prediction, _ = network.double().eval()(points[None], seen.confidence[None].double(), None)
    prediction.targets[0, 90].square().sum().backward()
    assert points.grad is not None
    reached = torch.nonzero(points.grad.abs().sum((1, 2)))[:, 0]
    assert max(90 - int(reached.min()), int(reached.max()) - 90) == 78
    assert MARGIN >= 78


@pytest.mark.parametrize("fps", [30.0, 25.0])
@pytest.mark.parametrize("frames", [1, 2, 3])
def test_short_clips(lifter: VideoPose3D, generator: Proxy, frames: int, fps: float) -> None:
    clock = Clock.at(np.arange(frames) / fps, 30.0)
    seen = observation(frames)
    assert seen.world is not None
    grid = Observation(clock.to_grid(seen.points), clock.to_grid(seen.confidence), clock.to_grid(seen.world))
    pose = lift_clip(lifter, grid, clock, 1.7, lambda _: None)
    assert [getattr(pose, name).shape for name in PARTS] == [
        (frames, 24, 3), (frames, 11, 3), (frames, 24, 3, 3), (frames, 24),
    ]  # fmt: skip
    assert all(getattr(pose, name).isfinite().all() for name in PARTS)
    mesh = mesh_clip(generator, grid, clock, torch.zeros(10))
    assert mesh.pose.shape == (frames, 24, 3, 3)
    assert mesh.root.shape == (frames, 3)
    assert mesh.pose.isfinite().all()
    assert mesh.root.isfinite().all()


CLOCKS = {
    "25": np.arange(60) / 25,
    "60": np.arange(140) / 60,
    "24, from 5 s on": 5 + np.arange(50) / 24,
    "12": np.arange(30) / 12,
    "variable": np.cumsum(np.random.default_rng(0).choice([1 / 60, 1 / 30, 1 / 20], 80)),
    "two frames": np.array([0.0, 0.04]),
    "a gap": np.concatenate([np.arange(20) / 30, 3 + np.arange(20) / 30]),
}


@pytest.mark.parametrize("name", CLOCKS)
def test_resampling_there_and_back(name: str) -> None:
    seconds = CLOCKS[name]
    clock = Clock.at(seconds, 30.0)
    assert not clock.steady
    assert clock.grid[0] == seconds[0]
    assert clock.grid[-1] == seconds[-1]
    steps = np.diff(clock.grid)
    assert np.allclose(steps, steps[0])
    if len(seconds) > 10:
        assert steps[0] == pytest.approx(1 / 30, rel=0.5 / len(steps) + 1e-6)
    time = torch.tensor(seconds)
    # What is linear over time comes back as it was, also at the ends.
    line = torch.stack([2 * time - 3, -time], -1)
    on_grid = clock.to_grid(line)
    torch.testing.assert_close(on_grid[:, 0], 2 * torch.tensor(clock.grid) - 3, atol=1e-12, rtol=0)
    torch.testing.assert_close(clock.to_frames(on_grid), line, atol=1e-12, rtol=0)
    # A motion of 1 Hz keeps within what straight lines between its frames can do.
    if name not in ("12", "two frames", "a gap"):
        wave = torch.sin(2 * torch.pi * time)[:, None, None].float()
        back = clock.to_frames(clock.to_grid(wave))
        assert back.shape == wave.shape
        assert back.dtype == torch.float32
        assert (back - wave).abs().max() < 0.02


@pytest.mark.parametrize("name", ["25", "60", "variable"])
def test_rotations_there_and_back(name: str) -> None:
    seconds = CLOCKS[name]
    clock = Clock.at(seconds, 30.0)

    def turning(at: np.ndarray) -> Tensor:  # 3 rad/s about a fixed axis
        return axis_angle_to_matrix(torch.tensor(at)[:, None, None] * torch.tensor([[2.0, -1, 2], [0, 3, 0]]).double())

    back = clock.rotations_to_frames(turning(clock.grid))
    assert back.shape == (len(seconds), 2, 3, 3)
    torch.testing.assert_close(back @ back.mT, torch.eye(3).double().expand_as(back))
    assert angle_between(back, turning(seconds)).max() < 2e-3


@pytest.mark.parametrize("seconds", [np.arange(50) / 30, 7 + np.arange(50) * 1001 / 30000, np.array([3.0])])
def test_at_the_lifters_own_rate_nothing_is_touched(seconds: np.ndarray) -> None:
    clock = Clock.at(seconds, 30.0)
    values, matrices = torch.rand(len(seconds), 3), torch.rand(len(seconds), 3, 3)
    assert clock.steady
    assert clock.to_grid(values) is values
    assert clock.to_frames(values) is values
    assert clock.rotations_to_frames(matrices) is matrices


def test_what_is_no_clip_is_named(lifter: VideoPose3D, generator: Proxy) -> None:
    for seconds in ([], [0, 0.1, 0.1], [0, 0.2, 0.1], [0, np.nan], [[0, 1]]):
        with pytest.raises(ValueError, match="seconds"):
            Clock.at(np.array(seconds, np.float64), 30.0)
    with pytest.raises(ValueError, match="found 4 frames, want the 5"):
        lift_clip(lifter, observation(4), steady(5), 1.7, lambda _: None)
    with pytest.raises(ValueError, match="found 6 frames, want the 5"):
        mesh_clip(generator, observation(6), steady(5), torch.zeros(10))
