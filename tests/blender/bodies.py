"""Bodies for made-up takes: a few boxes on SMPL's 24 joints, and the shipped body's own arrays. numpy only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference_backend.skeletons import JOINTS, PARENTS, POINT_JOINTS, POINTS

SHIPPED = Path(__file__).resolve().parents[2] / "inference_backend" / "assets" / "body.npz"

_LEFT_SIDE = {
    "hip": (0.09, 0.92, 0.0), "knee": (0.1, 0.51, 0.0), "ankle": (0.11, 0.1, -0.03), "foot": (0.12, 0.03, 0.1),
    "collar": (0.04, 1.42, 0.0), "shoulder": (0.18, 1.43, -0.01), "elbow": (0.45, 1.43, -0.02),
    "wrist": (0.7, 1.43, -0.01), "hand": (0.78, 1.43, 0.0),
}  # fmt: skip
_MIDDLE = {
    "pelvis": (0.0, 0.98, 0.0), "spine1": (0.0, 1.08, 0.01), "spine2": (0.0, 1.2, 0.0), "spine3": (0.0, 1.28, 0.0),
    "neck": (0.0, 1.47, 0.0), "head": (0.0, 1.56, 0.03),
}  # fmt: skip
_POINT_OFFSETS = {
    "nose": (0.0, 0.06, 0.1), "left_ear": (0.07, 0.06, 0.0), "left_index": (0.1, 0.0, 0.03),
    "left_pinky": (0.09, 0.0, -0.03), "left_heel": (0.0, -0.07, -0.05), "left_foot_index": (0.01, -0.01, 0.07),
}  # fmt: skip
_PARTS = (
    (("pelvis", "spine2", "neck"), 0.12),
    (("neck", "head"), 0.08),
    (("left_shoulder", "left_elbow", "left_wrist", "left_hand"), 0.04),
    (("right_shoulder", "right_elbow", "right_wrist", "right_hand"), 0.04),
    (("left_hip", "left_knee", "left_ankle", "left_foot"), 0.06),
    (("right_hip", "right_knee", "right_ankle", "right_foot"), 0.06),
)
"""Chains of joints, each a box with a ring of four corners at every joint, and half the boxes' width in metres."""


@dataclass(frozen=True, eq=False)
class TestBody:
    """A body in the T-pose: y up, facing +z, its left at +x; metres."""

    __test__ = False

    name: str
    vertices: NDArray[np.float32]
    """(N, 3)"""
    joints: NDArray[np.float32]
    """(24, 3)"""
    faces: NDArray[np.int32]
    """(M, 4) counter-clockwise from outside; a triangle repeats its last vertex."""
    face_uvs: NDArray[np.int32]
    """(M, 4)"""
    uvs: NDArray[np.float32]
    """(U, 2)"""
    skin_joints: NDArray[np.int32]
    """(N, 4)"""
    skin_weights: NDArray[np.float32]
    """(N, 4) rows sum to 1."""

    @property
    def points(self) -> NDArray[np.float32]:
        """(11, 3) `skeletons.POINTS` in the T-pose."""
        offsets = [
            _POINT_OFFSETS.get(name) or _mirrored(_POINT_OFFSETS[name.replace("right", "left")]) for name in POINTS
        ]
        return (self.joints[list(POINT_JOINTS)] + np.array(offsets)).astype(np.float32)


def boxes() -> TestBody:
    """84 vertices in six closed boxes: trunk, head, arms, legs. One cap is made of two triangles."""
    joints = np.array([_place(name) for name in JOINTS], np.float32)
    vertices, skin, faces, face_uvs, uvs = [], [], [], [], []
    for part, (names, half) in enumerate(_PARTS):
        chain = [JOINTS.index(name) for name in names]
        first, first_uv = len(vertices), len(uvs)
        for ring, joint in enumerate(chain):
            vertices += list(joints[joint] + half * _corners(joints[chain[-1]] - joints[chain[0]]))
            skin += [(joint, max(PARENTS[joint], 0)) if ring > 0 else (joint, joint)] * 4
            uvs += [((part + column / 4) / len(_PARTS), ring / len(chain)) for column in range(5)]
        for ring in range(len(chain) - 1):
            for side in range(4):
                a, b = first + 4 * ring + side, first + 4 * ring + (side + 1) % 4
                u = first_uv + 5 * ring + side
                faces.append((a, b, b + 4, a + 4))
                face_uvs.append((u, u + 1, u + 6, u + 5))
        foot, top, u = first, first + 4 * (len(chain) - 1), first_uv
        caps = [(foot + 3, foot + 2, foot + 1, foot), (top, top + 1, top + 2, top + 3)]
        if part == 0:
            caps[0:1] = [(foot + 3, foot + 2, foot + 1, foot + 1), (foot + 3, foot + 1, foot, foot)]
        faces += caps
        face_uvs += [(u, u + 1, u + 2, u + 2) if cap[2] == cap[3] else (u, u + 1, u + 2, u + 3) for cap in caps]
    weights = [(1.0, 0, 0, 0) if own == parent else (0.7, 0.3, 0, 0) for own, parent in skin]
    return TestBody(
        "boxes",
        np.array(vertices, np.float32),
        joints,
        np.array(faces, np.int32),
        np.array(face_uvs, np.int32),
        np.array(uvs, np.float32),
        np.array([(own, parent, 0, 0) for own, parent in skin], np.int32),
        np.array(weights, np.float32),
    )


def shipped() -> TestBody:
    """The project's own body: 13,718 vertices."""
    with np.load(SHIPPED, allow_pickle=False) as stored:
        a: dict[str, NDArray[Any]] = {name: stored[name] for name in stored.files}
    joints = np.zeros((len(JOINTS), 3))
    ends = a["J_regressor_indptr"]
    for joint in range(len(JOINTS)):
        own = slice(ends[joint], ends[joint + 1])
        joints[joint] = a["J_regressor_data"][own] @ a["v_template"][a["J_regressor_indices"][own]]
    weights = a["weights_value"] / a["weights_value"].sum(1, keepdims=True)
    return TestBody(
        "default",
        a["v_template"].astype(np.float32),
        joints.astype(np.float32),
        a["faces"].astype(np.int32),
        a["uv_faces"].astype(np.int32),
        a["uv"].astype(np.float32),
        a["weights_index"].astype(np.int32),
        weights.astype(np.float32),
    )


def _place(name: str) -> tuple[float, ...]:
    if name in _MIDDLE:
        return _MIDDLE[name]
    side, _, joint = name.partition("_")
    place = _LEFT_SIDE[joint]
    return place if side == "left" else _mirrored(place)


def _mirrored(place: tuple[float, ...]) -> tuple[float, ...]:
    return (-place[0], *place[1:])


def _corners(along: NDArray[Any]) -> NDArray[Any]:
    """(4, 3) corners of a square across a direction, counter-clockwise seen from where it points."""
    along = along / np.linalg.norm(along)
    u = np.cross(along, np.eye(3)[np.argmin(np.abs(along))])
    u /= np.linalg.norm(u)
    v = np.cross(along, u)
    return np.stack([u + v, v - u, -u - v, u - v])
