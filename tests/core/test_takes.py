"""A take read as Blender wants it: axes, rotations, forward kinematics, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pchmr.inference_backend.errors import TakeCorrupt
from pchmr.inference_backend.skeletons import PARENTS
from pchmr.inference_backend.take_format import ARRAYS, STAGES
from pchmr.inference_backend.take_info import BodyInfo, PersonInfo, identify
from pchmr.inference_backend.take_writer import TakeWriter
from pchmr.pchmr_blender.core.axes import quaternions_to_matrices
from pchmr.pchmr_blender.core.takes import open_view

F, N, M, U = 4, 6, 3, 5
WORLD = np.array([[1, 0, 0, 0.5], [0, 0, 1, 2], [0, -1, 0, 1.2], [0, 0, 0, 1]], np.float32)
"""A camera 1.2 m above the floor that looks along +y."""


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def quaternions(*shape: int) -> np.ndarray:
    values = rng().normal(size=(*shape, 4))
    return (values / np.linalg.norm(values, axis=-1, keepdims=True)).astype(np.float32)


def posed() -> dict[str, np.ndarray]:
    """A random skeleton whose joints are its forward kinematics, camera frame."""
    rest = rng().normal(size=(24, 3)).astype(np.float32) * 0.3
    local = quaternions(F, 24)
    turn = quaternions_to_matrices(local)
    joints = np.zeros((F, 24, 3))
    joints[:, 0] = [0.1, 0.2, 4.0]
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            turn[:, joint] = turn[:, parent] @ turn[:, joint]
            joints[:, joint] = joints[:, parent] + turn[:, parent] @ (rest[joint] - rest[parent])
    return {"rest_joints": rest, "rotations": local, "joints": joints.astype(np.float32)}


def write(folder: Path, stages: tuple[str, ...] = STAGES, **arrays: np.ndarray) -> Path:
    clip = folder.parent / "clip.mp4"
    clip.write_bytes(b"footage" * 1000)
    known = {**posed(), "frames": np.arange(F), "seconds": np.arange(F) / 30, **arrays}
    with TakeWriter.create_or_resume(
        folder,
        clip=identify(clip, fps=30, width=640, height=360, rotation=0),
        settings={},
        body=BodyInfo("default", "0" * 64, N, M, U),
        weights={},
        created_by="test",
    ) as writer:
        writer.set_people([PersonInfo(0, (0, 0, 9, 9), 0, F - 1, 1.7, F)])
        for spec in ARRAYS.values():
            person = 0 if spec.scope == "person" else None
            if not spec.per_frame:
                value = known.get(spec.name, np.ones(spec.sized(0, N, M, U), spec.dtype))
                writer.write_array(spec.name, WORLD if spec.name == "world" else value, person)
        for stage in stages:
            specs = [s for s in ARRAYS.values() if s.stage == stage and s.per_frame]
            rows = {s.name: known.get(s.name, np.full(s.sized(F, N), 1, s.dtype)) for s in specs}
            writer.write_rows(0, stage, 0, rows)
            writer.finish(0, stage)
    return folder


@pytest.fixture
def take(tmp_path: Path) -> Path:
    return write(tmp_path / "a clip ü.take")


def test_shapes_and_types(take: Path) -> None:
    view = open_view(take)
    (person,) = view.people
    assert (person.frame_count, person.vertex_count) == (F, N)
    assert person.vertices(1, 3).shape == (2, N, 3)
    assert person.vertices(1, 3).dtype == np.float32
    assert person.rotations.shape == (F, 24, 3, 3)
    assert person.suspect.shape == (F, 24)
    assert view.topology.faces.shape == (M, 4)
    assert view.topology.uvs.shape == (U, 2)
    assert view.topology.skin_weights.shape == (N, 4)


def test_the_camera_frame_becomes_blenders_world(take: Path) -> None:
    """A point 1 m right, 1 m down and 1 m ahead of the camera."""
    (person,) = open_view(take).people
    np.testing.assert_allclose(person.vertices(0, 1)[0, 0], [1.5, 3.0, 0.2], atol=1e-6)


def test_the_rest_pose_stands_and_faces_minus_y(take: Path) -> None:
    rest = posed()["rest_joints"]
    (person,) = open_view(take).people
    np.testing.assert_allclose(person.rest_joints, np.stack([rest[:, 0], -rest[:, 2], rest[:, 1]], 1))


def test_forward_kinematics_gives_the_joints(take: Path) -> None:
    (person,) = open_view(take).people
    joints = np.zeros((F, 24, 3))
    joints[:, 0] = person.root
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            bone = person.rest_joints[joint] - person.rest_joints[parent]
            joints[:, joint] = joints[:, parent] + person.rotations[:, parent] @ bone
    np.testing.assert_allclose(joints, person.joints, atol=1e-5)


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ([0.0, 0.033, 0.067, 0.1], [0.0, 1 / 30, 2 / 30, 0.1]),  # milliseconds, as Matroska writes them
        ([0.0, 0.033, 0.1, 0.2], [0.0, 0.033, 0.1, 0.2]),  # a rate that varies
    ],
)
def test_times_are_even_where_the_rate_is(tmp_path: Path, stored: list[float], shown: list[float]) -> None:
    (person,) = open_view(write(tmp_path / "x.take", seconds=np.array(stored))).people
    np.testing.assert_allclose(person.seconds, shown, atol=1e-12)


def test_an_unfinished_take_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "x.take", STAGES[:-2])
    with pytest.raises(TakeCorrupt, match="has not finished") as caught:
        open_view(folder)
    assert "goes on where it stopped" in caught.value.hint


def test_no_take(tmp_path: Path) -> None:
    with pytest.raises(TakeCorrupt):
        open_view(tmp_path)
