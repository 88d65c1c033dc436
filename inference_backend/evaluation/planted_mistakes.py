"""The mistakes of monocular capture, planted in takes whose truth is known.

Each is given a take and a source of randomness, and gives the take with one more mistake in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from ..targets import quaternions, vectors
from ..targets.motion import Array, SkeletonMotion, local_quaternions
from .planted_takes import Mask, PlantedTake


def clean(take: PlantedTake, draw: np.random.Generator) -> PlantedTake:
    """No mistake."""
    return take


def jitter(take: PlantedTake, draw: np.random.Generator) -> PlantedTake:
    """Every bone off by 1.5° and the root by 8 mm, each frame anew."""
    return _planted(take, jittered(take.source.fitted, draw))


def jittered(motion: SkeletonMotion, draw: np.random.Generator) -> SkeletonMotion:
    """A motion with the jitter of the takes in it."""
    turned = quaternions.from_matrix(motion.globals())
    off = np.radians(1.5) * draw.normal(size=(*turned.shape[:2], 3)) / np.sqrt(3)
    turned = quaternions.product(turned, quaternions.from_vector(off))
    root = motion.root + 0.008 * draw.normal(size=motion.root.shape) / np.sqrt(3)
    return motion.changed(root=root, rotations=local_quaternions(quaternions.to_matrix(turned)))


def spikes(take: PlantedTake, draw: np.random.Generator) -> PlantedTake:
    """Six single frames in which one joint is 40° off."""
    rotations, wrong = take.source.fitted.rotations.copy(), np.zeros_like(take.wrong)
    for frame in draw.choice(np.arange(4, len(rotations) - 4, 5), 6, replace=False):
        joint = int(draw.choice([1, 2, 4, 5, 12, 16, 17, 18, 19]))
        off = quaternions.from_vector(np.radians(40) * _direction(draw))
        rotations[frame, joint] = quaternions.product(rotations[frame, joint], off)
        wrong[frame, joint] = True
    return _planted(take, take.source.fitted.changed(rotations=rotations), wrong)


def swapped_legs(take: PlantedTake, draw: np.random.Generator) -> PlantedTake:
    """Eight frames in which each leg points at the other one's knee, ankle and toes."""
    motion = take.source.fitted
    rows = slice(*_stretch(take, draw, 8))
    turned, joints = motion.globals()[rows], motion.joints()[rows]
    found = turned.copy()
    for own, other in (((1, 4, 7, 10), (2, 5, 8, 11)), ((2, 5, 8, 11), (1, 4, 7, 10))):
        place = joints[:, own[0]]
        for joint, end, wanted in zip(own, own[1:], other[1:], strict=False):
            bone = vectors.turned(turned[:, joint], motion.rest_joints[end] - motion.rest_joints[joint])
            turn = vectors.swing(bone, joints[:, wanted] - place)
            found[:, joint] = turn @ turned[:, joint]
            place = place + vectors.turned(turn, bone)
        found[:, own[-1]] = turn @ turned[:, own[-1]]
    rotations, wrong = motion.rotations.copy(), np.zeros_like(take.wrong)
    rotations[rows] = local_quaternions(found)
    wrong[rows, 1:3] = wrong[rows, 4:6] = wrong[rows, 7:9] = True
    return _planted(take, motion.changed(rotations=rotations), wrong)


def lost_arm(take: PlantedTake, draw: np.random.Generator) -> PlantedTake:
    """Twenty frames in which an arm is hidden, wanders off by up to 90°, and the lifter expects to be 25 cm off."""
    start, stop = _stretch(take, draw, 20)
    side = int(draw.integers(2))
    arm = [joint + side for joint in (16, 18, 20, 22)]
    rotations, wrong = take.source.fitted.rotations.copy(), np.zeros_like(take.wrong)
    visibility, log_error = take.source.visibility.copy(), take.source.log_error.copy()
    swell = np.sin(np.pi * (np.arange(stop - start) + 0.5) / (stop - start))[:, None]
    for joint in arm[:2]:
        off = quaternions.from_vector(np.radians(90) * swell * _direction(draw))
        rotations[start:stop, joint] = quaternions.product(rotations[start:stop, joint], off)
    wrong[start:stop, arm[:2]] = True
    visibility[start:stop, arm[1:]], log_error[start:stop, arm[1:]] = 0.05, np.log(0.25)
    take = replace(take, source=replace(take.source, visibility=visibility, log_error=log_error))
    return _planted(take, take.source.fitted.changed(rotations=rotations), wrong)


def wrong_elbow(take: PlantedTake, draw: np.random.Generator) -> PlantedTake:
    """Ten frames in which one forearm points 90° aside."""
    start, stop = _stretch(take, draw, 10)
    joint = 18 + int(draw.integers(2))
    rest = take.truth.rest_joints
    bone = rest[joint + 2] - rest[joint]
    axis = np.cross(bone, _direction(draw))
    off = quaternions.from_vector(np.radians(90) * axis / np.linalg.norm(axis))
    rotations, wrong = take.source.fitted.rotations.copy(), np.zeros_like(take.wrong)
    rotations[start:stop, joint] = quaternions.product(rotations[start:stop, joint], off)
    wrong[start:stop, joint] = True
    return _planted(take, take.source.fitted.changed(rotations=rotations), wrong)


def floating_root(take: PlantedTake, draw: np.random.Generator) -> PlantedTake:
    """The body hovers 60 mm above the floor, give or take 30 mm, and slides to and fro by 150 mm along the view."""
    t = take.source.seconds
    phase = 2 * np.pi * draw.random(2)
    way = np.stack(
        [
            np.zeros_like(t),
            0.15 * np.sin(2 * np.pi * 0.3 * t + phase[0]),
            0.06 + 0.03 * np.sin(2 * np.pi * 0.2 * t + phase[1]),
        ],
        -1,
    )
    return _planted(take, take.source.fitted.changed(root=take.source.fitted.root + way))


def everything(take: PlantedTake, draw: np.random.Generator) -> PlantedTake:
    """All of them at once."""
    for fault in (floating_root, wrong_elbow, lost_arm, swapped_legs, spikes, jitter):
        take = fault(take, draw)
    return take


FAULTS: Final[Mapping[str, Callable[[PlantedTake, np.random.Generator], PlantedTake]]] = {
    "nothing": clean,
    "jitter": jitter,
    "spikes": spikes,
    "swapped legs": swapped_legs,
    "lost arm": lost_arm,
    "wrong elbow": wrong_elbow,
    "floating, sliding root": floating_root,
    "all of these": everything,
}
"""The mistakes by the names of the table."""


def _planted(take: PlantedTake, motion: SkeletonMotion, wrong: Mask | None = None) -> PlantedTake:
    marked = take.wrong if wrong is None else take.wrong | wrong
    return replace(take, source=replace(take.source, fitted=motion), wrong=marked)


def _stretch(take: PlantedTake, draw: np.random.Generator, frames: int) -> tuple[int, int]:
    """A stretch with at least eight frames on either side."""
    start = int(draw.integers(8, len(take.truth) - frames - 8))
    return start, start + frames


def _direction(draw: np.random.Generator) -> Array:
    vector = draw.normal(size=3)
    return np.asarray(vector / np.linalg.norm(vector))
