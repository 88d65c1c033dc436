"""The figures of merit, named as in the papers. Torch, batched over leading dimensions, in the units they are given.

Errors come back per frame, so that means over categories (`macro_average`) and strata (`strata`) are the caller's.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Final, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from ..geometry import angle_between, matrix_to_quaternion, procrustes
from ..skeletons import BONES, JOINTS

EXTREMITIES: Final = ("head", "left_wrist", "right_wrist", "left_ankle", "right_ankle")
"""The joints whose rotations turn head, hands and feet."""

LIMBS: Final = tuple(
    (f"{side}_{start}", f"{side}_{end}")
    for start, end in (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))
    for side in ("left", "right")
)
"""Upper arms, forearms, thighs and shanks, as (the joint that turns it, the joint it ends in)."""

STRATA: Final = ("upright", "leaning", "crouching_or_lying", "from_behind", "steep_camera")
"""The keys of `strata`."""

_PELVIS: Final = JOINTS.index("pelvis")
_LOW_PELVIS: Final = 0.7
_Category = TypeVar("_Category", bound=Hashable)


def mpjpe(joints: Tensor, joints_true: Tensor) -> Tensor:
    """Mean per joint position error with the pelvis (joint 0) of both laid on one place (Ionescu et al. 2014).

    Shape: (..., J, 3) twice, of the same unit → (...). Raises ValueError where the shapes differ.
    """
    _expect(joints, joints_true, "joints")
    return _length(root_relative(joints) - root_relative(joints_true)).mean(-1)


def root_relative(joints: Tensor) -> Tensor:
    """Joints as seen from the pelvis (joint 0). Shape: (..., J, 3) → (..., J, 3)."""
    return joints - joints[..., _PELVIS : _PELVIS + 1, :]


def pa_mpjpe(joints: Tensor, joints_true: Tensor) -> Tensor:
    """MPJPE after the best similarity transform of each frame (Procrustes aligned; Zhou et al. 2018).

    Shape: (..., J, 3) twice, of the same unit → (...). Raises ValueError where the shapes differ.
    """
    _expect(joints, joints_true, "joints")
    return _length(procrustes(joints, joints_true) - joints_true).mean(-1)


def mpve(
    vertices: Tensor, vertices_true: Tensor, pelvis: Tensor, pelvis_true: Tensor, vertex_areas: Tensor
) -> Tensor:  # fmt: skip
    """Mean per vertex error with the pelvis joints laid on one place, each vertex weighing its share of the surface.

    Args:
        vertices, vertices_true: (..., N, 3), of the same unit.
        pelvis, pelvis_true: (..., 3) the pelvis joint of each mesh.
        vertex_areas: (N,) summing to 1, as `BodyModel.vertex_areas` gives them.

    Returns: (...).

    Raises:
        ValueError: shapes that do not fit, or areas that do not sum to 1.
    """
    _expect(vertices, vertices_true, "vertices")
    _expect(pelvis, pelvis_true, "pelvis")
    if pelvis.shape != (*vertices.shape[:-2], 3):
        raise ValueError(f"pelvis is {tuple(pelvis.shape)}, want {(*vertices.shape[:-2], 3)}")
    if vertex_areas.shape != vertices.shape[-2:-1]:
        raise ValueError(f"vertex_areas is {tuple(vertex_areas.shape)}, want {tuple(vertices.shape[-2:-1])}")
    if not math.isclose(float(vertex_areas.sum()), 1, abs_tol=1e-3):
        raise ValueError(f"vertex_areas sums to {float(vertex_areas.sum()):.4g}, want 1")
    shift = (pelvis - pelvis_true)[..., None, :]
    return (_length(vertices - vertices_true - shift) * vertex_areas).sum(-1)


def rotation_error(rotations: Tensor, rotations_true: Tensor, joints: Sequence[str] = EXTREMITIES) -> Tensor:
    """Angle between each joint's rotation and the true one, degrees.

    Global rotations (camera frame) take the whole body's error along; local ones only the joint's own.

    Shape: (..., 24, 3, 3) twice → (..., K), in the order of `joints`, which are names of `skeletons.JOINTS`.
    """
    _expect_rotations(rotations, rotations_true)
    if unknown := set(joints) - set(JOINTS):
        raise ValueError(f"{', '.join(sorted(unknown))}: no such joint, want names of skeletons.JOINTS")
    index = [JOINTS.index(name) for name in joints]
    return angle_between(rotations[..., index, :, :], rotations_true[..., index, :, :]).rad2deg()


def limb_twist_error(rotations: Tensor, rotations_true: Tensor, rest_joints: Tensor) -> Tensor:
    """How far each limb is turned about its own axis, degrees from 0 to 180.

    The rotation between estimate and truth is taken apart into a swing of the bone's axis and a twist about it; only
    the twist counts. It is not defined, and 0 here, where estimate and truth point in opposite directions.

    Args:
        rotations, rotations_true: (..., 24, 3, 3) global (camera frame).
        rest_joints: (24, 3) of the body's rest pose, whose bones are the axes.

    Returns: (..., 8) in the order of `LIMBS`.
    """
    _expect_rotations(rotations, rotations_true)
    if rest_joints.shape != (len(JOINTS), 3):
        raise ValueError(f"rest_joints is {tuple(rest_joints.shape)}, want {(len(JOINTS), 3)}")
    start, end = ([JOINTS.index(names[k]) for names in LIMBS] for k in (0, 1))
    axis = F.normalize(rest_joints[end] - rest_joints[start], dim=-1)
    # In the bone's rest frame, where its axis is known: R_trueᵀ R = swing · twist, and only twist has the axis' part.
    difference = rotations_true[..., start, :, :].transpose(-1, -2) @ rotations[..., start, :, :]
    q = matrix_to_quaternion(difference)
    along = (q[..., 1:] * axis).sum(-1)
    return 2 * torch.atan2(along.abs(), q[..., 0]).rad2deg()


def acceleration_error(joints: Tensor, joints_true: Tensor, fps: float) -> Tensor:
    """Mean distance between the joints' accelerations and the true ones (Kanazawa et al. 2019).

    Shape: (..., F, J, 3) twice, F ≥ 3 → (..., F - 2), in the unit given per second².
    """
    _expect(joints, joints_true, "joints")
    if joints.shape[-3] < 3:
        raise ValueError(f"joints has {joints.shape[-3]} frames, want at least 3")
    return _length((joints - joints_true).diff(n=2, dim=-3)).mean(-1) * fps**2


def bone_length_spread(joints: Tensor, bones: Sequence[tuple[int, int]] = BONES) -> Tensor:
    """Standard deviation of each bone's length over the clip, as a fraction of its mean length.

    Shape: (..., F, J, 3) → (..., B), in the order of `bones`, which are (parent, child).
    """
    parent, child = zip(*bones, strict=True)
    length = _length(joints[..., child, :] - joints[..., parent, :])
    return length.std(-2, correction=0) / length.mean(-2)


def auroc(scores: Tensor, labels: Tensor) -> float:
    """Chance that a positive's score is above a negative's, ties counting half (Mann and Whitney 1947).

    Shape: (n,) real, (n,) bool. NaN where all labels are the same: there is nothing to tell apart.
    """
    if scores.shape != labels.shape or scores.ndim != 1:
        raise ValueError(f"scores {tuple(scores.shape)} and labels {tuple(labels.shape)} are not of one length")
    if not bool(torch.isfinite(scores).all()):
        raise ValueError("scores has values that are not finite")
    positive = labels.bool()
    wins = int(positive.sum())
    losses = len(positive) - wins
    if wins == 0 or losses == 0:
        return math.nan
    _, place, count = torch.unique(scores, return_inverse=True, return_counts=True)
    rank = (count.cumsum(0) - (count - 1) / 2.0).double()[place]
    return float((rank[positive].sum() - wins * (wins + 1) / 2) / wins / losses)


def category_means(values: Tensor, categories: Sequence[_Category]) -> dict[_Category, float]:
    """Mean of each category's values. Shape: (n,) and n categories, one for each value."""
    if values.shape != (len(categories),):
        raise ValueError(f"values is {tuple(values.shape)}, want {(len(categories),)}")
    rows: dict[_Category, list[int]] = {}
    for row, category in enumerate(categories):
        rows.setdefault(category, []).append(row)
    return {category: float(values[index].double().mean()) for category, index in rows.items()}


def macro_average(values: Tensor, categories: Sequence[_Category]) -> float:
    """Mean of the categories' means: each weighs the same, however many values it has. Shape: as `category_means`."""
    means = category_means(values, categories)
    if not means:
        raise ValueError("values is empty")
    return sum(means.values()) / len(means)


def strata(joints_cam: Tensor, up_cam: Tensor, rotations_cam: Tensor) -> dict[str, Tensor]:
    """Which frames belong to the kinds where monocular 3D usually fails.

    The first three share out all frames: *crouching_or_lying*, where the pelvis stands lower over the lower ankle than
    0.7 of the leg's length or the torso (pelvis to neck) is more than 60° off the vertical; of the rest *leaning* from
    25° on; *upright*. The others overlap them: *from_behind*, where the pelvis faces within 60° of straight away
    from the camera; *steep_camera*, whose optical axis is more than 30° off the horizon.

    Args:
        joints_cam: (..., 24, 3) camera frame, any unit.
        up_cam: (..., 3) or (3,) what is up in the world, camera frame (a level camera: (0, -1, 0)), any length.
        rotations_cam: (..., 24, 3, 3) global rotations: body rest frame (z to the front) → camera frame.

    Returns: (...) bool for each of `STRATA`.
    """
    if joints_cam.shape[-2:] != (len(JOINTS), 3):
        raise ValueError(f"joints_cam is {tuple(joints_cam.shape)}, want (..., {len(JOINTS)}, 3)")
    if rotations_cam.shape != (*joints_cam.shape, 3):
        raise ValueError(f"rotations_cam is {tuple(rotations_cam.shape)}, want {(*joints_cam.shape, 3)}")
    up = F.normalize(up_cam.expand(*joints_cam.shape[:-2], 3), dim=-1)
    at = dict(zip(JOINTS, joints_cam.unbind(-2), strict=True))

    torso = (F.normalize(at["neck"] - at["pelvis"], dim=-1) * up).sum(-1)
    pelvis_over_ankles = torch.stack(
        [((at["pelvis"] - at[ankle]) * up).sum(-1) for ankle in ("left_ankle", "right_ankle")], -1
    ).amax(-1)
    leg = sum(
        _length(at[f"{side}_{end}"] - at[f"{side}_{start}"]) / 2
        for side in ("left", "right")
        for start, end in (("hip", "knee"), ("knee", "ankle"))
    )
    low = (pelvis_over_ankles < _LOW_PELVIS * leg) | (torso < _cos(60))
    leaning = ~low & (torso < _cos(25))
    front = rotations_cam[..., _PELVIS, :, 2]
    away = (front * F.normalize(at["pelvis"], dim=-1)).sum(-1)
    masks = (~low & ~leaning, leaning, low, away > _cos(60), up[..., 2].abs() > math.sin(math.radians(30)))
    return dict(zip(STRATA, masks, strict=True))


def _length(vectors: Tensor) -> Tensor:
    lengths: Tensor = torch.linalg.vector_norm(vectors, dim=-1)
    return lengths


def _cos(degrees: float) -> float:
    return math.cos(math.radians(degrees))


def _expect(value: Tensor, truth: Tensor, name: str) -> None:
    """Raise ValueError unless both are points of the same shape."""
    if value.shape != truth.shape or value.ndim < 1 or value.shape[-1] != 3:
        raise ValueError(f"{name} is {tuple(value.shape)} and its truth {tuple(truth.shape)}, want (..., 3) twice")


def _expect_rotations(value: Tensor, truth: Tensor) -> None:
    """Raise ValueError unless both are rotations of the 24 joints."""
    if value.shape != truth.shape or value.shape[-3:] != (len(JOINTS), 3, 3):
        shapes = f"{tuple(value.shape)} and {tuple(truth.shape)}"
        raise ValueError(f"rotations are {shapes}, want (..., {len(JOINTS)}, 3, 3) twice")
