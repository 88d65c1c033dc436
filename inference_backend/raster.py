"""A small software rasteriser: triangles with a depth buffer, shaded per vertex. For renders of takes and for training.

Needs no display and no graphics driver. Points are in the camera frame (OpenCV: x right, y down, z forward).
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]

NEAR = 0.05
"""Metres: triangles with a corner nearer than this are not drawn."""


def project(points: Float, intrinsics: tuple[float, float, float, float]) -> Float:
    """Pinhole projection. Shape: (N, 3) metres → (N, 2) pixels; `intrinsics` is (fx, fy, cx, cy)."""
    fx, fy, cx, cy = intrinsics
    z = np.maximum(points[:, 2], NEAR)
    return np.stack([points[:, 0] / z * fx + cx, points[:, 1] / z * fy + cy], -1).astype(np.float32)


@numba.njit(cache=True, fastmath=True)
def _fill(pixels, inverse_depth, triangles, near, face, weights, zbuffer):  # type: ignore[no-untyped-def]
    height, width = face.shape
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        if inverse_depth[a] > near or inverse_depth[b] > near or inverse_depth[c] > near:
            continue
        ax, ay = pixels[a, 0], pixels[a, 1]
        bx, by = pixels[b, 0], pixels[b, 1]
        cx, cy = pixels[c, 0], pixels[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area == 0.0:
            continue
        x0 = max(int(np.ceil(min(ax, bx, cx))), 0)
        x1 = min(int(np.floor(max(ax, bx, cx))), width - 1)
        y0 = max(int(np.ceil(min(ay, by, cy))), 0)
        y1 = min(int(np.floor(max(ay, by, cy))), height - 1)
        scale = 1.0 / area
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                u = ((bx - x) * (cy - y) - (by - y) * (cx - x)) * scale
                v = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) * scale
                w = 1.0 - u - v
                if u < 0.0 or v < 0.0 or w < 0.0:
                    continue
                z = u * inverse_depth[a] + v * inverse_depth[b] + w * inverse_depth[c]
                if z > zbuffer[y, x]:
                    zbuffer[y, x] = z
                    face[y, x] = t
                    weights[y, x, 0] = u
                    weights[y, x, 1] = v


@numba.njit(cache=True)
def _paint(image, triangles, face, weights, colours, opacity):  # type: ignore[no-untyped-def]
    height, width = face.shape
    for y in range(height):
        for x in range(width):
            t = face[y, x]
            if t < 0:
                continue
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            u, v = weights[y, x, 0], weights[y, x, 1]
            w = 1 - u - v
            for k in range(3):
                colour = colours[a, k] * u + colours[b, k] * v + colours[c, k] * w
                value = image[y, x, k] * (1 - opacity) + 255 * colour * opacity
                image[y, x, k] = np.uint8(min(max(value, 0.0), 255.0))


def rasterise(
    points: Float,
    triangles: npt.NDArray[np.int32],
    intrinsics: tuple[float, float, float, float],
    height: int,
    width: int,
) -> tuple[npt.NDArray[np.int32], Float]:
    """The nearest triangle at each pixel.

    Args:
        points: (N, 3) metres, camera frame.
        triangles: (T, 3) indices into `points`.
        intrinsics: (fx, fy, cx, cy) in pixels.

    Returns:
        `face` (H, W) int32, -1 where nothing is; `weights` (H, W, 2), barycentric weights of the first two corners in
        the picture (not corrected for perspective: a body's triangles are small).
    """
    if points.ndim != 2 or points.shape[1] != 3 or triangles.ndim != 2 or triangles.shape[1] != 3:
        raise ValueError(f"points, triangles: found {points.shape}, {triangles.shape}, want (N, 3), (T, 3)")
    # The compiled loop does not look where it reads.
    if len(triangles) and not 0 <= triangles.min() <= triangles.max() < len(points):
        raise ValueError(f"triangles: indices {triangles.min()} to {triangles.max()}, want 0 to {len(points) - 1}")
    face = np.full((height, width), -1, np.int32)
    weights = np.zeros((height, width, 2), np.float32)
    inverse_depth = (1.0 / np.maximum(points[:, 2], 1e-6)).astype(np.float32)
    _fill(
        project(points, intrinsics),
        inverse_depth,
        triangles,
        np.float32(1.0 / NEAR),
        face,
        weights,
        np.zeros((height, width), np.float32),
    )
    return face, weights


def vertex_normals(points: Float, triangles: npt.NDArray[np.int32]) -> Float:
    """Area-weighted unit normals, outwards. Shape: points (N, 3), triangles (T, 3) → (N, 3)."""
    a, b, c = (points[triangles[:, i]] for i in range(3))
    face_normals = np.cross(b - a, c - a)
    normals = np.empty_like(points)
    for axis in range(3):
        per_corner = np.repeat(face_normals[:, axis], 3)
        normals[:, axis] = np.bincount(triangles.reshape(-1), per_corner, minlength=len(points))
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.asarray(normals / np.maximum(lengths, 1e-12), np.float32)


def draw_mesh(
    image: npt.NDArray[np.uint8],
    points: Float,
    triangles: npt.NDArray[np.int32],
    intrinsics: tuple[float, float, float, float],
    colours: Float,
    light: Float,
    opacity: float = 1.0,
) -> npt.NDArray[np.bool_]:
    """Draws a mesh into `image` in place, and returns the mask of the pixels it covers.

    Args:
        image: (H, W, 3) uint8 RGB.
        points: (N, 3) metres, camera frame.
        triangles: (T, 3) indices into `points`, counter-clockwise from outside.
        intrinsics: (fx, fy, cx, cy) in pixels.
        colours: (N, 3) 0 to 1.
        light: (3,) direction towards the light, camera frame; the ambient part is fixed.
        opacity: 0 to 1, how much of the picture the mesh hides.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"image: found {image.dtype} {image.shape}, want uint8 (H, W, 3)")
    if colours.shape != points.shape:
        raise ValueError(f"colours: found {colours.shape}, want {points.shape}")
    height, width = image.shape[:2]
    face, weights = rasterise(points, triangles, intrinsics, height, width)
    diffuse = np.clip(vertex_normals(points, triangles) @ (light / np.linalg.norm(light)), 0, 1)
    shaded = colours * (0.45 + 0.55 * diffuse[:, None])
    _paint(image, triangles, face, weights, shaded.astype(np.float32), opacity)
    return face >= 0


def triangulate(faces: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Quads → two triangles each; triangles pass. Shape: (Q, 4) or (Q, 3) → (2 Q or Q, 3)."""
    if faces.shape[1] == 3:
        return faces
    return np.concatenate([faces[:, [0, 1, 2]], faces[:, [0, 2, 3]]]).astype(np.int32)
