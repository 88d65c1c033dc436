"""What a take keeps of its body model, so that it can be opened where the model is not: faces, texture, skinning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from .body_model import BodyModel
from .skeletons import JOINTS

INFLUENCES = 4
"""Joints that a vertex follows at most, as game engines and glTF want it."""


@dataclass(frozen=True, eq=False)
class BodyTopology:
    """The arrays of a body that no pose and no shape changes."""

    faces: npt.NDArray[np.int32]
    """(M, 4) vertices of each face, counter-clockwise from outside; a triangle repeats its last vertex."""
    face_uvs: npt.NDArray[np.int32]
    """(M, 4) rows of `uvs`."""
    uvs: npt.NDArray[np.float32]
    """(U, 2) texture coordinates; the one row (0, 0) where the body has none."""
    skin_joints: npt.NDArray[np.int32]
    """(N, 4) among SMPL's 24 joints."""
    skin_weights: npt.NDArray[np.float32]
    """(N, 4) rows sum to 1."""


def topology(body: BodyModel) -> BodyTopology:
    """The topology of a body; joints beyond SMPL's 24 (fingers, jaw) go with those that carry them."""
    weights = torch.zeros(body.vertex_count, len(JOINTS))
    weights.index_add_(1, torch.tensor(body.carriers), body.weights.float().cpu())
    strongest = weights.topk(INFLUENCES, dim=1)
    kept = strongest.values / strongest.values.sum(1, keepdim=True)
    if body.uv is None or body.uv_faces is None:
        uvs, face_uvs = np.zeros((1, 2), np.float32), np.zeros((len(body.faces), INFLUENCES), np.int32)
    else:
        uvs, face_uvs = body.uv.cpu().numpy().astype(np.float32), quads(body.uv_faces.cpu().numpy())
    return BodyTopology(
        faces=quads(body.faces.cpu().numpy()),
        face_uvs=face_uvs,
        uvs=uvs,
        skin_joints=strongest.indices.numpy().astype(np.int32),
        skin_weights=kept.numpy().astype(np.float32),
    )


def quads(faces: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    """(M, 3) or (M, 4) → (M, 4), the last corner of a triangle twice."""
    four = faces if faces.shape[1] == 4 else np.concatenate([faces, faces[:, -1:]], 1)
    return four.astype(np.int32)
