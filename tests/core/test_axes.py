from __future__ import annotations

import numpy as np
import pytest

from pchmr.pchmr_blender.core import axes

RANDOM = np.random.default_rng(3)


def test_y_up_becomes_z_up_and_the_left_side_stays_at_x() -> None:
    left, up, front = np.eye(3)
    assert np.array_equal(axes.y_up_to_blender([left, up, front]), [[1, 0, 0], [0, 0, 1], [0, -1, 0]])


def test_points_come_back() -> None:
    points = RANDOM.normal(size=(4, 5, 3))
    assert np.array_equal(axes.blender_to_y_up(axes.y_up_to_blender(points)), points)


def test_the_change_of_axes_mirrors_nothing() -> None:
    assert np.linalg.det(axes.y_up_to_blender(np.eye(3))) == pytest.approx(1)


def test_rotations_come_back_with_every_component_the_largest_in_turn() -> None:
    quaternions = RANDOM.normal(size=(7, 200, 4))
    quaternions[0] = [1, 1e-9, 0, 0]
    for component in range(4):  # half turns: the trace says nothing there
        quaternions[1 + component, :, :] = np.eye(4)[component]
    quaternions /= np.linalg.norm(quaternions, axis=-1, keepdims=True)
    matrices = axes.quaternions_to_matrices(quaternions)
    assert np.allclose(matrices @ matrices.swapaxes(-1, -2), np.eye(3), atol=1e-12)
    back = axes.matrices_to_quaternions(matrices)
    assert np.allclose(np.abs(np.sum(back * quaternions, -1)), 1, atol=1e-12)
    assert np.allclose(axes.quaternions_to_matrices(back), matrices, atol=1e-12)


def test_a_quarter_turn_about_z_takes_x_to_y() -> None:
    matrix = axes.quaternions_to_matrices([np.sqrt(0.5), 0, 0, np.sqrt(0.5)])
    assert np.allclose(matrix @ [1, 0, 0], [0, 1, 0])


def test_signs_run_on_through_two_whole_turns() -> None:
    half = np.linspace(0, 2 * np.pi, 60)
    turning = np.stack([np.cos(half), np.zeros(60), np.zeros(60), np.sin(half)], -1)
    jumping = axes.matrices_to_quaternions(axes.quaternions_to_matrices(turning))
    jumping[::3] *= -1
    running = axes.continuous(jumping)
    assert (np.sum(running[1:] * running[:-1], -1) > 0.99).all()
    assert np.allclose(np.abs(running), np.abs(turning), atol=1e-9)


def test_signs_of_each_bone_run_on_by_themselves() -> None:
    quaternions = RANDOM.normal(size=(30, 24, 4))
    together = axes.continuous(quaternions)
    for bone in range(24):
        assert np.array_equal(together[:, bone], axes.continuous(quaternions[:, bone]))


def test_one_frame_and_none_have_nothing_to_run_on() -> None:
    assert axes.continuous(np.ones((1, 4))).shape == (1, 4)
    assert axes.continuous(np.ones((0, 24, 4))).shape == (0, 24, 4)


@pytest.mark.parametrize("convert", [axes.y_up_to_blender, axes.blender_to_y_up, axes.matrices_to_quaternions])
def test_another_shape_is_refused(convert: object) -> None:
    with pytest.raises(ValueError, match="wanted a shape that ends in"):
        convert(np.zeros((3, 4)))  # type: ignore[operator]
