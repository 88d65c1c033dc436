"""Ψ along the joints' chain: blended with the mesh stream by a strength per joint, and handed on to a skeleton."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .calibration_rotations import check_joints, index
from .geometry import axis_angle_to_matrix, matrix_to_axis_angle, swing
from .skeletons import BONES, JOINTS, PARENTS
from .skinning import forward_kinematics

_SHORT = 1e-8


def blend_target(
    joints_hmr: Tensor, joints_target: Tensor, rotations: Tensor, strength: Tensor
) -> tuple[Tensor, Tensor]:
    """The target that stands between the two streams: rotations are blended, never positions.

    Ψ of a joint relative to its parent's Ψ is the joint's own change. Strength scales the angle of that change, and
    of the turn by which the bone's target differs from what Ψ makes of it (0 where a joint has one bone). Then the
    chain is put together again with the target's bone lengths, from the target's pelvis. So 0 keeps the mesh stream's
    rotation relative to the parent, 1 takes the target's; 0 everywhere is the mesh stream's pose at the target's place
    and size; and constant bone lengths stay constant whatever the strength does over time.

    Shape: (B, 24, 3) twice, `bone_rotations` (B, 24, 3, 3), strength (24,) or (B, 24) in [0, 1], of the segment that
    begins in each joint → joints (B, 24, 3), rotations (B, 24, 3, 3), which stand in for the target's.
    """
    check_joints(joints_hmr, joints_target)
    if strength.shape not in ((len(JOINTS),), (len(joints_hmr), len(JOINTS))):
        raise ValueError(f"strength: found {tuple(strength.shape)}, want (24,) or ({len(joints_hmr)}, 24)")
    strength = strength.expand(len(joints_hmr), -1)[..., None]
    start, end = (index(side, joints_hmr.device) for side in zip(*BONES, strict=True))
    own = rotations[:, :1]
    own = torch.cat([own, rotations[:, start].mT @ rotations[:, end]], 1)
    own = axis_angle_to_matrix(strength * matrix_to_axis_angle(own))

    bones_hmr = joints_hmr[:, end] - joints_hmr[:, start]
    bones_target = joints_target[:, end] - joints_target[:, start]
    turn = swing(bones_hmr, (rotations[:, start].mT @ bones_target[..., None])[..., 0])
    turn = axis_angle_to_matrix(strength[:, start] * matrix_to_axis_angle(turn))
    stretch = bones_target.norm(dim=-1, keepdim=True) / bones_hmr.norm(dim=-1, keepdim=True).clamp_min(_SHORT)
    bones = stretch * (turn @ bones_hmr[..., None])[..., 0]

    blended, joints = [own[:, 0]], [joints_target[:, 0]]
    for bone, (parent, child) in enumerate(BONES):
        joints.append(joints[parent] + (blended[parent] @ bones[:, bone, :, None])[..., 0])
        blended.append(blended[parent] @ own[:, child])
    return torch.stack(joints, 1), torch.stack(blended, 1)


def skeleton_rotations(local_hmr: Tensor, parents: Sequence[int], rotations: Tensor) -> Tensor:
    """The calibrated skeleton's local rotations: Ψ after the mesh stream's global ones, so their twist is kept.

    Shape: local_hmr (B, 24, 3, 3) relative to each parent, Ψ (B, 24, 3, 3) → (B, 24, 3, 3) relative to each parent.
    """
    if local_hmr.shape != rotations.shape or local_hmr.shape[1:] != (len(parents), 3, 3):
        shapes = tuple(local_hmr.shape), tuple(rotations.shape)
        raise ValueError(f"local_hmr, rotations: found {shapes[0]}, {shapes[1]}, want (B, {len(parents)}, 3, 3) twice")
    origin = local_hmr.new_zeros(1, len(parents), 3)
    calibrated = rotations @ forward_kinematics(local_hmr, origin, parents)[0]
    above = calibrated[:, index([max(parent, 0) for parent in parents], local_hmr.device)]
    return torch.cat([calibrated[:, :1], above[:, 1:].mT @ calibrated[:, 1:]], 1)


def skeleton_joints(local_rotations: Tensor, rest_joints: Tensor, joints_target: Tensor) -> Tensor:
    """Where forward kinematics puts the joints, with rest bones scaled to the target's lengths, at the target's pelvis.

    They are the target's joints where a joint has one bone. The hips around the pelvis, and collars and neck around
    the chest, keep the rest pose's directions to each other: what is left there is the exported skeleton's residual.

    Shape: (B, 24, 3, 3) relative to each parent, (24, 3) or (B, 24, 3), (B, 24, 3) → (B, 24, 3).
    """
    start, end = (index(side, joints_target.device) for side in zip(*BONES, strict=True))
    rest = rest_joints.expand(joints_target.shape)
    bones = rest[:, end] - rest[:, start]
    lengths = (joints_target[:, end] - joints_target[:, start]).norm(dim=-1, keepdim=True)
    bones = bones * lengths / bones.norm(dim=-1, keepdim=True).clamp_min(_SHORT)
    joints = [joints_target[:, 0]]
    for bone, (parent, _) in enumerate(BONES):
        joints.append(joints[parent] + bones[:, bone])
    return forward_kinematics(local_rotations, torch.stack(joints, 1), PARENTS)[1]
