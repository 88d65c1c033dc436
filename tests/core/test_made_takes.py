"""The made-up takes of the tests: what they promise, so that tests that use them may rely on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pchmr.inference_backend.errors import TakeCorrupt
from pchmr.inference_backend.skeletons import JOINTS, LANDMARKS, PARENTS
from pchmr.pchmr_blender.core.takes import TakeView, open_view

from ..blender.bodies import TestBody, boxes, shipped
from ..blender.motion import quaternions, rotations
from ..blender.takes import make_take

F = 5


@pytest.fixture(params=["boxes", "shipped"])
def view(request: pytest.FixtureRequest, tmp_path: Path) -> TakeView:
    body = boxes() if request.param == "boxes" else shipped()
    return open_view(make_take(tmp_path / "walk ü.take", body=body, frames=F, people=2, principal=(300.0, 190.5)))


def test_kinematics_of_the_rest_joints_give_the_joints(view: TakeView) -> None:
    for person in view.people:
        assert person.rotations.shape == (F, 24, 3, 3)
        placed = np.empty((F, 24, 3))
        placed[:, 0] = person.root
        for joint in range(1, 24):
            bone = person.rest_joints[joint] - person.rest_joints[PARENTS[joint]]
            placed[:, joint] = placed[:, PARENTS[joint]] + person.rotations[:, PARENTS[joint]] @ bone
        np.testing.assert_allclose(placed, person.joints, atol=1e-5)


def test_skinning_of_the_rest_body_gives_the_vertices(view: TakeView) -> None:
    person, topology = view.people[1], view.topology
    vertices = np.zeros((F, person.vertex_count, 3))
    for column in range(4):
        joint = topology.skin_joints[:, column]
        offset = person.rest_vertices - person.rest_joints[joint]
        turned = np.einsum("fnij,nj->fni", person.rotations[:, joint], offset) + person.joints[:, joint]
        vertices += topology.skin_weights[:, column, None] * turned
    np.testing.assert_allclose(vertices, person.vertices(0, F), atol=1e-5)


def test_the_person_stands_on_the_floor_before_the_camera(view: TakeView) -> None:
    joints = view.people[0].joints
    assert np.all(joints[:, JOINTS.index("head"), 2] > 1.2)
    assert -0.3 < joints[..., 2].min() < 0.3
    assert np.all(joints[..., 1] > view.camera_to_world[1, 3] + 2)
    left, right = JOINTS.index("left_shoulder"), JOINTS.index("right_shoulder")
    assert joints[0, left, 0] > joints[0, right, 0]  # faces the camera, which looks along +y


def test_joints_project_onto_their_landmarks(view: TakeView) -> None:
    person = view.people[0]
    fx, fy, cx, cy = view.intrinsics
    assert (cx, cy) == (300.0, 190.5)
    knee = person.joints[:, JOINTS.index("left_knee")]
    x, y, z = ((knee - view.camera_to_world[:3, 3]) @ view.camera_to_world[:3, :3]).T
    pixels = np.stack([fx * x / z + cx, fy * y / z + cy], -1)
    np.testing.assert_allclose(pixels, person.keypoints_2d[:, LANDMARKS.index("left_knee"), :2], atol=1e-2)


@pytest.mark.parametrize("body", [boxes(), shipped()], ids=lambda body: body.name)
def test_faces_are_closed_and_look_outwards(body: TestBody) -> None:
    a, b, c, d = (body.vertices[body.faces[:, corner]].astype(float) for corner in range(4))
    volume = sum(np.einsum("mi,mi->m", x, np.cross(y, z)).sum() for x, y, z in ((a, b, c), (a, c, d))) / 6
    assert volume > 0.02  # cubic metres: positive where faces are counter-clockwise from outside
    assert body.uvs[body.face_uvs].shape == (len(body.faces), 4, 2)
    np.testing.assert_allclose(body.skin_weights.sum(1), 1, atol=1e-5)


def test_options_reach_the_take(tmp_path: Path) -> None:
    times = [0.0, 0.02, 0.1, 0.11]
    view = open_view(
        make_take(
            tmp_path / "x.take", frames=4, seconds=times, first_frame=7, width=360, height=640, rotation=90, focal=500
        )
    )
    assert (view.width, view.height, view.rotation, view.intrinsics[0]) == (360, 640, 90, 500)
    np.testing.assert_array_equal(view.people[0].seconds, times)
    np.testing.assert_array_equal(view.people[0].frames, [7, 8, 9, 10])
    assert view.clip_path().exists()


def test_an_unfinished_take_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TakeCorrupt, match="not finished"):
        open_view(make_take(tmp_path / "x.take", finished=False))


def test_rotations_there_and_back() -> None:
    vectors = np.random.default_rng(0).normal(0, 1.5, (200, 3))
    w, x, y, z = quaternions(rotations(vectors)).T
    matrices = rotations(vectors)
    np.testing.assert_allclose(matrices[:, 0, 0], 1 - 2 * (y * y + z * z), atol=1e-12)
    np.testing.assert_allclose(matrices[:, 2, 1], 2 * (y * z + w * x), atol=1e-12)
    np.testing.assert_allclose(matrices @ matrices.swapaxes(1, 2), np.broadcast_to(np.eye(3), (200, 3, 3)), atol=1e-12)
