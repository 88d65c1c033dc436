from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from inference_backend.camera import PRIOR_FOCAL, choose_intrinsics
from inference_backend.errors import BadArgument


def points_cam(count: int = 50) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.uniform([-2, -1, 1], [2, 1, 9], (count, 3))


def test_smoke():
    camera = choose_intrinsics(1280, 720)
    assert camera.project(np.array([0.0, 0.0, 4.0])).tolist() == [639.5, 359.5]
    with pytest.raises(dataclasses.FrozenInstanceError):
        camera.fx = 1.0


@pytest.mark.parametrize(
    ("field", "metadata", "focal", "source"),
    [
        (1500.0, 1700.0, 1500.0, "field"),
        (None, 1700.0, 1700.0, "metadata"),
        (None, None, 1920 * PRIOR_FOCAL, "prior"),
        (None, 0.0, 1920 * PRIOR_FOCAL, "prior"),
        (None, float("nan"), 1920 * PRIOR_FOCAL, "prior"),
        (None, 4e6, 1920 * PRIOR_FOCAL, "prior"),
    ],
)
def test_the_focal_length_comes_from_field_then_metadata_then_prior(field, metadata, focal, source):
    camera = choose_intrinsics(1080, 1920, focal_px=field, metadata_focal_px=metadata)
    assert (camera.fx, camera.fy, camera.source) == (focal, focal, source)
    assert (camera.cx, camera.cy) == (539.5, 959.5)
    assert bool(camera.warnings) == (source == "prior")


@pytest.mark.parametrize("focal", [0.0, -3.0, float("nan"), float("inf")])
def test_a_wrong_focal_length_is_named(focal):
    with pytest.raises(BadArgument, match="focal length"):
        choose_intrinsics(640, 480, focal_px=focal)


def test_wrong_shapes():
    camera = choose_intrinsics(640, 480)
    with pytest.raises(ValueError, match=r"\(5, 3\)"):
        camera.normalise(np.zeros((5, 3)))
    with pytest.raises(ValueError, match=r"\(5, 2\)"):
        camera.project(np.zeros((5, 2)))
    with pytest.raises(ValueError, match="width"):
        choose_intrinsics(0, 480)


def test_round_trip_and_the_pinhole_written_out():
    camera = dataclasses.replace(choose_intrinsics(640, 480), fx=500.0, fy=510.0, cx=300.0, cy=260.0)
    joints = points_cam().reshape(5, 10, 3)
    pixels = camera.project(joints)
    np.testing.assert_allclose(camera.normalise(pixels), joints[..., :2] / joints[..., 2:], atol=1e-12)
    X, Y, Z = joints[1, 2]
    np.testing.assert_allclose(pixels[1, 2], [500 * X / Z + 300, 510 * Y / Z + 260])


def test_torch_gives_what_numpy_gives_with_its_dtype_and_gradient():
    camera = choose_intrinsics(640, 480)
    joints = points_cam()
    tensor = torch.tensor(joints, requires_grad=True)
    pixels = camera.project(tensor)
    np.testing.assert_allclose(pixels.detach().numpy(), camera.project(joints))
    camera.normalise(pixels).sum().backward()
    assert torch.isfinite(tensor.grad).all()
    assert camera.normalise(pixels.float()).dtype == torch.float32
    assert camera.normalise(joints[:, :2].astype(np.float32)).dtype == np.float32
    assert camera.normalise(np.array([639, 479])).dtype == np.float64
    assert camera.project(tensor.detach().float()).dtype == torch.float32
