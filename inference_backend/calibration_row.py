"""Calibration of one frame in numpy, of the form "chain": what runs while a joint is dragged.

torch takes longer to begin an operation on a handful of numbers than numpy to do it, and wakes threads for some. What
each step is for is said at its twins for many frames, `calibration_rotations.bone_rotations` and
`calibration.calibrate`. float64; frames of one's own choice, metres.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from .calibration_rotations import BEND, BRANCHING, CHILD, CONGRUENT, ENDS, LEVELS, POINTED, SEGMENTS, SHORT, TOE_TIPS
from .skeletons import PARENTS
from .targets import quaternions
from .targets.vectors import Array, cross, dot, length, swing, transposed, turn_about, turned

_STARTS, _STOPS = (list(side) for side in zip(*SEGMENTS, strict=True))
_STEPS: Final = tuple(
    (list(level), [PARENTS[joint] for joint in level], [CHILD[joint] for joint in level]) for level in LEVELS
)
_ENDS_ABOVE: Final = [PARENTS[joint] for joint in ENDS]
_UPPER: Final = list(LEVELS[1][:4])
_MIDDLE: Final = [CHILD[joint] for joint in _UPPER]
_LOWER: Final = [CHILD[joint] for joint in _MIDDLE]
_TRIANGLE: Final = ([9, 9, 9, 12, 12, 13], [12, 13, 14, 13, 14, 14])
_HUBS: Final = ([[joint] for joint, _ in BRANCHING], [list(ends) for _, ends in BRANCHING])
_LEAVES: Final = ([[joint] for joint, _ in POINTED], [list(ends) for _, ends in POINTED])
_TURNED_BY_POINTS: Final = [joint for joint, _ in POINTED]
_FEET, _TIPS = (list(side) for side in zip(*TOE_TIPS, strict=True))
_RANK: Final = 1e-4


def chain_rotations(hmr: Array, target: Array) -> Array:
    """The global rotation Ψ of each joint, as `bone_rotations`.

    Shape: (24, 3) joints twice, or (35, 3) joints and `skeletons.POINTS` → (24, 3, 3). A point that is not finite is
    absent.
    """
    rotations = np.empty((24, 3, 3))
    share = _chest_shares(hmr, target)
    outer = transposed(_spokes(target, _HUBS) * share) @ (_spokes(hmr, _HUBS) * share)
    points = len(hmr) > 24
    if points:
        present = np.asarray(np.isfinite(hmr + target).all(-1))
        if not present.all():
            hmr, target = (np.nan_to_num(places, nan=0, posinf=0, neginf=0) for places in (hmr, target))
        outer = np.concatenate([outer, transposed(_spokes(target, _LEAVES)) @ _spokes(hmr, _LEAVES)])
    aligned, unique = _aligned(outer)
    rotations[:] = aligned[0]
    rotations[9] = aligned[1]
    for step, (joints, above, ends) in enumerate(_STEPS):
        before = rotations[above]
        turn = swing(turned(before, hmr[ends] - hmr[joints]), target[ends] - target[joints]) @ before
        if step == 1:
            turn[:4] = _bent(turn[:4], hmr, target)
        rotations[joints] = turn
    rotations[list(ENDS)] = rotations[_ENDS_ABOVE]
    if points:
        sure = unique[2:] & present[_LEAVES[1]].all(1)
        rotations[_TURNED_BY_POINTS] = np.where(sure[:, None, None], aligned[2:], rotations[_TURNED_BY_POINTS])
        rotations[[22, 23]] = rotations[[20, 21]]
        feet = rotations[[7, 8]]
        tips = swing(turned(feet, hmr[_TIPS] - hmr[_FEET]), target[_TIPS] - target[_FEET]) @ feet
        rotations[_FEET] = np.where(present[_TIPS, None, None], tips, feet)
    return rotations


def twisted(rotations: Array, joints_hmr: Array, angles: Array) -> Array:
    """Rotations, before which each joint turns about its own bone, as `about_bones`.

    Shape: (24, 3, 3), (24, 3), (24,) radians → (24, 3, 3). Pelvis, chest and ends of limbs do not.
    """
    joints = [joint for joint in CHILD if angles[joint]]
    axes = joints_hmr[[CHILD[joint] for joint in joints]] - joints_hmr[joints]
    axes = axes / np.maximum(length(axes), SHORT)
    out = rotations.copy()
    out[joints] = out[joints] @ turn_about(axes, angles[joints])
    return out


def segment_rows(rotations: Array, joints_hmr: Array, joints_target: Array, non_rigid: bool) -> NDArray[np.float64]:
    """Ψ row by row, T and Δ of every segment (equations 6 to 10). Shape: (24, 3, 3), (24, 3) twice → (28, 15)."""
    turns = rotations[_STARTS]
    shifts = joints_target[_STARTS] - turned(turns, joints_hmr[_STARTS])
    stretch = joints_target[_STOPS] - turned(turns, joints_hmr[_STOPS]) - shifts
    return np.concatenate([turns.reshape(-1, 9), shifts, stretch if non_rigid else np.zeros_like(stretch)], 1)


def _spokes(places: Array, groups: tuple[list[list[int]], list[list[int]]]) -> Array:
    return np.asarray(places[groups[1]] - places[groups[0]])


def _chest_shares(hmr: Array, target: Array) -> Array:
    """As `calibration_rotations._chest_shares`. Shape: (2, 5, 1)."""
    first, second = _TRIANGLE
    sizes = [np.maximum(length(places[second] - places[first]), 1e-6) for places in (hmr, target)]
    alike = np.exp(-np.square((sizes[0] - sizes[1]) / CONGRUENT).mean())
    shares = np.ones((2, 5, 1))
    shares[1, 1:3], shares[1, 3:] = alike, 1 - alike
    return shares


def _aligned(outer: Array) -> tuple[Array, NDArray[np.bool_]]:
    """As `calibration_align.align`, of the products. Shape: (n, 3, 3) → (n, 3, 3), (n,)."""
    U, S, Vh = np.linalg.svd(outer)
    whole = U @ Vh
    sign = np.sign(dot(cross(whole[:, :, 0], whole[:, :, 1]), whole[:, :, 2]))[:, 0]
    U[:, :, 2] *= sign[:, None]
    return U @ Vh, S[:, 1] + sign * S[:, 2] > _RANK * S[:, 0]


def _bent(rotations: Array, hmr: Array, target: Array) -> Array:
    """As `calibration_rotations._bent`. Shape: (4, 3, 3) → (4, 3, 3)."""
    axis = target[_MIDDLE] - target[_UPPER]
    axis = axis / np.maximum(length(axis), SHORT)
    bones = np.stack([turned(rotations, hmr[_LOWER] - hmr[_MIDDLE]), target[_LOWER] - target[_MIDDLE]])
    sides = bones - dot(bones, axis) * axis
    share = np.minimum(dot(sides, sides) / np.maximum(dot(bones, bones), 1e-12) / BEND, 1)
    share = share * share * (3 - 2 * share)
    trust = share[0] * share[1]
    reach = length(sides[0]) * length(sides[1])
    half = np.concatenate([reach + dot(*sides), dot(cross(*sides), axis)], -1)
    half = np.where((half[:, :1] < 1e-6 * reach) & (reach > 0), [0.0, 1.0], half)
    half = trust * half / np.maximum(length(half), 1e-8)
    return np.asarray(
        quaternions.to_matrix(np.concatenate([1 - trust + half[:, :1], half[:, 1:] * axis], -1)) @ rotations
    )
