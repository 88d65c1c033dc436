"""How far what was lifted again reaches: corrected limbs follow in full and meet the picture, the rest where it counts.

A wrong wrist misleads the lifter about the whole body, a little or a lot. What it was misled by a lot is put right with
the wrist; what only wavers by millimetres stays, so that a correction of an arm edits an arm.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from .corrections import Corrected
from .lift_window import Footage, landmarks_of
from .skeletons import JOINTS, LANDMARKS
from .solve import Solver
from .targets import vectors
from .targets.edits import Edits, apply_edits
from .targets.motion import SkeletonMotion

Array = NDArray[np.float64]

WAVERING: Final = (0.02, 0.06)
"""Metres by which a joint of the body's other parts moves that are no change, and from which on they are one in full.
Planted mistakes (`evaluate corrections`) are mended as well with this as without; with (0.05, 0.10) the other joints
are 1 mm worse, and 8 mm where only the corrected limb moves."""

MEET_SECONDS: Final = 0.1
"""Over which a joint goes over from where it was corrected to, to where the fit has it."""

_SIDES: Final = ("left", "right")
_LIMBS: Final = (
    ("shoulder", "elbow", "wrist", "hand", "pinky", "index", "thumb"),
    ("hip", "knee", "ankle", "foot", "heel", "foot_index"),
)
"""Joints and landmarks of an arm and a leg. All others are the trunk's, and where limbs begin it is shown, too."""
_MEETING: Final = {
    LANDMARKS.index(f"{side}_{part}"): JOINTS.index(f"{side}_{part}")
    for side in _SIDES
    for part in ("elbow", "wrist", "knee", "ankle")
}
"""The landmarks whose joints are moved so that they are met in the picture."""


def _parts() -> tuple[tuple[list[int], list[int]], ...]:
    """Landmarks and joints of the body's parts: four limbs, then the trunk."""
    named = [[f"{side}_{part}" for part in parts] for side in _SIDES for parts in _LIMBS]
    limbs = [
        ([LANDMARKS.index(n) for n in names if n in LANDMARKS], [JOINTS.index(n) for n in names if n in JOINTS])
        for names in named
    ]
    shows = {landmark for landmarks, _ in limbs for landmark in landmarks[1:]}
    moves = {joint for _, joints in limbs for joint in joints}
    return *limbs, (
        [k for k in range(len(LANDMARKS)) if k not in shows],
        [j for j in range(len(JOINTS)) if j not in moves],
    )


_PARTS: Final = _parts()


def reached(was: SkeletonMotion, now: SkeletonMotion, share: Array) -> Array:
    """How far each joint follows what was lifted again in some frames. Shape: (24,), 0 to 1.

    Args:
        was: n frames, lifted from the detections. now: from the corrected ones.
        share: (n, 33) as `Corrected.share`.
    """
    shown, moved = share.max(0) > 0, np.linalg.norm(now.joints() - was.joints(), axis=-1).max(0)
    reach = np.empty(len(JOINTS))
    for landmarks, joints in _PARTS:
        far = np.clip((moved[joints].max() - WAVERING[0]) / (WAVERING[1] - WAVERING[0]), 0, 1)
        reach[joints] = 1.0 if shown[landmarks].any() else far * far * (3 - 2 * far)
    return reach


def meeting(solver: Solver, now: Footage, corrected: Corrected, motion: SkeletonMotion) -> SkeletonMotion:
    """The motion with elbows, wrists, knees and ankles where they were corrected to in the picture, at their depth.

    As far as bones reach. The fit weighs a correction against the frames around it and the lifter's habits; the artist
    knows.
    """
    share = np.zeros_like(corrected.share)
    for landmark in _MEETING:
        given = now.seconds[corrected.given[:, landmark]]
        away = np.abs(now.seconds[:, None] - given).min(1, initial=np.inf)
        share[:, landmark] = corrected.share[:, landmark] * np.clip(1 - away / MEET_SECONDS, 0, 1)
    rows = np.flatnonzero(share.max(1) > 0)
    start = SkeletonMotion(motion.root[rows], motion.rotations[rows], motion.rest_joints)
    seen = landmarks_of(solver, now, start)
    place = now.camera.normalise(corrected.keypoints[rows][..., :2])
    off = (place - seen[..., :2] / seen[..., 2:]) * seen[..., 2:]
    aside = share[rows][..., None] * _as_corrected(off, corrected.given[rows], now.seconds[rows])
    by = np.concatenate([aside, np.zeros_like(aside[..., :1])], -1) @ now.world[:3, :3].T
    edits, turned = Edits.none(len(rows)), start.globals()
    for landmark, joint in _MEETING.items():
        edits.offset[:, joint] = vectors.turned(vectors.transposed(turned[:, joint]), by[:, landmark])
    rotations = motion.rotations.copy()
    rotations[rows] = apply_edits(start, edits).motion.rotations
    return motion.changed(rotations=rotations)


def _as_corrected(off: Array, given: NDArray[np.bool_], seconds: Array) -> Array:
    """How far landmarks are off where they were corrected, and between such rows in the middle between them.

    Not how far they are off in every row: there what was detected is as noisy as ever, and an arm that is nearly
    straight would pop out for a frame to meet it. Shape: (n, 33, 2), (n, 33), (n,) → (n, 33, 2).
    """
    out = np.zeros_like(off)
    for landmark in np.flatnonzero(given.any(0)):
        at = given[:, landmark]
        for axis in range(2):
            out[:, landmark, axis] = np.interp(seconds, seconds[at], off[at, landmark, axis])
    return out
