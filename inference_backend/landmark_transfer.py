"""Carrying a regressor from one body's vertices to another's, by their rest poses alone.

SMPL's files bring no rule for BlazePose's landmarks. Bodies in the same T-pose convention differ by bone lengths, bone
directions and girth, so each vertex of the reference is moved along with its bones onto the other body's joints and
there takes the nearest vertices of the same limb.
"""

from __future__ import annotations

import torch
from scipy.spatial import cKDTree
from torch import Tensor

from inference_backend.body_model import BodyModel
from inference_backend.errors import BodyInvalid
from inference_backend.geometry import kabsch, swing
from inference_backend.skeletons import JOINTS, PARENTS
from inference_backend.skinning import Regressor, skin

_LIMBS = 22
"""A limb is what one of SMPL's joints moves; the hands, joints 22 and 23, are one limb with their wrists, since some
bodies hang the fingers on these and some on those."""
_NEIGHBOURS = 3
_LIMB = 0.05
"""How far, in metres, a vertex of an altogether different limb seems away (times √2): fingers do not match a thigh."""


def landmark_regressor_from_geometry(body: BodyModel, reference: BodyModel) -> Regressor:
    """BlazePose's 33 landmarks on `body`'s vertices. Raises BodyInvalid where `reference` has none."""
    if reference.landmark_regressor is None:
        raise BodyInvalid(
            f"the body {reference.name!r} has no landmark_regressor",
            hint="take the default body as the reference",
            key="landmark_regressor",
        )
    return transfer_regressor(reference.landmark_regressor, reference, body)


def transfer_regressor(regressor: Regressor, reference: BodyModel, body: BodyModel) -> Regressor:
    """The points of `regressor`, which reads `reference`'s vertices, from `body`'s vertices.

    Each vertex in use becomes the three nearest of `body`, weighted by their inverse squared distance.
    """
    moved = onto_rest_pose(reference, body)[regressor.columns]
    limbs = _limb_weights(reference)[regressor.columns]
    tree = cKDTree(torch.cat([body.template, _LIMB * _limb_weights(body)], 1).cpu().double().numpy())
    _, found = tree.query(torch.cat([moved, _LIMB * limbs], 1).cpu().double().numpy(), k=_NEIGHBOURS)
    nearest = torch.from_numpy(found).to(body.template.device)
    square = (body.template[nearest] - moved.to(body.template)[:, None]).square().sum(-1)
    shares = 1 / (square + 1e-8)
    rows = body.template.new_zeros(len(moved), body.vertex_count)
    rows.scatter_(1, nearest, shares / shares.sum(1, keepdim=True))
    return Regressor.from_dense(regressor.matrix.to(rows) @ rows)


def onto_rest_pose(reference: BodyModel, body: BodyModel) -> Tensor:
    """`reference`'s rest vertices moved onto `body`'s rest joints: per joint a similarity, blended by the skinning.

    A joint with one child takes the swing and the length of that bone, one with several their best rotation. The
    outermost (head, wrists, feet) keep their direction and scale by their farthest vertex: crown, fingertips, toes.

    Shape: (N of the reference, 3).
    """
    joints_ref, joints_body = _limb_joints(reference), _limb_joints(body).to(reference.template)
    transforms = []
    for joint in range(_LIMBS):
        children = [child for child, parent in enumerate(PARENTS[:_LIMBS]) if parent == joint]
        if children:
            bones_ref, bones_body = joints_ref[children] - joints_ref[joint], joints_body[children] - joints_body[joint]
            turn = swing(bones_ref[0], bones_body[0]) if len(children) == 1 else kabsch(bones_ref, bones_body)
            scale = bones_body.norm(dim=-1).sum() / bones_ref.norm(dim=-1).sum()
        else:
            turn = torch.eye(3).to(reference.template)
            scale = _reach(body, joint).to(reference.template) / _reach(reference, joint)
        linear = scale * turn
        transforms.append(torch.cat([linear, (joints_body[joint] - linear @ joints_ref[joint])[:, None]], 1))
    return skin(reference.template[None], torch.stack(transforms)[None], _limb_weights(reference).T)[0]


def _limb_joints(body: BodyModel) -> Tensor:
    """Rest joint of each limb at betas = 0. Shape: (22, 3)."""
    return body.rest(body.template.new_zeros(1, 0))[1][0, list(body.smpl24[:_LIMBS])]


def _limb_weights(body: BodyModel) -> Tensor:
    """Skinning weights, those of hands, fingers, jaw and eyes added to the limb they belong to. Shape: (N, 22)."""
    limbs = [PARENTS[carrier] if carrier >= _LIMBS else carrier for carrier in body.carriers]
    target = torch.tensor(limbs, device=body.weights.device)
    return body.weights.new_zeros(body.vertex_count, _LIMBS).index_add_(1, target, body.weights)


def _reach(body: BodyModel, limb: int) -> Tensor:
    """Distance of a limb's joint from the farthest vertex that is mostly the limb's own; metres, a scalar."""
    own = _limb_weights(body)[:, limb] > 0.5
    if not own.any():
        raise BodyInvalid(
            f"no vertex of the body {body.name!r} follows its joint {JOINTS[limb]}",
            hint="use the body file as its authors publish it",
            key="weights",
        )
    distances: Tensor = (body.template[own] - _limb_joints(body)[limb]).norm(dim=-1)
    return distances.max()
