"""Floor: soles that stand come down on it and stop to drift, by a shift of the body; feet below it are lifted.

The shift is smooth and keeps the body on its picture as far as it can (`floor_path.py`); what a foot does against the
body is left to the layer of foot contact.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.ndimage import maximum_filter1d

from ..skeletons import JOINTS
from .chains import ANKLES, CHEST, HEAD, PELVIS, TOES
from .contacts import detected_strips, standing_frames
from .feet import Feet, Legs, with_legs
from .floor_path import Standing, floor_shift, upright_cost, view_cost
from .motion import Array, SkeletonMotion
from .parameters import Floor, FootContact, Strip
from .source import SOLE_JOINTS, StackSource, sole_points
from .under_feet import heights_under
from .vectors import turned

SEEN: Final = [PELVIS, CHEST, HEAD, *ANKLES]
"""The joints whose picture the shift keeps."""
_ACROSS: Final = 0.1
"""How much of a slide across the view is the body's: there the picture knows better, and feet are held by the legs."""
_SURE: Final = 0.3
"""Visibility from which on a joint that is below the floor pushes the body up."""
_DIP, _DIP_SECONDS = 0.05, 0.1
"""Metres, and seconds before and after: what is deeper below the floor, but not so long, does not push the body up. The
legs lift it."""
_UNSEEN: Final = 1.0
"""Metres above the floor that a joint counts as which was not seen: out of reach of any floor."""
_RESTING: Final = [
    JOINTS.index(f"{side}_{part}") for part in ("knee", "wrist", "elbow", "hip") for side in ("left", "right")
]
_DEPTHS: Final = np.array([0.04, 0.04, 0.02, 0.02, 0.03, 0.03, 0.06, 0.06])
"""Metres of flesh, at least, between each of `_RESTING` and the floor that it lies on."""


def layer(
    motion: SkeletonMotion, source: StackSource, settings: Floor, strips: tuple[Strip, ...] | None = None
) -> SkeletonMotion:
    """The motion on the floor.

    Args:
        strips: when heels and toes stand, where the artist says it; else they are detected.
    """
    if not settings.enabled or not settings.strength or not len(motion):
        return motion
    if strips is None:
        strips = detected_strips(motion, source, FootContact())
    feet = Feet.of(motion.rest_joints, source.sole_offsets)
    joints = motion.joints()
    cost = (view_cost if settings.keep_picture else upright_cost)(joints[:, SEEN], source.camera)
    soles = sole_points(motion, source.sole_offsets)
    ground = heights_under(motion, source)
    places = soles - np.array([0.0, 0.0, 1.0]) * (feet.sole_heights + ground[:, None])[..., None]
    stands = standing_frames(strips, source.seconds).astype(np.float64)
    solid = np.concatenate([places[..., 2], joints[:, _RESTING, 2] - ground[:, None] - _DEPTHS], 1)
    slides = (
        _slides(joints[:, PELVIS] - source.camera) if settings.keep_picture else np.tile(np.eye(2), (len(motion), 1, 1))
    )
    # What was not seen may be anywhere, and does not push the body up.
    solid = np.where(source.seen[:, [*SOLE_JOINTS, *_RESTING]] > _SURE, solid, _UNSEEN)
    solid = _lasting(solid, source.seconds) if settings.push_out else solid[:, :0]
    standing = Standing(places, stands, _lowest(places[..., 2], stands), settings.drift * slides, solid)
    shift = floor_shift(standing, cost, source.seconds, settings.smooth_seconds)
    moved = motion.changed(root=motion.root + shift)
    if settings.push_out:
        moved = pushed_out(moved, feet, ground)
    return motion.blended(moved, settings.strength)


def _slides(ray: Array) -> Array:
    """How much of a slide is the body's: all of it in depth, little across the view. Shape: (F, 3) → (F, 2, 2)."""
    along = (ray / np.maximum(np.linalg.norm(ray, axis=-1, keepdims=True), 1e-9))[:, :2]
    return np.asarray(_ACROSS * np.eye(2) + (1 - _ACROSS) * along[:, :, None] * along[:, None, :])


def _lasting(heights: Array, seconds: Array) -> Array:
    """Heights without short dips far below the floor. Shape: (F, S), (F,) → (F, S)."""
    if len(seconds) < 2:
        return heights
    reach = max(1, round(_DIP_SECONDS / float(np.median(np.diff(seconds)))))
    highest = maximum_filter1d(heights, 2 * reach + 1, axis=0, mode="nearest")
    return np.where(heights < -_DIP, highest, heights)


def _lowest(heights: Array, stands: Array) -> Array:
    """Of heel and toe of a foot that both stand the lower one: what a tilted foot stands on. Shape: (F, 4) twice."""
    of_feet = np.where(stands > 0, heights, np.inf).reshape(-1, 2, 2)
    lower = of_feet <= of_feet.min(1, keepdims=True)
    return np.asarray(stands * lower.reshape(stands.shape))


def pushed_out(motion: SkeletonMotion, feet: Feet, ground: Array) -> SkeletonMotion:
    """Feet that are below the floor, lifted onto it by their legs. Shape: ground (F,) heights of the floor."""
    rotations = motion.globals()
    ankles, toes = motion.joints()[:, ANKLES], rotations[:, TOES]
    foot = rotations[:, ANKLES]
    lowest = foot_depth(ankles, foot, toes, feet) - ground[:, None]
    ankles = ankles + np.maximum(-lowest, 0.0)[..., None] * np.array([0.0, 0.0, 1.0])
    return with_legs(motion, Legs(motion.root, ankles, foot, toes))


def foot_depth(ankles: Array, foot: Array, toes: Array, feet: Feet) -> Array:
    """How high the lowest of heel, ball and toe tip is above where it stands on z = 0; negative: below.

    Shape: (F, 2, 3), (F, 2, 3, 3) twice → (F, 2) metres.
    """
    ball = ankles + turned(foot, feet.ball)
    points = np.stack([ankles + turned(foot, feet.heel), ball, ball + turned(toes, feet.tip)], 2)
    return np.asarray((points[..., 2] - feet.heights).min(-1))
