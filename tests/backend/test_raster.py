"""The rasteriser against a slow twin that asks every pixel of every triangle, and the shading on it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from inference_backend.raster import NEAR, draw_mesh, project, rasterise, triangulate, vertex_normals

CAMERA = (40.0, 42.0, 15.5, 11.0)
HEIGHT, WIDTH = 24, 32


def slow_rasterise(points, triangles, camera, height, width):
    """The readable twin, float64: the nearest of all triangles that a pixel's centre lies in, by plane depth."""
    fx, fy, cx, cy = camera
    face, weights = np.full((height, width), -1), np.zeros((height, width, 2))
    nearest = np.full((height, width), np.inf)
    for t, corners in enumerate(points[triangles]):
        if (corners[:, 2] < NEAR).any():
            continue
        a, b, c = corners[:, :2] / corners[:, 2:] * (fx, fy) + (cx, cy)
        matrix = np.array([[a[0], b[0], c[0]], [a[1], b[1], c[1]], [1, 1, 1]])
        if abs(np.linalg.det(matrix)) < 1e-12:
            continue
        for y in range(height):
            for x in range(width):
                barycentric = np.linalg.solve(matrix, [x, y, 1])
                depth = 1 / (barycentric @ (1 / corners[:, 2]))
                if (barycentric >= 0).all() and depth < nearest[y, x]:
                    face[y, x], weights[y, x], nearest[y, x] = t, barycentric[:2], depth
    return face, weights


def cloud(seed, count=12):
    rng = np.random.default_rng(seed)
    points = rng.uniform((-1.2, -1, 1.5), (1.2, 1, 4), (count, 3)).astype(np.float32)
    every = np.array(list(itertools.combinations(range(count), 3)), np.int32)  # two alike would be a draw
    return points, rng.choice(every, 10, replace=False)


@pytest.mark.parametrize("seed", range(4))
def test_rasterise_equals_its_slow_twin(seed):
    points, triangles = cloud(seed)
    points[0, 2] = -1  # behind the camera
    points[1, 2] = NEAR / 2
    face, weights = rasterise(points, triangles, CAMERA, HEIGHT, WIDTH)
    slow_face, slow_weights = slow_rasterise(points.astype(np.float64), triangles, CAMERA, HEIGHT, WIDTH)
    assert face.dtype == np.int32
    assert face.shape == (HEIGHT, WIDTH)
    assert (slow_face >= 0).any()
    assert np.array_equal(face, slow_face)
    assert np.allclose(weights, slow_weights, atol=1e-4)


def test_depth_is_interpolated_over_its_inverse():
    """A steep plane and one in front of its far end: where they cross is where their depths are equal."""
    points = np.array(
        [[-1, -1, 1], [-1, 1, 1], [9, -9, 9], [9, 9, 9], [-9, -9, 3], [-9, 9, 3], [9, -9, 3], [9, 9, 3]], np.float32
    )
    triangles = np.array([[0, 1, 2], [1, 2, 3], [4, 5, 6], [5, 6, 7]], np.int32)
    face, _ = rasterise(points, triangles, (32.0, 32.0, 32.0, 32.0), 65, 65)
    # The slope is z = 1 + 0.8 (x + 1), so z = 3 at x = 1.5: pixel 32 * 1.5 / 3 + 32 = 48.
    assert (face[32, 10:48] < 2).all()
    assert (face[32, 49:] >= 2).all()


def test_nothing_is_drawn_of_nothing():
    points, triangles = cloud(0)
    face, weights = rasterise(points, triangles[:0], CAMERA, HEIGHT, WIDTH)
    assert (face == -1).all()
    assert (weights == 0).all()
    behind = points * (1, 1, -1)
    assert (rasterise(behind.astype(np.float32), triangles, CAMERA, HEIGHT, WIDTH)[0] == -1).all()


def test_project():
    points = np.array([[0, 0, 2], [1, -0.5, 2], [1, 0, 0]], np.float32)
    pixels = project(points, CAMERA)
    assert pixels.dtype == np.float32
    assert np.allclose(pixels, [[15.5, 11], [35.5, 0.5], [15.5 + 40 / NEAR, 11]], atol=1e-3)


def test_weights_meet_the_corners():
    points, triangles = cloud(3)
    pixels = project(points, CAMERA)
    face, weights = rasterise(points, triangles, CAMERA, HEIGHT, WIDTH)
    y, x = np.nonzero(face >= 0)
    # Pixel coordinates are linear in the picture, so at a pixel their interpolation is the pixel itself.
    corners = pixels[triangles[face[y, x]]]
    u, v = weights[y, x, :1], weights[y, x, 1:]
    values = corners[:, 0] * u + corners[:, 1] * v + corners[:, 2] * (1 - u - v)
    assert len(values) > 10
    assert np.allclose(values, np.stack([x, y], -1), atol=1e-2)


def sphere(rings=12, sides=16):
    """Unit sphere, counter-clockwise from outside. (N, 3), (Q, 4)"""
    u, v = np.meshgrid(np.linspace(0.05, np.pi - 0.05, rings), np.arange(sides) * 2 * np.pi / sides, indexing="ij")
    points = np.stack([np.sin(u) * np.cos(v), np.sin(u) * np.sin(v), np.cos(u)], -1).reshape(-1, 3)
    i, j = np.meshgrid(np.arange(rings - 1), np.arange(sides), indexing="ij")
    k = (j + 1) % sides
    quads = np.stack([i * sides + j, (i + 1) * sides + j, (i + 1) * sides + k, i * sides + k], -1).reshape(-1, 4)
    return points.astype(np.float32), quads.astype(np.int32)


def test_normals_of_a_sphere_point_outwards():
    points, quads = sphere()
    normals = vertex_normals(3 * points, triangulate(quads))
    assert normals.dtype == np.float32
    assert np.allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)
    inner = slice(16, -16)  # the first and the last ring are rims
    assert ((normals * points).sum(1)[inner] > 0.99).all()


def test_a_vertex_without_faces_has_no_normal():
    assert np.array_equal(vertex_normals(np.eye(3, dtype=np.float32), np.zeros((0, 3), np.int32)), np.zeros((3, 3)))


def test_triangulate():
    assert np.array_equal(triangulate(np.array([[0, 1, 2, 3]], np.int32)), [[0, 1, 2], [0, 2, 3]])
    triangles = np.array([[0, 1, 2]], np.int32)
    assert triangulate(triangles) is triangles


@pytest.mark.parametrize("opacity", [1.0, 0.25, 0.0])
def test_draw_mesh_shades_towards_the_light_and_mixes(opacity):
    points, quads = sphere()
    points = points + np.float32([0, 0, 4])
    image = np.full((64, 64, 3), 100, np.uint8)
    colours = np.full(points.shape, 0.8, np.float32)
    light = np.array([-3, 0, 0], np.float32)
    mask = draw_mesh(image, points, triangulate(quads), (90, 90, 31.5, 31.5), colours, light, opacity)
    assert 1500 < mask.sum() < 2000  # a disc of radius 90 / √15 = 23 pixels: 1696
    assert (image[~mask] == 100).all()
    for x in (14, 24, 48):
        # Where the pixel's ray d meets the sphere: |t d - (0, 0, 4)| = 1. The normal's x faces the light.
        d = np.array([(x - 31.5) / 90, (32 - 31.5) / 90, 1])
        t = (4 - np.sqrt(16 - 15 * (d @ d))) / (d @ d)
        shade = 255 * 0.8 * (0.45 + 0.55 * max(-t * d[0], 0))
        assert image[32, x] == pytest.approx((1 - opacity) * 100 + opacity * shade, abs=8)


def test_wrong_shapes_and_indices_are_named():
    points, triangles = cloud(0)
    with pytest.raises(ValueError, match="points, triangles: found"):
        rasterise(points[:, :2], triangles, CAMERA, 4, 4)
    with pytest.raises(ValueError, match="points, triangles: found"):
        rasterise(points, np.zeros((2, 4), np.int32), CAMERA, 4, 4)
    for index in (-1, len(points)):
        wrong = triangles.copy()
        wrong[3, 1] = index
        with pytest.raises(ValueError, match="indices"):
            rasterise(points, wrong, CAMERA, 4, 4)
    light = np.ones(3, np.float32)
    with pytest.raises(ValueError, match="image: found float64"):
        draw_mesh(np.zeros((4, 4, 3)), points, triangles, CAMERA, points, light)
    with pytest.raises(ValueError, match="colours"):
        draw_mesh(np.zeros((4, 4, 3), np.uint8), points, triangles, CAMERA, points[:1], light)
