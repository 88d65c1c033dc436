"""A small humanoid with everything the default body has: a tube of vertices around every bone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from scipy import sparse

from inference_backend.body import BodyModel
from inference_backend.skeletons import BONES, H36M17, JOINTS, LANDMARKS, PARENTS
from inference_backend.skinning import Regressor

# A T-pose, metres, y up, z to the front; the left side mirrors to the right.
_REST = {
    "pelvis": (0, 0.95, 0), "left_hip": (0.09, 0.90, 0), "left_knee": (0.10, 0.50, 0.01),
    "left_ankle": (0.10, 0.09, -0.02), "left_foot": (0.11, 0.03, 0.11), "spine1": (0, 1.05, -0.01),
    "spine2": (0, 1.18, -0.01), "spine3": (0, 1.26, -0.01), "neck": (0, 1.45, -0.01), "head": (0, 1.55, 0.02),
    "left_collar": (0.06, 1.38, -0.01), "left_shoulder": (0.17, 1.40, -0.01), "left_elbow": (0.43, 1.40, -0.02),
    "left_wrist": (0.68, 1.40, -0.01), "left_hand": (0.77, 1.39, 0),
}  # fmt: skip
_TIPS = {"head": (0, 0.17, 0), "left_hand": (0.1, 0, 0), "left_foot": (0, 0, 0.07)}
_RINGS, _SIDES = 5, 8


def _position(table: dict[str, tuple[float, float, float]], name: str) -> np.ndarray:
    mirrored = np.array(table[name.replace("right_", "left_")], float)
    return mirrored * ([-1, 1, 1] if name.startswith("right_") else 1)


def rest_joints() -> np.ndarray:
    """(24, 3)"""
    return np.stack([_position(_REST, name) for name in JOINTS])


def synthetic_body(seed: int = 0, pose_blend: bool = False, shapes: int = 10) -> BodyModel:
    """1120 vertices in 28 closed tubes, the first shape direction a scaling, the others random smooth ones."""
    rng = np.random.default_rng(seed)
    joints = rest_joints()
    tubes = [(parent, child, joints[child]) for parent, child in BONES]
    tubes += [
        (joint, None, joints[joint] + _position(_TIPS, name))
        for joint, name in enumerate(JOINTS)
        if name.replace("right_", "left_") in _TIPS
    ]
    vertices, weights, quads = [], [], []
    ring_at_joint: dict[int, slice] = {}
    for start, child, end in tubes:
        base = len(vertices)
        axis = (end - joints[start]) / np.linalg.norm(end - joints[start])
        side = np.cross(axis, np.eye(3)[np.abs(axis).argmin()])
        side /= np.linalg.norm(side)
        across = np.cross(axis, side)
        radius = rng.uniform(0.03, 0.06)
        for ring in range(_RINGS):
            along = ring / (_RINGS - 1)
            for step in range(_SIDES):
                angle = 2 * np.pi * step / _SIDES
                around = radius * (np.cos(angle) * side + np.sin(angle) * across)
                vertices.append(joints[start] + along * (end - joints[start]) + around)
                row = np.zeros(len(JOINTS))
                row[start] = 1.0
                if child is not None and along > 0.5:
                    row[start], row[child] = 1.5 - along, along - 0.5
                weights.append(row)
                if ring:
                    here, back = base + ring * _SIDES, base + (ring - 1) * _SIDES
                    turn = (step + 1) % _SIDES
                    quads.append([back + step, back + turn, here + turn, here + step])
        quads += [[base + i for i in cap] for cap in ((3, 2, 1, 0), (5, 4, 3, 0), (7, 6, 5, 0))]
        top = base + (_RINGS - 1) * _SIDES
        quads += [[top + i for i in cap] for cap in ((0, 1, 2, 3), (0, 3, 4, 5), (0, 5, 6, 7))]
        ring_at_joint.setdefault(start, slice(base, base + _SIDES))
    template = np.array(vertices)
    count = len(template)
    maps = 0.01 * rng.standard_normal((shapes, 3, 3))
    maps[0] = 0.05 * np.eye(3)
    joint_rows = np.zeros((len(JOINTS), count))
    for joint, ring in ring_at_joint.items():
        joint_rows[joint, ring] = 1 / _SIDES
    landmark_rows = np.zeros((len(LANDMARKS), count))
    for row in landmark_rows:
        row[rng.choice(count, 3, replace=False)] = 1 / 3
    h36m_rows = np.zeros((len(H36M17), count))
    for row, joint in zip(h36m_rows, (0, 2, 5, 8, 1, 4, 7, 6, 9, 12, 15, 16, 18, 20, 17, 19, 21), strict=True):
        row[:] = joint_rows[joint]

    def tensor(array: np.ndarray) -> torch.Tensor:
        return torch.tensor(array, dtype=torch.float32)

    faces = torch.tensor(quads)
    return BodyModel(
        name="synthetic",
        licence="CC0",
        template=tensor(template),
        shapedirs=tensor(np.einsum("sij,nj->nis", maps, template)),
        posedirs=tensor(1e-3 * rng.standard_normal((count, 3, 9 * (len(JOINTS) - 1)))) if pose_blend else None,
        joint_regressor=Regressor.from_dense(tensor(joint_rows)),
        weights=tensor(np.array(weights)),
        parents=PARENTS,
        smpl24=tuple(range(len(JOINTS))),
        faces=faces,
        stature_vertices=(int(template[:, 1].argmax()), int(template[:, 1].argmin())),
        uv=tensor(rng.random((count, 2))),
        uv_faces=faces,
        landmark_regressor=Regressor.from_dense(tensor(landmark_rows)),
        landmark_offsets=tensor(0.01 * rng.standard_normal((len(landmark_rows), 3))),
        h36m_regressor=Regressor.from_dense(tensor(h36m_rows)),
    )


def body_arrays(body: BodyModel) -> dict[str, np.ndarray]:
    """A body of 24 joints as the arrays of the shipped file."""
    value, index = body.weights.topk(4, 1)
    arrays = {
        "v_template": body.template.numpy(),
        "shapedirs": body.shapedirs.numpy(),
        "shape_variance": np.full(body.shape_count, 1 / body.shape_count, np.float32),
        "weights_index": index.numpy().astype(np.uint8),
        "weights_value": value.numpy(),
        "parents": np.array(body.parents, np.int8),
        "faces": body.faces.numpy().astype(np.int32),
        "uv": body.uv.numpy(),
        "uv_faces": body.uv_faces.numpy().astype(np.int32),
        "stature_vertices": np.array(body.stature_vertices, np.int32),
        "landmark_offsets": body.landmark_offsets.numpy(),
        "licence": np.array(body.licence),
    }
    parts = {"J_regressor": body.joint_regressor, "L": body.landmark_regressor, "H": body.h36m_regressor}
    for prefix, regressor in parts.items():
        rows = sparse.csr_matrix(regressor.dense(body.vertex_count).numpy())
        arrays |= {f"{prefix}_data": rows.data, f"{prefix}_indices": rows.indices, f"{prefix}_indptr": rows.indptr}
    return arrays


def with_vertices(body: BodyModel, keep: torch.Tensor) -> BodyModel:
    """A body of only the vertices `keep` (M,) and the faces between them; its rest joints stay, its points go."""
    joints = body.rest(torch.zeros(1, body.shape_count))[1][0]
    homogeneous = torch.cat([body.template[keep], torch.ones(len(keep), 1)], 1).T.double()
    rows = torch.linalg.pinv(homogeneous) @ torch.cat([joints, torch.ones(len(joints), 1)], 1).T.double()
    index = torch.full((body.vertex_count,), -1)
    index[keep] = torch.arange(len(keep))
    faces = index[body.faces]
    top, sole = body.template[keep, 1].argmax(), body.template[keep, 1].argmin()
    return replace(
        body,
        template=body.template[keep],
        shapedirs=body.shapedirs[keep],
        posedirs=None if body.posedirs is None else body.posedirs[keep],
        joint_regressor=Regressor.from_dense(rows.T.float()),
        weights=body.weights[keep],
        faces=faces[(faces >= 0).all(1)],
        stature_vertices=(int(top), int(sole)),
        uv=None,
        uv_faces=None,
        landmark_regressor=None,
        h36m_regressor=None,
    )


def with_shape(body: BodyModel, betas: torch.Tensor) -> BodyModel:
    """The body whose template is the shape `betas` (S,) of another."""
    return replace(body, template=body.rest(betas[None])[0][0])


def with_fingers(body: BodyModel, joint_count: int) -> BodyModel:
    """SMPL-H's 52 or SMPL-X's 55 joints: the hand's vertices follow the finger bases, each finger a chain of three."""
    faces = joint_count - 52
    extra = [15] * faces
    for wrist, first in ((20, 22 + faces), (21, 37 + faces)):
        for finger in range(5):
            base = first + 3 * finger
            extra += [wrist, base, base + 1]
    middles = (25 + faces, 40 + faces)
    weights = torch.zeros(body.vertex_count, joint_count)
    weights[:, :22] = body.weights[:, :22]
    regressor = torch.zeros(joint_count, body.vertex_count)
    dense = body.joint_regressor.dense(body.vertex_count)
    regressor[:22] = dense[:22]
    regressor[22 : 22 + faces] = dense[15]
    for hand, middle in zip((22, 23), middles, strict=True):
        own = body.weights[:, hand]
        for joint in range(middle - 3, middle + 12):
            regressor[joint] = dense[hand]
            weights[:, joint] = own / 15
    posedirs = None
    if body.posedirs is not None:
        posedirs = torch.zeros(body.vertex_count, 3, 9 * (joint_count - 1))
        posedirs[..., :207] = body.posedirs
    return replace(
        body,
        weights=weights,
        posedirs=posedirs,
        joint_regressor=Regressor.from_dense(regressor),
        parents=(*PARENTS[:22], *extra),
        smpl24=(*range(22), *middles),
    )
