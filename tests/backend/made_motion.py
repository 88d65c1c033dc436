"""A person who walks on the spot and waves, made up from numpy alone, and what the target stack looks at."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from inference_backend.skeletons import JOINTS
from inference_backend.targets import quaternions
from inference_backend.targets.motion import SkeletonMotion, local_quaternions
from inference_backend.targets.source import StackSource

Array = NDArray[np.float64]

REST = np.array([
    [0, 0.9, 0], [0.1, 0.88, 0], [-0.1, 0.88, 0], [0, 1.0, -0.03], [0.1, 0.48, 0.0], [-0.1, 0.48, 0.0],
    [0, 1.07, -0.02], [0.1, 0.08, -0.01], [-0.1, 0.08, -0.01], [0, 1.15, -0.02], [0.1, 0.01, 0.12], [-0.1, 0.01, 0.12],
    [0, 1.45, 0.01], [0.03, 1.38, 0.02], [-0.03, 1.38, 0.02], [0, 1.55, 0.04], [0.18, 1.36, 0.02], [-0.18, 1.36, 0.02],
    [0.45, 1.36, 0.02], [-0.45, 1.36, 0.02], [0.69, 1.36, 0.02], [-0.69, 1.36, 0.02], [0.8, 1.36, 0.02],
    [-0.8, 1.36, 0.02],
])  # fmt: skip
"""(24, 3) a body in its T-pose, y up, the same on both sides."""

SOLES = np.array([[0.0, -0.04, -0.04], [0.0, -0.04, -0.04], [0.0, 0.01, 0.07], [0.0, 0.01, 0.07]])
"""(4, 3) heels from the ankles, toe tips from the feet."""

J = {name: index for index, name in enumerate(JOINTS)}


def steady(frames: int = 90, fps: float = 30.0) -> Array:
    """Times of frames, seconds."""
    return np.arange(frames) / fps


def walking(seconds: Array) -> SkeletonMotion:
    """Legs and arms swing at 0.8 Hz, the body turns and sways: no motion is faster than a walk's."""
    t = np.asarray(seconds, np.float64)
    swing = np.sin(2 * np.pi * 0.8 * t)
    vectors = np.zeros((len(t), 24, 3))
    vectors[:, J["left_hip"], 0], vectors[:, J["right_hip"], 0] = -0.5 * swing, 0.5 * swing
    vectors[:, J["left_knee"], 0], vectors[:, J["right_knee"], 0] = 0.5 - 0.3 * swing, 0.5 + 0.3 * swing
    vectors[:, J["left_shoulder"], 2], vectors[:, J["right_shoulder"], 2] = -1.2, 1.2
    vectors[:, J["left_shoulder"], 1], vectors[:, J["right_shoulder"], 1] = 0.4 * swing, 0.4 * swing
    vectors[:, J["left_elbow"], 1], vectors[:, J["right_elbow"], 1] = -0.6 - 0.2 * swing, 0.6 - 0.2 * swing
    vectors[:, J["spine2"], 1] = 0.1 * swing
    rotations = quaternions.from_vector(vectors)
    upright = quaternions.from_vector([np.pi / 2, 0, 0])
    turn = quaternions.from_vector(np.stack([0 * t, 0 * t, 0.3 * t], -1))
    rotations[:, 0] = quaternions.product(turn, upright)
    root = np.stack([0.05 * np.cos(2 * t), 0.2 * t, 0.9 + 0.02 * np.cos(4 * np.pi * 0.8 * t)], -1)
    return SkeletonMotion(root, rotations, REST)


def source_of(motion: SkeletonMotion, seconds: Array, **changed: object) -> StackSource:
    """All joints seen, the mesh stream of the same opinion, nothing stands; `changed` fields replace these."""
    frames = len(motion)
    source = StackSource(
        fitted=motion,
        mesh_stream=motion,
        visibility=np.full((frames, 24), 0.95),
        suspect=np.zeros((frames, 24)),
        log_error=np.full((frames, 24), np.log(0.08)),
        standing=np.zeros((frames, 4)),
        seconds=seconds,
        camera=np.array([0.0, -4.0, 1.2]),
        sole_offsets=SOLES,
        detected=np.ones(frames, bool),
    )
    return dataclasses.replace(source, **changed)


def turned_joint(motion: SkeletonMotion, joint: str, rows: slice, vector: Array | list[float]) -> SkeletonMotion:
    """One joint turned further by a rotation vector in some frames. Shape: (3,) or (n, 3)."""
    rotations = motion.rotations.copy()
    rotations[rows, J[joint]] = quaternions.product(rotations[rows, J[joint]], quaternions.from_vector(vector))
    return motion.changed(rotations=rotations)


def jittery(motion: SkeletonMotion, seed: int, degrees: float = 1.5, metres: float = 0.008) -> SkeletonMotion:
    """Every bone and the root off, each frame anew."""
    rng = np.random.default_rng(seed)
    turned = quaternions.from_matrix(motion.globals())
    off = np.radians(degrees) * rng.normal(size=(*turned.shape[:2], 3)) / np.sqrt(3)
    turned = quaternions.product(turned, quaternions.from_vector(off))
    root = motion.root + metres * rng.normal(size=motion.root.shape) / np.sqrt(3)
    return motion.changed(root=root, rotations=local_quaternions(quaternions.to_matrix(turned)))


def apart(a: SkeletonMotion, b: SkeletonMotion) -> Array:
    """Distance of the joints, millimetres. Shape: (F, 24)."""
    return 1000 * np.linalg.norm(a.joints() - b.joints(), axis=-1)


def somewhere(frames: int, seed: int = 0) -> SkeletonMotion:
    """Frames in any pose at all, with nothing to do with each other."""
    rng = np.random.default_rng(seed)
    rotations = quaternions.normalised(rng.normal(size=(frames, 24, 4)))
    return SkeletonMotion(rng.normal(size=(frames, 3)), rotations, REST)
