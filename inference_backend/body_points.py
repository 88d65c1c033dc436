"""A few points of a body, skinned without its other vertices: exact, differentiable and cheap on whole sequences.

A point is a fixed combination of vertices, Σ_n L_kn v_n, and a skinned vertex is Σ_j w_nj (R_j v_n + t_j), where t_j
takes the rest joint r_j to its place. That place is the root's plus the bones on the way, each turned by its parent's
R. So joints and points alike are root + Σ_j R_j a_kj, with *arms* a_kj that depend on the betas alone, linearly.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .body import BodyModel
from .errors import BodyInvalid
from .skinning import Regressor


@dataclass(frozen=True, eq=False)
class PointRig:
    """J joints and K points of a body without pose blend shapes, from rotations and betas alone."""

    arms: Tensor
    """(J + K, J, 3): a_kj of the mean shape, of the joints and then of the points."""
    arm_directions: Tensor
    """(J + K, J, 3, S): change of a_kj with each of the betas."""
    shares: Tensor
    """(K, J): Σ_n L_kn w_nj, how much of each point goes with each joint."""
    joints: Tensor
    """(J, 3): rest joints of the mean shape."""
    joint_directions: Tensor
    """(J, 3, S): change of the rest joints with each of the betas."""
    parents: tuple[int, ...]
    """Parent of each joint, before its child; -1 at the root."""

    @classmethod
    def of(cls, body: BodyModel, points: Regressor, offsets: Tensor | None = None) -> PointRig:
        """The rig of the points that a regressor of vertices defines.

        Args:
            points: K rows of weights, each summing to 1.
            offsets: (K, 3) metres from there, in the rest frame of the joint that the point goes with most.
        """
        if body.posedirs is not None:
            raise ValueError("a body with pose blend shapes moves its vertices beyond skinning: use body.pose")
        if ((points.matrix.sum(1) - 1).abs() > 1e-4).any():
            raise ValueError("points: the weights of a point must sum to 1, or it does not move with the body")
        weights, template, shapedirs = (t[points.columns] for t in (body.weights, body.template, body.shapedirs))
        shares = points.matrix @ weights
        anchors = torch.einsum("kn,nj,na->kja", points.matrix, weights, template)
        directions = torch.einsum("kn,nj,nas->kjas", points.matrix, weights, shapedirs)
        if offsets is not None:
            anchors[torch.arange(len(anchors)), shares.argmax(1)] += offsets
        joints = body.joint_regressor(body.template)
        joint_directions = body.joint_regressor(body.shapedirs.permute(2, 0, 1)).permute(1, 2, 0)
        return cls(
            arms=_arms(anchors[..., None], shares, joints[..., None], body.parents)[..., 0],
            arm_directions=_arms(directions, shares, joint_directions, body.parents),
            shares=shares,
            joints=joints,
            joint_directions=joint_directions,
            parents=body.parents,
        )

    @classmethod
    def of_landmarks(cls, body: BodyModel, *, as_seen: bool) -> PointRig:
        """The rig of BlazePose's landmarks: at their anatomical places, or where BlazePose sees them.

        Raises BodyInvalid where the body has none.
        """
        if body.landmark_regressor is None:
            raise BodyInvalid(
                f"the body {body.name!r} has no landmark_regressor",
                hint="load it with load_smpl, which derives the regressors from the default body",
                key="landmark_regressor",
            )
        return cls.of(body, body.landmark_regressor, body.landmark_offsets if as_seen else None)

    def rest_joints(self, betas: Tensor) -> Tensor:
        """Shape: (B, S) → (B, J, 3)."""
        return self.joints + torch.einsum("jas,bs->bja", self.joint_directions, betas)

    def pose(self, local_rotations: Tensor, betas: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Joints, points and global rotations of B bodies, the root at its rest place.

        Shape: local_rotations (B, J, 3, 3), betas (B or 1, S) → (B, J, 3), (B, K, 3), (B, J, 3, 3). Metres.
        """
        batch, count = len(local_rotations), len(self.parents)
        if local_rotations.shape[1:] != (count, 3, 3):
            raise ValueError(f"local_rotations: found {tuple(local_rotations.shape)}, want (B, {count}, 3, 3)")
        shapes = self.joint_directions.shape[-1]
        if betas.ndim != 2 or len(betas) not in (1, batch) or betas.shape[1] != shapes:
            raise ValueError(f"betas: found {tuple(betas.shape)}, want (1 or {batch}, {shapes})")
        rotations = compose(local_rotations, self.parents)
        if len(betas) == 1:
            return *self.shaped(betas[0]).places(rotations), rotations
        arms = self.arms + torch.einsum("kjas,bs->bkja", self.arm_directions, betas)
        places = torch.einsum("bjac,bkjc->bka", rotations, arms).contiguous() + self.rest_joints(betas)[:, :1]
        return places[:, :count], places[:, count:], rotations

    def shaped(self, betas: Tensor) -> ShapedRig:
        """The rig of one shape. Shape: betas (S,)."""
        arms = self.arms + self.arm_directions @ betas
        return ShapedRig(arms.permute(1, 2, 0).flatten(0, 1), self.rest_joints(betas[None])[0, 0])


@dataclass(frozen=True, eq=False)
class ShapedRig:
    """Joints and points of bodies of one shape."""

    arms: Tensor
    """(3 J, J + K): a_kj of each joint's axes, one joint after the other."""
    root: Tensor
    """(3,) the root's rest place."""

    def places(self, rotations: Tensor) -> tuple[Tensor, Tensor]:
        """Joints and points, the root at its rest place.

        Shape: global rotations (B, J, 3, 3) → (B, J, 3), (B, K, 3). Metres.
        """
        places, count = self.from_root(rotations) + self.root, rotations.shape[1]
        return places[:, :count], places[:, count:]

    def from_root(self, rotations: Tensor) -> Tensor:
        """Joints, then points, from the root.

        Shape: global rotations (B, J, 3, 3) → (B, J + K, 3). Metres.
        """
        batch, count = rotations.shape[:2]
        rows = rotations.transpose(1, 2).reshape(3 * batch, 3 * count)
        return (rows @ self.arms).view(batch, 3, -1).mT.contiguous()


def compose(local_rotations: Tensor, parents: tuple[int, ...]) -> Tensor:
    """Global rotations, all joints of one depth at a time. `skinning.forward_kinematics` is its readable twin.

    Shape: (B, J, 3, 3) → (B, J, 3, 3).
    """
    levels = _levels(parents)
    order = [joint for level in levels for joint in level]
    # SMPL's joints come level by level already.
    sorted_already = order == list(range(len(order)))
    ordered = local_rotations if sorted_already else local_rotations[:, order]
    parts = list(torch.split(ordered, [len(level) for level in levels], 1))
    for depth in range(1, len(levels)):
        above = [levels[depth - 1].index(parents[joint]) for joint in levels[depth]]
        rows = torch.tensor(above, device=local_rotations.device)
        parts[depth] = parts[depth - 1].index_select(1, rows) @ parts[depth]
    rotations = torch.cat(parts, 1)
    return rotations if sorted_already else rotations[:, [order.index(joint) for joint in range(len(order))]]


def _levels(parents: tuple[int, ...]) -> list[list[int]]:
    """The joints by their distance from the root."""
    depths = [0]
    for parent in parents[1:]:
        depths.append(depths[parent] + 1)
    return [[j for j, depth in enumerate(depths) if depth == level] for level in range(max(depths) + 1)]


def _arms(anchors: Tensor, shares: Tensor, rest: Tensor, parents: tuple[int, ...]) -> Tensor:
    """a_kj of joints and points: bones on the way to a joint; of a point, its own anchors in place of the rest joints.

    Shape: anchors Σ_n L_kn w_nj v_n (K, J, 3, S), shares (K, J), rest joints (J, 3, S) → (J + K, J, 3, S).
    """
    joints = rest.new_zeros(len(parents), *rest.shape)
    for joint, parent in enumerate(parents[1:], start=1):
        joints[joint] = joints[parent]
        joints[joint, parent] += rest[joint] - rest[parent]
    points = anchors - shares[..., None, None] * rest + torch.einsum("km,mjas->kjas", shares, joints)
    return torch.cat([joints, points])
