"""From one person's detections to target pose and mesh stream, with a lifter and a mesh generator that know."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from inference_backend.body import BodyModel, load_default_body
from inference_backend.body_points import PointRig
from inference_backend.camera import Intrinsics
from inference_backend.estimators.blazepose_detector import Roi
from inference_backend.fit import Fitted, posed
from inference_backend.generators import MeshEstimate, Observation, Silhouettes
from inference_backend.geometry import angle_between, axis_angle_to_matrix
from inference_backend.lifters import Keypoints, LiftedPose
from inference_backend.sightings import Sighting
from inference_backend.skeletons import BONES
from inference_backend.solve import SHAPE_MASKS, Solver, into_square, silhouettes
from inference_backend.solve_preset import FitPreset, SolvePreset, TrajectoryPreset
from inference_backend.suspect_signs import suspect_inputs

FRAMES = 36
CAMERA = Intrinsics(900.0, 900.0, 480.0, 270.0, 960, 540, "field")
START, END = (list(side) for side in zip(*BONES, strict=True))


class Knowing:
    """A lifter and a mesh generator that look up the truth, the lifter with an error of 2 cm."""

    fps = 30.0

    def __init__(self, betas: torch.Tensor, truth: Fitted) -> None:
        self.betas, self.truth = betas, truth
        self.heights: list[float] = []

    def lift(self, keypoints: Keypoints, height: float) -> LiftedPose:
        self.heights.append(height)
        error = 0.02 * torch.randn(FRAMES, 24, 3, generator=torch.Generator().manual_seed(1))
        log_error = torch.full((FRAMES, 24), -3.5)
        return LiftedPose(self.truth.joints + error, self.truth.points, self.truth.rotations, log_error)

    def shape(self, masks: Silhouettes, height: float) -> torch.Tensor:
        self.heights.append(height)
        return self.betas

    def pose(self, seen: Observation, betas: torch.Tensor) -> MeshEstimate:
        return MeshEstimate(self.truth.local_rotations, self.truth.root)


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_default_body()


def scene(body: BodyModel, preset: SolvePreset) -> tuple[Solver, Knowing, Sighting]:
    """A body that moves in front of the camera, and what an estimator sees of it."""
    generator = torch.Generator().manual_seed(0)
    rig, rig_seen = (PointRig.of_landmarks(body, as_seen=as_seen) for as_seen in (False, True))
    time = torch.arange(FRAMES)[:, None, None] / 30
    local = axis_angle_to_matrix(0.4 * torch.sin(6 * torch.rand(1, 24, 3, generator=generator) + 2 * time))
    local[:, 0] = torch.diag(torch.tensor([1.0, -1, -1])) @ local[:, 0]
    root = torch.cat([0.4 * time, 0 * time, 4.5 + 0.3 * time], -1)[:, 0]
    betas = body.betas_for_stature(0.5 * torch.randn(1, 10, generator=generator), preset.height)[0]
    truth = posed(rig, betas, local, root)
    joints, landmarks, _ = rig_seen.pose(local, betas[None])
    pixels = CAMERA.project((landmarks + (root - joints[:, 0])[:, None]).numpy())
    knowing = Knowing(betas, truth)
    sighting = Sighting(
        frames=np.arange(10, 10 + FRAMES),
        seconds=np.arange(FRAMES) / 30,
        keypoints=np.concatenate([pixels, np.full((FRAMES, 33, 1), 0.9)], -1).astype(np.float32),
        world=np.zeros((FRAMES, 33, 3), np.float32),
        boxes=np.zeros((FRAMES, 4), np.float32),
        masks=np.zeros((0, 64, 64), np.uint8),
        mask_squares=np.zeros((0, 4), np.float32),
        mask_rows=np.zeros(0, np.int64),
    )
    return Solver(body, knowing, knowing, preset), knowing, sighting


def test_both_streams_and_the_target(body: BodyModel) -> None:
    preset = replace(SolvePreset(), height=1.8)
    solver, knowing, sighting = scene(body, preset)
    truth = knowing.truth
    ticks: list[tuple[str, int, int]] = []
    solve = solver.solve(sighting, CAMERA, lambda *tick: ticks.append(tick))
    assert set(knowing.heights) == {1.8}
    assert ticks == [("lift", FRAMES, FRAMES), ("target", FRAMES, FRAMES)]
    torch.testing.assert_close(solve.betas, knowing.betas)
    missed = (solve.target.joints - truth.joints).norm(dim=-1).mean()
    assert missed < 0.8 * (solve.lifted.joints - truth.joints).norm(dim=-1).mean()
    lengths = (solve.target.joints[:, END] - solve.target.joints[:, START]).norm(dim=-1)
    torch.testing.assert_close(lengths, lengths[:1].expand_as(lengths), atol=1e-5, rtol=0)
    vertices, joints, translation = solver.mesh_vertices(solve, 5, 9)
    assert vertices.shape == (4, body.vertex_count, 3)
    torch.testing.assert_close(joints, truth.joints[5:9], atol=1e-5, rtol=0)
    whole = body.pose(truth.local_rotations[5:9], knowing.betas[None], translation)
    torch.testing.assert_close(vertices, whole.vertices)

    inputs = suspect_inputs(solver, solve, sighting.keypoints, CAMERA)
    assert inputs.reprojection.shape == inputs.visibility.shape == (FRAMES, 24)
    assert inputs.reprojection.mean() < 0.01
    assert np.allclose(inputs.visibility, 0.9)
    assert np.allclose(inputs.joints_hmr, truth.joints.numpy(), atol=1e-5)
    aside = sighting.keypoints + np.float32([90, 0, 0])  # half a metre, of 1.8 m
    assert suspect_inputs(solver, solve, aside, CAMERA).reprojection.mean() == pytest.approx(0.27, abs=0.03)
    with pytest.raises(ValueError, match="keypoints: found"):
        suspect_inputs(solver, solve, sighting.keypoints[1:], CAMERA)


def test_layers_can_be_switched_off(body: BodyModel) -> None:
    off = replace(SolvePreset(), fit=FitPreset(enabled=False), trajectory=TrajectoryPreset(enabled=False))
    solver, knowing, sighting = scene(body, off)
    solve = solver.solve(sighting, CAMERA, lambda *_: None)
    torch.testing.assert_close(solve.target.root, solve.lifted.joints[:, 0], atol=1e-6, rtol=0)
    assert angle_between(solve.target.rotations[:, [0, 3]], knowing.truth.rotations[:, [0, 3]]).max() < 1e-3


# Silhouettes


def test_into_square_undoes_the_estimators_square() -> None:
    rois = [Roi(200.0, 100.0, 80.0, 0.6), Roi(-5.0, 20.0, 300.0, -2.5)]
    unit = np.random.default_rng(0).random((2, 33, 2))
    pixels = np.stack([roi.to_image(points) for roi, points in zip(rois, unit, strict=True)])
    squares = np.array([[roi.cx, roi.cy, roi.size, roi.angle] for roi in rois])
    assert np.allclose(into_square(pixels, squares), unit, atol=1e-12)
    assert into_square(pixels[:0], squares[:0]).shape == (0, 33, 2)
    with pytest.raises(ValueError, match="points, squares"):
        into_square(pixels, squares[:1])


def masked(body: BodyModel, rows: list[int], confidence: np.ndarray) -> Sighting:
    _, _, sighting = scene(body, SolvePreset())
    keypoints = np.zeros((len(confidence), 33, 3), np.float32)
    keypoints[..., 2] = confidence[:, None]
    return replace(
        sighting,
        keypoints=keypoints,
        masks=np.stack([np.full((64, 64), 255 * (row % 2), np.uint8) for row in rows]),
        mask_squares=np.tile(np.float32([0, 0, 10, 0]), (len(rows), 1)),
        mask_rows=np.array(rows),
    )


def test_the_best_seen_masks_are_taken(body: BodyModel) -> None:
    confidence = np.linspace(0.1, 0.9, 200).astype(np.float32)
    chosen = silhouettes(masked(body, list(range(0, 200, 2)), confidence))
    assert chosen.masks.shape == (SHAPE_MASKS, 64, 64)
    assert np.allclose(chosen.confidence[:, 0], confidence[198 : 198 - 2 * SHAPE_MASKS : -2])
    assert chosen.points.shape == (SHAPE_MASKS, 33, 2)


def test_masks_of_unseen_frames_are_left_out(body: BodyModel) -> None:
    chosen = silhouettes(masked(body, [0, 1, 3], np.array([0.0, 0.5, 0.0, 0.7], np.float32)))
    assert chosen.confidence[:, 0].tolist() == pytest.approx([0.7, 0.5])
    assert (chosen.masks == 1).all()
    nobody = silhouettes(masked(body, [0], np.zeros(1, np.float32)))
    assert nobody.masks.shape == (0, 64, 64)
