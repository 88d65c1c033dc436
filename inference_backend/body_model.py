"""The model of a linear-blend-skinned body with SMPL's parameters, in torch (Loper et al. 2015, equations 2 to 10).

Pose is one rotation per joint relative to its parent, the pelvis' relative to the camera or world frame and about
the rest pelvis. Shape is `betas`, unit-variance coefficients of the shape directions. Rest frame: T-pose, y up,
facing +z, x to the body's left, metres.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property

import torch
from torch import Tensor

from inference_backend.errors import BodyInvalid
from inference_backend.geometry import axis_angle_to_matrix
from inference_backend.skinning import Regressor, forward_kinematics, skin


@dataclass(frozen=True, eq=False)
class BodyOutput:
    """A posed body, in the frame that the root rotation and the translation lead to. Metres."""

    vertices: Tensor
    """(B, N, 3)"""
    joints: Tensor
    """(B, J, 3): the skeleton's joints (not regressed from the posed vertices)."""
    global_rotations: Tensor
    """(B, J, 3, 3): rotation of each joint relative to its rest orientation."""


@dataclass(frozen=True, eq=False)
class BodyModel:
    """N vertices driven by J joints and S shape coefficients. All tensors share a device and a floating dtype."""

    name: str
    """What the user sees, e.g. "smplh"."""
    licence: str
    """The terms the body comes with."""
    template: Tensor
    """(N, 3): the rest vertices at betas = 0."""
    shapedirs: Tensor
    """(N, 3, S): vertex offset per unit of each of the betas."""
    posedirs: Tensor | None
    """(N, 3, 9(J-1)): vertex offset per entry of R - I of joints 1 to J-1; None where the body has none."""
    joint_regressor: Regressor
    """(J, N): the joints from the rest vertices."""
    weights: Tensor
    """(N, J): skinning weights, rows sum to 1."""
    parents: tuple[int, ...]
    """Parent of each joint, before its child; -1 at the root."""
    smpl24: tuple[int, ...]
    """The J joints that stand for SMPL's 24."""
    faces: Tensor
    """(F, 4) quads or (F, 3) triangles, int64, counter-clockwise from outside."""
    stature_vertices: tuple[int, int]
    """Top of the head and sole: stature is their difference in y."""
    uv: Tensor | None = None
    """(U, 2) texture coordinates."""
    uv_faces: Tensor | None = None
    """As `faces`, but into `uv`."""
    landmark_regressor: Regressor | None = None
    """(33, N): BlazePose's landmarks from posed vertices."""
    landmark_offsets: Tensor | None = None
    """(33, 3): where BlazePose sees each landmark, from its anatomical place, in the rest frame of its joint."""
    h36m_regressor: Regressor | None = None
    """(17, N): Human3.6M's joints, VideoPose3D's order, from posed vertices."""

    @property
    def joint_count(self) -> int:
        return len(self.parents)

    @property
    def vertex_count(self) -> int:
        return len(self.template)

    @property
    def shape_count(self) -> int:
        return self.shapedirs.shape[-1]

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> BodyModel:
        """The same body elsewhere or in another floating dtype."""

        def move(tensor: Tensor) -> Tensor:
            return tensor.to(device=device, dtype=dtype if tensor.is_floating_point() else None)

        moved: dict[str, object] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Tensor):
                moved[field.name] = move(value)
            elif isinstance(value, Regressor):
                moved[field.name] = Regressor(move(value.columns), move(value.matrix))
        return replace(self, **moved)  # type: ignore[arg-type]

    def rest(self, betas: Tensor) -> tuple[Tensor, Tensor]:
        """The T-pose of a shape. The first S' betas may be given; the others are 0.

        Shape: betas (B, S'), S' ≤ S → vertices (B, N, 3), joints (B, J, 3).
        """
        betas = self._checked_betas(betas)
        count = betas.shape[1]
        vertices = self.template + (betas @ self._shape_rows[:count]).view(len(betas), -1, 3)
        # The joints are linear in the betas too, so no vertex needs to be summed up for them.
        template, directions = self._joint_blend
        return vertices, template + (betas @ directions[:count]).view(len(betas), -1, 3)

    def forward_kinematics(self, local_rotations: Tensor, rest_joints: Tensor) -> tuple[Tensor, Tensor]:
        """`skinning.forward_kinematics` on this body's J joints."""
        return forward_kinematics(local_rotations, rest_joints, self.parents)

    def pose(self, rotations: Tensor, betas: Tensor, translation: Tensor | None = None) -> BodyOutput:
        """Shape, pose, then move the body. One row of betas serves all B poses, and is then the faster way.

        Shape: rotations (B, J, 3, 3) or axis-angle (B, J, 3); with 24 in place of J they are SMPL's joints.
        betas (B or 1, S'), translation (B, 3) metres.
        """
        local = self._checked_rotations(rotations)
        if len(betas) not in (1, len(local)):
            raise ValueError(f"betas need 1 or {len(local)} rows as there are poses, found {len(betas)}")
        vertices, rest_joints = self.rest(betas)
        if self.posedirs is not None:
            features = (local[:, 1:] - torch.eye(3, dtype=local.dtype, device=local.device)).flatten(1)
            vertices = vertices + (features @ self._pose_rows).view(len(local), -1, 3)
        global_rotations, joints = self.forward_kinematics(local, rest_joints)
        offsets = joints - (global_rotations @ rest_joints[..., None])[..., 0]
        if translation is not None:
            joints, offsets = joints + translation[:, None], offsets + translation[:, None]
        transforms = torch.cat([global_rotations, offsets[..., None]], -1)
        return BodyOutput(skin(vertices, transforms, self._weight_columns), joints, global_rotations)

    def full_rotations(self, rotations: Tensor) -> Tensor:
        """SMPL's 24 rotations spread over this body's J joints.

        A body with fingers gives SMPL's hand rotation to each joint that hangs on the wrist; its other joints
        (finger ends, jaw, eyes) stay at rest. Shape: (B, 24, 3, 3) → (B, J, 3, 3).
        """
        source = self.carriers
        eye = torch.eye(3, dtype=rotations.dtype, device=rotations.device).expand(len(rotations), 3, 3)
        wrists = self.smpl24[20], self.smpl24[21]
        turns = [joint in self.smpl24 or parent in wrists for joint, parent in enumerate(self.parents)]
        return torch.stack([rotations[:, source[joint]] if turn else eye for joint, turn in enumerate(turns)], 1)

    def landmarks(self, vertices: Tensor) -> Tensor:
        """BlazePose's landmarks. Shape: (B, N, 3) → (B, 33, 3). Raises BodyInvalid where the body has none."""
        return self._regressed("landmark_regressor", vertices)

    def h36m(self, vertices: Tensor) -> Tensor:
        """Human3.6M's joints. Shape: (B, N, 3) → (B, 17, 3). Raises BodyInvalid where the body has none."""
        return self._regressed("h36m_regressor", vertices)

    @cached_property
    def carriers(self) -> tuple[int, ...]:
        """Which of SMPL's 24 joints each of the J joints goes with: fingers with the hand, a jaw with the head."""
        wrists = {self.smpl24[20]: 22, self.smpl24[21]: 23}
        carriers: list[int] = []
        for joint, parent in enumerate(self.parents):
            if joint in self.smpl24:
                carriers.append(self.smpl24.index(joint))
            else:
                carriers.append(wrists.get(parent, carriers[parent]))
        return tuple(carriers)

    @cached_property
    def triangles(self) -> Tensor:
        """The faces with every quad split along its first diagonal. Shape: (T, 3) int64."""
        if self.faces.shape[1] == 3:
            return self.faces
        return torch.stack([self.faces[:, [0, 1, 2]], self.faces[:, [0, 2, 3]]], 1).reshape(-1, 3)

    def vertex_areas(self) -> Tensor:
        """Each vertex' share of the rest surface (a third of each triangle at it), summing to 1. Shape: (N,)."""
        a, b, c = self.template[self.triangles].unbind(1)
        third = torch.linalg.cross(b - a, c - a).norm(dim=-1)
        areas = self.template.new_zeros(self.vertex_count)
        areas.index_add_(0, self.triangles.reshape(-1), third.repeat_interleave(3))
        return areas / areas.sum()

    def stature(self, betas: Tensor) -> Tensor:
        """Height from sole to crown in the T-pose, metres. Shape: (B, S') → (B,)."""
        base, slope = self._stature_blend
        betas = self._checked_betas(betas)
        return base + betas @ slope[: betas.shape[1]]

    def betas_for_stature(self, betas: Tensor, height: float | Tensor) -> Tensor:
        """The likeliest shape of a given stature, seen from `betas`.

        Stature is linear in the betas and these have unit variance, so the nearest betas in Mahalanobis norm lie
        along its gradient. Shape: (B, S'), metres (a number or (B,)) → (B, S').
        """
        slope = self._stature_blend[1][: betas.shape[1]]
        square = slope.square().sum()
        if square < 1e-12:
            raise BodyInvalid(
                f"no shape of the body {self.name!r} changes its stature",
                hint="use a body file with shape directions",
                key="shapedirs",
            )
        missing = torch.as_tensor(height, dtype=betas.dtype, device=betas.device) - self.stature(betas)
        return betas + missing[:, None] * slope / square

    def _regressed(self, key: str, vertices: Tensor) -> Tensor:
        regressor: Regressor | None = getattr(self, key)
        if regressor is None:
            raise BodyInvalid(
                f"the body {self.name!r} has no {key}",
                hint="load it with load_smpl, which derives the regressors from the default body",
                key=key,
            )
        if vertices.shape[-2:] != (self.vertex_count, 3):
            raise ValueError(f"vertices: found {tuple(vertices.shape)}, want (..., {self.vertex_count}, 3)")
        return regressor(vertices)

    def _checked_betas(self, betas: Tensor) -> Tensor:
        if betas.ndim != 2 or betas.shape[1] > self.shape_count:
            raise ValueError(f"betas: found {tuple(betas.shape)}, want (B, at most {self.shape_count})")
        return betas

    def _checked_rotations(self, rotations: Tensor) -> Tensor:
        counts = {self.joint_count, len(self.smpl24)}
        if rotations.ndim not in (3, 4) or rotations.shape[1] not in counts or set(rotations.shape[2:]) != {3}:
            raise ValueError(f"rotations: found {tuple(rotations.shape)}, want (B, {self.joint_count}, 3[, 3])")
        matrices = axis_angle_to_matrix(rotations) if rotations.ndim == 3 else rotations
        return matrices if matrices.shape[1] == self.joint_count else self.full_rotations(matrices)

    @cached_property
    def _shape_rows(self) -> Tensor:
        """(S, 3N)"""
        return self.shapedirs.flatten(0, 1).T.contiguous()

    @cached_property
    def _pose_rows(self) -> Tensor:
        """(9(J-1), 3N)"""
        assert self.posedirs is not None
        return self.posedirs.flatten(0, 1).T.contiguous()

    @cached_property
    def _weight_columns(self) -> Tensor:
        """(J, N)"""
        return self.weights.T.contiguous()

    @cached_property
    def _joint_blend(self) -> tuple[Tensor, Tensor]:
        """Joints at betas = 0 (J, 3) and their change per unit of each (S, 3J)."""
        directions = self.joint_regressor(self.shapedirs.permute(2, 0, 1))
        return self.joint_regressor(self.template), directions.flatten(1)

    @cached_property
    def _stature_blend(self) -> tuple[Tensor, Tensor]:
        """Stature at betas = 0 and its change per unit of each (S,)."""
        top, sole = self.stature_vertices
        return self.template[top, 1] - self.template[sole, 1], self.shapedirs[top, 1] - self.shapedirs[sole, 1]
