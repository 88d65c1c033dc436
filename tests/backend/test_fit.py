"""The fit: what it finds again, what it keeps constant, where its windows meet, and what it refuses."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch
from torch import Tensor

from inference_backend import fit as module
from inference_backend.adam import minimise
from inference_backend.body import BodyModel, load_default_body
from inference_backend.body_points import PointRig
from inference_backend.fit import CHILD, Fitted, Lifted, aligned_rotations, fit, posed
from inference_backend.fit_cost import FitSettings
from inference_backend.footing import Footing
from inference_backend.geometry import angle_between, axis_angle_to_matrix
from inference_backend.skeletons import BONES, PARENTS, POINT_LANDMARKS, POINTS

START, END = (list(side) for side in zip(*BONES, strict=True))


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_default_body()


@pytest.fixture(scope="module")
def rigs(body: BodyModel) -> tuple[PointRig, PointRig]:
    return PointRig.of_landmarks(body, as_seen=False), PointRig.of_landmarks(body, as_seen=True)


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def moving(rigs: tuple[PointRig, PointRig], frames: int, seed: int = 0) -> tuple[Tensor, Fitted, Lifted]:
    """A body in smooth motion, 4 m away: its betas, the truth, and the truth as a perfect lifter would give it."""
    generator = rng(seed)
    time = torch.arange(frames)[:, None, None] / 30
    phase, speed = torch.rand(2, 1, 24, 3, generator=generator) * torch.tensor([6.0, 3.0])[:, None, None, None]
    local = axis_angle_to_matrix(0.4 * torch.sin(phase + speed * time))
    local[:, 0] = torch.diag(torch.tensor([1.0, -1, -1])) @ local[:, 0]
    root = torch.cat([0.5 * torch.sin(time), 0.1 * torch.cos(2 * time), 4 + 0.3 * torch.cos(time)], -1)[:, 0]
    betas = 0.7 * torch.randn(10, generator=generator)
    truth = posed(rigs[0], betas, local, root)
    joints, landmarks, _ = rigs[1].pose(local, betas[None])
    landmarks = landmarks + (root - joints[:, 0])[:, None]
    lifted = Lifted(
        joints=truth.joints,
        points=truth.points,
        rotations=truth.rotations,
        log_error=torch.full((frames, 24), -3.5),
        landmarks=landmarks[..., :2] / landmarks[..., 2:],
        confidence=torch.ones(frames, 33),
        standing=torch.zeros(frames, 4),
    )
    return betas, truth, lifted


def noisy(lifted: Lifted, seed: int = 1) -> Lifted:
    """As a lifter gives it: 3 cm along each axis, a common depth that jitters, 10° of rotation, 2 pixels of 500."""
    generator, frames = rng(seed), len(lifted.joints)
    jitter = torch.randn(frames, 1, 1, generator=generator) * torch.tensor([0, 0, 0.03])
    turn = axis_angle_to_matrix(0.1 * torch.randn(frames, 24, 3, generator=generator))
    return replace(
        lifted,
        joints=lifted.joints + 0.03 * torch.randn(frames, 24, 3, generator=generator) + jitter,
        rotations=lifted.rotations @ turn,
        landmarks=lifted.landmarks + 0.004 * torch.randn(frames, 33, 2, generator=generator),
    )


def distance(joints: Tensor, truth: Tensor) -> float:
    """MPJPE in mm, pelvis on pelvis."""
    return float((joints - joints[:, :1] - truth + truth[:, :1]).norm(dim=-1).mean() * 1000)


def acceleration(joints: Tensor) -> Tensor:
    """Of each inner frame, mm per frame². (F - 2,)"""
    return joints.diff(n=2, dim=0).norm(dim=-1).mean(-1) * 1000


def test_shapes_and_consistency(rigs: tuple[PointRig, PointRig]) -> None:
    betas, _, lifted = moving(rigs, 20)
    fitted = fit(*rigs, betas, noisy(lifted), 30.0, FitSettings(iterations=3))
    assert [tuple(getattr(fitted, f.name).shape) for f in fields(fitted)] == [
        (20, 24, 3, 3), (20, 3), (20, 24, 3), (20, 11, 3), (20, 24, 3, 3),
    ]  # fmt: skip
    # The root is the pelvis, rotations are global, points are the landmarks of the same pose.
    torch.testing.assert_close(fitted.root, fitted.joints[:, 0])
    again = fitted.rotations[:, START].mT @ fitted.rotations[:, END]
    torch.testing.assert_close(again, fitted.local_rotations[:, 1:], atol=1e-5, rtol=0)
    joints, landmarks, _ = rigs[0].pose(fitted.local_rotations, betas[None])
    moved = landmarks[:, list(POINT_LANDMARKS)] - joints[:, :1] + fitted.root[:, None]
    torch.testing.assert_close(fitted.points, moved, atol=1e-5, rtol=0)


def test_bones_keep_the_lengths_of_the_shape(rigs: tuple[PointRig, PointRig]) -> None:
    betas, _, lifted = moving(rigs, 40)
    fitted = fit(*rigs, betas, noisy(lifted), 30.0, FitSettings(iterations=10))
    rest = rigs[0].rest_joints(betas[None])[0]
    wanted = (rest[END] - rest[START]).norm(dim=-1)
    lengths = (fitted.joints[:, END] - fitted.joints[:, START]).norm(dim=-1)
    torch.testing.assert_close(lengths, wanted.expand(40, 23), atol=1e-5, rtol=0)


def test_a_known_pose_is_recovered_from_noise(rigs: tuple[PointRig, PointRig]) -> None:
    betas, truth, lifted = moving(rigs, 90)
    seen = noisy(lifted)
    fitted = fit(*rigs, betas, seen, 30.0, FitSettings())
    assert distance(fitted.joints, truth.joints) < 0.5 * distance(seen.joints, truth.joints)
    assert (fitted.root - truth.root).norm(dim=-1).mean() < 0.6 * (seen.joints[:, 0] - truth.root).norm(dim=-1).mean()
    assert acceleration(fitted.joints).mean() < 0.3 * acceleration(seen.joints).mean()


def test_the_truth_stays_the_truth(rigs: tuple[PointRig, PointRig]) -> None:
    betas, truth, lifted = moving(rigs, 60)
    fitted = fit(*rigs, betas, lifted, 30.0, FitSettings())
    assert distance(fitted.joints, truth.joints) < 5
    assert (fitted.root - truth.root).norm(dim=-1).max() < 0.02


def test_without_steps_only_the_lengths_are_mended(rigs: tuple[PointRig, PointRig]) -> None:
    betas, truth, lifted = moving(rigs, 10)
    stretched = replace(lifted, joints=lifted.joints[:, :1] + 1.1 * (lifted.joints - lifted.joints[:, :1]))
    fitted = fit(*rigs, betas, stretched, 30.0, FitSettings(iterations=0))
    torch.testing.assert_close(fitted.joints, truth.joints, atol=1e-4, rtol=0)


def test_limbs_point_at_their_lifted_joints(rigs: tuple[PointRig, PointRig]) -> None:
    betas, truth, lifted = moving(rigs, 5)
    wrong = lifted.rotations @ axis_angle_to_matrix(0.3 * torch.randn(5, 24, 3, generator=rng(5)))
    turned = aligned_rotations(rigs[0], betas, lifted.joints, wrong)
    rest = rigs[0].rest_joints(betas[None])[0]
    for joint, child in enumerate(CHILD):
        if child < 0:
            torch.testing.assert_close(turned[:, joint], wrong[:, joint])
            continue
        assert PARENTS[child] == joint
        along = (turned[:, joint] @ (rest[child] - rest[joint])[:, None])[..., 0]
        torch.testing.assert_close(along, truth.joints[:, child] - truth.joints[:, joint], atol=1e-5, rtol=0)


@pytest.mark.parametrize("frames", [65, 96, 97, 130])
def test_windows_meet_smoothly(monkeypatch, rigs: tuple[PointRig, PointRig], frames: int) -> None:
    betas, truth, lifted = moving(rigs, frames)
    seen = noisy(lifted)
    whole = fit(*rigs, betas, seen, 30.0, FitSettings(iterations=20))
    monkeypatch.setattr(module, "WINDOW", 64)
    monkeypatch.setattr(module, "OVERLAP", 16)
    done: list[int] = []
    parts = fit(*rigs, betas, seen, 30.0, FitSettings(iterations=20), done.append)
    assert done == [*range(64, frames, 48), frames]
    assert distance(parts.joints, truth.joints) < 1.1 * distance(whole.joints, truth.joints)
    # No frame moves more jerkily than the worst of a fit without seams.
    assert acceleration(parts.joints).max() < 1.2 * acceleration(whole.joints).max()


def test_windows_are_blended_along_a_line(monkeypatch, rigs: tuple[PointRig, PointRig]) -> None:
    """Each window says its number: as its path, and as a turn about x in tenths of a radian."""
    betas, _, lifted = moving(rigs, 150)
    starts: list[int] = []

    def number(
        rig: PointRig, betas: Tensor, part: Lifted, fps: float, settings: FitSettings, footing: Footing | None
    ) -> tuple[Tensor, Tensor]:
        frames, k = len(part.joints), len(starts)
        starts.append(k)
        turn = torch.zeros(frames, 24, 3)
        turn[..., 0] = 0.1 * k
        return axis_angle_to_matrix(turn), torch.full((frames, 3), float(k))

    monkeypatch.setattr(module, "WINDOW", 64)
    monkeypatch.setattr(module, "OVERLAP", 16)
    monkeypatch.setattr(module, "_fit_window", number)
    fitted = fit(*rigs, betas, lifted, 30.0, FitSettings())
    wanted = torch.zeros(150)
    for k, start in enumerate((48, 96)):
        wanted[start:] = k + 1
        wanted[start : start + 16] = k + torch.arange(1, 17) / 17
    torch.testing.assert_close(fitted.root, wanted[:, None].expand(150, 3))
    angle = angle_between(torch.eye(3), fitted.local_rotations[:, 5])
    torch.testing.assert_close(angle, 0.1 * wanted, atol=1e-3, rtol=0)


@pytest.mark.parametrize("iterations", [0, 5])
@pytest.mark.parametrize("frames", [1, 2, 3, module.WINDOW + 1])
def test_any_length(rigs: tuple[PointRig, PointRig], frames: int, iterations: int) -> None:
    betas, _, lifted = moving(rigs, frames)
    fitted = fit(*rigs, betas, noisy(lifted), 30.0, FitSettings(iterations=iterations))
    assert fitted.joints.shape == (frames, 24, 3)
    assert all(getattr(fitted, f.name).isfinite().all() for f in fields(fitted))


def test_frames_without_a_detection_follow_the_lifter(rigs: tuple[PointRig, PointRig]) -> None:
    betas, truth, lifted = moving(rigs, 40)
    unseen = replace(lifted, confidence=torch.zeros(40, 33), landmarks=torch.full((40, 33, 2), 7.0))
    fitted = fit(*rigs, betas, unseen, 30.0, FitSettings())
    assert distance(fitted.joints, truth.joints) < 5


def test_the_detections_pull(rigs: tuple[PointRig, PointRig]) -> None:
    """A lifter that puts the body 10 cm aside is corrected by where the landmarks are seen."""
    betas, truth, lifted = moving(rigs, 40)
    aside = replace(lifted, joints=lifted.joints + torch.tensor([0.1, 0, 0]))
    pulled, left = (
        fit(*rigs, betas, aside, 30.0, FitSettings(reprojection=weight, iterations=50)).root - truth.root
        for weight in (1.0, 0.0)
    )
    assert pulled[:, :2].norm(dim=-1).mean() < 0.02
    assert left[:, :2].norm(dim=-1).mean() > 0.09


def test_a_joint_of_large_expected_error_counts_little(rigs: tuple[PointRig, PointRig]) -> None:
    betas, truth, lifted = moving(rigs, 40)
    wrong = replace(lifted, joints=lifted.joints.clone(), log_error=lifted.log_error.clone())
    wrong.joints[20, 20] += torch.tensor([0, 0.25, 0])  # a wrist, in one frame
    settings = FitSettings(iterations=200)
    sure = fit(*rigs, betas, wrong, 30.0, settings)
    wrong.log_error[20, 20] = 0.0
    unsure = fit(*rigs, betas, wrong, 30.0, settings)
    missed = [float((f.joints - truth.joints)[20, 20].norm()) for f in (sure, unsure)]
    assert missed[1] < 0.7 * missed[0]


def test_more_smoothness_less_acceleration_at_any_frame_rate(rigs: tuple[PointRig, PointRig]) -> None:
    betas, _, lifted = moving(rigs, 60)
    seen = noisy(lifted)
    jerky, smooth = (
        acceleration(fit(*rigs, betas, seen, 30.0, FitSettings(smoothness=s)).joints).mean() for s in (0.1, 3.0)
    )
    assert smooth < 0.7 * jerky
    # Per second², twice the rate is four times the acceleration: as if it weighed four times as much.
    fast = fit(*rigs, betas, seen, 60.0, FitSettings(smoothness=0.75, iterations=5))
    slow = fit(*rigs, betas, seen, 30.0, FitSettings(smoothness=3.0, iterations=5))
    torch.testing.assert_close(fast.joints, slow.joints, atol=1e-4, rtol=0)


def test_feet_that_stand_hold_still(rigs: tuple[PointRig, PointRig]) -> None:
    """A lifter whose depths waver, over a body that stands and moves its arms."""
    betas, truth, _ = moving(rigs, 60)
    local = truth.local_rotations[:1].expand(60, -1, -1, -1).clone()
    local[:, 16:22] = truth.local_rotations[:, 16:22]
    truth = posed(rigs[0], betas, local, truth.root[:1].expand(60, 3))
    joints, landmarks, _ = rigs[1].pose(local, betas[None])
    landmarks = landmarks + (truth.root - joints[:, 0])[:, None]
    time = torch.arange(60)[:, None] / 30
    waver = 0.06 * torch.sin(8 * time + torch.arange(24)) * torch.ones(60, 24)
    wavering = truth.joints + waver[..., None] * torch.tensor([0, 0, 1.0])
    picture = landmarks[..., :2] / landmarks[..., 2:]
    seen = Lifted(
        wavering, truth.points, truth.rotations, torch.full((60, 24), -2.5), picture, torch.ones(60, 33),
        torch.ones(60, 4),
    )  # fmt: skip
    soles = [POINTS.index(name) for name in ("left_heel", "right_heel", "left_foot_index", "right_foot_index")]
    speeds = []
    for contact in (0.0, FitSettings().contact):
        fitted = fit(*rigs, betas, seen, 30.0, FitSettings(contact=contact))
        speeds.append(float(fitted.points[:, soles].diff(dim=0).norm(dim=-1).mean() * 30))
        assert distance(fitted.joints, truth.joints) < distance(wavering, truth.joints)
    assert speeds[1] < 0.5 * speeds[0]


def test_the_twist_comes_from_the_lifters_rotations(rigs: tuple[PointRig, PointRig]) -> None:
    """Joints say nothing of a turn about a bone."""
    betas, truth, lifted = moving(rigs, 20)
    fitted = fit(*rigs, betas, lifted, 30.0, FitSettings())
    assert angle_between(fitted.rotations, truth.rotations).mean() < 0.05


def test_steps_equal_torchs_adam() -> None:
    """The readable twin, in float64."""
    generator = rng(0)
    target = torch.randn(7, 24, 3, dtype=torch.float64, generator=generator)
    place = torch.randn(7, 3, dtype=torch.float64, generator=generator)

    def loss_of(turn: Tensor, shift: Tensor) -> Tensor:
        return (turn.sin() - target).abs().sum() + (shift - place).square().sum() * turn.square().mean()

    start = torch.zeros(7, 24, 3, dtype=torch.float64), torch.ones(7, 3, dtype=torch.float64)
    turn, shift = (value.clone().requires_grad_() for value in start)
    adam = torch.optim.Adam([{"params": [turn], "lr": 0.03}, {"params": [shift], "lr": 0.01}])
    for step in range(12):
        for group, rate in zip(adam.param_groups, (0.03, 0.01), strict=True):
            group["lr"] = rate * (1 - 0.9 * step / 12)
        adam.zero_grad()
        loss_of(turn, shift).backward()
        adam.step()
    found = minimise(loss_of, start, (0.03, 0.01), 12)
    torch.testing.assert_close(found, [turn.detach(), shift.detach()], atol=1e-12, rtol=0)


def test_it_runs_where_gradients_are_switched_off(rigs: tuple[PointRig, PointRig]) -> None:
    betas, _, lifted = moving(rigs, 10)
    seen, settings = noisy(lifted), FitSettings(iterations=5)
    with torch.no_grad():
        inside = fit(*rigs, betas, seen, 30.0, settings)
    outside = fit(*rigs, betas, seen, 30.0, settings)
    assert torch.equal(inside.joints, outside.joints)
    assert not outside.joints.requires_grad


@pytest.mark.parametrize("name", [f.name for f in fields(Lifted)])
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_what_is_not_finite_is_refused(rigs: tuple[PointRig, PointRig], name: str, value: float) -> None:
    betas, _, lifted = moving(rigs, 4)
    broken = getattr(lifted, name).clone()
    broken[2, 0] = value
    with pytest.raises(ValueError, match=f"{name}: has values that are not finite"):
        fit(*rigs, betas, replace(lifted, **{name: broken}), 30.0, FitSettings())


def test_wrong_shapes_are_named(rigs: tuple[PointRig, PointRig]) -> None:
    betas, _, lifted = moving(rigs, 4)
    with pytest.raises(ValueError, match="no frames"):
        fit(*rigs, betas, lifted.part(0, 0), 30.0, FitSettings())
    for field in fields(Lifted)[1:]:
        cut = replace(lifted, **{field.name: getattr(lifted, field.name)[:3]})
        with pytest.raises(ValueError, match=f"{field.name}: found"):
            fit(*rigs, betas, cut, 30.0, FitSettings())
    for fps in (0.0, -30.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="fps"):
            fit(*rigs, betas, lifted, fps, FitSettings())
