"""The body in use: the model's class, and the body that is shipped."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final

import torch

from inference_backend.body_arrays import BodyArrays
from inference_backend.body_model import BodyModel, BodyOutput
from inference_backend.skeletons import H36M17, JOINTS, LANDMARKS, PARENTS

__all__ = ["DEFAULT_BODY", "BodyModel", "BodyOutput", "load_default_body"]

DEFAULT_BODY: Final = Path(__file__).parent / "assets" / "body.npz"
"""The shipped body: CC0, SMPL's 24 joints and pose parameters."""


def load_default_body(path: Path = DEFAULT_BODY) -> BodyModel:
    """The shipped body, float32 on the CPU: 24 joints, quads, regressors of landmarks and Human3.6M's joints.

    It is read once: all share it, and nobody changes its tensors.

    Raises WeightsMissing, WeightsCorrupt (no readable npz) or BodyInvalid (naming the array that is wrong).
    """
    return _shipped() if path == DEFAULT_BODY else _load(path)


@lru_cache(maxsize=1)
def _shipped() -> BodyModel:
    return _load(DEFAULT_BODY)


def _load(path: Path) -> BodyModel:
    arrays = BodyArrays.from_npz(path)
    template = arrays.floats("v_template", (None, 3))
    count, joints = len(template), len(JOINTS)
    parents = tuple(int(parent) for parent in arrays.integers("parents", (joints,)))
    if parents != PARENTS:
        raise arrays.invalid("parents", "is not SMPL's skeleton")
    index = arrays.integers("weights_index", (count, None), below=joints)
    value = arrays.floats("weights_value", tuple(index.shape))
    weights = torch.zeros(count, joints).scatter_add_(1, index, value)
    arrays.check_weights("weights_value", weights)
    uv = arrays.floats("uv", (None, 2))
    faces = arrays.integers("faces", (None, 4), below=count)
    top, sole = arrays.integers("stature_vertices", (2,), below=count).tolist()
    return BodyModel(
        name="default",
        licence=arrays.text("licence"),
        template=template,
        shapedirs=arrays.floats("shapedirs", (count, 3, None)),
        posedirs=None,
        joint_regressor=arrays.regressor("J_regressor", joints, count),
        weights=weights,
        parents=parents,
        smpl24=tuple(range(joints)),
        faces=faces,
        stature_vertices=(top, sole),
        uv=uv,
        uv_faces=arrays.integers("uv_faces", tuple(faces.shape), below=len(uv)),
        landmark_regressor=arrays.regressor("L", len(LANDMARKS), count),
        landmark_offsets=arrays.floats("landmark_offsets", (len(LANDMARKS), 3)),
        h36m_regressor=arrays.regressor("H", len(H36M17), count),
    )
