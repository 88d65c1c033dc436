# SPDX-License-Identifier: GPL-3.0-or-later
"""The pinhole of a take and Blender's camera: lens, sensor, shifts, fit and pixel aspect, in pairs.

OpenCV counts pixels from the upper left, centres at integer coordinates, so the picture spans [-0.5, width - 0.5].
Blender measures from the middle of the frame, in lengths of its longer or chosen side, with y up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Fit = Literal["AUTO", "HORIZONTAL", "VERTICAL"]
"""Blender's sensor fit: which side of the frame the sensor's size is laid along; AUTO: the longer one."""

CAMERA_AXES: Final = np.diag([1.0, -1.0, -1.0, 1.0])
"""(4, 4) Blender's camera (x right, y up, looks along -z) ↔ OpenCV's (x right, y down, z forward); its own inverse."""

_SENSOR: Final = (36.0, 24.0)
"""Width and height in mm: Blender's own, full frame."""


@dataclass(frozen=True)
class Frame:
    """What the scene renders: Blender's output size."""

    width: int
    """Pixels."""
    height: int
    """Pixels."""
    aspect_x: float = 1.0
    """A pixel's width; Blender wants it and `aspect_y` to be at least 1."""
    aspect_y: float = 1.0
    """A pixel's height."""

    @property
    def pixel_height(self) -> float:
        """A pixel's height over its width."""
        return self.aspect_y / self.aspect_x


@dataclass(frozen=True)
class Pinhole:
    """A camera without distortion."""

    width: int
    """Of the picture, pixels."""
    height: int
    """Of the picture, pixels."""
    fx: float
    """Focal length, in pixel widths."""
    fy: float
    """Focal length, in pixel heights."""
    cx: float
    """Principal point, pixels from the centre of the leftmost pixel."""
    cy: float
    """Principal point, pixels down from the centre of the uppermost pixel."""

    def __post_init__(self) -> None:
        if min(self.width, self.height) < 1 or not min(self.fx, self.fy) > 0:
            raise ValueError(f"no pinhole: {self}")

    def project(self, points_cam: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points of the camera frame (OpenCV) in pixels. Shape: (..., 3) → (..., 2)."""
        x, y, z = np.moveaxis(np.asarray(points_cam, np.float64), -1, 0)
        return np.stack([self.fx * x / z + self.cx, self.fy * y / z + self.cy], axis=-1)

    def unproject(self, pixels: NDArray[np.float64], depth: float = 1.0) -> NDArray[np.float64]:
        """Pixels → the points of the camera frame (OpenCV) that lie this far ahead. Shape: (..., 2) → (..., 3)."""
        x, y = np.moveaxis(np.asarray(pixels, np.float64), -1, 0)
        z = np.full_like(x, depth)
        return np.stack([(x - self.cx) / self.fx * z, (y - self.cy) / self.fy * z, z], axis=-1)


@dataclass(frozen=True)
class Lens:
    """The fields of Blender's camera that make a pinhole."""

    lens: float
    """Focal length, mm."""
    sensor_width: float
    """mm; counts for AUTO and HORIZONTAL."""
    sensor_height: float
    """mm; counts for VERTICAL."""
    sensor_fit: Fit
    shift_x: float
    """How far the frame's middle lies right of the optical axis, in lengths of the fitted side."""
    shift_y: float
    """How far it lies above."""


def own_frame(pinhole: Pinhole) -> Frame:
    """The output size in which the picture fills the frame; pixels are oblong where fx and fy differ."""
    ratio = pinhole.fx / pinhole.fy
    return Frame(pinhole.width, pinhole.height, max(1.0, 1 / ratio), max(1.0, ratio))


def fitted(pinhole: Pinhole, frame: Frame) -> Pinhole:
    """The pinhole of a frame that shows the whole picture as large as it goes, in the middle; bars at two sides.

    So does Blender with a camera's background picture when its frame method is FIT.
    """
    own = own_frame(pinhole)
    if (own.width, own.height) == (frame.width, frame.height) and np.isclose(own.pixel_height, frame.pixel_height):
        return pinhole
    # Both measured in widths of the pixels of the frame; the picture's pixels are as high as its focal lengths say.
    tall = pinhole.height * own.pixel_height
    scale = min(frame.width / pinhole.width, frame.height * frame.pixel_height / tall)
    scale_y = scale * own.pixel_height / frame.pixel_height
    return Pinhole(
        width=frame.width,
        height=frame.height,
        fx=pinhole.fx * scale,
        fy=pinhole.fy * scale_y,
        cx=(pinhole.cx + 0.5 - pinhole.width / 2) * scale + frame.width / 2 - 0.5,
        cy=(pinhole.cy + 0.5 - pinhole.height / 2) * scale_y + frame.height / 2 - 0.5,
    )


def to_lens(pinhole: Pinhole, fit: Fit = "AUTO") -> Lens:
    """Blender's camera of a pinhole whose picture fills the frame `own_frame(pinhole)`."""
    width, height = _SENSOR
    pixel_height = own_frame(pinhole).pixel_height
    side = _fitted_side(pinhole.width, pinhole.height * pixel_height, fit)
    return Lens(
        lens=pinhole.fx / side * (height if fit == "VERTICAL" else width),
        sensor_width=width,
        sensor_height=height,
        sensor_fit=fit,
        shift_x=(pinhole.width / 2 - pinhole.cx - 0.5) / side,
        shift_y=(pinhole.cy + 0.5 - pinhole.height / 2) * pixel_height / side,
    )


def to_pinhole(lens: Lens, frame: Frame) -> Pinhole:
    """The pinhole of Blender's camera in a scene's frame."""
    side = _fitted_side(frame.width, frame.height * frame.pixel_height, lens.sensor_fit)
    fx = lens.lens * side / (lens.sensor_height if lens.sensor_fit == "VERTICAL" else lens.sensor_width)
    return Pinhole(
        width=frame.width,
        height=frame.height,
        fx=fx,
        fy=fx / frame.pixel_height,
        cx=frame.width / 2 - 0.5 - lens.shift_x * side,
        cy=frame.height / 2 - 0.5 + lens.shift_y * side / frame.pixel_height,
    )


def _fitted_side(width: float, height: float, fit: Fit) -> float:
    """Length of the side that the sensor is laid along, in pixel widths."""
    if fit == "AUTO":
        return max(width, height)
    return width if fit == "HORIZONTAL" else height
