"""Foot contact: feet that stand are held on their footprints by leg IK, heel and toe each in its own time.

While both stand the foot is flat; while one does, the foot turns about it as it came, but not through the floor, on
which the toes stay flat. Before and after, the foot is led there and let go. Where a leg is too short, the heel comes
up a little, then the body moves, so that its picture changes least (`reach.py`).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from .chains import ANKLES, HIPS, KNEES, TOES
from .contacts import strips_of
from .feet import Feet, Legs, flat_rotation, with_legs, yaw_of
from .floor import SEEN, foot_depth
from .floor_path import view_cost
from .footprints import Footprints, footprints
from .ik import smooth_step
from .motion import Array, SkeletonMotion
from .parameters import SIDES, FootContact, Strip
from .quaternions import between, from_matrix, to_matrix
from .reach import lifted, reach_shift
from .source import StackSource
from .under_feet import heights_under
from .vectors import length, raised, turned

_FIRM: Final = 1e-5
"""A part that is held in full outweighs one that is not by this share."""
_PIVOT: Final = np.radians(20.0)
"""The toes follow a foot that turns on its ball beyond this."""
_STRETCH: Final = 0.998
"""Of its length that a leg may be straightened to by a lock, if it was not straighter before."""
_KNEE: Final = 0.04
"""Metres by which a knee may come nearer to the line from hip to ankle: what straightens a leg by millimetres moves its
knee by centimetres, off its picture."""
_FAR: Final = 0.05
"""Metres that a leg lacks then from which on it is straightened all the same: the body would have to go too far."""
_TINY: Final = 1e-9
_UP: Final = np.array([0.0, 0.0, 1.0])


def layer(motion: SkeletonMotion, source: StackSource, settings: FootContact) -> SkeletonMotion:
    """The motion with its feet held where they stand."""
    if not settings.enabled or not settings.strength or not len(motion):
        return motion
    strips = [strip for strip in strips_of(motion, source, settings) if strip.locked]
    if not strips:
        return motion
    return motion.blended(locked(motion, source, strips, settings), settings.strength)


def locked(motion: SkeletonMotion, source: StackSource, strips: list[Strip], settings: FootContact) -> SkeletonMotion:
    """The feet held in the given strips, in full."""
    feet = Feet.of(motion.rest_joints, source.sole_offsets)
    rotations = motion.globals()
    joints = motion.joints()
    ankles, foot, toes = joints[:, ANKLES], rotations[:, ANKLES], rotations[:, TOES]
    ground = heights_under(motion, source)
    firm = np.zeros((len(motion), 2))
    for side, name in enumerate(SIDES):
        own = [strip for strip in strips if strip.side == name]
        came = ankles[:, side], foot[:, side], ground
        prints = footprints(own, *came, source.seconds, feet, side, settings.blend_seconds)
        ankles[:, side], foot[:, side], toes[:, side] = _held(
            ankles[:, side], foot[:, side], toes[:, side], prints, feet, side
        )
        firm[:, side] = prints.toe
    hips = joints[:, HIPS]
    reach = _reach(joints, length(ankles - hips)[..., 0])
    up, foot = lifted(ankles - hips, reach, foot, feet.ball, firm, source.seconds, settings.lift_heel)
    ankles = ankles + up
    loose = np.maximum(ground[:, None] - foot_depth(ankles, foot, toes, feet), 0.0)
    ankles = ankles + loose[..., None] * _UP
    cost = view_cost(joints[:, SEEN], source.camera)
    shift = reach_shift(ankles - hips, reach, cost, source.seconds, settings.lower_pelvis)
    root = motion.root + shift
    return with_legs(motion, Legs(root, ankles, foot, toes))


def _held(
    ankle: Array, foot: Array, toes: Array, prints: Footprints, feet: Feet, side: int
) -> tuple[Array, Array, Array]:
    """Ankle, foot and toes of one foot on its footprints. Shape: (F, 3), (F, 3, 3) twice."""
    flat = flat_rotation(prints.yaw)
    wanted = _corrected(foot, flat, prints.nearest[:, 2])
    turned_foot = _above_floor(_towards(foot, wanted, prints.heel * prints.toe), prints, feet, side)
    # Each part's correction, and none at all: the firmer the more it counts, one that is held in full alone.
    total, moved = np.full((len(ankle), 1), 1 / (1 + _FIRM)), np.zeros_like(ankle)
    for firm, offset, nearest in zip(
        (prints.heel, prints.toe), (feet.heel[side], feet.ball[side]), prints.nearest.T[:2], strict=True
    ):
        weight = (firm / (1 - firm + _FIRM))[:, None]
        now = ankle + turned(foot, offset)
        off = (prints.ankle + turned(flat, offset) - now)[nearest]
        total, moved = total + weight, moved + weight * (now + off - turned(turned_foot, offset) - ankle)
    placed = ankle + moved / total
    # Toes lie flat while they are held, and follow the foot where it turns on its ball.
    aside = (yaw_of(turned_foot) - prints.yaw + np.pi) % (2 * np.pi) - np.pi
    pivot = np.sign(aside) * np.maximum(np.abs(aside) - _PIVOT, 0.0)
    carried = turned_foot @ foot.swapaxes(-1, -2) @ toes
    flat_toes = _corrected(carried, flat_rotation(prints.yaw + pivot), prints.nearest[:, 1])
    turned_toes = _towards(carried, flat_toes, prints.toe)
    return placed, turned_foot, _toes_up(placed, turned_foot, turned_toes, prints, feet, side)


def _corrected(rotation: Array, wanted: Array, nearest: NDArray[np.intp]) -> Array:
    """Rotations turned as those of other frames are to be what is wanted there. Shape: (F, 3, 3) twice, (F,)."""
    out: Array = (wanted @ rotation.swapaxes(-1, -2))[nearest] @ rotation
    return out


def _towards(rotation: Array, other: Array, share: Array) -> Array:
    """From one rotation (share 0) to another (1). Shape: (F, 3, 3) twice, (F,)."""
    if not share.any():
        return rotation
    turned_part = to_matrix(between(from_matrix(rotation), from_matrix(other), share))
    return np.where((share > 0)[:, None, None], turned_part, rotation)


def _above_floor(foot: Array, prints: Footprints, feet: Feet, side: int) -> Array:
    """A foot that stands on heel or ball alone, turned so that the other is not below the floor. Shape: (F, 3, 3)."""
    sole = turned(foot, feet.ball[side] - feet.heel[side])
    level = feet.heights[side, 1] - feet.heights[side, 0]
    below = np.maximum(level - sole[:, 2], 0.0) * prints.heel - np.maximum(sole[:, 2] - level, 0.0) * prints.toe
    changed = below != 0
    if not changed.any():
        return foot
    out = foot.copy()
    out[changed] = raised(sole[changed], below[changed]) @ foot[changed]
    return out


def _toes_up(ankle: Array, foot: Array, toes: Array, prints: Footprints, feet: Feet, side: int) -> Array:
    """Toes of a foot that is held, bent up as far as they are below the floor. Shape: (F, 3, 3)."""
    ball = ankle + turned(foot, feet.ball[side])
    tip = turned(toes, feet.tip[side])
    below = np.maximum(prints.ground + feet.heights[side, 2] - ball[:, 2] - tip[:, 2], 0.0) * np.maximum(
        prints.heel, prints.toe
    )
    changed = below > 0
    if not changed.any():
        return toes
    out = toes.copy()
    out[changed] = raised(tip[changed], below[changed]) @ toes[changed]
    return out


def _reach(joints: Array, wanted: Array) -> Array:
    """How far legs reach from hip to ankle, of how far they should. Shape: (F, 24, 3), (F, 2) → (F, 2) metres."""
    hips, knees, ankles = joints[:, HIPS], joints[:, KNEES], joints[:, ANKLES]
    upper, lower, now = (length(bone)[..., 0] for bone in (knees - hips, ankles - knees, ankles - hips))
    leg = upper + lower
    straight = np.maximum(_STRETCH * leg, np.minimum(now, leg))
    along = (upper**2 - lower**2 + now**2) / (2 * np.maximum(now, _TINY))
    aside = np.maximum(np.sqrt(np.maximum(upper**2 - along**2, 0.0)) - _KNEE, 0.0)
    bent = np.sqrt(np.maximum(upper**2 - aside**2, 0.0)) + np.sqrt(np.maximum(lower**2 - aside**2, 0.0))
    bent = np.minimum(bent, straight)
    return np.asarray(bent + (straight - bent) * smooth_step((wanted - bent) / _FAR))
