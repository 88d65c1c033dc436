"""A few points of a body, skinned without its other vertices: exact, differentiable and cheap on whole sequences.

A point is a fixed combination of vertices, Σ_n L_kn v_n, and a skinned vertex is Σ_j w_nj (R_j v_n + t_j). So a
skinned point is Σ_j R_j a_kj + b_kj t_j with a_kj = Σ_n L_kn w_nj v_n, linear in the betas, and b_kj = Σ_n L_kn w_nj.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .body import BodyModel
from .skinning import Regressor, forward_kinematics


@dataclass(frozen=True)
class PointRig:
    """Joints and K points of a body without pose blend shapes, from rotations and betas alone."""

    anchors: Tensor
    """(K, J, 3): a_kj of the mean shape."""
    anchor_directions: Tensor
    """(K, J, 3, S): change of a_kj with each of the betas."""
    shares: Tensor
    """(K, J): b_kj."""
    joints: Tensor
    """(J, 3): rest joints of the mean shape."""
    joint_directions: Tensor
    """(J, 3, S): change of the rest joints with each of the betas."""
    parents: tuple[int, ...]
    """Parent of each joint, -1 at the root."""

    @classmethod
    def of(cls, body: BodyModel, points: Regressor) -> PointRig:
        """The rig of the points that a regressor of vertices defines."""
        if body.posedirs is not None:
            raise ValueError("a body with pose blend shapes moves its vertices beyond skinning: use body.pose")
        weights = body.weights[points.columns]
        share = torch.einsum("kn,nj->kj", points.matrix, weights)
        anchors = torch.einsum("kn,nj,na->kja", points.matrix, weights, body.template[points.columns])
        directions = torch.einsum("kn,nj,nas->kjas", points.matrix, weights, body.shapedirs[points.columns])
        joint_directions = body.joint_regressor(body.shapedirs.permute(2, 0, 1)).permute(1, 2, 0)
        joints = body.joint_regressor(body.template)
        return cls(anchors, directions, share, joints, joint_directions, body.parents)

    @classmethod
    def of_landmarks(cls, body: BodyModel, *, as_seen: bool) -> PointRig:
        """The rig of BlazePose's landmarks: at their anatomical places, or where BlazePose sees them."""
        assert body.landmark_regressor is not None
        rig = cls.of(body, body.landmark_regressor)
        if not as_seen or body.landmark_offsets is None:
            return rig
        anchors = rig.anchors.clone()
        rows = torch.arange(len(anchors))
        anchors[rows, rig.shares.argmax(1)] += body.landmark_offsets
        return replace(rig, anchors=anchors)

    def rest_joints(self, betas: Tensor) -> Tensor:
        """Shape: (B, S) → (B, J, 3)."""
        return self.joints + torch.einsum("jas,bs->bja", self.joint_directions, betas)

    def pose(self, local_rotations: Tensor, betas: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Joints, points and global rotations of B bodies, the root at its rest place.

        Shape: local_rotations (B, J, 3, 3), betas (B or 1, S) → (B, J, 3), (B, K, 3), (B, J, 3, 3). Metres.
        """
        rest = self.rest_joints(betas)
        rotations, joints = forward_kinematics(local_rotations, rest, self.parents)
        offsets = joints - (rotations @ rest[..., None])[..., 0]
        anchors = self.anchors + torch.einsum("kjas,bs->bkja", self.anchor_directions, betas)
        if len(betas) == 1:
            points = torch.einsum("bjac,kjc->bka", rotations, anchors[0])
        else:
            points = torch.einsum("bjac,bkjc->bka", rotations, anchors)
        return joints, points + torch.einsum("kj,bja->bka", self.shares, offsets), rotations
