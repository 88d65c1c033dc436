"""The rotation Ψ of every bone (equations 6 and 7) in three forms, from joints and, where there are any, extra points.

A *segment* is a bone as the mesh sees it: it begins in a joint and carries that joint's skin. `SEGMENTS` are the 23
bones, then one of no length for each joint that ends a limb (toes, head, hands), so that every joint begins one. The
bones of one joint share its rotation, but in the paper's form each of the pelvis' and the chest's three has its own.

- "bone": the paper's; each bone by the smallest turn that leads it onto its target.
- "torso": first the whole body by its torso, then each bone by the smallest turn that is left.
- "chain": pelvis and chest each by several vectors, then each bone by the smallest turn that is left after its
  parent's rotation, so a turn of the body and the parents' twist reach the ends of the limbs.

A limb's end follows its parent. Points turn it, and wrist and ankle, in all forms where they are given.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, Literal

import torch
from torch import Tensor

from .calibration_align import align
from .geometry import axis_angle_to_matrix, quaternion_to_matrix, swing
from .skeletons import BONES, JOINTS, PARENTS, POINTS

Form = Literal["bone", "torso", "chain"]

ENDS: Final = tuple(joint for joint in range(len(JOINTS)) if joint not in PARENTS)
"""The joints that end a limb: toes, head, hands."""

SEGMENTS: Final = BONES + tuple((joint, joint) for joint in ENDS)
"""The 28 segments as (joint it begins in, joint it ends in). The first 23 are `skeletons.BONES`."""

BRANCHING: Final = ((0, (1, 2, 3, 0, 0)), (9, (12, 13, 14, 16, 17)))
"""Pelvis and chest, and what may turn them; the pelvis' own place pads its row."""
CONGRUENT: Final = 0.003
"""Metres that the triangle of neck and collars may differ by between the two poses to be taken for the same bones."""
_BRANCHES: Final = tuple(index for index, (start, end) in enumerate(SEGMENTS) if start in (0, 9) and end != start)
_TORSO: Final = ((9, (1, 2, 12, 16, 17)),)
_BENDING: Final = (1, 2, 16, 17)
"""Thighs and upper arms: the joint at their end bends in a plane, which shows their twist."""
LEVELS: Final = ((3, 12, 13, 14), (*_BENDING, 6), (4, 5, 18, 19), (7, 8, 20, 21))
"""Joints of one bone, parents before children. Thighs wait for upper arms, so that one call finds the twist of both."""
CHILD: Final = {start: end for start, end in SEGMENTS if start not in (0, 9)}

POINTED: Final = ((15, (24, 25, 26)), (20, (22, 27, 29)), (21, (23, 28, 30)), (7, (10, 31, 31)), (8, (11, 32, 32)))
"""Joints that points turn, and by what: joints, then 24 + index in `skeletons.POINTS`. The heel, nearer to the ankle
than the toes' joint is, counts twice."""
TOE_TIPS: Final = ((10, 33), (11, 34))

BEND: Final = math.sin(math.radians(40)) ** 2
"""sin² of the flexion from which the bend plane counts in full; it counts a 25th at 20°, nothing at 0."""
SHORT: Final = 1e-4
"""Metres: a bone below it has no axis."""


def bone_rotations(
    joints_hmr: Tensor,
    joints_target: Tensor,
    *,
    form: Form = "chain",
    points_hmr: Tensor | None = None,
    points_target: Tensor | None = None,
    limb_twist: bool | None = None,
) -> Tensor:
    """The global rotation Ψ of each joint, from the mesh stream's pose to the target's (equations 6 and 7).

    Args:
        joints_hmr: (B, 24, 3) joints of the mesh stream, metres, in any one frame.
        joints_target: (B, 24, 3) joints of the target pose, same frame.
        form: see the module. Pelvis and chest get the rotation that serves their bones best in every form.
        points_hmr: (B, 11, 3) `skeletons.POINTS` of the mesh stream, same frame.
        points_target: (B, 11, 3) the target's. A point that is not finite is absent; a joint that lacks a point, or
            whose points lie on one line, does what it does without points.
        limb_twist: turn thighs and upper arms about their own axis until knee and elbow bend in the target's plane;
            in full from 40° of flexion on, next to nothing below 20°, where the plane is uncertain. None: in all
            forms but the paper's.

    Returns:
        (B, 24, 3, 3)

    Raises:
        ValueError: a wrong shape, an unknown form, or points of one pose only.
    """
    check_joints(joints_hmr, joints_target)
    if form not in ("bone", "torso", "chain"):
        raise ValueError(f"form: found {form!r}, want 'bone', 'torso' or 'chain'")
    share = _chest_shares(joints_hmr, joints_target)
    branching, _ = align(*(_spokes(joints, BRANCHING) * share for joints in (joints_hmr, joints_target)))
    rotations = [branching[:, 0]] * len(JOINTS)
    rotations[9] = branching[:, 1]
    base = None if form == "chain" else _base(joints_hmr, joints_target, form)
    levels = LEVELS if base is None else ((*LEVELS[1], *LEVELS[0], *LEVELS[2], *LEVELS[3]),)
    for level in levels:
        before = torch.stack([rotations[PARENTS[joint]] for joint in level], 1) if base is None else base
        turned = _swings(joints_hmr, joints_target, tuple((joint, CHILD[joint]) for joint in level), before)
        if level[:4] == _BENDING and (form != "bone" if limb_twist is None else limb_twist):
            turned = torch.cat([_bent(turned[:, :4], joints_hmr, joints_target), turned[:, 4:]], 1)
        for joint, rotation in zip(level, turned.unbind(1), strict=True):
            rotations[joint] = rotation
    for joint in ENDS:
        rotations[joint] = rotations[PARENTS[joint]]
    if points_hmr is not None and points_target is not None:
        for name, points in (("points_hmr", points_hmr), ("points_target", points_target)):
            if points.shape != (len(joints_hmr), len(POINTS), 3):
                raise ValueError(f"{name}: found {tuple(points.shape)}, want ({len(joints_hmr)}, {len(POINTS)}, 3)")
        _turn_by_points(rotations, torch.cat([joints_hmr, points_hmr], 1), torch.cat([joints_target, points_target], 1))
    elif points_hmr is not points_target:
        raise ValueError("points: found those of one pose only, want both or neither")
    return torch.stack(rotations, 1)


def segment_rotations(joints_hmr: Tensor, joints_target: Tensor, rotations: Tensor, form: Form = "chain") -> Tensor:
    """The rotation of each of `SEGMENTS`: its joint's, but in the forms "bone" and "torso" the six bones that begin in
    pelvis and chest each turn onto their own target.

    Shape: (B, 24, 3) twice, `bone_rotations` of that form (B, 24, 3, 3) → (B, 28, 3, 3).
    """
    segments = rotations.index_select(1, index([start for start, _ in SEGMENTS], rotations.device))
    if form == "chain":
        return segments
    pairs = tuple(SEGMENTS[segment] for segment in _BRANCHES)
    own = _swings(joints_hmr, joints_target, pairs, _base(joints_hmr, joints_target, form))
    return segments.index_copy(1, index(_BRANCHES, rotations.device), own)


def about_bones(joints_hmr: Tensor, angles: Tensor) -> Tensor:
    """Turns about each joint's own axis in the mesh stream's pose, for Ψ @ turn (the paper's extra self-rotation).

    The axis is the joint's bone; the spine's at pelvis and chest; the last bone's at a limb's end.
    Shape: (B, 24, 3), radians (24,) or (B, 24) → (B, 24, 3, 3).
    """
    child = {**CHILD, 0: 3, 9: 12}
    pairs = tuple((PARENTS[joint], joint) if joint in ENDS else (joint, child[joint]) for joint in range(len(JOINTS)))
    axes = torch.nn.functional.normalize(_between(joints_hmr, pairs), dim=-1, eps=SHORT)
    return axis_angle_to_matrix(axes * angles[..., None])


def check_joints(joints_hmr: Tensor, joints_target: Tensor) -> None:
    """Raise ValueError unless both are (B, 24, 3)."""
    want = (len(joints_hmr), len(JOINTS), 3)
    for name, joints in (("joints_hmr", joints_hmr), ("joints_target", joints_target)):
        if joints.shape != want:
            raise ValueError(f"{name}: found {tuple(joints.shape)}, want {want}")


def index(positions: Sequence[int], device: torch.device) -> Tensor:
    """A constant index on a device, made once: making it costs as much as using it."""
    return _index(tuple(positions), device)


@lru_cache(maxsize=256)
def _index(positions: tuple[int, ...], device: torch.device) -> Tensor:
    return torch.tensor(positions, device=device)


def _between(points: Tensor, pairs: Sequence[tuple[int, int]]) -> Tensor:
    """Vectors from the first to the second of each pair. Shape: (B, P, 3) → (B, len(pairs), 3)."""
    starts, ends = (index(side, points.device) for side in zip(*pairs, strict=True))
    return points.index_select(1, ends) - points.index_select(1, starts)


def _spokes(points: Tensor, groups: Sequence[tuple[int, tuple[int, ...]]]) -> Tensor:
    """Vectors from each group's joint to the group's points. Shape: (B, P, 3) → (B, groups, K, 3)."""
    pairs = [(joint, end) for joint, ends in groups for end in ends]
    return _between(points, pairs).view(len(points), len(groups), -1, 3)


def _chest_shares(joints_hmr: Tensor, joints_target: Tensor) -> Tensor:
    """How much each spoke of `BRANCHING` counts. Shape: (B, 24, 3) twice → (B, 2, 5, 1).

    Where neck and collars stand around the chest alike in both poses, as they do when the target's bones have the
    body's lengths, they alone give the chest's rotation, and exactly. Otherwise their short bones would turn noise into
    rotation (the collars are 2.5 cm apart), and the shoulders take the collars' place.
    """
    triangle = ((9, 12), (9, 13), (9, 14), (12, 13), (12, 14), (13, 14))
    hmr, target = (_between(joints, triangle).square().sum(-1) for joints in (joints_hmr, joints_target))
    difference = hmr.clamp_min(1e-12).sqrt() - target.clamp_min(1e-12).sqrt()
    alike = torch.exp(-(difference / CONGRUENT).square().mean(1))[:, None]
    one = torch.ones_like(alike)
    pelvis, chest = one.expand(-1, 5), torch.cat([one, alike, alike, 1 - alike, 1 - alike], 1)
    return torch.stack([pelvis, chest], 1)[..., None]


def _swings(source: Tensor, target: Tensor, pairs: Sequence[tuple[int, int]], before: Tensor) -> Tensor:
    """`before` (B, len(pairs) or 1, 3, 3), and on top of it the smallest turn that leads each pair onto its target."""
    turned = (before @ _between(source, pairs)[..., None])[..., 0]
    return swing(turned, _between(target, pairs)) @ before


def _base(joints_hmr: Tensor, joints_target: Tensor, form: Form) -> Tensor:
    """What comes before a bone's own turn in the forms without a chain. Shape: → (B, 1, 3, 3)."""
    if form == "torso":
        return align(_spokes(joints_hmr, _TORSO), _spokes(joints_target, _TORSO))[0]
    eye = torch.eye(3, dtype=joints_hmr.dtype, device=joints_hmr.device)
    return eye.expand(len(joints_hmr), 1, 3, 3)


def _bent(turned: Tensor, joints_hmr: Tensor, joints_target: Tensor) -> Tensor:
    """`turned` (B, 4, 3, 3) of `_BENDING`, twisted so that the next bone bends in the target's plane."""
    upper = tuple((joint, CHILD[joint]) for joint in _BENDING)
    lower = tuple((CHILD[joint], CHILD[CHILD[joint]]) for joint in _BENDING)
    axis = torch.nn.functional.normalize(_between(joints_target, upper), dim=-1, eps=SHORT)
    has, wants = (turned @ _between(joints_hmr, lower)[..., None])[..., 0], _between(joints_target, lower)
    trust = torch.ones_like(axis[..., 0])
    sides = []
    for bone in (has, wants):
        side = bone - (bone * axis).sum(-1, keepdim=True) * axis
        sine_squared = side.square().sum(-1) / bone.square().sum(-1).clamp_min(1e-12)
        share = (sine_squared / BEND).clamp_max(1)
        trust = trust * share.square() * (3 - 2 * share)
        sides.append(side)
    # The twist as a quaternion from its half angle, and its share by a blend with no twist: no sine or square root,
    # which in torch wake all threads even for a handful of numbers.
    reach, along = sides[0].norm(dim=-1) * sides[1].norm(dim=-1), (sides[0] * sides[1]).sum(-1)
    half = torch.stack([reach + along, (torch.linalg.cross(*sides) * axis).sum(-1)], -1)
    opposite = (half[..., :1] < 1e-6 * reach[..., None]) & (reach[..., None] > 0)
    half = torch.where(opposite, torch.tensor([0.0, 1.0], dtype=half.dtype, device=half.device), half)
    half = trust[..., None] * torch.nn.functional.normalize(half, dim=-1, eps=1e-8)
    quaternion = torch.cat([1 - trust[..., None] + half[..., :1], half[..., 1:] * axis], -1)
    return quaternion_to_matrix(quaternion) @ turned


def _turn_by_points(rotations: list[Tensor], source: Tensor, target: Tensor) -> None:
    """Put the rotations in place that points show. `source`, `target` (B, 35, 3): joints, then points."""
    present = (source + target).isfinite().all(-1)
    source, target = (points.nan_to_num(0, 0, 0) for points in (source, target))
    aligned, unique = align(_spokes(source, POINTED), _spokes(target, POINTED))
    for place, (joint, ends) in enumerate(POINTED):
        sure = unique[:, place] & present[:, list(ends)].all(1)
        rotations[joint] = torch.where(sure[:, None, None], aligned[:, place], rotations[joint])
    rotations[22], rotations[23] = rotations[20], rotations[21]
    feet = torch.stack([rotations[PARENTS[joint]] for joint, _ in TOE_TIPS], 1)
    tips = _swings(source, target, TOE_TIPS, feet)
    for place, (joint, tip) in enumerate(TOE_TIPS):
        rotations[joint] = torch.where(present[:, tip, None, None], tips[:, place], feet[:, place])
