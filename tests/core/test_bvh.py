"""BVH files, read back by a reader of a few lines that knows nothing of the writer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pchmr.inference_backend.errors import OutputNotWritable
from pchmr.pchmr_blender.core.bvh import BvhUnit, write_bvh
from pchmr.pchmr_blender.core.skeleton import BONE_NAMES

from ..bvh_reader import Bvh, y_up
from ..people import PARENTS, REST_JOINTS, MadeUpPerson, turned


def write(path: Path, person: MadeUpPerson, unit: BvhUnit = BvhUnit.METRES) -> Bvh:
    write_bvh(path, person.rest_joints, person.rotations, person.joints, 30 / 1.001, unit)
    return Bvh(path)


@pytest.mark.parametrize("unit", BvhUnit)
def test_joints_come_back_within_a_tenth_of_a_millimetre(tmp_path: Path, unit: BvhUnit) -> None:
    person = MadeUpPerson(40)
    bvh = write(tmp_path / "walk.bvh", person, unit)
    places, _ = bvh.pose()
    order = [BONE_NAMES.index(name) for name in bvh.names]
    assert sorted(order) == list(range(24))
    assert [order[parent] if parent >= 0 else -1 for parent in bvh.parents] == [PARENTS[joint] for joint in order]
    assert np.abs(places / unit.value - y_up(person.joints[:, order])).max() < 1e-4
    assert bvh.frame_time == pytest.approx(1.001 / 30, abs=1e-9)


def test_turns_come_back(tmp_path: Path) -> None:
    person = MadeUpPerson(40)
    bvh = write(tmp_path / "walk.bvh", person)
    axes = y_up(np.eye(3)).T
    order = [BONE_NAMES.index(name) for name in bvh.names]
    assert np.abs(bvh.pose()[1] - axes @ person.rotations[:, order] @ axes.T).max() < 1e-6


def test_no_angle_is_the_t_pose_facing_z(tmp_path: Path) -> None:
    person = MadeUpPerson(1)
    person.rotations[:] = np.eye(3)
    person.joints[0] = REST_JOINTS + np.array([0, 0, 0.95])
    bvh = write(tmp_path / "rest.bvh", person)
    assert (bvh.rows[:, 3:] == 0).all()
    assert "-0.000000" not in (tmp_path / "rest.bvh").read_text("utf-8")
    places = dict(zip(bvh.names, bvh.pose()[0][0], strict=True))
    assert places["hand.L"][0] > 0.7
    assert places["head"][1] > places["pelvis"][1] + 0.5
    assert places["foot.L"][2] > places["ankle.L"][2] + 0.1
    assert places["pelvis"][1] == pytest.approx(0.95 + REST_JOINTS[0, 2], abs=1e-6)
    assert bvh.ends["head"][1] > 0.1


def test_the_root_has_no_offset_and_only_the_root_has_a_position(tmp_path: Path) -> None:
    bvh = write(tmp_path / "walk.bvh", MadeUpPerson())
    assert (bvh.offsets[0] == 0).all()
    assert [len(channels) for channels in bvh.channels] == [6] + [3] * 23


def test_a_stretched_bone_keeps_its_place(tmp_path: Path) -> None:
    person = MadeUpPerson()
    person.joints[5:, 7:8] += (0.0, 0.02, 0.0)  # the left ankle
    person.joints[5:, 10:11] += (0.0, 0.02, 0.0)
    bvh = write(tmp_path / "walk.bvh", person)
    assert {name for name, channels in zip(bvh.names, bvh.channels, strict=True) if len(channels) == 6} == {
        "pelvis",
        "ankle.L",
    }
    order = [BONE_NAMES.index(name) for name in bvh.names]
    assert np.abs(bvh.pose()[0] - y_up(person.joints[:, order])).max() < 1e-4


def test_angles_run_on_without_a_jump(tmp_path: Path) -> None:
    """Two whole turns of the body, and an arm that swings through where two axes coincide."""
    person = MadeUpPerson(400)
    spin = turned(np.array([1.0, 0, 0]), np.linspace(0, 4 * np.pi, 400))
    before = person.rotations.copy()
    for joint in (16, 18, 20, 22):
        person.rotations[:, joint] = person.rotations[:, 13] @ spin @ np.linalg.inv(before[:, 16]) @ before[:, joint]
    for joint in (18, 20, 22):
        parent = PARENTS[joint]
        bone = person.rest_joints[joint] - person.rest_joints[parent]
        person.joints[:, joint] = person.joints[:, parent] + person.rotations[:, parent] @ bone
    bvh = write(tmp_path / "spin.bvh", person)
    assert np.abs(np.diff(bvh.rows[:, 3:], axis=0)).max() < 200  # at the worst half a turn, never 360°
    pelvis = bvh.rows[:, 3:6]
    assert np.ptp(pelvis[:, 2]) > 600
    order = [BONE_NAMES.index(name) for name in bvh.names]
    assert np.abs(bvh.pose()[0] - y_up(person.joints[:, order])).max() < 1e-4


@pytest.mark.parametrize("angle", [90.0, -90.0])
def test_two_axes_that_coincide(tmp_path: Path, angle: float) -> None:
    person = MadeUpPerson(3)
    person.rotations[:] = turned(np.array([0.0, 0, 1]), np.array([0.3, 0.4, 0.5]))[:, None]
    person.rotations[:] = person.rotations @ turned(np.array([1.0, 0, 0]), np.full(3, np.radians(angle)))[:, None]
    for joint, parent in enumerate(PARENTS[1:], 1):
        bone = person.rest_joints[joint] - person.rest_joints[parent]
        person.joints[:, joint] = person.joints[:, parent] + person.rotations[:, parent] @ bone
    bvh = write(tmp_path / "locked.bvh", person)
    order = [BONE_NAMES.index(name) for name in bvh.names]
    assert np.abs(bvh.pose()[0] - y_up(person.joints[:, order])).max() < 1e-4


def test_what_cannot_be_written(tmp_path: Path) -> None:
    person = MadeUpPerson()
    with pytest.raises(ValueError, match="a second"):
        write_bvh(tmp_path / "x.bvh", person.rest_joints, person.rotations, person.joints, 0.0)
    with pytest.raises(ValueError, match="0 frames"):
        write_bvh(tmp_path / "x.bvh", person.rest_joints, person.rotations[:0], person.joints[:0], 30.0)
    with pytest.raises(OutputNotWritable):
        write_bvh(tmp_path / "no folder" / "x.bvh", person.rest_joints, person.rotations, person.joints, 30.0)
    assert not list(tmp_path.iterdir())
