"""The motion of made-up takes: rotations, forward kinematics, linear skinning. numpy only, float64, metres, radians."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inference_backend.skeletons import JOINTS, PARENTS

from .bodies import TestBody

REST_TO_WORLD = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
"""The body's y up, facing +z → Blender's z up, facing -y: towards the camera."""

Array = NDArray[np.float64]


def motion(body: TestBody, times: Array, person: int, size: float = 1.0) -> tuple[Array, Array]:
    """Local rotations (F, 24, 3, 3), the root's into Blender's world, and the root's path (F, 3) there, metres."""
    phase = np.arange(len(JOINTS) * 3).reshape(-1, 3) * 2.4 + person
    vectors = size * 0.35 * np.sin(2 * times[:, None, None] + phase)
    local = rotations(vectors)
    turn = rotations(np.stack([np.zeros_like(times), np.zeros_like(times), 0.8 * times], -1))
    local[:, 0] = turn @ REST_TO_WORLD @ local[:, 0]
    height = body.joints[0, 1] - body.vertices[:, 1].min()
    root = np.stack([1.2 * person + 0.4 * np.sin(times), 0.3 * np.cos(times), np.full_like(times, height)], -1)
    return local, root


def forward(body: TestBody, local: Array, root: Array) -> tuple[Array, Array]:
    """Global rotations (F, 24, 3, 3) and joints (F, 24, 3)."""
    turned, joints = np.empty_like(local), np.empty((len(local), len(JOINTS), 3))
    for joint, parent in enumerate(PARENTS):
        if parent < 0:
            turned[:, joint], joints[:, joint] = local[:, joint], root
        else:
            turned[:, joint] = turned[:, parent] @ local[:, joint]
            offset = body.joints[joint] - body.joints[parent]
            joints[:, joint] = joints[:, parent] + turned[:, parent] @ offset
    return turned, joints


def skinned(body: TestBody, turned: Array, joints: Array) -> Array:
    """Vertices (F, N, 3) by linear skinning."""
    vertices = np.zeros((len(turned), len(body.vertices), 3))
    for column in range(body.skin_joints.shape[1]):
        joint = body.skin_joints[:, column]
        offset = (body.vertices - body.joints[joint])[None, :, :, None]
        vertices += body.skin_weights[:, column, None] * ((turned[:, joint] @ offset)[..., 0] + joints[:, joint])
    return vertices


def rotations(vectors: Array) -> Array:
    """Axis-angle → matrices. Shape: (..., 3) radians → (..., 3, 3)."""
    angle = np.linalg.norm(vectors, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(vectors, -1, 0)
    o = np.zeros_like(x)
    cross = np.stack([np.stack([o, -z, y], -1), np.stack([z, o, -x], -1), np.stack([-y, x, o], -1)], -2)
    return np.eye(3) + np.sinc(angle / np.pi) * cross + 0.5 * np.sinc(angle / (2 * np.pi)) ** 2 * cross @ cross


def quaternions(matrices: Array) -> Array:
    """Matrices → w, x, y, z with w ≥ 0. Shape: (..., 3, 3) → (..., 4)."""
    m = np.moveaxis(matrices, (-2, -1), (0, 1))
    twist = [m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]]
    trace = m[0, 0] + m[1, 1] + m[2, 2]
    # The eigenvector of the largest eigenvalue of this symmetric matrix, as Bar-Itzhack has shown.
    rows = [[trace, *twist]]
    rows += [[twist[i], *(m[i, j] + m[j, i] - (trace if i == j else 0) for j in range(3))] for i in range(3)]
    symmetric = np.stack([np.stack(row, -1) for row in rows], -2)
    q = np.linalg.eigh(symmetric)[1][..., -1]
    return np.asarray(np.where(q[..., :1] < 0, -q, q))


def axis_angle(q: Array) -> Array:
    """Unit quaternions with w ≥ 0 → axis-angle, radians."""
    length = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    return q[..., 1:] * (2 * np.arctan2(length, q[..., :1]) / np.maximum(length, 1e-12))
