"""Calibration: the mesh stream's mesh, bent onto a target pose (section 3.3, equations 6 to 13).

Each of the 28 segments i (see `calibration_rotations`) turns by Ψ_i, moves by T_i so that its first joint meets the
target's, and is stretched by Δ_i so that its last one does. A vertex follows a few of them:

    Ψ_i (6, 7)    T_i = J_start^target - Ψ_i J_start^hmr (8)    Δ_i = J_end^target - (Ψ_i J_end^hmr + T_i) (9, 10)
    V'_j = Σ_i A_ji (Ψ_i V_j + T_i + W_ji Δ_i) (12, 13)

With the mesh stream's own joints as target nothing moves.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .calibration_kernel import calibrate_vertices
from .calibration_rotations import (
    SEGMENTS,
    Form,
    about_bones,
    bone_rotations,
    check_joints,
    index,
    segment_rotations,
)
from .calibration_skeleton import blend_target, skeleton_joints, skeleton_rotations
from .calibration_weights import CalibrationWeights, initial_weights
from .skeletons import JOINTS
from .skinning import skin

__all__ = [
    "SEGMENTS",
    "CalibrationModule",
    "CalibrationWeights",
    "Form",
    "blend_target",
    "bone_rotations",
    "calibrate",
    "calibrate_plain",
    "initial_weights",
    "skeleton_joints",
    "skeleton_rotations",
]


def calibrate(
    vertices_hmr: Tensor,
    joints_hmr: Tensor,
    joints_target: Tensor,
    weights: CalibrationWeights,
    *,
    rotations: Tensor | None = None,
    form: Form = "chain",
    strength: Tensor | None = None,
    non_rigid: bool = True,
    self_rotation: Tensor | None = None,
) -> Tensor:
    """The calibrated mesh, by the regrouped form V'_j = (Σ_i A_ji [Ψ_i|T_i]) [V_j; 1] + Σ_i A_ji W_ji Δ_i.

    On the CPU and without gradient the vertices go through `calibration_kernel`, else through torch.

    Args:
        vertices_hmr: (B, N, 3) mesh of the mesh stream, metres, camera frame (any one frame will do).
        joints_hmr: (B, 24, 3) its joints, same frame.
        joints_target: (B, 24, 3) joints of the target pose, same frame.
        weights: A and W, on the same device and in the same dtype.
        rotations: (B, 24, 3, 3) from `bone_rotations` of that form, as where points turn head, hands and feet;
            None finds them from the joints alone.
        form: "chain", "torso", or "bone" as in the paper; see `calibration_rotations`.
        strength: (24,) or (B, 24) in [0, 1] for the segment that begins in each joint: 0 keeps the mesh stream's
            rotation relative to the parent, 1 takes the target's; see `blend_target`. None: 1 everywhere.
        non_rigid: False leaves W Δ out (the paper's ablation).
        self_rotation: (24,) or (B, 24) radians by which each joint's segment turns about its own bone, after all
            else and without its children, which joint positions cannot show (the paper's extra self-rotation).

    Returns:
        (B, N, 3)

    Raises:
        ValueError: a wrong shape, an unknown form, or weights in another dtype.
    """
    transforms, stretch = _transforms(
        vertices_hmr, joints_hmr, joints_target, weights, rotations, form, strength, self_rotation
    )
    tensors = (vertices_hmr, transforms, stretch, weights.A, weights.W)
    if vertices_hmr.device.type == "cpu" and not (torch.is_grad_enabled() and any(t.requires_grad for t in tensors)):
        turn = transforms[..., :3].flatten(2)
        shift = stretch if non_rigid else torch.zeros_like(stretch)
        rows = torch.cat([turn, transforms[..., 3], shift], -1)
        return calibrate_vertices(vertices_hmr, rows, *weights.compressed)
    A, A_W = weights.columns
    moved = skin(vertices_hmr, transforms, A)
    return moved + A_W.T @ stretch if non_rigid else moved


def calibrate_plain(
    vertices_hmr: Tensor,
    joints_hmr: Tensor,
    joints_target: Tensor,
    weights: CalibrationWeights,
    *,
    rotations: Tensor | None = None,
    form: Form = "chain",
    strength: Tensor | None = None,
    non_rigid: bool = True,
    self_rotation: Tensor | None = None,
) -> Tensor:
    """`calibrate` with equations 12 and 13 as they are written: slow, and 28 positions a vertex in memory."""
    transforms, stretch = _transforms(
        vertices_hmr, joints_hmr, joints_target, weights, rotations, form, strength, self_rotation
    )
    A = torch.zeros(weights.vertex_count, len(SEGMENTS)).to(weights.A).scatter_add(1, weights.index, weights.A)
    W = torch.zeros_like(A).scatter_add(1, weights.index, weights.W)
    turned = torch.einsum("bsxy,bny->bnsx", transforms[..., :3], vertices_hmr)
    each = turned + transforms[:, None, :, :, 3]  # equation 12, rigid
    if non_rigid:
        each = each + W[..., None] * stretch[:, None]
    return torch.einsum("ns,bnsx->bnx", A, each)  # equation 13


class CalibrationModule(nn.Module):
    """Calibration with A and W to be trained. A stays on its support, non-negative, rows summing to 1 by a softmax."""

    index: Tensor
    used: Tensor

    def __init__(self, initial: CalibrationWeights) -> None:
        super().__init__()
        self.register_buffer("index", initial.index.clone())
        self.register_buffer("used", initial.A > 0)
        self.logits = nn.Parameter(initial.A.detach().clamp_min(1e-12).log())
        self.W = nn.Parameter(initial.W.detach().clone())

    def weights(self) -> CalibrationWeights:
        """A and W as they are now, with gradient."""
        A = self.logits.masked_fill(~self.used, -torch.inf).softmax(1)
        return CalibrationWeights(self.index, A, self.W)

    def forward(
        self,
        vertices_hmr: Tensor,
        joints_hmr: Tensor,
        joints_target: Tensor,
        *,
        rotations: Tensor | None = None,
        form: Form = "chain",
        non_rigid: bool = True,
    ) -> Tensor:
        """`calibrate` with the weights as they are now. Shape: (B, N, 3), (B, 24, 3) twice → (B, N, 3)."""
        return calibrate(
            vertices_hmr,
            joints_hmr,
            joints_target,
            self.weights(),
            rotations=rotations,
            form=form,
            non_rigid=non_rigid,
        )

    def freeze(self) -> CalibrationWeights:
        """A copy of the weights as they are now, without gradient."""
        now = self.weights()
        return CalibrationWeights(now.index.clone(), now.A.detach().clone(), now.W.detach().clone())


def _transforms(
    vertices_hmr: Tensor,
    joints_hmr: Tensor,
    joints_target: Tensor,
    weights: CalibrationWeights,
    rotations: Tensor | None,
    form: Form,
    strength: Tensor | None,
    self_rotation: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """[Ψ|T] and Δ of every segment (equations 6 to 10). Shape: → (B, 28, 3, 4), (B, 28, 3)."""
    check_joints(joints_hmr, joints_target)
    batch = len(joints_hmr)
    if vertices_hmr.shape != (batch, weights.vertex_count, 3):
        raise ValueError(f"vertices_hmr: found {tuple(vertices_hmr.shape)}, want ({batch}, {weights.vertex_count}, 3)")
    if weights.A.dtype != vertices_hmr.dtype:
        raise ValueError(f"weights: found {weights.A.dtype}, want {vertices_hmr.dtype} as the vertices have")
    if rotations is None:
        rotations = bone_rotations(joints_hmr, joints_target, form=form)
    elif rotations.shape != (batch, len(JOINTS), 3, 3):
        raise ValueError(f"rotations: found {tuple(rotations.shape)}, want ({batch}, {len(JOINTS)}, 3, 3)")
    if strength is not None:
        joints_target, rotations = blend_target(joints_hmr, joints_target, rotations, strength)
    turns = segment_rotations(joints_hmr, joints_target, rotations, form)
    start, end = (index(side, joints_hmr.device) for side in zip(*SEGMENTS, strict=True))
    if self_rotation is not None:
        turns = turns @ about_bones(joints_hmr, self_rotation)[:, start]
    start_hmr, end_hmr = joints_hmr.index_select(1, start), joints_hmr.index_select(1, end)
    shifts = joints_target.index_select(1, start) - (turns @ start_hmr[..., None])[..., 0]
    stretch = joints_target.index_select(1, end) - (turns @ end_hmr[..., None])[..., 0] - shifts
    return torch.cat([turns, shifts[..., None]], -1), stretch
