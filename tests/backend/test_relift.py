"""Corrected detections lifted again: edits that lead the pose to the picture, there and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference_backend.camera import Intrinsics
from inference_backend.corrections import Correction
from inference_backend.edit_jobs import correct, wanted
from inference_backend.errors import BadArgument, Cancelled
from inference_backend.evaluation.evaluate_corrections import rows as evaluated
from inference_backend.evaluation.planted_detections import MISTAKES
from inference_backend.job_params import Context
from inference_backend.person_stack import PersonStack
from inference_backend.recalibrate import open_stack, recalibrate
from inference_backend.relift import Relifted, relift
from inference_backend.skeletons import JOINTS, LANDMARKS, POINTS
from inference_backend.take import open_take
from inference_backend.targets.edits import Edits, TargetPose, apply_edits
from inference_backend.targets.motion import SkeletonMotion
from inference_backend.targets.parameters import Layers
from inference_backend.world import world_to_camera

from ..blender.bodies import shipped
from ..blender.takes import make_take

F, ROW = 40, 18
OFF = Layers.off()
WRIST, JOINT = LANDMARKS.index("left_wrist"), JOINTS.index("left_wrist")
RENDERED = Path(__file__).parents[2] / "inference_backend" / "evaluation" / "rendered_test.npz"


def dance(folder: Path, frames: int = F) -> Path:
    """A take whose detector was sure, and whose 3D guess is right; `make_take` has noise there."""
    make_take(folder, body=shipped(), frames=frames)
    person = open_take(folder).person(0)
    joints, points = (np.array(person.array(name)) for name in ("joints_target", "points_target"))
    guess = np.empty((frames, len(LANDMARKS), 3), np.float32)
    for k, name in enumerate(LANDMARKS):
        near = name.replace("thumb", "index")
        point = POINTS.index(near if near in POINTS else "nose")
        guess[:, k] = joints[:, JOINTS.index(near)] if near in JOINTS else points[:, point]
    seen = np.array(person.array("keypoints_2d"))
    seen[..., 2] = 0.95
    overwrite(person.folder / "world_landmarks.npy", guess - joints[:, 1:3].mean(1, keepdims=True))
    overwrite(person.folder / "keypoints_2d.npy", seen)
    return folder


def overwrite(path: Path, rows: np.ndarray) -> None:
    """Other numbers in a take's file."""
    path.write_bytes(path.read_bytes()[: -rows.nbytes] + rows.astype("<f4").tobytes())


@pytest.fixture(scope="module")
def take(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dance(tmp_path_factory.mktemp("takes") / "dance.take")


def detected(take: Path, row: int, landmark: int) -> np.ndarray:
    return np.array(open_take(take).person(0).array("keypoints_2d")[row, landmark, :2], np.float64)


def moved(take: Path, by: tuple[float, float] = (-25.0, 0.0), row: int = ROW) -> list[Correction]:
    """The left wrist, somewhere else in one row."""
    x, y = detected(take, row, WRIST) + by
    return [Correction(row, WRIST, float(x), float(y))]


def pose(stack: PersonStack, found: Relifted, layers: Layers = OFF) -> TargetPose:
    """The target pose of the edited rows."""
    base = stack.base(layers)
    rows = found.rows
    return apply_edits(SkeletonMotion(base.root[rows], base.rotations[rows], base.rest_joints), found.edits)


def pixels(take: Path, joints: np.ndarray) -> np.ndarray:
    person = open_take(take).person(0)
    clip = person.take.info.clip
    camera = Intrinsics(*(float(v) for v in person.array("camera")), clip.width, clip.height, "field")
    return camera.project(world_to_camera(joints, np.array(person.array("world"), np.float64)))


def test_the_joint_goes_where_the_picture_has_it(take: Path) -> None:
    stack, given = open_stack(take, 0), moved(take)
    found = relift(take, 0, OFF, given)
    base = stack.base(OFF).joints()
    made = pose(stack, found).joints
    at = found.rows.tolist().index(ROW)
    place = np.array([given[0].x, given[0].y])
    before = np.linalg.norm(pixels(take, base[ROW, JOINT]) - place)
    after = np.linalg.norm(pixels(take, made[at, JOINT]) - place)
    assert after < 0.1 * before, (before, after)
    away = np.linalg.norm(made - base[found.rows], axis=-1)
    arm = [j for j, name in enumerate(JOINTS) if name in ("left_elbow", "left_wrist", "left_hand")]
    assert away[at, JOINT] > 0.1
    assert np.delete(away, arm, axis=1).max() < 1e-9


def test_the_edits_come_in_and_go_out_gently(take: Path) -> None:
    found = relift(take, 0, OFF, moved(take))
    assert (np.diff(found.rows) == 1).all()
    assert ROW - 20 < found.rows[0] < ROW < found.rows[-1] < ROW + 20
    size = np.linalg.norm(found.edits.offset[:, JOINT], axis=-1)
    assert size[0] < 0.01
    assert size[-1] < 0.01
    assert np.abs(np.diff(size)).max() < 0.6 * size.max()
    assert not found.edits.stretch.any()
    assert (found.edits.strength == 1).all()


def test_joints_that_hardly_move_get_no_edit(take: Path) -> None:
    found = relift(take, 0, OFF, moved(take))
    assert JOINT in found.joints
    still = [j for j in range(len(JOINTS)) if j not in found.joints]
    assert still
    assert not found.edits.offset[:, still].any()
    none = Edits.none(len(found.rows))
    assert np.array_equal(found.edits.turn[:, still], none.turn[:, still])


def test_a_landmark_where_it_was_detected_edits_nothing(take: Path) -> None:
    x, y = detected(take, ROW, WRIST)
    found = relift(take, 0, OFF, [Correction(ROW, WRIST, float(x), float(y))])
    # It is only surer now, and the arm is led to it.
    assert not len(found.rows) or np.linalg.norm(found.edits.offset, axis=-1).max() < 0.04


def test_the_layers_are_applied_to_what_was_lifted_again_and_do_not_take_it_for_an_outlier(take: Path) -> None:
    stack, layers, given = open_stack(take, 0), Layers(), moved(take)
    found = relift(take, 0, layers, given)
    made = pose(stack, found, layers).joints
    at = found.rows.tolist().index(ROW)
    assert np.linalg.norm(pixels(take, made[at, JOINT]) - (given[0].x, given[0].y)) < 3


def test_two_places_of_the_clip_are_two_runs_of_rows(tmp_path: Path) -> None:
    take = dance(tmp_path / "long.take", 120)
    found = relift(take, 0, OFF, [*moved(take, row=15), *moved(take, row=100)])
    assert np.flatnonzero(np.diff(found.rows) > 1).size == 1
    assert {15, 100} <= set(found.rows.tolist())
    assert not ((found.rows > 40) & (found.rows < 80)).any()


def call(take: Path, out: Path, **params: Any) -> Any:
    made = [vars(one) for one in moved(take)]
    base = {"take": str(take), "out": str(out), "corrections": made, "layers": OFF.values()}
    return correct({**base, **params}, Context(lambda _: None, lambda: False))


def test_over_the_wire_and_into_the_take(tmp_path: Path) -> None:
    take, out = dance(tmp_path / "dance.take"), tmp_path / "edits.npz"
    sources = (
        "keypoints_2d",
        "world_landmarks",
        "joints_lifted",
        "pose_fitted",
        "root_fitted",
        "log_error",
        "target_hash",
    )
    before = {name: np.array(open_take(take).person(0).array(name)) for name in sources}
    result = call(take, out)
    for name, array in before.items():
        assert np.array_equal(array, open_take(take).person(0).array(name)), name
    asked = wanted(OFF.values(), out)
    assert result["rows"] == [[int(asked.rows[0]), int(asked.rows[-1]) + 1]]
    assert JOINT in result["joints"]
    spans = recalibrate(take, 0, asked).spans
    assert {row for start, stop in spans for row in range(start, stop)} >= set(asked.rows.tolist())
    placed = pixels(
        take, pose(open_stack(take, 0), Relifted(asked.rows, asked.edits, np.isin(asked.rows, result["keyed"]))).joints
    )
    person = open_take(take).person(0)
    clip = person.take.info.clip
    camera = Intrinsics(*(float(v) for v in person.array("camera")), clip.width, clip.height, "field")
    assert np.abs(camera.project(np.array(person.array("joints_target")[asked.rows], np.float64)) - placed).max() < 0.1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"corrections": []}, "no corrections"),
        ({"corrections": [{"row": 99, "landmark": 15, "x": 1, "y": 1}]}, "row 99"),
        ({"corrections": [{"row": 9, "landmark": 40, "x": 1, "y": 1}]}, "no landmark 40"),
        ({"corrections": [{"row": 9, "landmark": 15, "x": float("nan"), "y": 1}]}, "not a number"),
        ({"corrections": [{"row": 9, "landmark": 15, "x": 9e4, "y": 1}]}, "far outside"),
        ({"corrections": "all"}, "corrections"),
        ({"corrections": [3]}, "corrections"),
        ({"person": 4}, "no person 4"),
        ({"layers": {"smoothing": {"strength": 7}}}, "smoothing.strength"),
    ],
)
def test_bad_input_is_named(take: Path, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(BadArgument, match=message):
        call(take, tmp_path / "edits.npz", **change)
    assert not (tmp_path / "edits.npz").exists()


def test_cancel(take: Path) -> None:
    with pytest.raises(Cancelled):
        relift(take, 0, OFF, moved(take), cancelled=lambda: True)


def test_planted_mistakes_are_mended(tmp_path: Path) -> None:
    """`evaluate corrections`, on a few clips: the joints that were wrong gain a lot, and the others lose nothing.

    The set's first clips are left out: their lower legs are 0.4 m off before anything is planted.
    """
    few = tmp_path / "few.npz"
    with np.load(RENDERED) as rendered:
        np.savez(few, **{name: rendered[name][5:9] for name in rendered.files})
    found = evaluated(few, 4, mistakes={"swapped lower legs": MISTAKES["swapped lower legs"]})
    assert [row.name.partition(":")[2] for row in found] == [f" {n} of 10 frames" for n in (1, 2, 3)]
    for row in found:
        assert row.after[0] < 0.8 * row.before[0], row
        assert row.after[1] < max(row.before[1], row.unplanted[1]) + 3, row
