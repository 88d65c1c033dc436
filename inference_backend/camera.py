"""The pinhole camera: where its focal length comes from, and pixels ↔ camera-normalised coordinates.

Camera frame: OpenCV's (x right, y down, z forward), metres. Pixel centres lie at integers. Normalised coordinates are
X / Z and Y / Z, which is what the lifter sees.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from .errors import BadArgument

if TYPE_CHECKING:
    from torch import Tensor

ArrayT = TypeVar("ArrayT", npt.NDArray[Any], "Tensor")

PRIOR_FOCAL: Final = 1.0
"""Focal length taken where none is known, in longer sides of the picture (53° along it, 36 mm on full frame).

It lies in the middle of what people film with, in ratios: webcams 0.7 to 0.85, phones filming (stabilised, so cropped)
0.75 to 0.95, lenses of 35 to 50 mm on full frame 1.0 to 1.4. So it is rarely off by more than 40%: that moves the depth
in proportion, and hardly the pose.
"""

PLAUSIBLE_FOCAL: Final = (0.3, 30.0)
"""Least and greatest focal length that metadata is believed, in longer sides of the picture (118° and 1.9°)."""


@dataclass(frozen=True)
class Intrinsics:
    """A pinhole without distortion."""

    fx: float
    """Focal length along x, pixels."""
    fy: float
    """Focal length along y, pixels."""
    cx: float
    """Principal point, pixels of the upright image."""
    cy: float
    """Principal point, pixels of the upright image."""
    width: int
    """Width of the upright image, pixels."""
    height: int
    """Height of the upright image, pixels."""
    source: Literal["field", "metadata", "prior"]
    """Who said the focal length: the user, the file, or nobody (`PRIOR_FOCAL`)."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences for the user."""
        if self.source != "prior":
            return ()
        return (
            f"The focal length is unknown and taken as {self.fx:.0f} pixels: the distance to the camera may be off by "
            "up to 40%, the pose hardly. Give the focal length (--focal) to set it.",
        )

    def normalise(self, points_px: ArrayT) -> ArrayT:
        """Pixels → camera-normalised coordinates. Shape: (..., 2) → (..., 2), numpy or torch."""
        _check("points_px", points_px, 2)
        normalised: ArrayT = (points_px - _like((self.cx, self.cy), points_px)) / _like((self.fx, self.fy), points_px)
        return normalised

    def project(self, joints_cam: ArrayT) -> ArrayT:
        """Camera frame → pixels. Shape: (..., 3) metres → (..., 2), numpy or torch.

        Points behind the camera come out mirrored, points beside it infinite: whoever has such must leave them out.
        """
        _check("joints_cam", joints_cam, 3)
        image = joints_cam[..., :2] / joints_cam[..., 2:]
        points_px: ArrayT = image * _like((self.fx, self.fy), image) + _like((self.cx, self.cy), image)
        return points_px


def choose_intrinsics(
    width: int, height: int, *, focal_px: float | None = None, metadata_focal_px: float | None = None
) -> Intrinsics:
    """The camera of a clip: the user's focal length, else the metadata's if it can be true, else the prior.

    Args:
        width, height: of the upright image, pixels.
        focal_px: what the user gave, pixels. metadata_focal_px: what the camera wrote, pixels.

    Raises:
        BadArgument: the user's focal length is not a positive number.
    """
    if width < 1 or height < 1:
        raise ValueError(f"width and height: found {width} and {height}, want at least 1")
    if focal_px is not None and not (math.isfinite(focal_px) and focal_px > 0):
        raise BadArgument(
            f"the focal length is {focal_px}",
            hint="Give pixels above 0, or leave it out to have it estimated.",
            focal_px=focal_px,
        )
    longer = max(width, height)
    low, high = PLAUSIBLE_FOCAL
    focal, source = PRIOR_FOCAL * longer, "prior"
    if metadata_focal_px is not None and low <= metadata_focal_px / longer <= high:
        focal, source = metadata_focal_px, "metadata"
    if focal_px is not None:
        focal, source = focal_px, "field"
    return Intrinsics(
        fx=float(focal),
        fy=float(focal),
        cx=(width - 1) / 2,
        cy=(height - 1) / 2,
        width=width,
        height=height,
        source=source,  # type: ignore[arg-type]
    )


def _like(values: tuple[float, float], template: ArrayT) -> ArrayT:
    """Two numbers in the template's library, and in its precision if it is floating."""
    if isinstance(template, np.ndarray):
        return np.asarray(values, template.dtype if np.issubdtype(template.dtype, np.floating) else np.float64)
    return template.new_tensor(values)


def _check(name: str, array: npt.NDArray[Any] | Tensor, last: int) -> None:
    if array.ndim < 1 or array.shape[-1] != last:
        raise ValueError(f"{name}: found {tuple(array.shape)}, want (..., {last})")
