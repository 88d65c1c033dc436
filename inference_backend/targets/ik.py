"""Inverse kinematics: two bones that reach a point in closed form, and FABRIK for longer chains. Numpy only.

Everything is vectorised over leading dimensions (frames, limbs), finite for straight, folded and zero-length chains,
and keeps lengths to rounding. Points in metres, any one frame.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .vectors import Array, cross, dot, length, square_to, swing, turned, unit

Mask = NDArray[np.bool_]

_STRAIGHT: Final = np.sin(np.radians([2.0, 15.0]))
_BENT: Final = np.sin(np.radians([12.0, 40.0]))
"""Sines of flexion below which the hinge alone tells the bend plane, and from which on the bones alone do; of a limb
bent as its hinge wants, and of one bent against it, which is rather an error of a straight limb."""

_TINY: Final = 1e-9
_ROUNDS: Final = 4
"""Rounds of FABRIK: they shape the chain; what they leave is closed exactly."""
_MORE: Final = 30
"""How often, at most, a chain that cannot be closed is made straighter by half, or folded by another round."""
_BULGE: Final = 0.05
"""Of the reach, how far a straight chain is bent before its rounds, which would never bend it."""


def two_bone(start: Array, target: Array, upper: Array, lower: Array, normal: Array) -> tuple[Array, Array]:
    """Middle and end of a limb that reaches for `target`, bent in the plane with the given normal.

    Out of reach the limb is straight, or folded, and its end the nearest point that it has.

    Args:
        start: (..., 3) hip or shoulder.
        target: (..., 3) where ankle or wrist should be.
        upper, lower: (..., 1) lengths of the two bones, metres.
        normal: (..., 3) cross(upper bone, lower bone) of the wanted bend, any length; where it is parallel to the line
            from start to target, any plane will do.

    Returns:
        (..., 3) middle, (..., 3) end.
    """
    line = target - start
    distance = length(line)
    flat = unit(normal, _ANY)
    axis = unit(np.where(distance > _TINY, line, 0.0), square_to(flat))
    reach = np.minimum(np.maximum(distance, np.abs(upper - lower)), upper + lower)
    # By the law of cosines: how far along the axis the middle lies.
    along = np.where(reach > _TINY, (reach**2 + upper**2 - lower**2) / np.maximum(2 * reach, _TINY), 0.0)
    along = np.minimum(np.maximum(along, -upper), upper)
    pole = unit(cross(axis, flat), square_to(axis))
    middle = start + along * axis + np.sqrt(np.maximum(upper**2 - along**2, 0.0)) * pole
    return middle, start + reach * axis


def bend_normal(start: Array, middle: Array, end: Array, hinge: Array) -> Array:
    """The normal of the plane that a limb bends in: by its bones where it is bent, by its hinge where it is straight.

    Shape: (..., 3) each; `hinge` is the axis that knee or elbow bends about, of length 1 → (..., 3) of length 1.
    """
    upper, lower = middle - start, end - middle
    raw = cross(upper, lower)
    sine = length(raw) / np.maximum(length(upper) * length(lower), _TINY)
    normal = unit(raw, hinge)
    against = (1 - dot(normal, hinge)) / 2
    low, high = (a + (b - a) * against for a, b in ((_STRAIGHT[0], _BENT[0]), (_STRAIGHT[1], _BENT[1])))
    share = smooth_step((sine - low) / (high - low))
    return unit(share * normal + (1 - share) * hinge, hinge)


def carried_normal(normal: Array, before: Array, after: Array) -> Array:
    """A bend normal after the line from a limb's start to its end has swung. Shape: (..., 3) each → (..., 3)."""
    return turned(swing(before, after), normal)


def fabrik(joints: Array, target: Array, bend: Array) -> Array:
    """A chain whose last joint reaches for `target` while its first stays (Aristidou & Lasenby 2011).

    A few rounds shape the chain, and what they leave is closed exactly, by two rigid parts of it as a limb of two
    bones. Out of reach the chain is straight; a target that is too near is approached as far as the chain can fold.

    Args:
        joints: (..., K, 3) the chain, K ≥ 2: its lengths are kept, and its pose as far as possible.
        target: (..., 3)
        bend: (..., 3) the normal of the plane that a straight chain bends in.

    Returns:
        (..., K, 3)
    """
    chain = [joints[..., k, :] for k in range(joints.shape[-2])]
    sizes = [length(b - a) for a, b in pairwise(chain)]
    first, total = chain[0], sum(sizes[1:], sizes[0])
    line = target - first
    far = (length(line) >= total - _TINY) | (len(chain) == 2)
    there = length(chain[-1] - target) < _TINY
    axis = unit(line, unit(chain[-1] - first, square_to(unit(bend, _ANY))))
    straight = [first]
    for size in sizes:
        straight.append(straight[-1] + size * axis)
    if not (far | there).all():
        chain = _unbent(chain, bend, total, there)
        for _ in range(_ROUNDS):
            chain = _round(chain, sizes, first, target)
        for _ in range(_MORE):
            short, folded = (wrong & ~(far | there) for wrong in _misses(chain, target))
            if not (short | folded).any():
                break
            chain = _straighter(chain, sizes, axis, short)
            if folded.any():
                chain = _where(folded, _round(chain, sizes, first, target), chain)
        chain = _closed(chain, target, bend)
    reached = np.where(far[..., None, :], np.stack(straight, -2), np.stack(chain, -2))
    return np.where(there[..., None, :], joints, reached)


def smooth_step(share: Array) -> Array:
    """0 below 0, 1 above 1, smooth between. Any shape."""
    share = np.minimum(np.maximum(share, 0.0), 1.0)
    return np.asarray(share * share * (3 - 2 * share))


_ANY: Final = np.array([1.0, 0.0, 0.0])


def _round(chain: list[Array], sizes: list[Array], first: Array, target: Array) -> list[Array]:
    """Once from the target to the root and back."""
    backward = [target]
    for size, joint in zip(reversed(sizes), reversed(chain[:-1]), strict=True):
        backward.append(_pulled(backward[-1], joint, size))
    forward = [first]
    for size, joint in zip(sizes, reversed(backward[:-1]), strict=True):
        forward.append(_pulled(forward[-1], joint, size))
    return forward


def _pulled(fixed: Array, joint: Array, size: Array) -> Array:
    """The joint on its old direction from its neighbour, at the bone's length."""
    offset = joint - fixed
    return fixed + offset * (size / np.maximum(length(offset), _TINY))


def _unbent(chain: list[Array], bend: Array, total: Array, there: Mask) -> list[Array]:
    """The chain with its inner joints off the line where they all lie on it. `there` (..., 1): leave it."""
    line = unit(chain[-1] - chain[0], chain[1] - chain[0])
    offsets = [joint - chain[0] for joint in chain[1:-1]]
    height = np.max([length(offset - dot(offset, line) * line) for offset in offsets], axis=0)
    on_line = (height < 1e-3 * _BULGE * total) & ~there
    if not on_line.any():
        return chain
    aside = np.where(on_line, _BULGE * total * unit(cross(line, bend), square_to(line)), 0.0)
    return [chain[0], *(joint + aside for joint in chain[1:-1]), chain[-1]]


def _misses(chain: list[Array], target: Array) -> tuple[Mask, Mask]:
    """Whether two rigid parts of the chain are too short for the target, and whether too unlike to fold so far."""
    middle = len(chain) // 2
    upper, lower = length(chain[middle] - chain[0]), length(chain[-1] - chain[middle])
    distance = length(target - chain[0])
    return distance > upper + lower, distance < np.abs(upper - lower)


def _straighter(chain: list[Array], sizes: list[Array], axis: Array, which: Mask) -> list[Array]:
    """The chain with its bones half way to the line to the target."""
    if not which.any():
        return chain
    out = chain[:1]
    for size, (joint, after) in zip(sizes, pairwise(chain), strict=True):
        out.append(out[-1] + size * unit(unit(after - joint, axis) + axis, axis))
    return _where(which, out, chain)


def _where(which: Mask, new: list[Array], old: list[Array]) -> list[Array]:
    return [np.where(which, a, b) for a, b in zip(new, old, strict=True)]


def _closed(chain: list[Array], target: Array, bend: Array) -> list[Array]:
    """The chain as two rigid parts, turned about its first and its middle joint until its end is on the target."""
    middle = len(chain) // 2
    first, knee, end = chain[0], chain[middle], chain[-1]
    normal = cross(knee - first, end - knee)
    normal = np.where(length(normal) > _TINY, normal, bend)
    new_knee, new_end = two_bone(first, target, length(knee - first), length(end - knee), normal)
    turn_a, turn_b = swing(knee - first, new_knee - first), swing(end - knee, new_end - new_knee)
    upper = [first + turned(turn_a, joint - first) for joint in chain[1:middle]]
    lower = [new_knee + turned(turn_b, joint - knee) for joint in chain[middle + 1 : -1]]
    return [first, *upper, new_knee, *lower, new_end]
