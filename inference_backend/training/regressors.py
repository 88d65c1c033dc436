"""Points of a body as fixed, sparse, non-negative combinations of its vertices, fitted over many shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls
from scipy.sparse import csr_matrix

from ..skeletons import JOINTS, LANDMARKS

Array = npt.NDArray[np.float64]


def fit_regressor(vertices: Array, targets: Array, per_octant: int) -> csr_matrix:
    """Non-negative weights that sum to 1, over the vertices around each target on average.

    Shape: vertices (S, N, 3), targets (S, K, 3) → (K, N).
    """
    mean_vertices, mean_targets = vertices.mean(0), targets.mean(0)
    rows, columns, values = [], [], []
    for k, target in enumerate(mean_targets):
        near = around(mean_vertices, target, per_octant)
        A = vertices[:, near].transpose(0, 2, 1).reshape(-1, len(near))
        A = np.vstack([A, np.full((1, len(near)), 100.0)])  # the heavy last row: the weights sum to 1
        weights, _ = nnls(A, np.append(targets[:, k].reshape(-1), 100.0))
        weights[weights < 1e-4] = 0
        used = weights.nonzero()[0]
        rows += [k] * len(used)
        columns += near[used].tolist()
        values += (weights[used] / weights.sum()).tolist()
    return csr_matrix((values, (rows, columns)), shape=(len(mean_targets), len(mean_vertices)))


def around(vertices: Array, target: Array, per_octant: int) -> npt.NDArray[np.int64]:
    """The vertices nearest to a target in each octant about it, so that a joint deep inside is surrounded."""
    offset = vertices - target
    octant = (offset > 0) @ np.array([1, 2, 4])
    order = np.argsort(np.linalg.norm(offset, axis=1), kind="stable")
    return np.concatenate([order[octant[order] == o][:per_octant] for o in range(8)])


def regressor_residual(regressor: csr_matrix, vertices: Array, targets: Array) -> float:
    """Mean distance in mm between regressed and true points."""
    regressed = np.stack([regressor @ v for v in vertices])
    return float(np.linalg.norm(regressed - targets, axis=-1).mean() * 1000)


def h36m_regressor(joints: csr_matrix, landmarks: csr_matrix, top: int) -> csr_matrix:
    """Human3.6M's 17 joints as combinations of SMPL joints, the nose and the top of the head. Shape: (17, N)."""

    def joint(name: str) -> Array:
        return np.asarray(joints[JOINTS.index(name)].toarray()[0])

    crown = np.zeros(joints.shape[1])
    crown[top] = 1
    nose = landmarks[LANDMARKS.index("nose")].toarray()[0]
    rows = [(joint("left_hip") + joint("right_hip")) / 2]
    rows += [joint(f"{side}_{part}") for side in ("right", "left") for part in ("hip", "knee", "ankle")]
    rows += [joint("spine2"), joint("neck"), (nose + joint("head")) / 2, (crown + joint("head")) / 2]
    rows += [joint(f"{side}_{part}") for side in ("left", "right") for part in ("shoulder", "elbow", "wrist")]
    return csr_matrix(np.stack(rows))


def csr_parts(name: str, matrix: csr_matrix) -> dict[str, Any]:
    """A sparse matrix as three arrays of the body file."""
    return {
        f"{name}_data": matrix.data.astype(np.float32),
        f"{name}_indices": matrix.indices.astype(np.int32),
        f"{name}_indptr": matrix.indptr.astype(np.int32),
    }
