"""Gap fill: joints that were hidden follow the mesh stream, or their neighbours in time, instead of the lifter's guess.

A gap ends where the joint is seen again. There the filling meets what was seen exactly, so nothing pops; frames that
were seen are never touched. Gaps are filled joint by joint, in rotations relative to the parent: a hidden hand stays on
the arm that was seen.

The lifter looks at 2.7 seconds around a frame and knows how far off it may be. Filling every gap made hidden limbs of
real detections worse (177 → 192 mm); filling as far as the lifter expects to be worse than the filling did not.

Where neither leg is seen, as where the picture's edge cuts somebody off, the mesh stream is as blind: it may fold the
legs up. The fitted hips and legs are under the body there, and are left.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import ndimage

from ..skeletons import JOINTS
from . import quaternions
from .filling import bridged, gaps, guided, smooth_step
from .motion import Array, SkeletonMotion
from .parameters import GapFill
from .source import StackSource

DRIFT: Final = 0.3
"""Metres a second by which a filling becomes less certain away from the gap's ends."""

SHARE_SECONDS: Final = 0.05
"""Standard deviation of the smoothing of the filling's share: the lifter's certainty may leap, the pose must not."""

_ENDS: Final = {"hip": "knee", "knee": "ankle", "ankle": "foot", "shoulder": "elbow", "elbow": "wrist", "wrist": "hand"}
"""The joint at the other end of a limb's bone. Both have to be seen for the bone's rotation to be known."""

SHOWN_BY: Final = tuple(
    JOINTS.index(f"{side}_{_ENDS[part]}") if part in _ENDS else joint
    for joint, (side, _, part) in enumerate(name.partition("_") for name in JOINTS)
)
"""For each joint the one that shows how it is turned."""

_LOWER: Final = [
    joint for joint, name in enumerate(JOINTS) if name.endswith(("pelvis", "spine1", "hip", "knee", "ankle", "foot"))
]
_SHANKS: Final = [JOINTS.index(f"{side}_{part}") for part in ("knee", "ankle") for side in ("left", "right")]


def layer(motion: SkeletonMotion, source: StackSource, settings: GapFill) -> SkeletonMotion:
    """The motion with its gaps filled; its root is left as it comes."""
    seconds = source.seconds
    seen = np.minimum(source.seen, source.seen[:, SHOWN_BY]) >= settings.visibility
    expected = np.exp(np.maximum(source.log_error, source.log_error[:, SHOWN_BY]))
    legless = np.asarray((source.seen[:, _SHANKS] < settings.visibility).all(1))
    rotations = motion.rotations.copy()
    for joint in range(len(JOINTS)):
        for start, stop in gaps(seen[:, joint]):
            if (start == 0 and stop == len(seconds)) or (joint in _LOWER and legless[start:stop].any()):
                continue
            length = seconds[min(stop, len(seconds) - 1)] - seconds[max(start - 1, 0)]
            if length > settings.longest_seconds:
                continue
            own = motion.rotations[:, joint : joint + 1]
            if length <= settings.bridge_seconds and start > 0 and stop < len(seconds):
                filled = bridged(own, seconds, start, stop)
            else:
                guide = source.steady_mesh_locals[:, joint : joint + 1]
                filled = guided(own, guide, seconds, start, stop, settings.blend_seconds)
            share = np.ones(stop - start)
            if settings.only_uncertain:
                share = filling_share(expected[:, joint], seconds, start, stop)
            rotations[start:stop, joint] = quaternions.between(own[start:stop, 0], filled[:, 0], share)
    return motion.blended(motion.changed(rotations=rotations), settings.strength)


def filling_share(expected: Array, seconds: Array, start: int, stop: int) -> Array:
    """How much of the filling to take in a gap: 0 where the lifter expects to err no more, 1 where twice as much.

    The filling is as certain as the frames that it is fastened to, and less with every moment away from them.

    Shape: expected (F,) metres, seconds (F,) → (n,).
    """
    edges = [edge for edge in (start - 1, stop) if 0 <= edge < len(seconds)]
    t = seconds[start:stop]
    held = np.interp(t, seconds[edges], expected[edges])
    away = np.min([np.abs(t - seconds[edge]) for edge in edges], axis=0)
    share = smooth_step(expected[start:stop] / np.hypot(held, DRIFT * away) - 1)
    rate = (len(seconds) - 1) / (seconds[-1] - seconds[0])
    return np.asarray(ndimage.gaussian_filter1d(share, SHARE_SECONDS * rate, mode="nearest"), np.float64)
