"""Limbs that were taken for the other side's for some frames: found where exchanging them makes the motion whole."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from . import vectors
from .chains import ANKLES, ELBOWS, HANDS, HIPS, KNEES, SHOULDERS, TOES, WRISTS
from .filling import across
from .motion import Array, SkeletonMotion, local_quaternions

LEGS: Final = (HIPS, KNEES, ANKLES, TOES)
ARMS: Final = (SHOULDERS, ELBOWS, WRISTS, HANDS)
"""Pairs of joints, left and right, from the trunk outwards."""

LEAST: Final = 0.04
"""Metres beyond twice the exchanged limbs' miss that the limbs as they are must miss by. In 37 minutes of motion
capture, with jitter and without, none is taken for exchanged so; of 60 exchanges planted amid other mistakes all are
found."""

_UP, _FRONT = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])


def swapped(
    motion: SkeletonMotion, limbs: tuple[tuple[int, int], ...], seconds: Array, longest: float
) -> NDArray[np.bool_]:
    """Frames whose left limb lies where the right one was before and is after, and the other way round. Shape: (F,).

    Args:
        limbs: `LEGS` or `ARMS`.
        seconds: (F,)
        longest: seconds; longer stretches are taken as they are.
    """
    joints = motion.joints()
    pairs = np.array(limbs[1:])
    trunk = joints[:, limbs[0]].mean(1, keepdims=True)
    places = joints[:, pairs.T.ravel()] - trunk
    crossed = joints[:, pairs[:, ::-1].T.ravel()] - trunk
    count = len(places)
    longest_frames = int(longest / float(np.median(np.diff(seconds)))) if count > 1 else 0
    found = []
    for frames in range(1, min(count - 4, longest_frames) + 1):
        start = np.arange(2, count - frames - 1)
        curve = across(places, seconds, start, frames)
        clear = np.full(len(start), np.inf)
        for k in {0, frames - 1}:
            kept = np.linalg.norm(curve(k) - places[start + k], axis=-1).mean(1)
            other = np.linalg.norm(curve(k) - crossed[start + k], axis=-1).mean(1)
            clear = np.minimum(clear, kept - 2 * other)
        found += [(float(clear[row]), int(start[row]), frames) for row in np.flatnonzero(clear > LEAST)]
    out = np.zeros(count, bool)
    for _, first, frames in sorted(found, reverse=True):
        # Beside a stretch that was exchanged others seem to be: they were judged by frames of it.
        if not out[max(first - 2, 0) : first + frames + 2].any():
            out[first : first + frames] = True
    return out


def exchanged(motion: SkeletonMotion, limbs: tuple[tuple[int, int], ...], rows: NDArray[np.bool_]) -> SkeletonMotion:
    """The motion with left and right limbs exchanged in some frames. Shape: rows (F,).

    Each limb goes to the places of the other side's joints as far as its bones reach, turned about itself as that was.
    """
    part = SkeletonMotion(motion.root[rows], motion.rotations[rows], motion.rest_joints)
    turned, joints = part.globals(), part.joints()
    found = turned.copy()
    rest = part.rest_joints
    for side in (0, 1):
        own, other = [pair[side] for pair in limbs], [pair[1 - side] for pair in limbs]
        place = joints[:, own[0]]
        for k, (mine, theirs) in enumerate(zip(own, other, strict=True)):
            tip = min(k, len(own) - 2)  # the last joint has no bone of its own
            bones = [rest[chain[tip + 1]] - rest[chain[tip]] for chain in (own, other)]
            turn = turned[:, theirs] @ _mirror_turn(*bones)
            if k < len(own) - 1:
                turn = vectors.swing(vectors.turned(turn, bones[0]), joints[:, other[k + 1]] - place) @ turn
                place = place + vectors.turned(turn, bones[0])
            found[:, mine] = turn
    rotations = motion.rotations.copy()
    rotations[rows] = local_quaternions(found)
    return motion.changed(rotations=rotations)


def _mirror_turn(bone: Array, other: Array) -> Array:
    """The turn in rest axes that leads a bone onto the other side's, and its front to that one's front.

    Front is the rest pose's, and up for feet, which point there. Shape: (3,) twice → (3, 3).
    """
    frames = []
    for direction in (bone, other):
        along = vectors.unit(direction, _UP)
        across_it = _UP if abs(along @ _FRONT) > 0.7 else _FRONT
        side = vectors.unit(across_it - (across_it @ along) * along, _FRONT)
        frames.append(np.stack([along, side, np.cross(along, side)], -1))
    return np.asarray(frames[1] @ frames[0].T)
