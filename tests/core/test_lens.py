"""Pinhole and Blender's camera: there and back, and what a pixel of one is in the other."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from pchmr.pchmr_blender.core.lens import CAMERA_AXES, Frame, Pinhole, fitted, own_frame, to_lens, to_pinhole

PINHOLES = {
    "landscape": Pinhole(1920, 1080, 1500, 1500, 959.5, 539.5),
    "portrait": Pinhole(1080, 1920, 1500, 1500, 539.5, 959.5),
    "square": Pinhole(700, 700, 900, 900, 349.5, 349.5),
    "odd and off-centre": Pinhole(641, 359, 500, 500, 401.25, 90.5),
    "oblong pixels": Pinhole(720, 576, 800, 750, 380, 250),
    "upright oblong pixels": Pinhole(576, 720, 750, 800, 250, 380),
}
FITS = ("AUTO", "HORIZONTAL", "VERTICAL")


def values(pinhole: Pinhole) -> list[float]:
    return [pinhole.width, pinhole.height, pinhole.fx, pinhole.fy, pinhole.cx, pinhole.cy]


@pytest.mark.parametrize(("name", "fit"), list(product(PINHOLES, FITS)))
def test_there_and_back(name, fit):
    pinhole = PINHOLES[name]
    frame = own_frame(pinhole)
    np.testing.assert_allclose(values(to_pinhole(to_lens(pinhole, fit), frame)), values(pinhole), rtol=1e-12)
    assert (frame.width, frame.height) == (pinhole.width, pinhole.height)
    assert min(frame.aspect_x, frame.aspect_y) == 1  # Blender allows nothing below


def test_a_centred_camera_is_what_a_photographer_says():
    lens = to_lens(PINHOLES["landscape"])
    assert lens.lens == pytest.approx(1500 / 1920 * 36)
    assert (lens.sensor_width, lens.shift_x, lens.shift_y) == (36, 0, 0)
    assert to_lens(PINHOLES["portrait"]).lens == lens.lens  # the sensor lies along the longer side
    assert to_lens(PINHOLES["portrait"], "HORIZONTAL").lens == pytest.approx(1500 / 1080 * 36)


def test_shifts_point_away_from_the_principal_point():
    """Blender moves the frame: with the axis left of and above the middle, the frame's middle is right and below."""
    lens = to_lens(Pinhole(1000, 500, 800, 800, 499.5 - 100, 249.5 - 50))
    assert (lens.shift_x, lens.shift_y) == pytest.approx((0.1, -0.05))


def test_the_middle_of_the_first_pixel_is_zero():
    pinhole = Pinhole(4, 2, 10, 10, 1.5, 0.5)
    np.testing.assert_allclose(pinhole.project(np.array([[0, 0, 1], [-0.15, -0.05, 1.0]])), [[1.5, 0.5], [0, 0]])


@pytest.mark.parametrize(
    ("frame", "corner_x", "corner_y"),
    [
        (Frame(1000, 1000), 0, 250),  # bars above and below
        (Frame(4000, 1000), 1000, 0),  # bars left and right
        (Frame(500, 250), 0, 0),  # smaller, and fits
        (Frame(1000, 500, 1.0, 2.0), 250, 0),  # pixels twice as high: the frame is a square
    ],
)
def test_the_whole_picture_stands_in_the_middle_of_another_frame(frame, corner_x, corner_y):
    pinhole = Pinhole(1000, 500, 800, 800, 420, 300)
    inside = fitted(pinhole, frame)
    rays = np.array([[(x - 420) / 800, (y - 300) / 800, 1] for x, y in ((-0.5, -0.5), (999.5, 499.5))])
    if frame.pixel_height == 1:
        wanted = [[corner_x - 0.5, corner_y - 0.5], [frame.width - corner_x - 0.5, frame.height - corner_y - 0.5]]
    else:
        wanted = [[-0.5, 125 - 0.5], [999.5, 375 - 0.5]]  # half as many lines
    np.testing.assert_allclose(inside.project(rays), wanted)
    assert fitted(pinhole, own_frame(pinhole)) == pinhole


def test_axes_are_their_own_inverse():
    np.testing.assert_array_equal(CAMERA_AXES @ CAMERA_AXES, np.eye(4))


def test_no_pinhole():
    with pytest.raises(ValueError, match="no pinhole"):
        Pinhole(100, 100, 0, 100, 50, 50)
