"""The pictures of a render: people over the footage, and people alone in the world with a floor under them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from .raster import NEAR, Float, draw_mesh, project
from .skeletons import BONES, JOINTS

Image: TypeAlias = npt.NDArray[np.uint8]
Matrix: TypeAlias = npt.NDArray[np.float64]
Triangles: TypeAlias = npt.NDArray[np.int32]
Intrinsics: TypeAlias = tuple[float, float, float, float]
Colour: TypeAlias = tuple[int, int, int]

PALETTE: Final[tuple[Colour, ...]] = (
    (240, 150, 60), (70, 160, 240), (120, 200, 90), (220, 100, 200), (240, 220, 80), (150, 120, 255),
)  # fmt: skip
"""Colours of the people in the order of their index, RGB."""

_OPACITY = 0.6
_SIDES: Final = {"left": (90, 220, 255), "right": (255, 120, 120)}
_MIDDLE, _SUSPECT = (255, 255, 255), (255, 0, 0)
_LIGHT: Final = np.array([-0.35, -0.6, -0.75], np.float32)
_GROUND, _FINE_LINE, _METRE_LINE = 236, (214, 214, 214), (180, 180, 180)
_SHADOW = 0.7
_DISTANCE = 15.0
"""Metres from the world cameras to what they look at: far, so that sizes change little with depth."""
_ELEVATION = np.deg2rad(10.0)
_WIDEST = 6.0
"""Metres: whoever goes further than this is followed by the world cameras."""
_FLOOR, _TILE = 7.0, 0.5
"""Half the width of the floor and the width of its tiles, metres."""
_SHIFT = 3
"""Lines are drawn in eighths of a pixel, else they tremble."""
_UP: Final = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, eq=False)
class Figure:
    """One person in one frame, footage's camera frame, metres."""

    vertices: Float
    """(N, 3) the calibrated mesh."""
    joints: Float
    """(24, 3) the target pose."""
    suspect: npt.NDArray[np.bool_]
    """(24,) joints that are likely wrong."""
    colour: Colour
    """RGB."""


@dataclass(frozen=True, eq=False)
class WorldCamera:
    """A camera that looks at the people from one direction, ten degrees from above."""

    axes: Matrix
    """(3, 3) rows: right, down and forward in the world (Blender's: z up, metres)."""
    centres: Matrix
    """(F, 3) what it looks at: one place for the whole clip, unless the person goes far."""
    pixels_per_metre: float
    """At the distance of the centre."""
    size: tuple[int, int]
    """Width and height of its picture, pixels."""

    @property
    def intrinsics(self) -> Intrinsics:
        """fx, fy, cx, cy in pixels."""
        focal = self.pixels_per_metre * _DISTANCE
        return focal, focal, (self.size[0] - 1) / 2, (self.size[1] - 1) / 2

    def from_world(self, row: int) -> Matrix:
        """World → this camera in a frame. Shape: (4, 4)."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.axes
        matrix[:3, 3] = [0, 0, _DISTANCE] - self.axes @ self.centres[row]
        return matrix


def moved(matrix: Matrix, points: npt.NDArray[np.floating]) -> Float:
    """Points under a rigid transform. Shape: (4, 4), (..., 3) → (..., 3)."""
    return np.asarray(points @ matrix[:3, :3].T.astype(np.float32) + matrix[:3, 3], np.float32)


def frame_world(joints: Float, footage_axes: Matrix, view: str, size: tuple[int, int], fps: float) -> WorldCamera:
    """The camera of a view, such that the person stays in its picture for the whole clip.

    "front" looks as the footage's camera does, but level: what is wrong in depth is hidden there, and open in "side",
    which looks at a right angle to it.

    Args:
        joints: (F, 24, 3) in the world, metres.
        footage_axes: (3, 3) columns: right, down and forward of the footage's camera in the world.
        view: "front" or "side".
        size: width and height of the picture, pixels.
        fps: frames a second, for the smoothness of a camera that follows.
    """
    ahead = footage_axes[:, 2] * [1, 1, 0]
    if np.linalg.norm(ahead) < 0.2:  # it looks straight down: what is at the top of its picture is ahead
        ahead = -footage_axes[:, 1] * [1, 1, 0]
    ahead = ahead / np.linalg.norm(ahead)
    if view == "side":
        ahead = np.cross(_UP, ahead)
    right = np.cross(ahead, _UP)
    forward = np.cos(_ELEVATION) * ahead - np.sin(_ELEVATION) * _UP
    axes = np.stack([right, np.cross(forward, right), forward])

    level = np.stack([right, ahead])
    corners = joints.reshape(-1, 3).astype(np.float64) @ level.T
    spread = np.ptp(corners, axis=0)
    still = (corners.min(0) + corners.max(0)) / 2
    path = _smoothed(joints[:, 0].astype(np.float64) @ level.T, round(fps))
    centres = np.where(spread > _WIDEST, path, still) @ level
    low, high = min(float(joints[..., 2].min()), 0.0), max(float(joints[..., 2].max()), 1.0)
    centres[:, 2] = (low + high) / 2

    width, depth = np.minimum(spread, _WIDEST) + 0.7
    tall = (high - low + 0.5) * np.cos(_ELEVATION) + depth * np.sin(_ELEVATION)
    return WorldCamera(axes, centres, min(size[0] / width, size[1] / tall), size)


def draw_over_footage(image: Image, figures: Sequence[Figure], triangles: Triangles, lens: Intrinsics) -> None:
    """Half-transparent meshes, the target skeletons, and rings about suspect joints, in place."""
    for figure in _far_to_near(figures):
        _draw_figure(image, figure, triangles, lens, _OPACITY)
    for figure in figures:
        _draw_skeleton(image, figure, lens)


def draw_in_world(
    figures: Sequence[Figure], triangles: Triangles, world: Matrix, camera: WorldCamera, row: int
) -> Image:
    """The meshes alone over a tiled floor, with their shadows straight below them.

    Where a foot and its shadow part, it floats; where it moves against the tiles while it stands, it slides.

    Args:
        figures: the people.
        triangles: (T, 3) of their meshes.
        world: (4, 4) footage's camera → world.
        camera: of the view.
        row: the frame.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    image = np.full((camera.size[1], camera.size[0], 3), _GROUND, np.uint8)
    view = camera.from_world(row)
    _draw_floor(image, camera, row)
    for figure in figures:
        _draw_shadow(
            image, moved(view, moved(world, figure.vertices) * np.array([1, 1, 0], np.float32)), camera.intrinsics
        )
    for figure in _far_to_near([replace(f, vertices=moved(view @ world, f.vertices)) for f in figures]):
        _draw_figure(image, figure, triangles, camera.intrinsics, 1.0)
    return image


def write_text(image: Image, text: str, line: int = 0) -> None:
    """A line of text at the top left, readable on any ground, in place."""
    scale = image.shape[0] / 720
    x, y = round(12 * scale), round((32 + 30 * line) * scale)
    for colour, shift in (((0, 0, 0), 1), ((255, 255, 255), 0)):
        cv2.putText(image, text, (x + shift, y + shift), cv2.FONT_HERSHEY_SIMPLEX, 0.75 * scale, colour, 1, cv2.LINE_AA)


def _far_to_near(figures: Sequence[Figure]) -> list[Figure]:
    return sorted(figures, key=lambda figure: -float(figure.vertices[:, 2].mean()))


def _draw_figure(image: Image, figure: Figure, triangles: Triangles, lens: Intrinsics, opacity: float) -> None:
    # Only the part of the picture around the mesh is worked on: a person covers a tenth of it.
    pixels = project(figure.vertices, lens)
    bounds = np.concatenate([np.floor(pixels.min(0)), np.ceil(pixels.max(0)) + 1])
    x0, y0, x1, y1 = np.clip(bounds, 0, [image.shape[1], image.shape[0]] * 2).astype(int).tolist()
    if x0 < x1 and y0 < y1:
        fx, fy, cx, cy = lens
        colours = np.full((len(figure.vertices), 3), np.array(figure.colour, np.float32) / 255, np.float32)
        part = image[y0:y1, x0:x1]
        draw_mesh(part, figure.vertices, triangles, (fx, fy, cx - x0, cy - y0), colours, _LIGHT, opacity)


def _draw_skeleton(image: Image, figure: Figure, lens: Intrinsics) -> None:
    ends, visible = _to_eighths(project(figure.joints, lens)), figure.joints[:, 2] > NEAR
    thickness = max(1, round(image.shape[0] / 360))
    for parent, child in BONES:
        if visible[parent] and visible[child]:
            colour = _SIDES.get(JOINTS[child].partition("_")[0], _MIDDLE)
            cv2.line(image, ends[parent], ends[child], colour, thickness, cv2.LINE_AA, _SHIFT)
    for joint in np.flatnonzero(figure.suspect & visible):
        cv2.circle(image, ends[joint], 4 * thickness << _SHIFT, _SUSPECT, thickness, cv2.LINE_AA, _SHIFT)


def _draw_floor(image: Image, camera: WorldCamera, row: int) -> None:
    """Tiles that lie still in the world; only as many as surround what the camera looks at."""
    middle = np.round(camera.centres[row, :2] / _TILE) * _TILE
    along = np.arange(-_FLOOR, _FLOOR + _TILE / 2, _TILE)
    ends = np.array([-_FLOOR, _FLOOR])
    for metre in (False, True):
        for axis in (0, 1):
            places = along + middle[axis]
            places = places[np.isclose(places % 1, 0) == metre]
            lines = np.zeros((len(places), 2, 3), np.float32)
            lines[..., axis] = places[:, None]
            lines[..., 1 - axis] = ends + middle[1 - axis]
            pixels = project(moved(camera.from_world(row), lines).reshape(-1, 3), camera.intrinsics)
            for start, end in zip(*[iter(_to_eighths(pixels))] * 2, strict=True):
                cv2.line(image, start, end, _METRE_LINE if metre else _FINE_LINE, 1, cv2.LINE_AA, _SHIFT)


def _draw_shadow(image: Image, points: Float, lens: Intrinsics) -> None:
    """Darken what the points cover; vertices lie a few pixels apart, so dots are grown together."""
    height, width = image.shape[:2]
    pixels = np.round(project(points, lens)).astype(int)
    inside = ((pixels >= 0) & (pixels < [width, height])).all(1)
    if inside.any():
        mask = np.zeros((height, width), np.uint8)
        mask[pixels[inside, 1], pixels[inside, 0]] = 1
        size = 1 + 2 * max(1, round(height / 180))
        covered = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((size, size), np.uint8)) > 0
        image[covered] = (image[covered] * _SHADOW).astype(np.uint8)


def _to_eighths(pixels: Float) -> list[tuple[int, int]]:
    """Points as OpenCV's drawing takes them with `_SHIFT`; far outside is far enough."""
    return [(int(x), int(y)) for x, y in np.round(np.clip(pixels, -1e4, 1e4) * (1 << _SHIFT))]


def _smoothed(path: Matrix, frames: int) -> Matrix:
    """Centred mean over about `frames` frames, twice, the ends padded with their edge. Shape: (F, C) → (F, C)."""
    half = max(1, frames // 2)
    for _ in range(2):
        padded = np.pad(path, ((half, half), (0, 0)), mode="edge")
        total = np.cumsum(np.concatenate([np.zeros((1, path.shape[1])), padded]), axis=0)
        path = (total[2 * half + 1 :] - total[: -2 * half - 1]) / (2 * half + 1)
    return path
