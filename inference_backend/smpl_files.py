"""The user's own SMPL, SMPL-H or SMPL-X model file as a body.

None is shipped: their licences are non-commercial unless bought. Files are read by this package alone; the smplx
package, under the same terms, is imported only by `smplx_forward`, to compare.
"""

from __future__ import annotations

import contextlib
import pickle
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import torch
from torch import Tensor

from inference_backend.body import load_default_body
from inference_backend.body_arrays import BodyArrays
from inference_backend.body_model import BodyModel
from inference_backend.errors import BadArgument, WeightsMissing
from inference_backend.landmark_transfer import landmark_regressor_from_geometry, transfer_regressor
from inference_backend.skeletons import PARENTS
from inference_backend.skinning import Regressor
from inference_backend.smpl_unpickler import load_pickled_arrays

Kind = Literal["smpl", "smplh", "smplx"]


@dataclass(frozen=True)
class _Family:
    """What tells one kind of file from another."""

    kind: Kind
    """The name smplx gives it."""
    hands: tuple[int, int]
    """The joints for SMPL's left_hand and right_hand."""


_FAMILIES: Final = {
    24: _Family("smpl", (22, 23)),
    52: _Family("smplh", (25, 40)),
    55: _Family("smplx", (28, 43)),
}
"""Kinds by their joint count. The first 22 joints are SMPL's in all. SMPL's hand joints lie in the middle of the palm's
far end, so the bases of the middle fingers stand for them. The index fingers' bases (22 and 37 in SMPL-H), often taken
as they follow in order, lie towards the thumb."""

_LICENCE: Final = "the model's own: non-commercial unless its owner has licensed you otherwise"


def load_smpl(path: Path, reference: BodyModel | None = None) -> BodyModel:
    """A .pkl or .npz file of SMPL, SMPL-H or SMPL-X, float32 on the CPU, with all its shape and pose directions.

    Expressions and the mean hand pose are left out: zero pose is the flat hand. The regressors of landmarks and of
    Human3.6M's joints come from `reference` (default: the shipped body) by geometry.

    Raises WeightsMissing, WeightsCorrupt, UnsafePickle, BodyInvalid (naming the array) or BadArgument (another suffix).
    """
    arrays = read_smpl_arrays(path)
    template = arrays.floats("v_template", (None, 3))
    count = len(template)
    parents, family = _skeleton(arrays)
    joints = len(parents)
    weights = arrays.floats("weights", (count, joints))
    arrays.check_weights("weights", weights)
    shapedirs = arrays.floats("shapedirs", (count, 3, None))
    if family.kind == "smplx":
        shapedirs = shapedirs[..., : smplx_shape_count(shapedirs.shape[-1])]
    body = BodyModel(
        name=family.kind,
        licence=_LICENCE,
        template=template,
        shapedirs=shapedirs,
        posedirs=arrays.floats("posedirs", (count, 3, 9 * (joints - 1))),
        joint_regressor=Regressor.from_dense(arrays.floats("J_regressor", (joints, count))),
        weights=weights,
        parents=parents,
        smpl24=(*range(22), *family.hands),
        faces=arrays.integers("f", (None, 3), below=count),
        stature_vertices=(int(template[:, 1].argmax()), int(template[:, 1].argmin())),
    )
    reference = load_default_body() if reference is None else reference
    h36m = reference.h36m_regressor
    return replace(
        body,
        landmark_regressor=landmark_regressor_from_geometry(body, reference),
        h36m_regressor=None if h36m is None else transfer_regressor(h36m, reference, body),
    )


def read_smpl_arrays(path: Path) -> BodyArrays:
    """What the file holds, by its suffix. Raises as `load_smpl`."""
    if path.suffix == ".pkl":
        return BodyArrays(path, load_pickled_arrays(path))
    if path.suffix == ".npz":
        return BodyArrays.from_npz(path)
    raise BadArgument(
        f"{path.name} is neither a .pkl nor a .npz file",
        hint="give the model file itself, as SMPL_NEUTRAL.pkl or SMPLX_NEUTRAL.npz",
        path=str(path),
    )


def smplx_shape_count(columns: int) -> int:
    """How many of an SMPL-X file's directions are shape: 300 before 100 of expression; in old files 10 before 10."""
    return 300 if columns >= 400 else min(10, columns)


def smplx_forward(path: Path, kind: Kind, pose: Tensor, betas: Tensor) -> tuple[Tensor, Tensor]:
    """The same file posed by the smplx package, to compare with. Axis-angle of all joints, flat hands.

    Shape: pose (B, J, 3), betas (B, S) → vertices (B, N, 3), joints (B, J, 3). Raises WeightsMissing where the package
    is not installed, and as `load_smpl` for the file.
    """
    try:
        import smplx
    except ImportError as error:
        raise WeightsMissing(
            "the package smplx is not installed",
            hint="accept its licence and install it beside the backend: pip install smplx",
            package="smplx",
        ) from error
    content = {key: value for key, value in read_smpl_arrays(path).content.items() if value is not None}
    batch = len(pose)
    with tempfile.TemporaryDirectory() as folder:
        # smplx loads whatever a pickle asks for, so it is given one of our own that holds the checked arrays only.
        # It takes the kind from the name.
        clean = Path(folder) / f"{kind}_clean.pkl"
        clean.write_bytes(pickle.dumps(content))
        with contextlib.redirect_stdout(sys.stderr):
            model = smplx.create(
                str(clean),
                model_type=kind,
                ext="pkl",
                num_betas=betas.shape[1],
                use_pca=False,
                flat_hand_mean=True,
                batch_size=batch,
            )
    parts = {"global_orient": pose[:, :1]}
    if kind == "smpl":
        parts["body_pose"] = pose[:, 1:]
    else:
        parts["body_pose"] = pose[:, 1:22]
        parts["left_hand_pose"], parts["right_hand_pose"] = torch.split(pose[:, -30:], 15, 1)
        if kind == "smplx":
            parts["jaw_pose"], parts["leye_pose"], parts["reye_pose"] = torch.split(pose[:, 22:25], 1, 1)
    with torch.no_grad():
        output = model(betas=betas, **{name: part.flatten(1) for name, part in parts.items()})
    return output.vertices, output.joints[:, : pose.shape[1]]


def _skeleton(arrays: BodyArrays) -> tuple[tuple[int, ...], _Family]:
    """Parents of all joints and the kind of file they tell of."""
    table = arrays.integers("kintree_table", (2, None))
    # The root's parent is written as -1 or as that in 32 bits without sign.
    parents = (-1, *(int(parent) for parent in table[0, 1:]))
    family = _FAMILIES.get(len(parents))
    if family is None:
        raise arrays.invalid("kintree_table", f"has {len(parents)} joints, want 24, 52 or 55")
    ordered = all(0 <= parent < joint for joint, parent in enumerate(parents) if joint)
    hands = tuple(parents[hand] for hand in family.hands)
    if not ordered or parents[:22] != PARENTS[:22] or hands != PARENTS[22:]:
        raise arrays.invalid("kintree_table", "is not SMPL's skeleton")
    return parents, family
