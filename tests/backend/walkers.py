"""Bodies that stand, walk and jump with feet that hold still on the floor: motions of known truth for the layers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference_backend.targets import quaternions
from inference_backend.targets.feet import Feet, Legs, flat_rotation, with_legs
from inference_backend.targets.motion import SkeletonMotion
from inference_backend.targets.source import StackSource

Array = NDArray[np.float64]

REST = np.array([
    [0, 0.9, 0], [0.1, 0.88, 0], [-0.1, 0.88, 0], [0, 1.0, -0.03], [0.1, 0.48, 0.0], [-0.1, 0.48, 0.0],
    [0, 1.07, -0.02], [0.1, 0.06, -0.01], [-0.1, 0.06, -0.01], [0, 1.15, -0.02], [0.1, 0.02, 0.12], [-0.1, 0.02, 0.12],
    [0, 1.45, 0.01], [0.03, 1.38, 0.02], [-0.03, 1.38, 0.02], [0, 1.55, 0.04], [0.18, 1.36, 0.02], [-0.18, 1.36, 0.02],
    [0.45, 1.36, 0.02], [-0.45, 1.36, 0.02], [0.69, 1.36, 0.02], [-0.69, 1.36, 0.02], [0.8, 1.36, 0.02],
    [-0.8, 1.36, 0.02],
])  # fmt: skip
"""A body in its T-pose, the same on both sides: 24 joints, metres, y up, facing +z."""

SOLES = np.array([[0, -0.03, -0.05], [0, -0.03, -0.05], [-0.01, -0.005, 0.08], [0.01, -0.005, 0.08]])
"""Heels from the ankles, toe tips from the balls of the feet."""

FEET = Feet.of(REST, SOLES)
FPS = 30.0
STANCE = 0.62
"""Share of a stride in which a foot stands."""
CAMERA = np.array([4.0, 0.5, 1.4])


@dataclass(frozen=True)
class Walk:
    """A motion, and when each sole point stands in it."""

    motion: SkeletonMotion
    stands: NDArray[np.bool_]
    """(F, 4) left heel, right heel, left toe tip, right toe tip."""

    def source(self, seen: SkeletonMotion | None = None) -> StackSource:
        """What the layers look at when the take has another motion than the true one."""
        motion, frames = seen or self.motion, len(self.motion)
        ones = np.ones((frames, 24))
        return StackSource(
            fitted=motion, mesh_stream=motion, visibility=ones, suspect=0 * ones, log_error=np.log(0.03) * ones,
            standing=self.stands.astype(float), seconds=np.arange(frames) / FPS, camera=CAMERA, sole_offsets=SOLES,
            detected=np.ones(frames, bool),
        )  # fmt: skip


def upright(frames: int) -> SkeletonMotion:
    """The arms hang; the body looks along +y, its pelvis as high as the legs are long."""
    vectors = np.zeros((frames, 24, 3))
    vectors[:, 16, 2], vectors[:, 17, 2] = -1.3, 1.3
    vectors[:, 18, 1], vectors[:, 19, 1] = -0.4, 0.4
    rotations = quaternions.from_vector(vectors)
    rotations[:, 0] = quaternions.from_matrix(flat_rotation(np.full(frames, np.pi / 2)))
    return SkeletonMotion(np.tile([0, 0, 0.9 - 0.01], (frames, 1)), rotations, REST)


def stand(frames: int = 60) -> Walk:
    """Both feet flat on the floor all the time."""
    motion = upright(frames)
    flat = np.tile(flat_rotation(np.full(1, np.pi / 2)), (frames, 2, 1, 1))
    ankles = np.tile(_flat_ankles(0.0), (frames, 1, 1))
    legs = Legs(motion.root - [0, 0, 0.02], ankles, flat, flat)
    return Walk(with_legs(motion, legs), np.ones((frames, 4), bool))


def walk(frames: int = 90, speed: float = 1.1, stride: float = 1.1) -> Walk:
    """Steps along +y: heels strike first, toes leave last. `stride` in seconds, of both steps."""
    motion, seconds = upright(frames), np.arange(frames) / FPS
    ankles, feet = np.zeros((frames, 2, 3)), np.zeros((frames, 2, 3, 3))
    toes, stands = np.zeros((frames, 2, 3, 3)), np.zeros((frames, 4), bool)
    for foot in (0, 1):
        phase = seconds / stride + 0.5 * foot
        for frame in range(frames):
            number, share = np.floor(phase[frame]), phase[frame] % 1
            place, next_place = ((number + k - 0.5 * foot + STANCE / 2) * speed * stride for k in (0, 1))
            ankle, pitch, toe_pitch = _foot(share, place, next_place, foot)
            ankles[frame, foot] = ankle
            feet[frame, foot], toes[frame, foot] = _pitched(pitch), _pitched(toe_pitch)
            stands[frame, foot], stands[frame, 2 + foot] = share <= 0.4, 0.1 <= share <= STANCE
    motion = motion.changed(root=motion.root + np.stack([0 * seconds, speed * seconds, 0 * seconds - 0.09], 1))
    return Walk(with_legs(motion, Legs(motion.root, ankles, feet, toes)), stands)


def jump(frames: int = 75, air: tuple[int, int] = (30, 45)) -> Walk:
    """Stands, leaves the floor as a thrown body does, and lands."""
    standing = stand(frames)
    start, end = air
    time = (np.arange(frames) - start) / FPS
    flight = (end - start) / FPS
    rise = np.where((time > 0) & (time < flight), 0.5 * 9.81 * time * (flight - time), 0.0)
    motion = standing.motion.changed(root=standing.motion.root + rise[:, None] * [0, 0, 1])
    return Walk(motion, standing.stands & (rise == 0)[:, None])


def _flat_ankles(along: float) -> Array:
    flat = flat_rotation(np.asarray(np.pi / 2))
    places = [[x, along, FEET.heights[i, 1] - (flat @ FEET.ball[i])[2]] for i, x in enumerate((-0.1, 0.1))]
    return np.array(places)


def _pitched(pitch: float) -> Array:
    """A foot along +y, its toes down by `pitch` radians."""
    turn = quaternions.to_matrix(quaternions.from_vector([pitch, 0, 0]))
    return np.asarray(flat_rotation(np.asarray(np.pi / 2)) @ turn)


def _foot(share: float, place: float, next_place: float, foot: int) -> tuple[Array, float, float]:
    """Ankle, pitch of the foot and pitch of the toes at a share of the stride; 0: the heel strikes."""
    flat = _flat_ankles(place)[foot]
    strike, leave = -0.35, 0.6
    ball, heel = FEET.ball[foot], FEET.heel[foot]
    if share < 0.1:
        pitch = strike * (1 - share / 0.1)
        return flat + _pitched(0.0) @ heel - _pitched(pitch) @ heel, pitch, pitch
    if share <= 0.4:
        return flat, 0.0, 0.0
    if share <= STANCE:
        pitch = leave * ((share - 0.4) / (STANCE - 0.4)) ** 2
        return flat + _pitched(0.0) @ ball - _pitched(pitch) @ ball, pitch, 0.0
    swing = (share - STANCE) / (1 - STANCE)
    smooth = swing * swing * (3 - 2 * swing)
    pitch = leave + (strike - leave) * smooth
    start = flat + _pitched(0.0) @ ball - _pitched(leave) @ ball
    end = _flat_ankles(next_place)[foot] + _pitched(0.0) @ heel - _pitched(strike) @ heel
    lift = 0.08 * np.sin(np.pi * swing)
    return start + smooth * (end - start) + np.array([0, 0, lift]), pitch, pitch * smooth
