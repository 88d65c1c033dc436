"""People in one world: their heights, what they stand on, and the legs that the picture cuts off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from inference_backend.body import BodyModel, load_default_body
from inference_backend.body_points import PointRig
from inference_backend.camera import Intrinsics
from inference_backend.evaluation.footage import sole_heights
from inference_backend.fit import Fitted, posed
from inference_backend.footing import LASTING_TIPTOE, TIPTOE
from inference_backend.generators import MeshEstimate, Observation, Silhouettes
from inference_backend.lifters import Keypoints, LiftedPose
from inference_backend.scene import on_one_floor
from inference_backend.sightings import Sighting
from inference_backend.skeletons import LANDMARKS, POINTS
from inference_backend.solve import PersonSolve, Solver
from inference_backend.solve_preset import FitPreset, SolvePreset
from inference_backend.world import World

FRAMES = 36
CAMERA = Intrinsics(700.0, 700.0, 480.0, 270.0, 960, 540, "field")
TILT = np.radians(25.0)
UP = np.array([0.0, -np.cos(TILT), -np.sin(TILT)])
AHEAD = np.array([0.0, -np.sin(TILT), np.cos(TILT)])
DEPTH = 2.2
"""Metres that the floor is under the camera."""
LEGS = [k for k, name in enumerate(LANDMARKS) if name.endswith(("knee", "ankle", "heel", "foot_index"))]

FEET = [k for k, name in enumerate(POINTS) if name.endswith(("heel", "foot_index"))]


@dataclass
class Knowing:
    """A lifter and a mesh generator that know the pose and the size in the picture, and of the stature what they are
    told: as the real ones, they put a small person taken for a tall one further away."""

    body: BodyModel
    truth: Fitted
    height: float
    fps = 30.0

    def lift(self, keypoints: Keypoints, height: float) -> LiftedPose:
        scale = height / self.height
        return LiftedPose(
            scale * self.truth.joints, scale * self.truth.points, self.truth.rotations,
            torch.full((len(self.truth.joints), 24), -4.0),
        )  # fmt: skip

    def shape(self, masks: Silhouettes, height: float) -> Tensor:
        return self.body.betas_for_stature(torch.zeros(1, 10), height)[0]

    def pose(self, seen: Observation, betas: Tensor) -> MeshEstimate:
        return MeshEstimate(self.truth.local_rotations, self.truth.root)


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_default_body()


def somebody(body: BodyModel, height: float, aside: float, preset: SolvePreset) -> tuple[Solver, Sighting]:
    """Somebody of this height who stands on the floor 5 m ahead."""
    rig, rig_seen = (PointRig.of_landmarks(body, as_seen=as_seen) for as_seen in (False, True))
    betas = body.betas_for_stature(torch.zeros(1, 10), height)
    local = torch.eye(3).repeat(FRAMES, 24, 1, 1)
    axes = np.stack([np.array([-1.0, 0, 0]), UP, np.cross([-1.0, 0, 0], UP)], 1)
    local[:, 0] = torch.tensor(axes, dtype=torch.float32)
    lowest = float(body.rest(betas)[0][0, :, 1].min())
    pelvis = float(body.rest(betas)[1][0, 0, 1]) - lowest
    root = torch.tensor((pelvis - DEPTH) * UP + 5 * AHEAD + np.array([aside, 0, 0]), dtype=torch.float32)
    truth = posed(rig, betas[0], local, root.expand(FRAMES, 3))
    joints, landmarks, _ = rig_seen.pose(local, betas)
    pixels = CAMERA.project((landmarks + (truth.root - joints[:, 0])[:, None]).numpy())
    sighting = Sighting(
        frames=np.arange(FRAMES),
        seconds=np.arange(FRAMES) / 30,
        keypoints=np.concatenate([pixels, np.full((FRAMES, 33, 1), 0.9)], -1).astype(np.float32),
        world=np.zeros((FRAMES, 33, 3), np.float32),
        boxes=np.zeros((FRAMES, 4), np.float32),
        masks=np.zeros((0, 64, 64), np.uint8),
        mask_squares=np.zeros((0, 4), np.float32),
        mask_rows=np.zeros(0, np.int64),
    )
    knowing = Knowing(body, truth, height)
    return Solver(body, knowing, knowing, preset), sighting


@dataclass(frozen=True)
class Scene:
    """People on one floor, as solved."""

    solvers: tuple[Solver, ...]
    solves: tuple[PersonSolve, ...]
    world: World


def solved(people: list[tuple[Solver, Sighting]], given: bool = False) -> Scene:
    streams = [solver.look(sighting, CAMERA, lambda *_: None) for solver, sighting in people]
    placed = on_one_floor([solver for solver, _ in people], streams, given)
    return Scene(placed.solvers, placed.targets(lambda *_: None), placed.world)


def soles(body: BodyModel, scene: Scene) -> list[float]:
    """Mean height of each person's lowest vertex in the world."""
    out = []
    for solve in scene.solves:
        shift = solve.target.root - body.rest(solve.betas[None])[1][0, 0]
        vertices = body.pose(solve.target.local_rotations, solve.betas[None], shift).vertices.double().numpy()
        out.append(float((vertices @ scene.world.matrix[2, :3] + scene.world.matrix[2, 3]).min(1).mean()))
    return out


def test_everyone_stands_on_the_floor_and_is_as_tall_as_that_takes(body: BodyModel) -> None:
    people = [somebody(body, height, aside, SolvePreset()) for height, aside in ((1.8, -0.8), (1.6, 0.8))]
    scene = solved(people)
    heights = [solver.preset.height for solver in scene.solvers]
    assert heights[0] / heights[1] == pytest.approx(1.8 / 1.6, abs=0.03)
    assert np.mean(heights) == pytest.approx(1.7, abs=0.03)  # what all are taken as
    assert [float(body.stature(solve.betas[None])[0]) for solve in scene.solves] == pytest.approx(heights, abs=1e-3)
    np.testing.assert_allclose(soles(body, scene), 0, atol=0.01)
    alone = [solver.solve(sighting, CAMERA, lambda *_: None) for solver, sighting in people]
    apart = soles(body, replace(scene, solves=tuple(alone)))
    assert abs(apart[0] - apart[1]) > 0.15


def test_the_floor_is_under_the_feet_that_meet_the_picture(body: BodyModel) -> None:
    """The lifter's legs are too long for the body and for what was detected."""
    solver, sighting = somebody(body, 1.7, 0.0, SolvePreset())

    class LongLegged(Knowing):
        def lift(self, keypoints: Keypoints, height: float) -> LiftedPose:
            pose = super().lift(keypoints, height)
            joints, points = pose.joints.clone(), pose.points.clone()
            down = torch.tensor(-0.06 * UP, dtype=torch.float32)
            joints[:, [7, 8, 10, 11]] += down
            points[:, FEET] += down
            return replace(pose, joints=joints, points=points, log_error=torch.full_like(pose.log_error, -3.0))

    wanted = solved([(solver, sighting)]).world.floor_offset
    solver.lifter = LongLegged(body, solver.lifter.truth, 1.7)  # type: ignore[attr-defined]
    scene = solved([(solver, sighting)])
    assert scene.world.floor_offset == pytest.approx(wanted, abs=0.02)
    np.testing.assert_allclose(soles(body, scene), 0, atol=0.01)


def test_who_stands_throughout_is_not_taken_to_stand_on_their_toes(body: BodyModel) -> None:
    solver, sighting = somebody(body, 1.7, 0.0, SolvePreset(height=1.7))
    still = solver.look(sighting, CAMERA, lambda *_: None)
    walked = sighting.keypoints.copy()
    walked[..., 0] += 12.0 * np.arange(FRAMES)[:, None]
    moving = solver.look(replace(sighting, keypoints=walked), CAMERA, lambda *_: None)
    limits = [on_one_floor([solver], [one], True).footings[0].tiptoe for one in (still, moving)]
    assert (limits[0] == LASTING_TIPTOE).all()
    assert (limits[1] == TIPTOE).all()


def test_told_heights_stay(body: BodyModel) -> None:
    people = [somebody(body, height, aside, SolvePreset()) for height, aside in ((1.7, -0.8), (1.65, 0.8))]
    scene = solved(people, given=True)
    assert [solver.preset.height for solver in scene.solvers] == [1.7, 1.7]
    np.testing.assert_allclose(soles(body, scene), 0, atol=0.03)  # the fit still puts the feet on the floor


def test_the_floor_can_be_switched_off(body: BodyModel) -> None:
    preset = replace(SolvePreset(), fit=FitPreset(floor=0.0))
    people = [somebody(body, height, aside, preset) for height, aside in ((1.7, -0.8), (1.6, 0.8))]
    scene = solved(people, given=True)
    apart = soles(body, scene)
    assert abs(apart[0] - apart[1]) > 0.04


def test_who_is_cut_by_the_picture_s_foot_still_stands(body: BodyModel) -> None:
    """A third of the clip shows no legs: they are guessed in the picture, and lifted accordingly."""
    solver, sighting = somebody(body, 1.7, 0.0, SolvePreset())
    keypoints = sighting.keypoints.copy()
    hidden = slice(0, 12)
    keypoints[hidden, :, 1] += 540 - keypoints[hidden, 23:25, 1].mean() - 15  # the camera's view ends under the hips
    keypoints[hidden, LEGS, 1] = keypoints[hidden, 23:24, 1] - 30
    keypoints[hidden, LEGS, 2] = 0.1

    class Misled(Knowing):
        def lift(self, keypoints: Keypoints, height: float) -> LiftedPose:
            pose = super().lift(keypoints, height)
            joints = pose.joints.clone()
            joints[hidden, 4:6] = joints[hidden, 7:9] = joints[hidden, 10:12] = joints[hidden][:, :1] + 0.2
            return replace(pose, joints=joints)

    misled = Misled(body, solver.lifter.truth, 1.7)  # type: ignore[attr-defined]
    solver.lifter = misled
    scene = solved([(solver, replace(sighting, keypoints=keypoints))])
    target = scene.solves[0].target
    upright = (target.joints[:, 12] - target.joints[:, [7, 8]].mean(1)) @ torch.tensor(UP, dtype=torch.float32)
    assert upright[hidden].min() > 0.9 * upright[24:].mean()
    doubt = scene.solves[0].lifted.log_error
    assert (doubt[hidden, 7:9].exp() > 0.2).all()
    assert (doubt[24:, 7:9].exp() < 0.05).all()


class Rows:
    """A person of a take, as far as the measure looks."""

    def __init__(self, arrays: Mapping[str, Any]) -> None:
        self.arrays = arrays

    def array(self, name: str) -> Any:
        return self.arrays[name]


def test_feet_are_measured_at_the_mesh(body: BodyModel) -> None:
    standing = body.rest(torch.zeros(1, 10))[0][0].numpy()
    one_leg = standing.copy()
    one_leg[standing[:, 0] > 0.03, 1] += 0.3  # the left
    world = np.eye(4)
    world[:3, :3] = [[1, 0, 0], [0, 0, -1], [0, 1, 0]]
    world[2, 3] = 0.02 - standing[:, 1].min()
    person = Rows({"vertices": np.stack([standing, one_leg]), "world": world})
    found = sole_heights(person, body)  # type: ignore[arg-type]
    np.testing.assert_allclose(found, [[0.02, 0.02], [0.32, 0.02]], atol=2e-3)
