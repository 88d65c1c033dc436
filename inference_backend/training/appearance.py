"""What a rendered training body looks like: skin, clothes, hair, background, light and the camera's faults."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ..body import BodyModel
from ..raster import draw_mesh, triangulate, vertex_normals
from ..skeletons import JOINTS

Float = npt.NDArray[np.float32]
Image = npt.NDArray[np.uint8]


GRAIN_SHIFTS = 64
"""Ways in either direction that the plane of noise may lie over a picture."""


@dataclass(frozen=True)
class Look:
    """One clip's appearance, the same in all its frames."""

    colours: Float
    """(N, 3) 0 to 1, per vertex."""
    inflate: Float
    """(N,) metres that cloth and hair stand off the skin."""
    background: Image
    """(H, W, 3)"""
    occluder: tuple[int, int, int, int] | None
    """x, y, width, height in px of something in front of the body."""
    occluder_colour: tuple[int, int, int]
    """RGB."""
    light: Float
    """(3,) direction, camera frame."""
    blur: float
    """Standard deviation in px."""
    grain: float
    """Standard deviation of the sensor's noise, of 255."""
    quality: int
    """JPEG quality of a frame, 100 for none."""


class Wardrobe:
    """Dresses one body model."""

    def __init__(self, body: BodyModel) -> None:
        self.triangles = triangulate(body.faces.numpy().astype(np.int32))
        self.rest = body.template.numpy()
        self.weights = body.weights.numpy()
        self.noise: Float = np.zeros((0, 0), np.float32)

    def region(self, *parts: str) -> npt.NDArray[np.bool_]:
        """Vertices that mostly move with the named joints (sides left out)."""
        columns = [i for i, name in enumerate(JOINTS) if name.removeprefix("left_").removeprefix("right_") in parts]
        return np.asarray(self.weights[:, columns].sum(1) > 0.5)

    def sample(self, height: int, width: int, rng: np.random.Generator) -> Look:
        """A random look for pictures of this size."""
        tones = np.array([[0.96, 0.80, 0.69], [0.87, 0.67, 0.53], [0.68, 0.47, 0.33], [0.42, 0.27, 0.18]])
        skin = tones[rng.integers(4)] * rng.uniform(0.85, 1.1)
        colours = np.tile(skin, (len(self.rest), 1))
        inflate = np.zeros(len(self.rest))
        top = ["spine1", "spine2", "spine3", "collar", "shoulder"] + (["elbow"] if rng.random() < 0.5 else [])
        bottom = ["pelvis", "hip"] + (["knee"] if rng.random() < 0.65 else [])
        for parts, loose in ((bottom, 0.03), (top, 0.025), (["ankle", "foot"], 0.008)):
            if rng.random() < 0.12:
                continue  # swimwear, barefoot
            worn = self.region(*parts)
            colours[worn] = self._cloth(rng)[worn]
            inflate[worn] = rng.uniform(0.002, loose)
        hair = self.region("head") & (
            (self.rest[:, 1] > self.rest[:, 1].max() - rng.uniform(0.04, 0.10))
            | (self.rest[:, 2] < self.rest[self.region("head"), 2].mean() - rng.uniform(0.0, 0.03))
        )
        if rng.random() < 0.9:
            colours[hair] = np.array([0.35, 0.22, 0.12]) * rng.uniform(0.1, 2.2) + rng.uniform(0, 0.1)
            inflate[hair] = rng.uniform(0.0, 0.03)
        occluder = None
        if rng.random() < 0.15:
            w, h = int(width * rng.uniform(0.08, 0.35)), int(height * rng.uniform(0.08, 0.35))
            occluder = (int(rng.uniform(0, width - w)), int(rng.uniform(height * 0.2, height - h)), w, h)
        return Look(
            colours.clip(0, 1).astype(np.float32),
            inflate.astype(np.float32),
            background(height, width, rng),
            occluder,
            (int(rng.integers(255)), int(rng.integers(255)), int(rng.integers(255))),
            np.array([rng.uniform(-1, 1), rng.uniform(-1.5, 0.2), rng.uniform(-1.2, -0.4)], np.float32),
            0.0 if rng.random() < 0.5 else float(rng.uniform(0.4, 1.6)),
            float(rng.uniform(0, 8)),
            100 if rng.random() < 0.5 else int(rng.integers(25, 95)),
        )

    def _grain(self, size: tuple[int, int], strength: float, rng: np.random.Generator) -> npt.NDArray[np.int16]:
        """The sensor's noise in a frame: a piece of one plane that is drawn once. Shape: (H, W, 3)."""
        if self.noise.shape[0] < size[0] + GRAIN_SHIFTS or self.noise.shape[1] < size[1] + GRAIN_SHIFTS:
            self.noise = rng.standard_normal((size[0] + GRAIN_SHIFTS, size[1] + GRAIN_SHIFTS), np.float32)
        y, x = rng.integers(GRAIN_SHIFTS, size=2)
        grain = np.rint(self.noise[y : y + size[0], x : x + size[1]] * strength).astype(np.int16)
        return np.asarray(cv2.merge([grain] * 3), np.int16)

    def _cloth(self, rng: np.random.Generator) -> npt.NDArray[np.float64]:
        """Plain, striped or patterned cloth over the rest body. Shape: (N, 3)."""
        a, b = muted(rng.uniform(0.03, 0.97, (2, 3)), rng)
        kind = rng.integers(6)
        if kind > 1:
            return np.tile(a, (len(self.rest), 1))
        b = a + (b - a) * rng.uniform(0.2, 1)
        waves = self.rest @ rng.normal(0, 60 if kind == 1 else 120, (3, 1 if kind == 1 else 3))
        share = 0.5 + 0.5 * np.sign(np.sin(waves + rng.uniform(0, 6)).sum(1, keepdims=True))
        return np.asarray(a * share + b * (1 - share))

    def draw(
        self, points: Float, intrinsics: tuple[float, float, float, float], look: Look, rng: np.random.Generator
    ) -> Image:
        """One frame. Shape: points (N, 3) metres, camera frame → (H, W, 3) RGB."""
        image = look.background.copy()
        dressed = points + vertex_normals(points, self.triangles) * look.inflate[:, None]
        draw_mesh(image, dressed.astype(np.float32), self.triangles, intrinsics, look.colours, look.light)
        if look.occluder is not None:
            x, y, w, h = look.occluder
            image[y : y + h, x : x + w] = look.occluder_colour
        if look.blur:
            image = cv2.GaussianBlur(image, (0, 0), look.blur).astype(np.uint8)
        if look.grain > 1:
            image = cv2.add(image, self._grain(image.shape[:2], look.grain, rng), dtype=cv2.CV_8U).astype(np.uint8)
        if look.quality < 100:
            _, packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, look.quality])
            image = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
        return image


def muted(colours: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Colours drawn towards their own grey, as most of the world is. Shape: (..., 3)."""
    grey = colours.mean(-1, keepdims=True)
    return np.asarray(grey + (colours - grey) * rng.uniform(0.05, 0.8))


def background(height: int, width: int, rng: np.random.Generator) -> Image:
    """A made-up place: a gradient, soft noise, a few flat shapes, perhaps a floor."""
    corners = muted(rng.uniform(0, 255, (2, 2, 3)), rng).astype(np.float32)
    if rng.random() < 0.6:
        corners[:] = corners.mean((0, 1)) + rng.normal(0, 15, corners.shape)
    image = cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR)
    for cells in (4, 12, 48):
        rough = muted(rng.normal(0, rng.uniform(0, 16), (cells, cells, 3)), rng).astype(np.float32)
        image = image + cv2.resize(rough, (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(rng.integers(0, 9)):
        x, y = int(rng.uniform(0, width)), int(rng.uniform(0, height))
        w, h = int(rng.uniform(0.03, 0.4) * width), int(rng.uniform(0.03, 0.5) * height)
        image[y : y + h, x : x + w] = muted(rng.uniform(0, 255, 3), rng)
    if rng.random() < 0.5:
        horizon = int(rng.uniform(0.5, 0.9) * height)
        image[horizon:] = image[horizon:] * 0.4 + muted(rng.uniform(0, 255, 3), rng) * 0.6
    return np.asarray(np.clip(image, 0, 255), np.uint8)
